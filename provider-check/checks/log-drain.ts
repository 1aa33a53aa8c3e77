import { fieldsOf, isSuccess } from '../answers.ts'
import { fail, pass, quoted, skipped, type Check, type CheckGroup } from '../check.ts'

const hasUrl: Check = {
  name: 'the answer has a log_drain_url, https, syslog+tls or syslog',
  why: "Without it the apps' logs never come.",
  run: async (run) => {
    if (!run.manifest.requires.includes('syslog_drain'))
      return skipped('api.requires has no syslog_drain')
    const { outcome } = await run.opening()
    if (!isSuccess(outcome)) return skipped('no resource was made')
    const url = fieldsOf(outcome)['log_drain_url']
    const todo = 'Answer "log_drain_url": "https://…" beside id and config.'
    if (url === undefined && outcome.status === 202)
      return skipped('a 202 may set its drain later, over the API')
    if (typeof url !== 'string') return fail(`log_drain_url is ${quoted(url)}`, todo)
    const parsed = /^(https|syslog(?:\+tls)?):\/\/\S+$/.test(url) ? URL.parse(url) : null
    if (parsed && parsed.host !== '') return pass()
    return fail(`log_drain_url is no https://, syslog+tls:// or syslog:// url`, todo)
  },
}

export const logDrainGroup: CheckGroup = { group: 'log-drain', checks: [hasUrl] }
