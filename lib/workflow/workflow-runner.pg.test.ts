import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest'
import { newId } from '#lib/ids.ts'
import { silentLog } from '#lib/log.ts'
import { migrate, workflowMigrations } from '#lib/migrate.ts'
import { openPool, transaction, type Pool } from '#lib/postgres.ts'
import { defineWorkflow, type Workflow } from '#lib/workflow/define-workflow.ts'
import {
  startWorkflow,
  startWorkflowRunner,
  type WorkflowRunner,
} from '#lib/workflow/workflow-runner.ts'
import { waitUntilSettled } from '#lib/workflow/wait-until-settled.ts'
import { deleteDone, getWorkflow, leaseDue, raiseWish } from '#lib/workflow/workflows-db.ts'
import { eventually } from '../../test/support/eventually.ts'
import { createTestSchema } from '../../test/support/schemas.ts'

type Context = { pool: Pool; failures: Map<string, number>; ran: string[] }

const count = defineWorkflow<Context>()({
  name: 'count',
  first: 'add',
  deadlineSeconds: { 'await-wish': 3600 },
  steps: {
    async add({ failures, ran }, { subjectId, lastError }) {
      ran.push(`add ${lastError}`.trim())
      const left = failures.get(subjectId) ?? 0
      if (left > 0) {
        failures.set(subjectId, left - 1)
        // Of the first failure only the cause has words.
        throw left > 1 ? new Error('', { cause: new Error('not at all') }) : new Error('not yet')
      }
      return {
        go: 'await-wish',
        write: async (tx) => {
          await tx.query('insert into counted (subject) values ($1)', [subjectId])
        },
      }
    },
    async 'await-wish'(_context, { wishes }) {
      return wishes.has('finish') ? { done: 'finished' } : { waitSeconds: 3600 }
    },
  },
})

let pool: Pool
let runners: WorkflowRunner[] = []
const context = { failures: new Map<string, number>(), ran: [] as string[] } as Context

beforeAll(async () => {
  const { url, schema } = await createTestSchema(inject('engines'))
  await migrate(url, schema, [workflowMigrations])
  pool = openPool({ url, schema, log: silentLog })
  await pool.query('create table counted (subject uuid)')
  context.pool = pool
})

beforeEach(async () => {
  await Promise.all(runners.map((runner) => runner.stop()))
  runners = []
  context.ran.length = 0
  await pool.query('truncate workflows, counted')
})

afterAll(async () => {
  await Promise.all(runners.map((runner) => runner.stop()))
  await pool.end()
})

const run = (workflows: Workflow<Context>[] = [count]): WorkflowRunner => {
  const runner = startWorkflowRunner({ pool, workflows, context, log: silentLog })
  runners.push(runner)
  return runner
}

const begin = (subject: string): Promise<string> =>
  transaction(pool, (tx) => startWorkflow(tx, count, subject))

const counted = async (subject: string): Promise<number> => {
  const { rowCount } = await pool.query('select from counted where subject = $1', [subject])
  return rowCount ?? 0
}

test('steps run in order, a wish ends the wait at once, and the result is told', async () => {
  const runner = run()
  const subject = newId()
  const id = await begin(subject)
  runner.wake()
  expect(await runner.waitFor(id, 300)).toBeUndefined()
  await raiseWish(pool, subject, 'finish')
  runner.wake()
  expect(await runner.waitFor(id, 5_000)).toBe('finished')
  expect(await counted(subject)).toBe(1)
})

test('whoever waits is let go when the process is about to stop, and the work goes on', async () => {
  const runner = run()
  const subject = newId()
  const id = await begin(subject)
  const waits = [runner.waitFor(id, 60_000), waitUntilSettled({ pool, runner }, subject, 60_000)]
  runner.endWaits()
  expect(await Promise.all(waits)).toEqual([undefined, undefined])
  // A request that comes in after it does not wait either.
  await waitUntilSettled({ pool, runner }, subject, 60_000)
  await raiseWish(pool, subject, 'finish')
  runner.wake()
  await eventually(async () => expect((await getWorkflow(pool, id))?.result).toBe('finished'))
})

