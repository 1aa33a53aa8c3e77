import { randomUUID } from 'node:crypto'
import {
  configOf,
  fieldsOf,
  idOf,
  isJsonObject,
  isSuccess,
  judgeConfig,
  judgeConfigUrls,
  judgeUnknownPlan,
  judgeWrongPassword,
  whyNoSuccess,
} from '../answers.ts'
import { fail, pass, quoted, skipped, warn, type Check, type CheckGroup } from '../check.ts'
import { provision, provisionCallOf, type CheckRun, type Workaround } from '../check-run.ts'
import type { CallOutcome, HttpAnswer } from '../http-call.ts'
import { limits } from '../limits.ts'

const noResource = 'no resource was made'
export const unknownPlan = 'plexus-no-such-plan'

/** What to do about each way to refuse the first resource. */
function adviceFor(outcome: CallOutcome, plan: string): string {
  if (!outcome.answered)
    return outcome.why === 'too-large'
      ? 'Answer id, config and message, and nothing else.'
      : 'Start the provider, and check the url (--test, --url) and its certificate.'
  const { status } = outcome
  if (status === 401) return 'Compare with id and api.password of this very manifest.'
  if (status === 404) return 'Check the path of base_url: POST goes to it as it is.'
  if (status >= 300 && status < 400)
    return 'Redirects are not followed: put the final url into the manifest.'
  if (status === 422) return `Is "${plan}" a plan of yours? Name one with --plan.`
  return 'See the log of the provider for what went wrong.'
}

const answers: Check = {
  name: 'a new resource is answered 2xx with JSON',
  why: 'Everything else makes the add-on fail, and the customer sees an error.',
  run: async (run) => {
    const { outcome } = await run.opening()
    if (!outcome.answered && outcome.why === 'timeout') return skipped('it did not answer in time')
    if (!isSuccess(outcome)) return fail(whyNoSuccess(outcome), adviceFor(outcome, run.wishes.plan))
    if (!isJsonObject(outcome))
      return fail(
        outcome.text === '' ? 'the body is empty' : 'the body is no JSON object',
        'Answer {"id": …, "config": {…}, "message": "…"}.',
      )
    if (/json/.test(outcome.headers['content-type'] ?? '')) return pass()
    return warn(
      `its content type is ${quoted(outcome.headers['content-type'] ?? 'none')}`,
      'Send application/json: stricter platforms look at it.',
    )
  },
}

const inTime: Check = {
  name: 'it answers in time',
  why: 'After the timeout the platform has to assume that nothing or everything was done.',
  run: async (run) => {
    const { outcome } = await run.opening()
    const asAsync = 'Answer 202 at once, and complete with the call-backs.'
    if (!outcome.answered)
      return outcome.why === 'timeout' ? fail(outcome.detail, asAsync) : skipped(noResource)
    const seconds = (outcome.ms / 1000).toFixed(1)
    if (outcome.ms <= limits.slowMs) return pass(`${outcome.ms} ms`)
    return warn(`it took ${seconds} s; providers are asked for 3 s`, asAsync)
  },
}

/** The three things that a first resource may be refused for, found by leaving them out. */
function accepted(
  kind: Workaround['kind'],
  said: Pick<Check, 'name' | 'why'>,
  todo: string,
): Check {
  return {
    ...said,
    run: async (run) => {
      if (kind === 'options' && Object.keys(run.wishes.options).length === 0)
        return skipped('none were given: --option NAME=VALUE')
      const { outcome } = await run.opening()
      const { workaround } = run
      if (workaround?.kind === kind)
        return fail(
          workaround.accept === undefined
            ? `${whyNoSuccess(workaround.refused)}; without them it is accepted`
            : `${whyNoSuccess(workaround.refused)}; with "${workaround.accept}" it is accepted`,
          todo,
        )
      return isSuccess(outcome) ? pass() : skipped(noResource)
    },
  }
}

