import { describe, expect, test } from 'vitest'
import {
  checkAddonName,
  checkAttachmentName,
  colors,
  configVarName,
  defaultAttachmentName,
  makeAddonName,
} from './naming.ts'

const postgres = { defaultAttachmentName: 'DATABASE', configVarsPrefix: 'HEROKU_POSTGRESQL' }

test('an add-on is named after its service, without "heroku"', () => {
  expect(makeAddonName('heroku-postgresql')).toMatch(/^postgresql-[a-z]+-\d{5}$/)
  expect(makeAddonName('mailer')).toMatch(/^mailer-[a-z]+-\d{5}$/)
})

describe('the name of an attachment', () => {
  test("is the service's default while that is free", () => {
    expect(defaultAttachmentName(postgres, () => true)).toBe('DATABASE')
  })

  test('gets a colour when the default is taken, and never one that is taken', () => {
    const taken = new Set(['DATABASE'])
    for (const _ of colors) {
      const name = defaultAttachmentName(postgres, (candidate) => !taken.has(candidate))
      expect(name).toMatch(/^HEROKU_POSTGRESQL_[A-Z]+$/)
      expect(taken.has(name)).toBe(false)
      taken.add(name)
    }
    expect(defaultAttachmentName(postgres, (candidate) => !taken.has(candidate))).toMatch(
      /^HEROKU_POSTGRESQL_[A-Z]+2$/,
    )
  })

  test('is taken in upper case, and refused when it makes no variable', () => {
    expect(checkAttachmentName('primary_db')).toBe('PRIMARY_DB')
    for (const name of ['1st', 'a-b', 'a b', '_A', ''])
      expect(() => checkAttachmentName(name)).toThrow('Attachment name')
  })
})

test.each([
  ['DATABASE', 'HEROKU_POSTGRESQL_URL', 'DATABASE_URL'],
  ['HEROKU_POSTGRESQL_RED', 'HEROKU_POSTGRESQL_URL', 'HEROKU_POSTGRESQL_RED_URL'],
  ['MAIN', 'HEROKU_POSTGRESQL_READ_URL', 'MAIN_READ_URL'],
])('attached as %s, %s becomes %s', (attachment, configVar, expected) => {
  expect(configVarName('HEROKU_POSTGRESQL', configVar, attachment)).toBe(expected)
})

test('a chosen name of an add-on is kept or refused, never altered', () => {
  expect(checkAddonName('my-Data_1')).toBe('my-Data_1')
  for (const name of ['a', '1a', 'a b', 'a/b', 'a'.repeat(257)])
    expect(() => checkAddonName(name)).toThrow('Name must start with a letter')
})
