import { expect, test } from 'vitest'
import { loginFailuresPerEmailMax, loginFailuresPerPeerMax } from './limits.ts'
import { createLoginAllowances } from './login-allowances.ts'

const times = (count: number): number[] => Array.from({ length: count }, (_, n) => n)

test("a peer that is refused uses up nobody's address", () => {
  const logins = createLoginAllowances()
  for (const n of times(loginFailuresPerPeerMax)) logins.take(`${n}@example.com`, 'attacker')
  for (const _ of times(loginFailuresPerEmailMax))
    expect(logins.take('ada@example.com', 'attacker')).toBeUndefined()
  expect(logins.take('ada@example.com', 'home')).toBeDefined()
})

test('an address that is refused uses up no peer', () => {
  const logins = createLoginAllowances()
  for (const n of times(loginFailuresPerEmailMax)) logins.take('ada@example.com', `peer ${n}`)
  for (const _ of times(loginFailuresPerPeerMax))
    expect(logins.take('Ada@example.com ', 'office')).toBeUndefined()
  expect(logins.take('bob@example.com', 'office')).toBeDefined()
})

test('a login that did not fail costs nothing', () => {
  const logins = createLoginAllowances()
  for (const _ of times(loginFailuresPerPeerMax + 1)) {
    const giveBack = logins.take('ada@example.com', 'home')
    expect(giveBack).toBeDefined()
    giveBack?.()
  }
})
