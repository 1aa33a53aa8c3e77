import { randomUUID } from 'node:crypto'
import type { DrainId } from '#lib/ids.ts'
import type { Secrets } from '#lib/secrets/secrets.ts'
import type { LogDrain } from '../log-drain.ts'
import { sha256 } from './channels-db.ts'
import type { DrainKind, DrainRow } from './drains-db.ts'
import { exporterText, readExporter, type Exporter } from './exporter.ts'

/** Where a drain leads: a url, which of a telemetry drain follows from its exporter. */
export type DrainTarget = { url: string; exporter?: Exporter | undefined }

/** What a receiver knows a drain by. */
export const newDrainToken = (): string => `d.${randomUUID()}`

/** Where a drain's url and its exporter are sealed for: its row. */
export const drainContext = (id: string): string => `drains:${id}`
const exporterContext = (id: string): string => `drains:${id}:exporter`

export const kindOf = ({ exporter }: DrainTarget): DrainKind => (exporter ? 'telemetry' : 'log')

/** What an app may have once: a url, or an exporter with its headers. */
export const hashOf = ({ url, exporter }: DrainTarget): Buffer =>
  sha256(exporter ? exporterText(exporter) : url)

/** The target as the drain's row has it. */
export function sealTarget(
  secrets: Secrets,
  id: DrainId,
  target: DrainTarget,
): { sealedUrl: string; urlSha256: Buffer; sealedExporter: string | undefined } {
  const { url, exporter } = target
  return {
    sealedUrl: secrets.seal(url, drainContext(id)),
    urlSha256: hashOf(target),
    sealedExporter: exporter && secrets.seal(exporterText(exporter), exporterContext(id)),
  }
}

/** The drain with its url and its headers, which may hold credentials. */
export function openDrain(secrets: Secrets, row: DrainRow): LogDrain {
  const { id, appId, token, firstLine } = row
  const url = secrets.open(row.sealedUrl, drainContext(id))
  return { id, appId, token, firstLine, url, headers: openExporter(secrets, row)?.headers }
}

/** What a telemetry drain's owner gave; undefined of a log drain. */
export function openExporter(
  secrets: Secrets,
  { id, sealedExporter }: DrainRow,
): Exporter | undefined {
  if (sealedExporter === undefined) return undefined
  return readExporter(secrets.open(sealedExporter, exporterContext(id)))
}
