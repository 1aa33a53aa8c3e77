import type { ChildProcess } from 'node:child_process'
import { openSync, closeSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { spawnRecorded } from '../supervisor/process-record.ts'

/** A server under us (NATS, Redis, PostgreSQL), as a child process of its own. */
export type Engine = {
  name: string
  child: ChildProcess
  /** Asks it to end with its own signal, and kills it when it has not ended in time. */
  stop: () => Promise<void>
}

export type EngineOptions = {
  name: string
  command: string
  args: string[]
  logFile: string
  /** Where its process id is kept for whoever starts after a crash. */
  pidFile: string
  port: number
  /** For a server whose port answers before it serves. */
  isServing?: () => Promise<boolean>
  env?: Record<string, string>
  stopSignal?: NodeJS.Signals
  user?: { uid: number; gid: number } | undefined
}

const readyTimeoutMs = 30_000
const stopTimeoutMs = 10_000
const probeMs = 30

/** Where an engine's log and process id go; without these, into its own folder. */
export type EngineFiles = { logFile?: string; pidFile?: string }

/** Starts an engine and returns when it serves at its port; its output goes to logFile. */
export async function startEngine(options: EngineOptions): Promise<Engine> {
  const { name, command, args, logFile, pidFile, port, stopSignal = 'SIGTERM' } = options
  const isServing = options.isServing ?? (() => Promise.resolve(true))
  const output = openSync(logFile, 'a', 0o600)
  const child = spawnRecorded({
    pidFile,
    command,
    args,
    stdio: ['ignore', output, output],
    env: { PATH: process.env['PATH'] ?? '', LANG: 'C.UTF-8', ...options.env },
    cwd: '/',
    user: options.user,
  })
  closeSync(output)
  let failure: Error | undefined
  child.on('error', (error) => {
    failure = error
  })
  const end = Date.now() + readyTimeoutMs
  while (!(await answers(port)) || !(await isServing())) {
    if (failure) throw failure
    if (child.exitCode !== null || child.signalCode !== null || Date.now() > end) {
      child.kill('SIGKILL')
      throw new Error(`${name} did not start:\n${await tail(logFile)}`)
    }
    await delay(probeMs)
  }
  return { name, child, stop: () => stopChild(child, stopSignal) }
}

/** True when something accepts connections on that port of this machine. */
export function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

/** Signals the child, waits for its end, and kills it after ten seconds. */
export async function stopChild(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs)
  child.kill(signal)
  await ended
  clearTimeout(timer)
}

async function tail(file: string): Promise<string> {
  const lines = (await readFile(file, 'utf8').catch(() => '')).trimEnd().split('\n')
  return lines.slice(-15).join('\n')
}
