import { createHash } from 'node:crypto'
import { adminConnections } from './limits.ts'
import type { Plan } from './plans.ts'
import type { Tuning } from './tuning.ts'

/**
 * The user as whom the provider looks at an instance and changes it; customers are the user
 * "default".
 */
export const adminUser = 'plexus-admin'

/** To look at it, to set limits and passwords, and to end what began with a revoked password. */
const adminRights = ['+ping +config|get +config|set +acl|setuser', '+client|list +client|kill']

/** What an instance is started with. */
export type InstanceSettings = {
  port: number
  bind: string
  plan: Plan
  tuning: Tuning
  password: string
  /** As good as the password, while that is being rotated. */
  formerPassword?: string
  /** The password has been rotated at least once: what runs may have been started with another. */
  rotated: boolean
  adminPassword: string
  /** The port at which it speaks TLS, and what with: key and certificates, PEM. */
  tls: { port: number; pem: string } | undefined
}

/** Where an instance finds its key and certificates: in its working folder. */
export const tlsFile = 'tls.pem'

/**
 * The configuration of an instance. Passwords stand in it as hashes only.
 *
 * The customer may do what concerns its data, and look at its clients and slow commands; it may
 * not reconfigure, load code, copy from or to other servers, end connections (ours among them would
 * keep a rotation from its end), or stop the server. When the memory
 * is full, writing is refused and nothing is thrown away unless the customer chose so: a queue that
 * loses jobs is worse than one that says it is full. Buffers of clients may take as much memory
 * again as the data.
 */
export function redisConf(settings: InstanceSettings): string {
  const { port, bind, adminPassword } = settings
  const customerRights = [
    '~* &* +@all -@admin -migrate',
    '+client|list +monitor +slowlog|get +slowlog|len',
  ]
  return `${[
    `port ${port}`,
    `bind ${bind}`,
    'dir .',
    'logfile ""',
    'loglevel warning',
    ...Object.entries({
      ...limitsAndTuning(settings),
      ...(settings.tls && tlsDirectives(settings.tls)),
    }).map(([name, value]) => `${name} ${value || '""'}`),
    'maxmemory-clients 100%',
    'tcp-keepalive 60',
    'appendonly yes',
    'appendfsync everysec',
    'auto-aof-rewrite-min-size 16mb',
    'save ""',
    `user default on ${passwordHashes(settings).join(' ')} ${customerRights.join(' ')}`,
    `user ${adminUser} on #${sha256(adminPassword)} -@all ${adminRights.join(' ')}`,
  ].join('\n')}\n`
}

/**
 * What its plan and its customer have set, as it stands in redis.conf; it may change as it runs.
 */
export function limitsAndTuning({
  plan,
  tuning,
}: Pick<InstanceSettings, 'plan' | 'tuning'>): Record<string, string> {
  return {
    maxmemory: String(plan.memoryBytesMax),
    maxclients: String(plan.connectionsMax + adminConnections),
    'maxmemory-policy': tuning.maxmemoryPolicy,
    timeout: String(tuning.timeoutSeconds),
    'notify-keyspace-events': tuning.notifyKeyspaceEvents,
  }
}

/** How it speaks TLS, as it stands in redis.conf. Named again, the file is read again. */
export function tlsDirectives({ port }: { port: number }): Record<string, string> {
  return {
    'tls-port': String(port),
    'tls-cert-file': tlsFile,
    'tls-key-file': tlsFile,
    // Customers have passwords, not certificates.
    'tls-auth-clients': 'no',
  }
}

/** The customer's passwords, as rules of Redis's access control. */
export function passwordHashes({
  password,
  formerPassword,
}: Pick<InstanceSettings, 'password' | 'formerPassword'>): string[] {
  const passwords = formerPassword === undefined ? [password] : [password, formerPassword]
  return passwords.map((each) => `#${sha256(each)}`)
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
