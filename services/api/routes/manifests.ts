import { invalidParams } from '#lib/errors.ts'
import { Type } from '@fastify/type-provider-typebox'
import type { Manifest } from '#proto/broker/v1/broker_pb.ts'
import type { Api, ApiContext } from '../context.ts'
import { actorOf } from '../hooks/identity.ts'
import { isoTime } from '#lib/platform-api/time.ts'

const SlugParams = Type.Object({ slug: Type.String() })
const RevisionParams = Type.Object({ slug: Type.String(), id: Type.String() })
const PushManifest = Type.Object({
  contents: Type.Record(Type.String(), Type.Unknown()),
  /** Ours: the file of plans beside the manifest. */
  plans: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
})

/**
 * An add-on provider's manifests, as Heroku's plugin for providers (`addons:admin:manifest:*`) pushes
 * and pulls them. What it does not know, and `plexus manifest` does: the plans, and the client
 * secret that a new service gets.
 */
export function manifestRoutes(api: Api, { broker }: ApiContext): void {
  const base = '/api/v3/addons/:slug'
  const ofSlug = { schema: { params: SlugParams } }

  api.post(
    `${base}/manifests`,
    { schema: { params: SlugParams, body: PushManifest } },
    async (request, reply) => {
      const { contents, plans } = request.body
      const { manifest, clientSecret } = await broker.pushManifest({
        actor: actorOf(request),
        addonService: request.params.slug,
        contents: toJson('contents', contents),
        plans: plans === undefined ? '' : toJson('plans', plans),
      })
      reply.code(201)
      return {
        ...(manifest && renderManifest(manifest)),
        ...(clientSecret !== '' && { client_secret: clientSecret }),
      }
    },
  )

  api.get(`${base}/current_manifest`, ofSlug, async (request) => {
    const { slug: addonService } = request.params
    return renderManifest(await broker.getManifest({ actor: actorOf(request), addonService }))
  })

  // Newest first, and never more than the broker keeps: there are no pages.
  api.get(`${base}/manifests`, { ...ofSlug, config: { ranges: [] } }, async (request) => {
    const { slug: addonService } = request.params
    const { manifests } = await broker.listManifests({ actor: actorOf(request), addonService })
    return manifests.map(renderRevision)
  })

  api.get(`${base}/manifests/:id`, { schema: { params: RevisionParams } }, async (request) => {
    const { slug: addonService, id } = request.params
    return renderManifest(await broker.getManifest({ actor: actorOf(request), addonService, id }))
  })

  api.post(`${base}/client_secret`, ofSlug, async (request, reply) => {
    const { slug: addonService } = request.params
    const renewed = await broker.renewClientSecret({ actor: actorOf(request), addonService })
    reply.code(201)
    return { client_secret: renewed.clientSecret }
  })
}

function renderRevision({ id, author, createdAt }: Manifest) {
  return { id, author, created_at: isoTime(createdAt) }
}

function renderManifest(manifest: Manifest) {
  return {
    ...renderRevision(manifest),
    contents: JSON.parse(manifest.contents) as unknown,
    plans: JSON.parse(manifest.plans) as unknown,
  }
}

/** As the broker takes it. A body may be nested deeper than any program writes it down again. */
function toJson(field: string, value: unknown): string {
  try {
    return JSON.stringify(value)
  } catch (error) {
    if (error instanceof RangeError) throw invalidParams(`${field} is nested too deeply.`)
    throw error
  }
}
