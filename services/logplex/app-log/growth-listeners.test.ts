import { expect, test } from 'vitest'
import { newId, type AppId } from '#lib/ids.ts'
import { GrowthListeners } from './growth-listeners.ts'

test('a log that has lost numbers is told of when Redis was asked, and grows on from there', () => {
  const growth = new GrowthListeners()
  const appId = newId<AppId>()
  const heads: number[] = []
  growth.add(appId, (head) => heads.push(head))
  growth.tell(appId, 10)
  growth.tell(appId, 9)
  growth.asked(appId, 10)
  expect(heads).toEqual([10])
  growth.asked(appId, 7)
  growth.asked(appId, 7)
  growth.tell(appId, 8)
  expect(heads).toEqual([10, 7, 8])
})
