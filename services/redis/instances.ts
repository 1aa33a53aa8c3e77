import { randomBytes } from 'node:crypto'
import { must } from '#lib/assert.ts'
import { invalidParams, notFound, unavailable } from '#lib/errors.ts'
import { formatBytes } from '#lib/format-bytes.ts'
import type { AddonId } from '#lib/ids.ts'
import type { Pool } from '#lib/postgres.ts'
import type { ResourceTable } from '#lib/provider/resource.ts'
import type { Secrets } from '#lib/secrets/secrets.ts'
import type { Instance, InstanceHost } from './instance-process.ts'
import {
  countInstances,
  findInstance,
  insertInstance,
  insertTombstone,
  listInstances,
  lockInstance,
  updatePlan,
  wantRemoval,
  type InstanceRow,
} from './instances-db.ts'
import { observeInstance } from './observation.ts'
import type { Plan, Plans } from './plans.ts'
import type { PortRange } from './ports.ts'
import type { InstancesTls } from './tls.ts'

/** What the workflows and the supervision work with. */
export type InstancesContext = {
  pool: Pool
  /** A pool of its own for the instances' locks: whoever holds one needs no second from it. */
  locks: Pool
  secrets: Secrets
  plans: Plans
  ports: PortRange
  host: InstanceHost
  bind: string
  /** Undefined where instances speak no TLS. */
  tls: InstancesTls | undefined
}

const passwordBytes = 32
const makePassword = (): string => `p${randomBytes(passwordBytes).toString('hex')}`

type PasswordColumn = 'password' | 'admin_password'

/** Where a password is sealed: it opens in its own row only, and as what it was made for. */
const sealContext = (addonId: AddonId, column: PasswordColumn): string =>
  `instances:${addonId}:${column}`

/** A made-up password, sealed. */
export const newPassword = (
  secrets: Secrets,
  addonId: AddonId,
  column: PasswordColumn = 'password',
): string => secrets.seal(makePassword(), sealContext(addonId, column))

/** The table as the provider's calls use it: new rows get their sealed passwords. */
export function instanceTable(secrets: Secrets): ResourceTable<InstanceRow> {
  return {
    find: findInstance,
    lock: lockInstance,
    list: listInstances,
    insert: (tx, request) => {
      const { addonId } = request
      const password = newPassword(secrets, addonId)
      const adminPassword = newPassword(secrets, addonId, 'admin_password')
      return insertInstance(tx, { ...request, password, adminPassword })
    },
    insertTombstone,
    setPlan: (tx, { addonId }, plan) => updatePlan(tx, addonId, plan),
    wantRemoval,
  }
}

const planOf = (plans: Plans, plan: string): Plan => must(plans[plan], `plan ${plan}`)

/** The instance that a row with a port describes, its passwords in clear. */
export function instanceOf(context: InstancesContext, row: InstanceRow): Instance {
  const { secrets, plans, bind, tls } = context
  const { addonId, tlsPort, maxmemoryPolicy, timeoutSeconds, notifyKeyspaceEvents } = row
  const open = (sealed: string, column: PasswordColumn = 'password'): string =>
    secrets.open(sealed, sealContext(addonId, column))
  return {
    addonId,
    bind,
    port: must(row.port, 'port of an instance'),
    plan: planOf(plans, row.plan),
    tuning: { maxmemoryPolicy, timeoutSeconds, notifyKeyspaceEvents },
    password: open(must(row.password, 'password of an instance')),
    ...(row.formerPassword !== null && { formerPassword: open(row.formerPassword) }),
    rotated: row.rotationIds.length > 0,
    adminPassword: open(must(row.adminPassword, 'admin password of an instance'), 'admin_password'),
    tls: tls && tlsPort !== null ? { port: tlsPort, pem: tls.certificate.pem() } : undefined,
  }
}

export const instanceNotFound = () => notFound('instance')

/** The row of an instance that can be used; otherwise NOT_FOUND. */
export function assertReady(row: InstanceRow | undefined): InstanceRow {
  if (row?.state !== 'ready' || row.removalWanted) throw instanceNotFound()
  return row
}

export type InstanceCredential = {
  host: string
  port: number
  user: string
  password: string
  url: string
}

/**
 * How a customer gets in, in clear or, where the instance speaks it, with TLS; `host` is this
 * machine's name for customers.
 */
export function credentialOf(
  { port: plainPort, password, tls }: Instance,
  host: string,
  scheme: 'redis' | 'rediss',
): InstanceCredential {
  const port = scheme === 'redis' ? plainPort : must(tls, 'TLS of an instance').port
  // With the user's name: redis-cli takes an empty one for a user of that name.
  const user = 'default'
  return { host, port, user, password, url: `${scheme}://${user}:${password}@${host}:${port}` }
}

/** The variables of an instance; `publicHost` is this machine's name for customers. */
export function instanceConfig(
  context: InstancesContext,
  publicHost: string,
  row: InstanceRow,
): Record<string, string> {
  const instance = instanceOf(context, row)
  return {
    HEROKU_REDIS_URL: credentialOf(instance, publicHost, 'redis').url,
    ...(instance.tls && {
      HEROKU_REDIS_TLS_URL: credentialOf(instance, publicHost, 'rediss').url,
    }),
  }
}

/** Throws UNAVAILABLE when every port has its instance. */
export async function assertRoom({ pool, ports }: InstancesContext): Promise<void> {
  if ((await countInstances(pool)) >= ports.count)
    throw unavailable(
      `All ${ports.count} Redis instances of this machine are in use. Destroy one, or ask its` +
        ' operator for more ports.',
    )
}

/**
 * Throws INVALID_PARAMS when the instance uses more memory than that plan has, UNAVAILABLE when
 * that cannot be seen now.
 */
export async function assertFits(
  context: InstancesContext,
  row: InstanceRow,
  plan: string,
): Promise<void> {
  const { memoryBytesMax } = planOf(context.plans, plan)
  if (memoryBytesMax >= planOf(context.plans, row.plan).memoryBytesMax) return
  const seen = await observeInstance(context.host, instanceOf(context, row))
  if (!seen)
    throw unavailable(
      'How much memory the instance uses cannot be seen now: it has no connection left, or is just' +
        ' being started. Close a connection, or try again.',
    )
  if (seen.memoryBytes > memoryBytesMax)
    throw invalidParams(
      `The instance uses ${formatBytes(seen.memoryBytes)}, and the plan "${plan}" holds` +
        ` ${formatBytes(memoryBytesMax)}. Choose a larger plan, or delete keys and try again.`,
    )
}

/** For the customer whose instance has another plan now. */
export function changedMessage({ plans }: InstancesContext, row: InstanceRow): string {
  const { memoryBytesMax, connectionsMax } = planOf(plans, row.plan)
  return (
    `Your Redis instance holds up to ${formatBytes(memoryBytesMax)} and ${connectionsMax}` +
    ' connections now. Those that are open stay open.'
  )
}
