import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, onTestFinished, test, vi } from 'vitest'
import { eventually } from '../../test/support/eventually.ts'
import {
  endProcess,
  endRecorded,
  livingPid,
  recordedNames,
  spawnRecorded,
} from './process-record.ts'

const folder = mkdtempSync(join(tmpdir(), 'plexus-record-'))
afterAll(() => rmSync(folder, { recursive: true }))

const start = (name: string, args: string[]) =>
  spawnRecorded({
    pidFile: join(folder, `${name}.pid`),
    command: '/bin/sh',
    args,
    env: { PATH: process.env['PATH'] },
    cwd: '/',
    stdio: ['ignore', 'pipe', 'pipe'],
  })

test('a process is recorded under its own id, and ended by its record', async () => {
  const child = start('one', ['-c', 'exec cat /dev/zero > /dev/null'])
  await eventually(() => expect(livingPid(join(folder, 'one.pid'))).toBe(child.pid))
  expect(recordedNames(folder)).toContain('one')
  expect(await endRecorded(folder, 'one', 'SIGTERM', 5_000)).toBe(true)
  expect(existsSync(join(folder, 'one.pid'))).toBe(false)
})

test('one that does not listen is killed when patience ends', async () => {
  const child = start('deaf', ['-c', 'trap "" TERM; echo on; while :; do read x < /dev/zero; done'])
  if (child.stdout) await once(child.stdout, 'data')
  const exit = once(child, 'exit')
  expect(await endRecorded(folder, 'deaf', 'SIGTERM', 100)).toBe(true)
  expect(await exit).toEqual([null, 'SIGKILL'])
})

test('one that not even the system can end is told by its id, after a while', async () => {
  const child = start('hung', ['-c', 'exec cat /dev/zero > /dev/null'])
  const pid = child.pid ?? 0
  // The system takes the signals and nothing happens, as with a process that waits for a dead disk.
  const kill = vi.spyOn(process, 'kill').mockReturnValue(true)
  onTestFinished(() => {
    kill.mockRestore()
    child.kill('SIGKILL')
  })
  await expect(endProcess(pid, 'SIGTERM', 50, 100)).rejects.toThrow(`process ${pid} does not end`)
  expect(kill).toHaveBeenCalledWith(pid, 'SIGKILL')
})

test("somebody else's process with a recorded id of old is left alone", async () => {
  const file = join(folder, 'old.pid')
  writeFileSync(file, String(process.pid))
  const longAgo = new Date('2001-01-01')
  utimesSync(file, longAgo, longAgo)
  expect(livingPid(file)).toBeUndefined()
  expect(await endRecorded(folder, 'old', 'SIGKILL', 0)).toBe(false)
})
