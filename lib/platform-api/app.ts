import { must } from '#lib/assert.ts'
import type { App } from '#proto/apps/v1/apps_pb.ts'
import { generation, region, stack } from './platform.ts'
import { isoTime, isoTimeOrNull } from './time.ts'

/**
 * Heroku's app. The web and git addresses are where a router and a git host would answer; the CLI
 * wants them to be texts.
 */
export function renderApp(app: App, publicUrl: string) {
  const owner = must(app.owner, 'owner of an app')
  const { host } = new URL(publicUrl)
  return {
    acm: false,
    archived_at: null,
    base_image_name: null,
    build_stack: { id: stack.id, name: stack.name },
    buildpack_provided_description: null,
    buildpacks: [],
    created_at: isoTime(app.createdAt),
    current_build_architecture: [],
    generation: generation.name,
    git_url: `https://${host}/${app.name}.git`,
    id: app.id,
    internal_routing: null,
    maintenance: app.maintenance,
    name: app.name,
    organization: null,
    owner: { email: owner.email, id: owner.id },
    region: { id: region.id, name: region.name },
    released_at: isoTimeOrNull(app.releasedAt),
    repo_size: null,
    slug_size: null,
    space: null,
    stack: { id: stack.id, name: stack.name },
    team: null,
    updated_at: isoTime(app.updatedAt, app.createdAt),
    web_url: `https://${app.name}.localhost/`,
  }
}

/** The short form in which other resources name an app. */
export function renderAppRef(app: { id: string; name: string } | undefined) {
  const { id, name } = must(app, 'app of a resource')
  return { id, name }
}
