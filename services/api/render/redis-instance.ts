import { must } from '#lib/assert.ts'
import type { Addon } from '#proto/broker/v1/broker_pb.ts'
import type { Instance, InstanceSettings } from '#proto/data/v1/data_pb.ts'
import { infoRow, infoShare, infoTime, type InfoRow } from './data-info.ts'
import { isoTime } from '#lib/platform-api/time.ts'

export function renderInstance(addon: Addon, instance: Instance) {
  const { tlsCredential } = instance
  const credential = tlsCredential ?? must(instance.credential, 'credential of an instance')
  const slug = must(addon.plan, 'plan of an add-on').name.split(':').at(-1)
  return {
    addon_id: addon.id,
    created_at: isoTime(addon.createdAt),
    formation: { id: addon.id, primary: addon.id },
    info: instanceInfo(addon, instance),
    metaas_source: addon.id,
    name: addon.name,
    // `redis:cli` speaks TLS, also to an instance that does not, unless a plan's name begins so.
    plan: tlsCredential ? slug : `hobby-${slug}`,
    port: credential.port,
    // At this very port. `redis:cli` would otherwise look for it at the next one.
    prefer_native_tls: tlsCredential !== undefined,
    resource_url: credential.url,
    version: instance.observation?.version ?? '',
  }
}

function instanceInfo(addon: Addon, instance: Instance): InfoRow[] {
  const { observation: seen, connectionsMax, memoryBytesMax } = instance
  const settings = must(instance.settings, 'settings of an instance')
  return [
    infoRow('Plan', must(addon.plan, 'plan of an add-on').humanName),
    infoRow('Status', statusOf(instance)),
    infoRow('Created', infoTime(addon.createdAt)),
    ...(seen
      ? [
          infoRow('Version', seen.version),
          infoRow('Connections', `${seen.connections}/${connectionsMax}`),
          infoRow('Memory', infoShare(seen.memoryBytes, memoryBytesMax)),
        ]
      : []),
    infoRow('Timeout', settings.timeoutSeconds),
    infoRow('Maxmemory', settings.maxmemoryPolicy),
    infoRow('Keyspace Notifications', settings.notifyKeyspaceEvents || 'Disabled'),
    infoRow('Persistence', 'AOF'),
    infoRow('Requires TLS', 'No'),
  ]
}

function statusOf({ changing, observation }: Instance): string {
  if (changing) return 'being changed'
  return observation ? 'available' : 'does not answer, or has no connection left'
}

/** What keys make room when the memory is full, in the words that `redis:maxmemory` ends with. */
const policies = {
  noeviction: 'returns errors when the memory is full',
  'allkeys-lfu': 'removes the keys that are used least often',
  'volatile-lfu': 'removes the keys with an expiry that are used least often',
  'allkeys-lru': 'removes the keys that were not used for longest',
  'volatile-lru': 'removes the keys with an expiry that were not used for longest',
  'allkeys-random': 'removes any keys',
  'volatile-random': 'removes any keys with an expiry',
  'volatile-ttl': 'removes the keys that expire next',
}

export function renderInstanceSettings(settings: InstanceSettings) {
  return {
    maxmemory_policy: {
      value: settings.maxmemoryPolicy,
      desc: 'What makes room when the memory is full',
      default: 'noeviction',
      values: policies,
    },
    notify_keyspace_events: {
      value: settings.notifyKeyspaceEvents,
      desc: 'Which changes of keys are published',
      default: '',
    },
    timeout: {
      value: settings.timeoutSeconds,
      desc: 'Seconds after which idle connections are closed; 0: never',
      default: 0,
    },
    // Heroku has it, and its clients may count on it. Here no instance has a standby.
    standby_segv_workaround: {
      value: false,
      desc: 'Not of use here: instances have no standby',
      default: false,
    },
  }
}
