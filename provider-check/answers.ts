import { fail, pass, quoted, warn, type CheckResult } from './check.ts'
import type { CallOutcome, HttpAnswer } from './http-call.ts'

/** Any 2xx; the usual ones are named so that the type tells it from other answers. */
type SuccessAnswer = HttpAnswer & { status: 200 | 201 | 202 | 204 }

export function isSuccess(outcome: CallOutcome): outcome is SuccessAnswer {
  return outcome.answered && outcome.status >= 200 && outcome.status <= 299
}

/** True for an answer that call-backs complete. */
export function isPending(outcome: CallOutcome): boolean {
  return outcome.answered && outcome.status === 202
}

/** True for the statuses after which a resource is no more. */
export function isGoneAnswer(outcome: CallOutcome): boolean {
  return isSuccess(outcome) || (outcome.answered && [404, 410].includes(outcome.status))
}

/** "HTTP 422, "There is no such plan."", or why there was no answer. */
export function whyNoSuccess(outcome: CallOutcome): string {
  if (!outcome.answered) return outcome.detail
  const { status, headers } = outcome
  const message = messageOf(outcome)
  if (status >= 300 && status < 400)
    return `HTTP ${status}, a redirect to ${quoted(headers.location ?? '')}`
  return message === undefined ? `HTTP ${status}` : `HTTP ${status}, ${quoted(message)}`
}

/** What a provider says to the customer; undefined where there is nothing that could be shown. */
function messageOf(answer: HttpAnswer): string | undefined {
  const { message } = fieldsOf(answer)
  return typeof message === 'string' && message.trim() !== '' ? message : undefined
}

/** The answered id as text; undefined where it is neither text nor a whole number. */
export function idOf(outcome: CallOutcome): string | undefined {
  if (!outcome.answered) return undefined
  const { id } = fieldsOf(outcome)
  if (typeof id === 'number' && Number.isSafeInteger(id)) return String(id)
  return typeof id === 'string' && id !== '' ? id : undefined
}

export function configOf(answer: HttpAnswer): Record<string, unknown> | undefined {
  const { config } = fieldsOf(answer)
  const isObject = typeof config === 'object' && config !== null && !Array.isArray(config)
  return isObject ? { ...config } : undefined
}

/** The fields of a JSON object; none for everything else. */
export function fieldsOf({ json }: HttpAnswer): Record<string, unknown> {
  return typeof json === 'object' && json !== null && !Array.isArray(json) ? { ...json } : {}
}

export function isJsonObject({ json }: HttpAnswer): boolean {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}

/** Judges the names and types of config; values are never quoted, for they are credentials. */
export function judgeConfig(
  config: unknown,
  declared: string[],
  { mayLack }: { mayLack: boolean },
): CheckResult {
  if (config === undefined && (mayLack || declared.length === 0)) return pass()
  if (typeof config !== 'object' || config === null || Array.isArray(config))
    return fail(
      'config is missing or no object',
      'Answer "config": {"NAME": "value", …} with the variables of api.config_vars.',
    )
  const undeclared = Object.keys(config).filter((name) => !declared.includes(name))
  if (undeclared.length > 0)
    return fail(
      `config has ${undeclared.map(quoted).join(', ')}, which the manifest does not declare`,
      'Add the names to api.config_vars and push the manifest again, or leave them out.',
    )
  const wrong = Object.entries(config).filter(([, value]) => typeof value !== 'string')
  if (wrong.length > 0)
    return fail(
      wrong.map(([name, value]) => `${name} is a ${typeof value}`).join(', '),
      'Every value of config must be text: send "7", not 7.',
    )
  const missing = declared.filter((name) => !(name in config))
  if (missing.length > 0 && !mayLack)
    return warn(
      `config lacks ${missing.join(', ')}, which the manifest declares`,
      'Customers rely on what the manifest declares: answer it, or take it out.',
    )
  return pass()
}

/** Judges the values whose name says that they are urls. */
export function judgeConfigUrls(
  config: Record<string, unknown>,
  { mayBeLocal }: { mayBeLocal: boolean },
): CheckResult {
  for (const [name, value] of Object.entries(config)) {
    if (!name.endsWith('_URL') || typeof value !== 'string') continue
    const url = URL.parse(value)
    if (!url || url.host === '')
      return fail(
        `${name} is no url with a scheme and a host`,
        'Buildpacks and frameworks parse *_URL: answer scheme://user:password@host/path.',
      )
    if (!mayBeLocal && /^(localhost|127\.|0\.0\.0\.0|\[::1\])/.test(url.hostname))
      return fail(
        `${name} points at ${url.hostname}, the customer's own machine`,
        'Answer a host that apps can reach; for development use --test or --url.',
      )
  }
  return pass()
}

/** Judges a refusal of an unknown plan: its message is what the customer reads. */
export function judgeUnknownPlan(outcome: CallOutcome): CheckResult {
  const todo = 'Answer 422 with {"message": "…"}: the customer is shown that sentence.'
  if (isSuccess(outcome))
    return fail(
      `it was accepted with HTTP ${outcome.status}`,
      `Refuse plans that you do not have. ${todo}`,
    )
  if (!outcome.answered || outcome.status !== 422) return fail(whyNoSuccess(outcome), todo)
  if (messageOf(outcome) === undefined) return fail('HTTP 422 without a message', todo)
  return pass()
}

/** Judges the answer to a wrong password. */
export function judgeWrongPassword(outcome: CallOutcome): CheckResult {
  if (outcome.answered && outcome.status === 401) return pass()
  return fail(
    `${outcome.answered ? `HTTP ${outcome.status}` : outcome.detail} instead of 401`,
    'Compare user and password of Basic authorization with id and api.password, first of all.',
  )
}
