import { expect, test } from 'vitest'
import { addressRanges, flag, integer, port, readConfig, secret, text } from '#lib/config.ts'

const settings = {
  apiPort: port('X_PORT', { help: 'where the api answers', fallback: 4000 }),
  databaseUrl: secret('X_DATABASE_URL', { help: 'the database' }),
  name: text('X_NAME', { help: 'the name' }),
  tries: integer('X_TRIES', { help: 'how often', fallback: 3 }),
  loud: flag('X_LOUD', { help: 'say more', fallback: false }),
}

test('values are parsed, defaults taken, secrets removed from the environment', () => {
  const env = { X_DATABASE_URL: 'postgres://pw', X_NAME: 'a', X_LOUD: 'true', X_PORT: '' }
  const config = readConfig(settings, env)
  expect(config).toEqual({
    apiPort: 4000,
    databaseUrl: 'postgres://pw',
    name: 'a',
    tries: 3,
    loud: true,
  })
  expect(env).not.toHaveProperty('X_DATABASE_URL')
  expect(Object.isFrozen(config)).toBe(true)
})

test('one error names everything that is missing or wrong', () => {
  const read = () => readConfig(settings, { X_PORT: '70000', X_TRIES: 'many', X_LOUD: 'yes' })
  expect(read).toThrow(/X_PORT.*65535[\s\S]*X_DATABASE_URL is not set: the database[\s\S]*X_NAME/)
  expect(read).toThrow(/X_TRIES wants a whole number/)
  expect(read).toThrow(/X_LOUD wants true or false/)
  const negative = { X_DATABASE_URL: 'x', X_NAME: 'x', X_PORT: '1', X_TRIES: '-1' }
  expect(() => readConfig(settings, negative)).toThrow(/X_TRIES wants a whole number of 0 or more/)
})

test('a secret that is wrong is told without its value, and removed as well', () => {
  const refuse = (): string => {
    throw new Error('wants more characters')
  }
  const env = { X_KEY: 'hush' }
  const read = () => readConfig({ key: secret('X_KEY', { help: 'the key' }, refuse) }, env)
  expect(read).toThrow(/X_KEY wants more characters: the key$/)
  expect(env).not.toHaveProperty('X_KEY')
})

test('addresses and ranges are told from what is none', () => {
  const one = { proxies: addressRanges('X_PROXIES', { help: 'whom to believe', fallback: [] }) }
  const read = (value: string) => readConfig(one, { X_PROXIES: value }).proxies
  expect(read('')).toEqual([])
  expect(read('10.0.0.0/8, ::1,192.0.2.1')).toEqual(['10.0.0.0/8', '::1', '192.0.2.1'])
  for (const wrong of ['proxy', '10.0.0.0/33', '10.0.0.0/0', '::1/129', '1.2.3.4,', '1.2.3/8'])
    expect(() => read(wrong)).toThrow(/X_PROXIES wants addresses/)
})
