import type { Session } from '#proto/logplex/v1/logplex_pb.ts'
import { isoTime } from '#lib/platform-api/time.ts'

export function renderSession({ id, url, createdAt }: Session) {
  const time = isoTime(createdAt)
  return { created_at: time, id, logplex_url: url, updated_at: time }
}
