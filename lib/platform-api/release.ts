import type { Release } from '#proto/apps/v1/apps_pb.ts'
import { isoTime } from './time.ts'
import { renderUser } from './user.ts'

export function renderRelease(release: Release) {
  const createdAt = isoTime(release.createdAt)
  return {
    addon_plan_names: release.addonPlanNames,
    app: { id: release.appId, name: release.appName },
    artifacts: [],
    created_at: createdAt,
    current: release.current,
    description: release.description,
    // The current one too: the CLI takes the second eligible release of a list as the one before.
    eligible_for_rollback: release.status === 'succeeded',
    id: release.id,
    oci_image: null,
    output_stream_url: null,
    slug: null,
    status: release.status,
    updated_at: createdAt,
    user: renderUser({ id: release.userId, email: release.userEmail }),
    version: release.version,
  }
}
