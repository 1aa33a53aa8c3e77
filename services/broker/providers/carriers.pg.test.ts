import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest'
import { newId } from '#lib/ids.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { carriers, type Carrier } from '../../../test/support/carriers.ts'
import { platformActor } from '../context.ts'
import type { Pending } from './provider.ts'

// What the broker counts on with every provider, whatever carries the calls.

const asksMax = 5

describe.each(Object.entries(carriers))('over %s', (_name, open) => {
  let carrier: Carrier
  let uuid: string
  let appId: string
  /** Of the plan that it has. */
  let had: 'small' | 'large'
  let options: Record<string, string>

  beforeEach(async () => {
    carrier = await open(inject('engines'))
    uuid = newId()
    appId = newId()
    had = 'small'
    options = {}
  })

  afterEach(() => carrier.stop())

  const about = (operation: string | null = null) => ({
    ...{ uuid, appId, actor: platformActor, operation },
    providerPlanId: carrier.plans[had].providerPlanId,
  })

  const provision = (operation?: string | null) =>
    carrier.provider.provision({
      ...{ ...about(operation), name: 'acme-1', region: 'us', options, parameters: options },
      ...{ plan: carrier.plans.small.plan, callbackUrl: `http://localhost/addons/${uuid}` },
      newGrant: async () => ({ code: newId(), expires_at: '', type: 'authorization_code' }),
      ...{ logInputUrl: '', logDrainToken: '' },
    })

  const changeTo = (wanted: 'small' | 'large') => (operation?: string | null) =>
    carrier.provider.changePlan({
      ...{ ...about(operation), id: idOf(), plan: carrier.plans[wanted].plan },
      wantedProviderPlanId: carrier.plans[wanted].providerPlanId,
    })

  const deprovision = (operation?: string | null) =>
    carrier.provider.deprovision({ ...about(operation), id: idOf() })

  /** The provider's own id, once it has told it. */
  let told = ''
  const idOf = (): string => told

  async function makeReady(): Promise<Record<string, string>> {
    const made = await settle(provision)
    told = made.id
    return made.config
  }

  test('the same uuid again is the same resource with the same variables', async () => {
    // Where each attachment has its own, of that one.
    const attachment = { attachmentId: newId(), attachedTo: newId() }
    const variables = async (config: Record<string, string>) => {
      const { bindings } = carrier.provider
      return bindings ? (await bindings.bind({ ...about(), ...attachment })).config : config
    }
    const config = await variables(await makeReady())
    expect(Object.keys(config)).not.toEqual([])
    const again = await settle(provision)
    expect([again.id, await variables(again.config)]).toEqual([told, config])
    expect(carrier.living(uuid)).toBe(1)
  })

  test('what takes its time says so, and is one resource', async () => {
    options = carrier.trouble({ provision: 'slow' })
    expect((await provision()).state).toMatch(/^(ask-again|accepted)$/)
    expect(carrier.living(uuid)).toBe(1)
  })

  test.each(['provision', 'changePlan'] as const)(
    'a refusal to %s is final, in the words of the provider',
    async (call) => {
      options = carrier.trouble({ [call]: 'refuses' })
      if (call === 'changePlan') await makeReady()
      await expect(call === 'provision' ? provision() : changeTo('large')()).rejects.toMatchObject({
        code: ErrorCode.INVALID_PARAMS,
        message: expect.stringContaining('Sold out.') as string,
      })
    },
  )

  test.each(['provision', 'changePlan', 'deprovision'] as const)(
    'one that is busy at %s leaves the outcome unknown, and says why',
    async (call) => {
      options = carrier.trouble({ [call]: 'busy' })
      if (call !== 'provision') await makeReady()
      const ask = { provision, changePlan: changeTo('large'), deprovision }[call]
      const refused = await ask().catch((error: unknown) => error)
      expect(refused).toMatchObject({ code: ErrorCode.UNAVAILABLE, cause: undefined })
      expect((refused as Error).message).toContain('Busy.')
      await settle<{ state: string; pending?: Pending }>(ask)
      expect(carrier.living(uuid)).toBe(call === 'deprovision' ? 0 : 1)
    },
  )

  test.each(['provision', 'changePlan', 'deprovision'] as const)(
    'an answer to %s that is lost is asked for again, and nothing is there twice',
    async (call) => {
      options = carrier.trouble({ [call]: 'loses-reply' })
      if (call !== 'provision') await makeReady()
      const ask = { provision, changePlan: changeTo('large'), deprovision }[call]
      const lost = await ask().catch((error: unknown) => error)
      expect([ErrorCode.UNAVAILABLE, ErrorCode.INTERNAL]).toContain(
        (lost as { code?: ErrorCode }).code,
      )
      await settle<{ state: string; pending?: Pending }>(ask)
      expect(carrier.living(uuid)).toBe(call === 'deprovision' ? 0 : 1)
    },
  )

  test('a plan that it has already is changed to without a fault', async () => {
    await makeReady()
    expect((await settle(changeTo('large'))).state).toBe('ready')
    had = 'large'
    expect((await settle(changeTo('large'))).state).toBe('ready')
    expect((await settle(changeTo('small'))).state).toBe('ready')
    expect(carrier.living(uuid)).toBe(1)
  })

  test('a removal that takes its time is one, and what is gone or never was is gone', async () => {
    options = carrier.trouble({ deprovision: 'slow' })
    await makeReady()
    expect((await deprovision()).state).toMatch(/^(ask-again|accepted)$/)
    expect((await settle(deprovision)).state).toMatch(/^(gone|accepted)$/)
    uuid = newId()
    told = ''
    expect((await deprovision()).state).toBe('gone')
    expect(carrier.living(uuid)).toBe(0)
  })

  test('with nobody there the outcome is unknown, and the provider has said nothing', async () => {
    await carrier.stop()
    const refused = await provision().catch((error: unknown) => error)
    expect(refused).toMatchObject({ code: ErrorCode.UNAVAILABLE })
    expect((refused as Error).cause).toBeDefined()
  })
})

/** Asks until it is no longer "ask again", as the broker's workflows do. */
async function settle<A extends { state: string; pending?: Pending }>(
  ask: (operation?: string | null) => Promise<A>,
): Promise<A> {
  let operation: string | null = null
  for (let asks = 0; asks < asksMax; asks++) {
    const answer = await ask(operation)
    if (answer.state !== 'ask-again') return answer
    operation = answer.pending?.operation ?? null
  }
  throw new Error(`asked ${asksMax} times`)
}
