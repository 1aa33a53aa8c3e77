import { describe, expect, test } from 'vitest'
import { newId } from '#lib/ids.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import {
  addonPlanNames,
  emptyConfig,
  visibleVars,
  type AppConfig,
  type AttachedAddon,
} from './app-config.ts'
import { removeAttachments, setAttachment, updateConfig } from './attachments.ts'
import { rollBack } from './releases.ts'

const app = { name: 'shop', confirm: '' }
const attachment = (part: Partial<AttachedAddon>): AttachedAddon => ({
  id: newId(),
  name: 'DATABASE',
  addonId: newId(),
  addonName: 'postgresql-flat-02648',
  planName: 'heroku-postgresql:mini',
  billingApp: true,
  vars: { DATABASE_URL: 'postgres://one' },
  ...part,
})
const one = attachment({})

test('an attachment brings its variables and takes them away', () => {
  const attached = setAttachment({ vars: { A: '1' }, attachments: [] }, one, app)
  expect(visibleVars(attached)).toEqual({ A: '1', DATABASE_URL: 'postgres://one' })
  expect(removeAttachments(attached, [one.id])).toEqual({ vars: { A: '1' }, attachments: [] })
  expect(removeAttachments(attached, [newId()])).toBeUndefined()
})

test('the same attachment is replaced with all its variables', () => {
  const rotated = { ...one, vars: { DATABASE_URL: 'postgres://two', DATABASE_TLS_URL: 'x' } }
  const twice = setAttachment(setAttachment(emptyConfig, one, app), rotated, app)
  expect(twice.attachments).toEqual([rotated])
  expect(setAttachment(twice, one, app).attachments).toEqual([one])
})

test("a user's variable in the way goes only when the app's name confirms it", () => {
  const config: AppConfig = { vars: { DATABASE_URL: 'mine', A: '1' }, attachments: [] }
  for (const confirm of ['', 'other'])
    expect(() => setAttachment(config, one, { name: 'shop', confirm })).toThrow(
      expect.objectContaining({
        code: ErrorCode.CONFIRMATION_REQUIRED,
        message: expect.stringContaining('DATABASE_URL is set on shop') as string,
      }),
    )
  const confirmed = setAttachment(config, one, { name: 'shop', confirm: 'shop' })
  expect(confirmed).toEqual({ vars: { A: '1' }, attachments: [one] })
})

test("another attachment's variable is never taken, confirmed or not", () => {
  const config = setAttachment(emptyConfig, one, app)
  const other = attachment({ name: 'OTHER' })
  expect(() => setAttachment(config, other, { name: 'shop', confirm: 'shop' })).toThrow(
    expect.objectContaining({ code: ErrorCode.CONFLICT }),
  )
})

test('a name that no environment can hold is refused, the names of the platform are not', () => {
  const named = (name: string) => attachment({ vars: { [name]: 'x' } })
  expect(() => setAttachment(emptyConfig, named('A-B'), app)).toThrow('is not a name')
  setAttachment(emptyConfig, named('HEROKU_POSTGRESQL_RED_URL'), app)
})

test('a release names the plan of each add-on that the app pays for once', () => {
  const redis = attachment({ planName: 'heroku-redis:mini', vars: {} })
  const again = attachment({ addonId: one.addonId, vars: {} })
  const shared = attachment({ billingApp: false, planName: 'papertrail:choklad', vars: {} })
  const second = attachment({ vars: {} })
  expect(addonPlanNames({ vars: {}, attachments: [redis, one, again, shared, second] })).toEqual([
    'heroku-postgresql:mini',
    'heroku-postgresql:mini',
    'heroku-redis:mini',
  ])
})

test("rolling back brings the user's variables back and leaves the attachments of now", () => {
  const earlier: AppConfig = {
    vars: { A: 'old', DATABASE_URL: 'mine' },
    attachments: [attachment({ name: 'GONE', vars: { GONE_URL: 'x' } })],
  }
  const current: AppConfig = { vars: { A: 'new', B: '1' }, attachments: [one] }
  expect(rollBack(current, earlier)).toEqual({ vars: { A: 'old' }, attachments: [one] })
})

describe('what changes of an add-on that is attached', () => {
  const shop = { name: 'shop', addonService: 'heroku-redis' }
  const before: AppConfig = {
    vars: { MINE: '1', CACHE_TLS_URL: 'mine' },
    attachments: [
      attachment({ name: 'REDIS', vars: { REDIS_URL: 'old' } }),
      attachment({ name: 'CACHE', vars: { CACHE_URL: 'old' } }),
    ],
  }
  const [redis, cache] = before.attachments

  test('names its variables, and takes those that a user has set in between', () => {
    const moved = [
      { ...redis, vars: { REDIS_URL: 'new' } },
      { ...cache, vars: { CACHE_TLS_URL: 'new' } },
    ] as AttachedAddon[]
    expect(updateConfig(before, moved, shop)).toEqual({
      description: 'Update REDIS_URL, CACHE_TLS_URL, CACHE_URL by heroku-redis',
      config: { vars: { MINE: '1' }, attachments: moved },
    })
  })

  test('is told as another plan when only that changes, and only to the app that pays', () => {
    const larger = [{ ...redis, planName: 'heroku-redis:large' }] as AttachedAddon[]
    expect(updateConfig(before, larger, shop)?.description).toMatch(
      /^Change @ref:\S+ to \S+:large$/,
    )
    const guest = [{ ...redis, billingApp: false }] as AttachedAddon[]
    const larger2 = [{ ...guest[0], planName: 'heroku-redis:large' }] as AttachedAddon[]
    expect(updateConfig({ ...before, attachments: guest }, larger2, shop)).toBeUndefined()
  })

  test('is nothing for what is the same, or detached meanwhile', () => {
    expect(updateConfig(before, before.attachments, shop)).toBeUndefined()
    const gone = attachment({ name: 'GONE', vars: { GONE_URL: 'x' } })
    expect(updateConfig(before, [gone], shop)).toBeUndefined()
  })
})
