import type { IncomingMessage } from 'node:http'
import { expect, test } from 'vitest'
import { overrideMethod } from './method-override.ts'

test.each([
  ['POST', 'patch', 'PATCH'],
  ['POST', 'DELETE', 'DELETE'],
  ['POST', 'CONNECT', 'POST'],
  ['GET', 'DELETE', 'GET'],
])('%s that means %s becomes %s', (method, wanted, becomes) => {
  const request = { method, url: '/apps', headers: { 'x-http-method-override': wanted } }
  overrideMethod(request as unknown as IncomingMessage)
  expect(request.method).toBe(becomes)
})
