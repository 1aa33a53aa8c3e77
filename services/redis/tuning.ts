import { invalidParams } from '#lib/errors.ts'
import { timeoutSecondsMax } from './limits.ts'

/** What a customer may set of how his instance behaves. */
export type Tuning = {
  /** What makes room when the memory is full: one of maxmemoryPolicies. */
  maxmemoryPolicy: string
  /** After how many seconds idle connections are closed; 0: never. */
  timeoutSeconds: number
  /** Which changes of keys are published, in Redis's letters ("AKE"); empty: none. */
  notifyKeyspaceEvents: string
}

const maxmemoryPolicies = [
  'noeviction',
  'allkeys-lfu',
  'volatile-lfu',
  'allkeys-lru',
  'volatile-lru',
  'allkeys-random',
  'volatile-random',
  'volatile-ttl',
]

/** Throws INVALID_PARAMS for what Redis would not take. What goes into redis.conf passes here. */
export function checkTuning(change: Partial<Tuning>): void {
  const { maxmemoryPolicy, timeoutSeconds, notifyKeyspaceEvents } = change
  if (maxmemoryPolicy !== undefined && !maxmemoryPolicies.includes(maxmemoryPolicy))
    throw invalidParams(
      `There is no policy ${JSON.stringify(maxmemoryPolicy)}. Choose one of: ` +
        `${maxmemoryPolicies.join(', ')}.`,
    )
  if (timeoutSeconds !== undefined && timeoutSeconds > timeoutSecondsMax)
    throw invalidParams(
      `A timeout is at most ${timeoutSecondsMax} seconds. 0 keeps idle connections for ever.`,
    )
  if (notifyKeyspaceEvents !== undefined && !/^[AKEg$lshzxetdmn]*$/.test(notifyKeyspaceEvents))
    throw invalidParams(
      `${JSON.stringify(notifyKeyspaceEvents)} are no keyspace notifications. Use letters of` +
        ' "AKEg$lshzxetdmn", or an empty text for none.',
    )
}
