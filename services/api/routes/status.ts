import { isPlexusError } from '#lib/errors.ts'
import { derivedId } from '#lib/ids.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import type { Api, ApiContext } from '../context.ts'
import { statusAnswerMs, statusFreshMs } from '../limits.ts'

type SystemStatus = { system: string; status: 'green' | 'red' }

/**
 * What `heroku status` asks Heroku's status page, without a token; unanswered, the CLI would ask
 * one of Salesforce's instead. It tells which services answer, and asks them seldom.
 */
export function statusRoutes(api: Api, context: ApiContext): void {
  let asked: { at: number; statuses: Promise<SystemStatus[]> } | undefined

  api.get('/api/v4/current-status', async () => {
    const now = Date.now()
    if (!asked || now - asked.at > statusFreshMs)
      asked = { at: now, statuses: askServices(context) }
    return { status: await asked.statuses, incidents: [], scheduled: [] }
  })
}

function askServices({ apps, broker, logplex, webhooks }: ApiContext): Promise<SystemStatus[]> {
  const patience = { timeoutMs: statusAnswerMs }
  const nobodys = derivedId('app of the status page')
  const topicOfNobody = { kind: 'app', resourceId: nobodys, appId: nobodys }
  return Promise.all([
    statusOf('Apps', apps.filterApps({ appIds: [nobodys] }, patience)),
    statusOf('Add-ons', broker.listAddonServices({}, patience)),
    statusOf('Logs', logplex.listTokens({ appId: nobodys }, patience)),
    statusOf('Webhooks', webhooks.listWebhooks({ topic: topicOfNobody }, patience)),
  ])
}

/** A refusal is an answer, too, unless it is of a service that cannot work. */
async function statusOf(system: string, answer: Promise<unknown>): Promise<SystemStatus> {
  try {
    await answer
    return { system, status: 'green' }
  } catch (error) {
    const cannot =
      !isPlexusError(error) ||
      error.code === ErrorCode.UNAVAILABLE ||
      error.code === ErrorCode.INTERNAL
    return { system, status: cannot ? 'red' : 'green' }
  }
}
