import { isDeepStrictEqual } from 'node:util'
import { must } from '#lib/assert.ts'
import { conflict, invalidParams, notFound } from '#lib/errors.ts'
import type { AppId } from '#lib/ids.ts'
import { isUniqueViolation } from '#lib/postgres.ts'
import { takeBackfill } from './backfill.ts'
import type { ControlContext } from './context.ts'
import { assertPassed, checkTarget } from './drain-checks.ts'
import { openExporter, sealTarget } from './drain-target.ts'
import { assertDrainUrl } from './drain-url.ts'
import { addTested, urlTaken, view, type DrainView } from './drains.ts'
import { deleteDrain, type DrainRow } from './drains-db.ts'
import { assertExporterHeaders, otlpUrl, type Exporter } from './exporter.ts'
import {
  findTelemetryDrain,
  listTelemetryDrains,
  setTelemetryDrain,
} from './telemetry-drains-db.ts'

// Drains that are given as OTLP exporters. Beyond how they are asked for and shown they are drains
// like any other: the same account, the same test, gone with their app.

/** A telemetry drain as its owner sees it. */
export type TelemetryDrainView = DrainView & { exporter: Exporter }

/**
 * Adds a drain that posts the app's lines from now on to an OTLP receiver, which is tested first.
 *
 * @param wanted.exporter its endpoint perhaps with options and `backfill=` behind its #
 * @param wanted.force without a test
 * @param wanted.by whom the test's line names
 * @throws INVALID_PARAMS for an exporter that cannot be one or that the app has already, one drain
 * too many, or a test that failed; NOT_FOUND for a destroyed app.
 */
export async function createTelemetryDrain(
  context: ControlContext,
  wanted: { appId: AppId; exporter: Exporter; force: boolean; by: string },
): Promise<TelemetryDrainView> {
  const { appId, force, by } = wanted
  const { headers } = wanted.exporter
  assertExporterHeaders(headers)
  const { url: endpoint, lines: backfillLines } = takeBackfill(wanted.exporter.endpoint, '')
  const exporter = { endpoint, headers }
  const target = { url: otlpUrl(endpoint), exporter }
  const made = await addTested(context, { appId, ...target, backfillLines, force, by })
  return { ...made, exporter }
}

export async function telemetryDrains(
  context: ControlContext,
  appId: AppId,
): Promise<TelemetryDrainView[]> {
  const rows = await listTelemetryDrains(context.pool, appId)
  return Promise.all(rows.map((row) => viewTelemetryDrain(context, row)))
}

/** Of whatever app. @throws NOT_FOUND */
export async function getTelemetryDrain(
  context: ControlContext,
  id: string,
): Promise<TelemetryDrainView> {
  return viewTelemetryDrain(context, await findRow(context, id))
}

/**
 * Points a drain elsewhere, when the receiver there has taken a line of a test; what it has
 * delivered and has yet to deliver stays as it is.
 *
 * @param wanted.endpoint undefined: as it is
 * @param wanted.headers all of them; undefined: as they are
 * @throws what createTelemetryDrain throws; NOT_FOUND; CONFLICT when somebody else was quicker.
 */
export async function updateTelemetryDrain(
  context: ControlContext,
  wanted: { appId: AppId; id: string; force: boolean; by: string } & Partial<Exporter>,
): Promise<TelemetryDrainView> {
  const { pool, secrets, registry, drainsMayBeLocal } = context
  const { appId, force, by } = wanted
  const row = await findRow(context, wanted.id, appId)
  const before = exporterOf(context, row)
  const { endpoint = before.endpoint, headers = before.headers } = wanted
  const exporter = { endpoint, headers }
  if (isDeepStrictEqual(exporter, before)) return viewTelemetryDrain(context, row)
  assertExporterHeaders(headers)
  const target = { url: otlpUrl(endpoint), exporter }
  assertDrainUrl(target.url, drainsMayBeLocal)
  if (!force) {
    const check = await checkTarget(context, { appId, ...target, token: row.token }, by)
    assertPassed(check, 'changed', 'To change it all the same: "force": true beside "exporter".')
  }
  const sealed = sealTarget(secrets, row.id, target)
  const changed = await setTelemetryDrain(pool, row, sealed).catch((error: unknown) => {
    if (isUniqueViolation(error, 'drains_url_once')) throw invalidParams(urlTaken)
    throw error
  })
  if (!changed)
    throw conflict('The telemetry drain has changed meanwhile. Look at it, and try again.')
  await registry.changed(appId)
  return viewTelemetryDrain(context, changed)
}

/** Removes a drain and gives what it was. @throws NOT_FOUND */
export async function removeTelemetryDrain(
  context: ControlContext,
  { appId, id }: { appId: AppId; id: string },
): Promise<TelemetryDrainView> {
  const row = await findRow(context, id, appId)
  const found = await viewTelemetryDrain(context, row)
  if (!(await deleteDrain(context.pool, row.id))) throw noSuchDrain()
  await context.registry.changed(appId)
  return found
}

const noSuchDrain = (): Error => notFound('telemetry drain')

/** @param appId undefined: of whatever app */
async function findRow({ pool }: ControlContext, id: string, appId?: AppId): Promise<DrainRow> {
  const row = await findTelemetryDrain(pool, id, appId)
  if (!row) throw noSuchDrain()
  return row
}

const exporterOf = ({ secrets }: ControlContext, row: DrainRow): Exporter =>
  must(openExporter(secrets, row), 'exporter of a telemetry drain')

async function viewTelemetryDrain(
  context: ControlContext,
  row: DrainRow,
): Promise<TelemetryDrainView> {
  return { ...(await view(context, row)), exporter: exporterOf(context, row) }
}