test('a step that throws is tried again and told what failed last', async () => {
  const subject = newId()
  context.failures.set(subject, 2)
  const id = await begin(subject)
  await raiseWish(pool, subject, 'finish')
  expect(await run().waitFor(id, 5_000)).toBe('finished')
  expect(context.ran).toEqual(['add', 'add not at all', 'add not yet'])
  expect(await counted(subject)).toBe(1)
})

test('a step that does not get on is reported when its deadline has passed, the first one too', async () => {
  const reports: unknown[] = []
  const log = pino(
    { level: 'error' },
    { write: (line: string) => void reports.push(JSON.parse(line)) },
  )
  const late = (): Promise<unknown> =>
    pool.query(`update workflows set deadline = deadline - interval '16 minutes'`)
  const subject = newId()
  context.failures.set(subject, 1)
  const id = await begin(subject)
  await late()
  const runner = startWorkflowRunner({ pool, workflows: [count], context, log })
  runners.push(runner)
  await eventually(async () => expect((await getWorkflow(pool, id))?.step).toBe('await-wish'))
  expect(reports).toEqual(
    [1, 2].map(() => expect.objectContaining({ alert: true, subject, step: 'add' })),
  )
  // The second step waits on purpose, and was given an hour.
  await late()
  await raiseWish(pool, subject, 'finish')
  runner.wake()
  expect(await runner.waitFor(id, 5_000)).toBe('finished')
  expect(reports).toHaveLength(2)
})

test('one subject is moved by one workflow at a time', async () => {
  const subject = newId()
  await begin(subject)
  await expect(begin(subject)).rejects.toMatchObject({ constraint: 'workflows_one_running' })
})

test('several runners share the table and none runs a step twice', async () => {
  const subjects = Array.from({ length: 20 }, () => newId<never>() as string)
  const ids = await Promise.all(subjects.map(begin))
  for (const subject of subjects) await raiseWish(pool, subject, 'finish')
  const [first] = [run(), run(), run()]
  const results = await Promise.all(ids.map((id) => first?.waitFor(id, 10_000)))
  expect(results).toEqual(ids.map(() => 'finished'))
  expect(await Promise.all(subjects.map(counted))).toEqual(subjects.map(() => 1))
})

test('a lease of a dead runner runs out, and what it would still write is refused', async () => {
  const subject = newId()
  const id = await begin(subject)
  await raiseWish(pool, subject, 'finish')
  const dead = newId()
  await leaseDue(pool, { kinds: ['count'], lease: dead, leaseSeconds: 0 })
  expect(await run().waitFor(id, 5_000)).toBe('finished')
  expect(await counted(subject)).toBe(1)
  expect((await getWorkflow(pool, id))?.result).toBe('finished')
})

test('workflows that were done long ago are deleted, and no others', async () => {
  const [old, recent, running] = [newId() as string, newId() as string, newId() as string]
  const ids = [await begin(old), await begin(recent), await begin(running)]
  for (const subject of [old, recent]) await raiseWish(pool, subject, 'finish')
  const runner = run()
  expect(await runner.waitFor(ids[0] ?? '', 5_000)).toBe('finished')
  expect(await runner.waitFor(ids[1] ?? '', 5_000)).toBe('finished')
  await runner.stop()
  await pool.query(
    `update workflows set updated_at = now() - make_interval(days =>
       case when subject_id = $1 then 29 else 31 end)`,
    [recent],
  )
  await deleteDone(pool, { olderThanDays: 30 })
  const left = await Promise.all(ids.map((id) => getWorkflow(pool, id)))
  expect(left.map((row) => row?.subjectId)).toEqual([undefined, recent, running])
})
