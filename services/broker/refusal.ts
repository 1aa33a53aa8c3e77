import { isPlexusError, type PlexusError } from '#lib/errors.ts'
import { ErrorCode } from '#proto/common/v1/common_pb.ts'

/**
 * True for a neighbour's final answer "no". UNAVAILABLE and INTERNAL leave the outcome unknown: the
 * same call is made again, with the same id.
 */
export function isRefusal(error: unknown): error is PlexusError {
  return (
    isPlexusError(error) &&
    error.code !== ErrorCode.UNAVAILABLE &&
    error.code !== ErrorCode.INTERNAL
  )
}
