import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import {
  authKeyCheck,
  parseAuthKey,
  credentialFinder,
  CredentialTable,
  readBasic,
  type Credential,
} from './credential.ts'

const password = 'F'.repeat(64)
const login = (user: string) => ({ user, password })
const credential = (id: string): Credential => ({
  id,
  passwordSha256: createHash('sha256').update(password).digest(),
  permissions: new Set(['any_channel']),
})

test('one that is not known is read anew, not more often than that, and by all who wait at once', async () => {
  const table = new CredentialTable()
  const [known, fresh] = [credential('A'.repeat(32)), credential('B'.repeat(32))]
  table.replace([known])
  let readings = 0
  const learn = (): Promise<void> => {
    readings++
    table.replace([known, fresh])
    return Promise.resolve()
  }
  const find = credentialFinder(table, learn, { everyMs: 60_000 })
  expect(await find(login(known.id))).toBe(known)
  expect(await find(login('nobody'))).toBeUndefined()
  expect(readings).toBe(0)
  const found = await Promise.all([find(login(fresh.id)), find(login('C'.repeat(32)))])
  expect(found).toEqual([fresh, undefined])
  expect(await find(login('D'.repeat(32)))).toBeUndefined()
  expect(await find({ ...login(known.id), password: 'wrong' })).toBeUndefined()
  expect(readings).toBe(1)
})

test('nothing is said of one that is not known while they cannot be read', async () => {
  const table = new CredentialTable()
  const known = credential('A'.repeat(32))
  table.replace([known])
  const learn = () => Promise.reject(new Error('postgres is away'))
  const find = credentialFinder(table, learn, { everyMs: 60_000 })
  for (let time = 0; time < 2; time++)
    await expect(find(login('B'.repeat(32)))).rejects.toThrow('postgres is away')
  expect(await find(login(known.id))).toBe(known)
})

test('Basic is read, and nothing else', () => {
  const of = (text: string) => readBasic(`Basic ${Buffer.from(text).toString('base64')}`)
  expect(of('token:t.1')).toEqual({ user: 'token', password: 't.1' })
  expect(of('a:b:c')).toEqual({ user: 'a', password: 'b:c' })
  expect(of('nobody')).toBeUndefined()
  for (const other of [undefined, '', 'Bearer x', 'Basic']) expect(readBasic(other)).toBeUndefined()
})

test('the key is told as it is, and where there is none nobody has it', () => {
  const key = 'k'.repeat(32)
  const isKey = authKeyCheck(parseAuthKey(key))
  for (const good of [`Basic ${key}`, `basic ${key}`]) expect(isKey(good)).toBe(true)
  const encoded = Buffer.from(key).toString('base64')
  for (const other of [undefined, '', key, `Bearer ${key}`, `Basic ${key}k`, `Basic ${encoded}`])
    expect(isKey(other)).toBe(false)
  for (const none of [undefined, '', 'Basic', 'Basic ', `Basic ${key}`])
    expect(authKeyCheck('')(none)).toBe(false)
})

test('a key that is short or cannot stand in a header is refused, and is not shown', () => {
  for (const wrong of ['k'.repeat(31), `${'k'.repeat(20)} ${'k'.repeat(20)}`, 'ž'.repeat(40)]) {
    expect(() => parseAuthKey(wrong)).toThrow('wants 32 or more visible ASCII characters')
    expect(() => parseAuthKey(wrong)).not.toThrow(wrong)
  }
})
