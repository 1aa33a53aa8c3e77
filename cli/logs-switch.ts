import type { Switches } from '#proto/logplex/v1/logplex_pb.ts'
import { listLogSwitches, setLogSwitches } from '../local-platform/log-switches.ts'
import { defineCommand } from './command.ts'
import { operatorHelp, operatorUrl } from './operator-url.ts'

export const logsSwitch = defineCommand({
  usage: 'logs switch',
  summary: 'Switches parts of the logs off and on, to shed load (for the operator)',
  help: `      --off WHAT    switch it off; may be given several times. WHAT is one of
                    tails    nobody follows an app's log (L20)
                    history  streams begin with what is new
                    drains   they stand still, and go on later where they stood
                    ingest   lines are refused (HTTP 503), over syslog dropped and counted
      --on WHAT     switch it on again
      --app-id ID   for this app only, by its uuid; without it for all
      --state S     of Logplex's own API, for all: normal, read_only or disabled

Without any of them it shows what is so.

${operatorHelp}`,
  options: {
    off: { type: 'string', multiple: true, default: [] },
    on: { type: 'string', multiple: true, default: [] },
    'app-id': { type: 'string', default: '' },
    state: { type: 'string', default: '' },
  },
  run: async ({ values: { off, on, state, 'app-id': appId }, env }) => {
    const url = await operatorUrl(env)
    const changes = off.length + on.length > 0 || state !== ''
    if (changes) process.stdout.write(line(await setLogSwitches(url, { appId, off, on, state })))
    else process.stdout.write((await listLogSwitches(url)).map(line).join(''))
    return 0
  },
})

function line({ appId, off, state }: Switches): string {
  const what = off.length === 0 ? 'nothing is off' : `off: ${off.join(', ')}`
  return appId ? `app ${appId}  ${what}\n` : `all apps  ${what}; Logplex's API is ${state}\n`
}
