import { afterAll, afterEach, beforeAll, expect, inject, test, vi } from 'vitest'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { ReadBackupRequestSchema } from '#proto/data/v1/transfers_pb.ts'
import { create } from '@bufbuild/protobuf'
import { testBackups } from '../../test/support/postgres-backups.ts'
import { openTestDatabases, type TestDatabases } from '../../test/support/postgres-provider.ts'
import { newBackupTicket } from './backup-tickets.ts'
import { backupHandlers } from './backups-rpc.ts'
import { backupTicketSeconds } from './limits.ts'

let databases: TestDatabases

beforeAll(async () => {
  databases = await openTestDatabases(inject('engines'))
})

afterEach(() => void vi.useRealTimers())
afterAll(() => databases.close())

test('a download that has begun comes to its end, however long it takes; another begins no more', async () => {
  const { addonId } = await databases.provision('essential-0')
  const { id } = await testBackups(databases).capture(addonId)
  const { ticket, expiresAt } = newBackupTicket(databases.context.secrets, id)
  const { readBackup } = backupHandlers(databases.context, databases.idle)
  const read = (offset: bigint) => readBackup(create(ReadBackupRequestSchema, { ticket, offset }))
  const whole = await read(0n)

  expect(expiresAt.getTime() - Date.now()).toBeLessThanOrEqual(backupTicketSeconds * 1000)
  vi.useFakeTimers({ toFake: ['Date'], now: expiresAt.getTime() + 1 })
  expect((await read(5n)).data).toEqual(whole.data?.subarray(5))
  await expect(read(0n)).rejects.toMatchObject({ code: ErrorCode.UNAUTHORIZED })
  const made = create(ReadBackupRequestSchema, { ticket: ticket.slice(4), offset: 5n })
  await expect(readBackup(made)).rejects.toMatchObject({ code: ErrorCode.UNAUTHORIZED })
})