/** A check of the answer to the first resource. */
function ofAnswer(
  said: Pick<Check, 'name' | 'why'>,
  judge: (answer: HttpAnswer, run: CheckRun) => ReturnType<Check['run']>,
): Check {
  return {
    ...said,
    run: async (run) => {
      const { outcome } = await run.opening()
      if (!isSuccess(outcome)) return skipped(noResource)
      return isJsonObject(outcome) ? judge(outcome, run) : skipped('the body is no JSON object')
    },
  }
}

const hasId = ofAnswer(
  { name: 'the answer has an id', why: 'Plan change, removal and sign-on name it.' },
  (answer, run) => {
    const id = idOf(answer)
    if (id === undefined)
      return fail(
        `id is ${quoted(fieldsOf(answer)['id'])}`,
        'Answer "id" as text that stays the same; the uuid of the request is the best.',
      )
    if (typeof fieldsOf(answer)['id'] === 'string' || run.manifest.apiVersion === '1') return pass()
    return warn(
      'id is a number',
      'Answer the uuid of the request: numbers that start again after a restart hit others.',
    )
  },
)

const hasConfig = ofAnswer(
  { name: 'config has declared variables, as text', why: 'Apps get exactly these.' },
  (answer, { manifest }) =>
    judgeConfig(fieldsOf(answer)['config'], manifest.configVars, {
      mayLack: answer.status === 202,
    }),
)

const hasUrls = ofAnswer(
  { name: 'values of *_URL are urls', why: 'Apps and frameworks parse them.' },
  (answer, run) => judgeConfigUrls(configOf(answer) ?? {}, { mayBeLocal: !run.isProduction }),
)

const hasMessage = ofAnswer(
  { name: 'message is text, if there is one', why: 'The customer reads it.' },
  (answer) => {
    const { message } = fieldsOf(answer)
    if (message === undefined || message === null || typeof message === 'string') return pass()
    return fail(`message is a ${typeof message}`, 'Answer a sentence, or none.')
  },
)

const refusesWrongPassword: Check = {
  name: 'a wrong password is refused with 401',
  why: 'Anybody could make resources at your cost.',
  run: async (run) => {
    const { outcome } = await run.opening()
    if (!outcome.answered) return skipped(noResource)
    const uuid = randomUUID()
    const call = provisionCallOf(run, uuid)
    const wrong = Buffer.from(`${run.manifest.slug}:wrong-${randomUUID()}`).toString('base64')
    call.headers['authorization'] = `Basic ${wrong}`
    return judgeWrongPassword(await provision(run, uuid, call))
  },
}

const refusesUnknownPlan: Check = {
  name: 'an unknown plan is refused with 422 and a message',
  why: 'The customer is shown that message, and nothing is made or billed.',
  run: async (run) => {
    const { outcome } = await run.opening()
    if (!isSuccess(outcome)) return skipped(noResource)
    const uuid = randomUUID()
    return judgeUnknownPlan(await provision(run, uuid, provisionCallOf(run, uuid, unknownPlan)))
  },
}

export const provisionGroup: CheckGroup = {
  group: 'provision',
  checks: [
    answers,
    inTime,
    accepted(
      'accept',
      { name: 'the Accept header of the version is accepted', why: 'It tells the version.' },
      'Accept "application/vnd.heroku-addons+json; version=3", with its space.',
    ),
    accepted(
      'fields',
      { name: 'unknown fields are passed over', why: 'New ones come without notice.' },
      'Do not refuse fields that you do not know (here heroku_id and logplex_token).',
    ),
    accepted(
      'options',
      { name: 'options are accepted', why: 'Customers give them as --name value.' },
      'Accept the options given, or say with 422 and a message which are wrong.',
    ),
    hasId,
    hasConfig,
    hasUrls,
    hasMessage,
    refusesWrongPassword,
    refusesUnknownPlan,
  ],
}
