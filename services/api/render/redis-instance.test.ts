import { create } from '@bufbuild/protobuf'
import { timestampNow } from '@bufbuild/protobuf/wkt'
import { expect, test } from 'vitest'
import { AddonSchema } from '#proto/broker/v1/broker_pb.ts'
import { InstanceSchema } from '#proto/data/v1/data_pb.ts'
import { renderInstance } from './redis-instance.ts'

const addon = create(AddonSchema, {
  ...{ id: 'a', name: 'cache', createdAt: timestampNow() },
  plan: { name: 'heroku-redis:mini' },
})
const credential = { host: 'localhost', port: 4100, url: 'redis://localhost:4100' }
const tlsCredential = { host: 'localhost', port: 4500, url: 'rediss://localhost:4500' }

test('redis:cli is led to the port that speaks TLS, and asks for none where none does', () => {
  const plain = create(InstanceSchema, { credential, settings: {} })
  expect(renderInstance(addon, plain)).toMatchObject({
    ...{ plan: 'hobby-mini', prefer_native_tls: false },
    ...{ port: 4100, resource_url: 'redis://localhost:4100' },
  })
  const withTls = create(InstanceSchema, { credential, tlsCredential, settings: {} })
  expect(renderInstance(addon, withTls)).toMatchObject({
    ...{ plan: 'mini', prefer_native_tls: true },
    ...{ port: 4500, resource_url: 'rediss://localhost:4500' },
  })
})
