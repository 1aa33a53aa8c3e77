import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { badRequest } from '#lib/errors.ts'
import { parseId, type AccountId, type AddonId, type AppId, type AttachmentId } from '#lib/ids.ts'
import type { RpcHandlers } from '#lib/rpc.ts'
import type { LogplexService, TokenSchema } from '#proto/logplex/v1/logplex_pb.ts'
import { ensureAttachmentToken, removeAddonLogs, removeAttachmentLogs } from './addon-logs.ts'
import { channelTokens, ensureToken, type ChannelToken } from './channels.ts'
import type { ControlContext } from './context.ts'
import { createCredential, removeCredential } from './credentials.ts'
import { listCredentials, type CredentialRow } from './credentials-db.ts'
import {
  addonDrains,
  appDrains,
  createDrain,
  ensureAddonDrain,
  getDrain,
  removeDrain,
} from './drains.ts'
import { testDrain } from './drain-checks.ts'
import { drainMessage, readOptionsMessage, telemetryDrainMessage } from './drain-message.ts'
import { replayAppDrain } from './replay.ts'
import { setSwitches } from './switches.ts'
import { listSwitches, type SwitchesRow } from './switches-db.ts'
import { createSession } from './sessions.ts'
import {
  createTelemetryDrain,
  getTelemetryDrain,
  removeTelemetryDrain,
  telemetryDrains,
  updateTelemetryDrain,
} from './telemetry-drains.ts'

/** The calls of proto/logplex/v1: decode, ask, encode. */
export function logplexHandlers(context: ControlContext): RpcHandlers<typeof LogplexService> {
  return {
    ensureToken: async ({ appId, name }) =>
      tokenMessage(context, await ensureToken(context, readAppId(appId), name)),
    listTokens: async ({ appId }) => {
      const tokens = await channelTokens(context, readAppId(appId))
      return { tokens: tokens.map((token) => tokenMessage(context, token)) }
    },
    createDrain: async ({ appId, url, options: said, backfill, force, by }) => {
      const options = said && readOptionsMessage(said)
      const wanted = { appId: readAppId(appId), url, options, backfill, force, by }
      return drainMessage(await createDrain(context, wanted))
    },
    testDrain: async ({ appId, drain, by }) =>
      testDrain(context, { appId: readAppId(appId), drain, by }),
    listDrains: async ({ appId }) => {
      const drains = await appDrains(context, readAppId(appId))
      return { drains: drains.map(drainMessage) }
    },
    getDrain: async ({ appId, drain }) =>
      drainMessage(await getDrain(context, readAppId(appId), drain)),
    deleteDrain: async ({ appId, drain }) =>
      drainMessage(await removeDrain(context, readAppId(appId), drain)),
    replayDrain: async ({ appId, drain, fromLine, since }) => {
      const wanted = { appId: readAppId(appId), drain, fromLine: Number(fromLine), since }
      const { from, lines } = await replayAppDrain(context, wanted)
      return { fromLine: BigInt(from), lines: BigInt(lines) }
    },
    createSession: async (request) => {
      const { lines, tail, source, dyno, match, pattern, since, until } = request
      const accountId = parseId<AccountId>(request.accountId)
      if (!accountId) throw badRequest('account_id is no uuid.')
      const appId = readAppId(request.appId)
      const filters = { source, dyno, match, pattern, since, until }
      const wish = { appId, accountId, lines, tail, ...filters }
      const { id, createdAt } = await createSession(context.redis, wish)
      const url = `${context.logsUrl}/sessions/${id}`
      return { id, url, createdAt: timestampFromDate(createdAt) }
    },
    ...telemetryHandlers(context),
    ...addonHandlers(context),
    ...operatorHandlers(context),
  }
}

