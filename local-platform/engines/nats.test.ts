import { expect, test } from 'vitest'
import type { NatsConnection } from '@nats-io/transport-node'
import { natsUsers, type NatsUser } from '#lib/nats-permissions.ts'
import { answerMsMax, rpcClient } from '#lib/rpc.ts'
import { BrokerService } from '#proto/broker/v1/broker_pb.ts'
import { natsConfig } from './nats.ts'

type Config = {
  authorization: { users: { permissions: { allow_responses: { expires: string } } }[] }
}

test('an answer is let through for as long as anybody may wait for it', async () => {
  const passwords = Object.fromEntries(natsUsers.map((user) => [user, 'p'])) as Record<
    NatsUser,
    string
  >
  const text = natsConfig({ host: '127.0.0.1', port: 4222, passwords, storeDir: '/store' })
  const { users } = (JSON.parse(text) as Config).authorization
  const expires = users.map(({ permissions }) => permissions.allow_responses.expires)
  expect(expires).toEqual(natsUsers.map(() => `${answerMsMax / 1000}s`))

  const broker = rpcClient({} as NatsConnection, 'broker', BrokerService)
  await expect(broker.reconcileAddons({}, { timeoutMs: answerMsMax + 1 })).rejects.toThrow(
    /ReconcileAddons is answered within 600000 ms/,
  )
})
