import { lineText, streamLogs } from '../client/log-stream.ts'
import { startDemo, demoApp } from '../demo/start-demo.ts'
import { fetchedPrograms } from '../local-platform/binaries.ts'
import { ensureMasterKey, loadCredentials } from '../local-platform/credentials.ts'
import { privateFolder, usableFolder } from '../local-platform/folders.ts'
import { ensureBinaries } from '../local-platform/install-engines.ts'
import { readLayout, type Layout } from '../local-platform/layout.ts'
import { prepare, startEngines, startServices, type Platform } from '../local-platform/platform.ts'
import { logFolder, runFolder } from '../local-platform/process-files.ts'
import {
  platformEnv,
  platformEnvFile,
  removePlatformEnv,
  writePlatformEnv,
} from '../local-platform/platform-env.ts'
import { createProgress, type Say } from '../local-platform/progress.ts'
import { lockHome, type Holder } from '../local-platform/supervisor/home-lock.ts'
import { endEverything, endLeftovers } from '../local-platform/supervisor/leftovers.ts'
import { boundLogs } from '../local-platform/supervisor/log-files.ts'
import { assertPortsFree } from '../local-platform/supervisor/ports.ts'
import { createStages, type Stages } from '../local-platform/supervisor/stages.ts'
import { untilAnswers } from '../local-platform/supervisor/until-answers.ts'
import { defineCommand } from './command.ts'

/** What a second copy is told to take; the first has 4000. */
const secondPortBase = 14_000
const logLinesShown = 10
/** Processes that were just ended may take this long to give their ports back. */
const portsPatienceMs = 3_000

export const up = defineCommand({
  usage: 'up',
  summary: 'Starts everything here and shows the demo log (npm start)',
  help: `Starts NATS, Redis, PostgreSQL and the seven services, makes the demo app at the first start, and
writes $PLEXUS_HOME/env when all is ready. Ctrl-C stops everything.

      --watch            services start anew when their files change (npm run dev)

  PLEXUS_HOME            where everything is kept (.plexus)
  PLEXUS_PORT_BASE       the API's port, on which all others hang (4000)
  PLEXUS_ENGINES         where programs that the machine lacks are kept ($PLEXUS_HOME/engines)
  PLEXUS_SYSTEM_ENGINES  no: fetch them even where the machine has them`,
  options: { watch: { type: 'boolean', default: false } },
  run: ({ values, env }) => startHere(env, values),
})

/**
 * `npm start`: brings one copy of Plexus up, shows the demo's log, and stops everything in order
 * on Ctrl-C. Answers the exit status.
 */
async function startHere(env: NodeJS.ProcessEnv, options: { watch: boolean }): Promise<number> {
  const layout = readLayout(env)
  const say = createProgress()
  // PostgreSQL, when it runs as somebody else, walks through the home to its folder.
  await usableFolder(layout.home, 0o711, 'PLEXUS_HOME')
  const lock = lockHome(layout.home, `http://127.0.0.1:${layout.ports.api}`)
  if ('heldBy' in lock) {
    sayHeld(layout, lock.heldBy)
    return 1
  }
  const stages = createStages({
    say,
    stopped: async (force) => {
      await endEverything(runFolder(layout.home), { force })
      if (!force) lock.release()
    },
  })
  try {
    const access = await start({ env, layout, say, stages, watch: options.watch })
    await showLog(access, stages)
  } catch (error) {
    if (!stages.signal.aborted) {
      say(`Plexus could not start: ${(error as Error).message}`)
      await stages.stop()
      return 1
    }
  }
  await stages.stop()
  say('Stopped. Everything is kept: npm start goes on from here.')
  return 0
}

type Access = { apiUrl: string; token: string }

