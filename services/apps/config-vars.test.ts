import { expect, test } from 'vitest'
import { newId } from '#lib/ids.ts'
import { assertSize, emptyConfig, type AppConfig, type AttachedAddon } from './app-config.ts'
import { changeVars } from './config-vars.ts'

const attachment: AttachedAddon = {
  id: newId(),
  name: 'DATABASE',
  addonId: newId(),
  addonName: 'postgresql-flat-02648',
  planName: 'heroku-postgresql:mini',
  billingApp: true,
  vars: { DATABASE_URL: 'postgres://db' },
}
const config: AppConfig = { vars: { A: '1', B: '2' }, attachments: [attachment] }
const change = (set: Record<string, string>, unset: string[] = []) =>
  changeVars(config, { set, unset })

test('a change is described in the words of Heroku', () => {
  expect(change({ C: '3', D: '' })?.description).toBe('Set C, D config vars')
  expect(change({ A: 'new' })?.description).toBe('Set A config vars')
  expect(change({}, ['A', 'B'])?.description).toBe('Remove A, B config vars')
  expect(change({ C: '3' }, ['A'])?.description).toBe('Set C config vars, remove A')
})

test('a description names only what changes', () => {
  const full = change({ A: '1', B: 'new', DATABASE_URL: 'postgres://db' }, ['UNKNOWN'])
  expect(full?.description).toBe('Set B config vars')
  expect(full?.config).toEqual({ ...config, vars: { A: '1', B: 'new' } })
})

test('the empty string is a value, and null is not there', () => {
  expect(change({ A: '' }, ['B'])?.config.vars).toEqual({ A: '' })
})

test('equal values and unknown names change nothing', () => {
  expect(change({})).toBeUndefined()
  expect(change({ A: '1', DATABASE_URL: 'postgres://db' }, ['UNKNOWN', 'not a name'])).toBe(
    undefined,
  )
})

test("an attachment's variables can be neither set nor unset", () => {
  const refusal = 'Cannot overwrite attachment values DATABASE_URL.'
  expect(() => change({ DATABASE_URL: 'mine', A: '2' })).toThrow(refusal)
  expect(() => change({}, ['DATABASE_URL'])).toThrow(refusal)
})

test('names of the language are names like others', () => {
  const names = { constructor: 'x', toString: 'y', hasOwnProperty: 'z' }
  const changed = changeVars(emptyConfig, { set: names, unset: ['valueOf'] })
  expect(changed?.config.vars).toEqual(names)
})

test('names that no environment can hold are refused, and those of the platform', () => {
  for (const name of ['1A', 'A-B', 'A B', '', 'A\0', 'Ä', 'A='])
    expect(() => change({ [name]: 'x' })).toThrow(`${JSON.stringify(name)} is not a name`)
  for (const name of ['__A', 'HEROKU_A'])
    expect(() => change({ [name]: 'x' })).toThrow(`${name} cannot be set`)
  expect(() => change({ A: 'nul\0' })).toThrow('The value of A has a NUL byte')
})

test('a reserved name that is there already can be changed and removed', () => {
  const old: AppConfig = { vars: { HEROKU_APP_NAME: 'x' }, attachments: [] }
  expect(changeVars(old, { set: { HEROKU_APP_NAME: 'y' }, unset: [] })).toBeDefined()
  expect(changeVars(old, { set: {}, unset: ['HEROKU_APP_NAME'] })?.config.vars).toEqual({})
})

test('a name cannot be set and unset at once', () => {
  expect(() => change({ A: '2' }, ['A'])).toThrow('A cannot be set and unset at once')
})

test('64 KB hold the names and values of users and attachments together', () => {
  const room = 64 * 1024 - 'DATABASE_URL'.length - 'postgres://db'.length
  const fill = (bytes: number): AppConfig => ({
    vars: { A: 'ä'.repeat(Math.floor((bytes - 1) / 2)) + 'x'.repeat((bytes - 1) % 2) },
    attachments: [attachment],
  })
  assertSize(fill(room))
  expect(() => assertSize(fill(room + 1))).toThrow('would take 65537 bytes')
})
