import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { silentLog } from '#lib/log.ts'
import { migrate } from '#lib/migrate.ts'
import { openPool, type Pool } from '#lib/postgres.ts'
import { loadSecrets, type Secrets } from '#lib/secrets/secrets.ts'
import { createTestSchema } from '../../test/support/schemas.ts'
import { declareServices, getAddonService, refuseClosed } from './addon-services.ts'
import { parseService } from './manifest.ts'
import { getPlan, getPlanToHave } from './plans.ts'
import { listPlans } from './plans-db.ts'
import { migrations } from './schema.ts'

let pool: Pool
let secrets: Secrets
const anybody = { accountId: '', email: '' }

beforeAll(async () => {
  const { url, schema } = await createTestSchema(inject('engines'))
  await migrate(url, schema, migrations)
  pool = openPool({ url, schema, log: silentLog })
  secrets = await loadSecrets(inject('engines').masterKeyFile)
})

afterAll(() => pool.end())

const declare = (slugs: string[], state = 'ga'): Promise<void> => {
  const manifest = {
    id: 'things',
    name: 'Things',
    api: { config_vars: ['THINGS_URL'], production: { base_url: 'nats://things' } },
  }
  const plans = slugs.map((slug, index) => ({
    slug,
    name: slug,
    price_cents: state === 'ga' ? 100 * index : 0,
    default: index === 0,
  }))
  const file = 'things'
  return declareServices({ pool, secrets }, [
    parseService({ file, value: manifest }, { file, value: { state, plans } }),
  ])
}

test('declared again it keeps ids and times, and changes only what has changed', async () => {
  await declare(['small', 'large'])
  const service = await getAddonService(pool, anybody, 'things')
  const plans = await listPlans(pool, service.id)
  await Promise.all([declare(['small', 'large']), declare(['small', 'large'])])
  expect(await getAddonService(pool, anybody, service.id)).toEqual(service)
  expect(await listPlans(pool, service.id)).toEqual(plans)
  await declare(['small', 'large'], 'beta')
  const changed = await getAddonService(pool, anybody, 'things')
  expect(changed).toMatchObject({ id: service.id, state: 'beta' })
  expect(changed.updatedAt.getTime()).toBeGreaterThan(service.updatedAt.getTime())
})

test('a plan that is no longer declared stays for who has it, and nobody gets it', async () => {
  await declare(['small', 'large'])
  const large = (await getPlan(pool, anybody, 'things:large')).plan
  await declare(['small', 'medium'])
  const { id } = await getAddonService(pool, anybody, 'things')
  expect((await listPlans(pool, id)).map(({ slug }) => slug)).toEqual(['small', 'medium'])
  expect((await getPlan(pool, anybody, large.id)).plan).toMatchObject({
    slug: 'large',
    retired: true,
  })
  await expect(getPlanToHave(pool, anybody, large.id)).rejects.toMatchObject({
    code: ErrorCode.INVALID_PARAMS,
  })
  await declare(['small', 'large'])
  expect((await getPlanToHave(pool, anybody, 'things:large')).plan.id).toBe(large.id)
})

test('a service that is shut down takes no new add-ons', async () => {
  await declare(['small'], 'shutdown')
  const { service } = await getPlanToHave(pool, anybody, 'things')
  expect(() => refuseClosed(service)).toThrow('shut down')
})
