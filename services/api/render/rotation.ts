import type { RotatedCredentials } from '#proto/broker/v1/broker_pb.ts'
import { isoTime } from '#lib/platform-api/time.ts'

/** What is so after a rotation was asked for; the CLI shows none of it. */
export function renderRotation({ addon, formerUntil, pending }: RotatedCredentials) {
  const name = addon?.name ?? ''
  if (pending) return { message: `The credentials of ${name} are being rotated.` }
  const former = formerUntil ? `are good until ${isoTime(formerUntil)}` : 'have ended'
  return { message: `${name} has new credentials. The former ones ${former}.` }
}
