import { idOf, isSuccess, judgeConfig, judgeConfigUrls, whyNoSuccess } from '../answers.ts'
import { fail, pass, quoted, skipped, type Check, type CheckGroup } from '../check.ts'
import type { CheckRun } from '../check-run.ts'
import type { PlatformAddon, PlatformEvent } from '../platform-addon.ts'

/** How to let a provider that knows only Heroku's hosts reach the run. */
export const proxyAdvice =
  'Use the callback_url of the request and the same origin for /oauth/token; a provider that has ' +
  'id.heroku.com or api.heroku.com in its code needs `npx plexus provider proxy`, led to this ' +
  'run: docs/PROVIDERS.md.'

/** The add-on behind a first resource that was answered 202, or why there is none to look at. */
async function asyncAddon(run: CheckRun): Promise<{ addon: PlatformAddon } | { reason: string }> {
  const { uuid, outcome } = await run.opening()
  if (!isSuccess(outcome)) return { reason: 'no resource was made' }
  if (outcome.status !== 202) return { reason: 'it answers at once' }
  if (idOf(outcome) === undefined) return { reason: 'the first resource has no id' }
  const addon = run.platform.addonOf(uuid)
  if (!addon) return { reason: 'no resource was made' }
  await run.main()
  return { addon }
}

/** Calls of a provider that the run refused, as sentences: those of this add-on and of none. */
export function refusedCalls(run: CheckRun, addon: PlatformAddon): string[] {
  const isRefused = (event: PlatformEvent) => event.kind === 'refused'
  return [...addon.events.filter(isRefused), ...run.platform.strays].map(
    ({ what, reason }) => `${quoted(what)}: ${reason}`,
  )
}

const howToPut =
  'PUT CALLBACK_URL {"config":{NAME: value}} with the id and the password of the manifest when the ' +
  'resource can be used.'

const completes: Check = {
  name: 'what was answered 202 is completed',
  why: 'After 12 h the platform removes it, and the customer has waited for nothing.',
  run: async (run) => {
    const found = await asyncAddon(run)
    if ('reason' in found) return skipped(found.reason)
    const { addon } = found
    if (addon.state === 'provisioned') return pass()
    if (addon.state === 'deprovisioned')
      return fail('the provider gave up (actions/deprovision)', 'See its log for the reason.')
    const waited = `within ${run.wishes.asyncTimeoutMs / 1000} s (--async-timeout)`
    const refused = refusedCalls(run, addon)
    if (refused.length > 0)
      return fail(`not ${waited}; calls were refused: ${refused[0]}`, proxyAdvice)
    if (addon.events.length === 0)
      return fail(`no call of the provider arrived at ${run.platform.url} ${waited}`, proxyAdvice)
    const kinds = [...new Set(addon.events.map(({ kind }) => kind))].join(', ')
    return fail(
      `the last call did not come ${waited}; there were: ${kinds}`,
      run.manifest.apiVersion === '1'
        ? howToPut
        : 'POST CALLBACK_URL/actions/provision with an empty body when the resource can be used.',
    )
  },
}

const setsConfig: Check = {
  name: 'the config is set until then, with declared variables',
  why: 'The release that attaches the add-on is cut when it is completed.',
  run: async (run) => {
    const found = await asyncAddon(run)
    if ('reason' in found) return skipped(found.reason)
    const { addon } = found
    if (addon.state !== 'provisioned') return skipped('it was not completed')
    const sets = addon.events.flatMap((event) => (event.kind === 'config' ? [event] : []))
    const undeclared = sets.flatMap((event) => event.undeclared)
    if (undeclared.length > 0)
      return fail(
        `config has ${undeclared.map(quoted).join(', ')}, which the manifest does not declare`,
        'Add the names to api.config_vars and push the manifest again, or leave them out.',
      )
    const { configVars } = run.manifest
    if (configVars.length > 0 && addon.config.size === 0)
      return fail(
        'no variable was set',
        run.manifest.apiVersion === '1'
          ? howToPut
          : 'PATCH CALLBACK_URL/config {"config":[{name, value}]}.',
      )
    const config = Object.fromEntries(addon.config)
    const names = judgeConfig(config, configVars, { mayLack: false })
    if (names.result !== 'pass') return names
    return judgeConfigUrls(config, { mayBeLocal: !run.isProduction })
  },
}

const repliesFirst: Check = {
  name: 'the answer 202 has the id',
  why: 'The platform removes what never completes by that id.',
  run: async (run) => {
    const { outcome } = await run.opening()
    if (!isSuccess(outcome)) return skipped(whyNoSuccess(outcome))
    if (outcome.status !== 202) return skipped('it answers at once')
    return idOf(outcome) === undefined
      ? fail('there is none', 'Answer 202 with {"id": …, "message": "…"}.')
      : pass()
  },
}

export const asyncGroup: CheckGroup = {
  group: 'async',
  checks: [repliesFirst, completes, setsConfig],
}
