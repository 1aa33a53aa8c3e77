import { expect, test } from 'vitest'
import {
  confirmationRequired,
  invalidParams,
  notFound,
  PlexusError,
  unavailable,
} from '#lib/errors.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { ApiRefusal, notSupported } from './api-refusal.ts'
import { renderError } from './render-error.ts'

const codes = Object.values(ErrorCode).filter((code) => typeof code === 'number')

test.each(codes)('error code %i has a status and an id of its own words', (code) => {
  const { status, body } = renderError(new PlexusError(code, 'What happened.'))
  expect(status).toBeGreaterThanOrEqual(400)
  expect(body.id).toMatch(/^[a-z_]+$/)
  expect(body.message).not.toBe('')
})

test.each([
  [invalidParams('No.'), 422, { id: 'invalid_params', message: 'No.' }],
  [confirmationRequired('Sure?'), 423, { id: 'confirmation_required', message: 'Sure?' }],
  [unavailable('Later.'), 503, { id: 'unavailable', message: 'Later.' }],
  [
    notFound('add_on', "Couldn't find that add-on."),
    404,
    { resource: 'add_on', id: 'not_found', message: "Couldn't find that add-on." },
  ],
  [new ApiRefusal('rate_limit', 'Wait.'), 429, { id: 'rate_limit', message: 'Wait.' }],
  [notSupported('Not here.'), 422, { id: 'invalid_params', message: 'Not here.' }],
])('%s', (error, status, body) => {
  expect(renderError(error)).toEqual({ status, body, internal: false })
})

test('a bug is answered without its text', () => {
  const rendered = renderError(new Error('password is hunter2'))
  expect(rendered).toMatchObject({ status: 500, internal: true })
  expect(JSON.stringify(rendered)).not.toContain('hunter2')
})
