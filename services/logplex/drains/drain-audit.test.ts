import { expect, test } from 'vitest'
import { noLoss } from '../loss.ts'
import { DrainAudit } from './drain-audit.ts'
import type { DrainCursor } from './drain-cursor.ts'

const claimed: DrainCursor = {
  ...{ next: 11, delivered: 8, overflowed: 2, refused: 0, filtered: 0, uncounted: 0 },
  ...{ replayed: 0, moves: 0 },
  ...{ lost: noLoss, untold: noLoss, toldAt: 0, untrustedToldAt: 0, nextTime: '' },
  ...{ lastAnswer: '', answeredAt: 0, lastError: '' },
}

test('a cursor that moved as far as was counted holds, whatever the lines became', () => {
  const audit = new DrainAudit(1, claimed)
  expect(audit.fault(claimed)).toBeUndefined()
  audit.count(7)
  const cursor = { ...claimed, next: 19, delivered: 11, refused: 2, filtered: 2, uncounted: 1 }
  expect(audit.fault(cursor)).toBeUndefined()
  expect(audit.storedFault(cursor)).toBeUndefined()
})

test('a line that was passed over and one that was counted twice are told, once', () => {
  const audit = new DrainAudit(1, claimed)
  audit.count(4)
  const passedOver = { ...claimed, next: 16, delivered: 12 }
  expect(audit.storedFault(passedOver)).toContain('1 lines are in no account')
  expect(audit.fault(passedOver)).toBe('it moved past 5 lines, counted 4, and 1 are in no account')
  expect(audit.fault(passedOver)).toBeUndefined()
  audit.count(2)
  expect(audit.fault({ ...passedOver, next: 17, delivered: 14 })).toContain('-1 are in no')
})
