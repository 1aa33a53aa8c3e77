import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { endTestProcesses } from './test-processes.ts'

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plexus-test-processes-'))
})

afterAll(() => rm(folder, { recursive: true, force: true }))

const forEver = 'console.log("up"); setInterval(() => {}, 1000)'

test('what names the folder in its arguments or environment, or works in it, is ended; others stay', async () => {
  const run = (args: string[], options: { cwd?: string; env?: Record<string, string> }) =>
    spawn(process.execPath, ['-e', forEver, ...args], { env: {}, cwd: '/', ...options })
  const inside = [
    run([join(folder, 'nats.conf')], {}),
    run([], { env: { TMPDIR: folder } }),
    run([], { cwd: folder }),
  ]
  const outside = run([], { cwd: tmpdir() })
  await Promise.all([...inside, outside].map((child) => once(child.stdout, 'data')))
  const ended = Promise.all(inside.map((child) => once(child, 'exit')))
  expect(endTestProcesses(folder)).toBe(inside.length)
  expect(await ended).toEqual(inside.map(() => [null, 'SIGKILL']))
  expect(outside.exitCode).toBeNull()
  expect(outside.signalCode).toBeNull()
  outside.kill('SIGKILL')
})