async function start(options: {
  env: NodeJS.ProcessEnv
  layout: Layout
  say: Say
  stages: Stages
  watch: boolean
}): Promise<Access> {
  const { env, layout, say, stages, watch } = options
  const { home } = layout
  say(`Plexus starts in ${home} (ports from ${layout.ports.api} on; PLEXUS_PORT_BASE moves them)`)
  await removePlatformEnv(home)
  for (const folder of [runFolder(home), logFolder(home)]) await privateFolder(folder)
  const ended = await endLeftovers(runFolder(home))
  if (ended.length > 0) say(`ended what an earlier run had left: ${ended.join(', ')}`)
  await assertPortsFree(layout, ended.length > 0 ? portsPatienceMs : 0)
  const binaries = await ensureBinaries(env, say)
  const platform: Platform = {
    layout,
    credentials: await loadCredentials(home),
    masterKeyFile: await ensureMasterKey(home),
    binaries,
    say,
    watch,
    keep: stages.keep,
  }
  stages.onStop('log files', boundLogs(logFolder(home), say))
  say('starting NATS, Redis and PostgreSQL …')
  await stages.group(() => startEngines(platform))
  const applied = await prepare(platform)
  if (applied.length > 0) say(`migrated: ${applied.length} files`)
  say('starting the services …')
  await stages.group(() => startServices(platform))
  const vars = platformEnv(layout, '')
  await untilAnswers(`${vars['PLEXUS_API_URL']}/health`)
  await untilAnswers(`${vars['PLEXUS_LOGS_URL']}/healthcheck`)
  const token = await startDemo(platform)
  stages.onStop('env', () => removePlatformEnv(home))
  const fetched = await fetchedPrograms(env)
  const pathFolder = binaries.postgresBin === fetched ? fetched : undefined
  stages.signal.throwIfAborted()
  await writePlatformEnv(layout, platformEnv(layout, token), pathFolder)
  sayReady(layout, say)
  return { apiUrl: vars.PLEXUS_API_URL, token }
}

function sayReady({ home, ports }: Layout, say: Say): void {
  const api = `http://127.0.0.1:${ports.api}`
  say(`Plexus is ready: API ${api} · logs ${ports.logs} · syslog ${ports.syslog} · ${home}/env`)
  const lines = [
    '',
    '  In another shell:',
    `    . ${platformEnvFile(home)}`,
    '    npx plexus heroku apps:create shop',
    '    npx plexus heroku addons:create heroku-postgresql:essential-0 -a shop --wait',
    '    npx plexus heroku config -a shop',
    `    npx plexus logs --tail -a ${demoApp}`,
    '',
    `  The log of the app "${demoApp}" follows. Ctrl-C stops everything.`,
    '',
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
}

function sayHeld({ home, ports }: Layout, holder: Holder | undefined): void {
  const otherBase = ports.api === secondPortBase ? secondPortBase + 10_000 : secondPortBase
  const who = holder
    ? `as process ${holder.pid} since ${holder.since}, with its API at ${holder.apiUrl}`
    : 'by another process'
  process.stderr.write(
    `Plexus already runs here (${home}) ${who}.\n` +
      `  Its live log:   npx plexus logs --tail -a ${demoApp}\n` +
      '  To stop it:     npx plexus down\n' +
      `  A second copy:  PLEXUS_HOME=/somewhere/else PLEXUS_PORT_BASE=${otherBase} npm start\n`,
  )
}

/** The demo's live log on the terminal, until we are told to stop. */
async function showLog(access: Access, { signal }: Stages): Promise<void> {
  const stopped = new Promise<void>((done) => {
    if (signal.aborted) done()
    signal.addEventListener('abort', () => done())
  })
  await streamLogs({
    ...access,
    app: demoApp,
    lines: logLinesShown,
    tail: true,
    signal,
    onLine: (line) => process.stdout.write(`${lineText(line)}\n`),
  }).catch((error: Error) => {
    process.stdout.write(`The log of ${demoApp} cannot be shown: ${error.message}\n`)
  })
  await stopped
}
