import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { newId } from '#lib/ids.ts'
import { listProcesses } from '#lib/processes.ts'
import { instanceMark } from '#lib/redis-instances.ts'
import { addonInstances } from './addon-instances.ts'

/** A process that lives on, with that name and those words in its command line. */
async function startAs(argv0: string, words: string[]): Promise<ChildProcess> {
  const child = spawn('/bin/sh', ['-c', 'echo on; read x', ...words], {
    argv0,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  return child
}

test("the supervisor ends a home's instances and their forks, and nobody who only names them", async () => {
  const home = mkdtempSync(join(tmpdir(), 'plexus-instances-'))
  onTestFinished(() => rmSync(home, { recursive: true }))
  expect(addonInstances(home)).toEqual([])
  const [ours, other] = [newId() as string, newId() as string]
  mkdirSync(join(home, 'redis-addons', ours), { recursive: true })
  const server = await startAs('/usr/bin/redis-server', ['127.0.0.1:4100', instanceMark(ours)])
  const fork = await startAs('redis-rdb-bgsave', ['127.0.0.1:4100', instanceMark(ours)])
  const foreign = await startAs('/usr/bin/redis-server', ['*:4100', instanceMark(other)])
  const search = await startAs('grep', [instanceMark(ours)])
  const editor = await startAs('/usr/bin/vi', [`/var/log/${instanceMark(ours)}.log`])

  const all = listProcesses().map(({ pid }) => pid)
  expect(all).toEqual(expect.arrayContaining([foreign.pid, search.pid, editor.pid]))
  const found = addonInstances(home).map(({ pid }) => pid)
  expect(new Set(found)).toEqual(new Set([server.pid, fork.pid]))
})
