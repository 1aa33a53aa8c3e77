import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { eventually } from '../test/support/eventually.ts'

/** A checkout without packages, whose npm waits for the file `go` and notes that it ran. */
function newCheckout(): string {
  const root = mkdtempSync(join(tmpdir(), 'plexus-bootstrap-'))
  onTestFinished(() => rmSync(root, { recursive: true }))
  mkdirSync(join(root, 'scripts'))
  for (const file of ['bootstrap.mjs', 'folder-lock.mjs'])
    cpSync(join(import.meta.dirname, file), join(root, 'scripts', file))
  writeFileSync(join(root, 'hello.ts'), "process.stdout.write('hello' as string)")
  writeFileSync(
    join(root, 'package-lock.json'),
    JSON.stringify({ packages: { 'node_modules/some': { version: '1.0.0' } } }),
  )
  mkdirSync(join(root, 'bin'))
  const npm = [
    '#!/bin/sh',
    'echo "$@" >> npm-runs',
    'while [ ! -e go ]; do sleep 0.05; done',
    'mkdir -p node_modules && cp package-lock.json node_modules/.package-lock.json',
  ]
  writeFileSync(join(root, 'bin/npm'), `${npm.join('\n')}\n`, { mode: 0o755 })
  return root
}

function start(root: string) {
  const child = spawn(process.execPath, [join(root, 'scripts/bootstrap.mjs'), 'hello.ts'], {
    env: { PATH: [join(root, 'bin'), process.env['PATH']].join(delimiter) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk: Buffer) => (said.stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (said.stderr += chunk.toString()))
  onTestFinished(() => void child.kill('SIGKILL'))
  return { child, said, ended: once(child, 'close') }
}

const npmRuns = (root: string): string[] =>
  readFileSync(join(root, 'npm-runs'), 'utf8').trim().split('\n')

test('of two commands at once on a fresh clone one installs, quietly, and both run', async () => {
  const root = newCheckout()
  const starts = [start(root), start(root)]
  await eventually(() => {
    expect(starts.map(({ said }) => said.stderr).join('')).toMatch(/Process \d+ is installing/)
  })
  writeFileSync(join(root, 'go'), '')
  for (const { ended, said } of starts) {
    expect(await ended).toEqual([0, null])
    expect(said.stdout).toBe('hello')
  }
  expect(npmRuns(root)).toEqual([expect.stringMatching(/^ci .*--loglevel=error/)])
})

test('killed half way, its npm is waited for; killed with its npm, the next command installs', async () => {
  const root = newCheckout()
  const first = start(root)
  await eventually(() => expect(npmRuns(root)).toHaveLength(1))
  // Its npm runs a moment before it is written down which one that is.
  const note = join(root, '.plexus/npm-ci.lock/child')
  await eventually(() => expect(existsSync(note)).toBe(true))
  first.child.kill('SIGKILL')
  const second = start(root)
  await eventually(() => expect(second.said.stderr).toMatch(/Process \d+ is installing/))
  expect(npmRuns(root)).toHaveLength(1)
  const npm = Number(readFileSync(note, 'utf8'))
  process.kill(npm, 'SIGKILL')
  await eventually(() => expect(npmRuns(root)).toHaveLength(2))
  writeFileSync(join(root, 'go'), '')
  expect(await second.ended).toEqual([0, null])
  expect(second.said.stdout).toBe('hello')
})