function telemetryHandlers(context: ControlContext) {
  return {
    createTelemetryDrain: async ({ appId, exporter, force, by }) => {
      const { endpoint = '', headers = {} } = exporter ?? {}
      const wanted = { appId: readAppId(appId), exporter: { endpoint, headers }, force, by }
      return telemetryDrainMessage(await createTelemetryDrain(context, wanted))
    },
    listTelemetryDrains: async ({ appId }) => {
      const drains = await telemetryDrains(context, readAppId(appId))
      return { drains: drains.map(telemetryDrainMessage) }
    },
    getTelemetryDrain: async ({ id }) =>
      telemetryDrainMessage(await getTelemetryDrain(context, id)),
    updateTelemetryDrain: async ({ appId, id, endpoint, headers, force, by }) => {
      const wanted = {
        ...{ appId: readAppId(appId), id, force, by },
        ...(endpoint !== undefined && { endpoint }),
        ...(headers && { headers: headers.headers }),
      }
      return telemetryDrainMessage(await updateTelemetryDrain(context, wanted))
    },
    deleteTelemetryDrain: async ({ appId, id }) =>
      telemetryDrainMessage(await removeTelemetryDrain(context, { appId: readAppId(appId), id })),
  } satisfies Partial<RpcHandlers<typeof LogplexService>>
}

function addonHandlers(context: ControlContext) {
  return {
    ensureAttachmentToken: async ({ appId, addonId, attachmentId, name }) => {
      const holder = {
        addonId: readId<AddonId>('addon_id', addonId),
        attachmentId: readId<AttachmentId>('attachment_id', attachmentId),
      }
      const wanted = { appId: readAppId(appId), name, holder }
      return tokenMessage(context, await ensureAttachmentToken(context, wanted))
    },
    ensureAddonDrain: async (request) => {
      const { token, url } = request
      const addonId = readId<AddonId>('addon_id', request.addonId)
      const wanted = { appId: readAppId(request.appId), addonId, token, url }
      return drainMessage(await ensureAddonDrain(context, wanted))
    },
    removeAttachmentLogs: async ({ attachmentId, drainToken }) => {
      const id = readId<AttachmentId>('attachment_id', attachmentId)
      await removeAttachmentLogs(context, { attachmentId: id, drainToken })
      return {}
    },
    listAddonDrains: async ({ addonId }) => {
      const drains = await addonDrains(context, readId<AddonId>('addon_id', addonId))
      return { drains: drains.map((drain) => drainMessage(drain)) }
    },
    removeAddonLogs: async ({ addonId }) => {
      await removeAddonLogs(context, readId<AddonId>('addon_id', addonId))
      return {}
    },
  } satisfies Partial<RpcHandlers<typeof LogplexService>>
}

function operatorHandlers(context: ControlContext) {
  return {
    createCredential: async (wish) => {
      const made = await createCredential(context, wish)
      const input = new URL('/logs', context.logsUrl)
      input.username = made.id
      input.password = made.password
      const logInputUrl = made.permissions.includes('any_channel') ? input.href : ''
      return { ...credentialMessage(made), password: made.password, logInputUrl }
    },
    listCredentials: async () => {
      const rows = await listCredentials(context.pool)
      return { credentials: rows.map(credentialMessage) }
    },
    setSwitches: async ({ appId, ...wish }) =>
      switchesMessage(await setSwitches(context, appId ? readAppId(appId) : undefined, wish)),
    listSwitches: async () => ({
      switches: (await listSwitches(context.pool)).map(switchesMessage),
    }),
    removeCredential: async ({ id }) => credentialMessage(await removeCredential(context, id)),
  } satisfies Partial<RpcHandlers<typeof LogplexService>>
}

const readAppId = (text: string): AppId => readId<AppId>('app_id', text)

function readId<Id extends AddonId | AppId | AttachmentId>(field: string, text: string): Id {
  const id = parseId<Id>(text)
  if (!id) throw badRequest(`${field} is no uuid.`)
  return id
}

function tokenMessage(
  { logsUrl, syslogAddr }: ControlContext,
  { name, token }: ChannelToken,
): MessageInitShape<typeof TokenSchema> {
  const input = new URL('/logs', logsUrl)
  input.username = 'token'
  input.password = token
  return { name, token, logInputUrl: input.href, syslogAddr }
}

function switchesMessage({ appId, off, state }: SwitchesRow) {
  return { appId: appId ?? '', off: [...off], state }
}

function credentialMessage({ id, name, permissions, createdAt }: CredentialRow) {
  return { id, name, permissions, createdAt: timestampFromDate(createdAt) }
}
