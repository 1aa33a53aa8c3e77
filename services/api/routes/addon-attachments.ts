import type { FastifyRequest } from 'fastify'
import type { Attachment } from '#proto/broker/v1/broker_pb.ts'
import type { Api, ApiContext } from '../context.ts'
import { listHeader } from '../hooks/accept.ts'
import { actorOf, partnerTarget } from '../hooks/identity.ts'
import { addonCallMs } from '../limits.ts'
import { renderAttachment } from '#lib/platform-api/addon-attachment.ts'
import {
  AppAttachmentParams,
  AttachmentParams,
  CreateAttachment,
  ResolveAttachments,
} from '../schemas/addon-attachments.ts'
import { AddonParams } from '../schemas/addons.ts'
import { AppParams, identityText } from '../schemas/fields.ts'
import { targetApp } from '../targets.ts'

type Headers = Pick<FastifyRequest, 'headers'>

/** As the request wants it shown: more than the schema's fields only by Accept-Inclusion. */
const shownBy =
  ({ publicUrl }: ApiContext) =>
  ({ headers }: Headers, attachment: Attachment) =>
    renderAttachment(attachment, listHeader(headers['accept-inclusion']), publicUrl)

export function addonAttachmentRoutes(api: Api, context: ApiContext): void {
  listRoutes(api, context)
  oneRoutes(api, context)
}

function listRoutes(api: Api, context: ApiContext): void {
  const { broker } = context
  const shown = shownBy(context)

  api.get('/addon-attachments', async (request) => {
    const { attachments } = await broker.listAttachments({ actor: actorOf(request) })
    return attachments.map((attachment) => shown(request, attachment))
  })

  api.get(
    '/addons/:addon/addon-attachments',
    { config: { partners: true }, schema: { params: AddonParams } },
    async (request) => {
      const partner = partnerTarget(request)
      const { addon } = request.params
      const { attachments } = partner
        ? await broker.listPartnerAttachments(partner)
        : await broker.listAttachments({ actor: actorOf(request), addon })
      return attachments.map((attachment) => shown(request, attachment))
    },
  )

  api.get(
    '/apps/:app/addon-attachments',
    { config: { ranges: ['id', 'name'] }, schema: { params: AppParams } },
    async (request) => {
      const { id } = await targetApp(context, request)
      const { attachments } = await broker.listAttachments({ actor: actorOf(request), app: id })
      return attachments.map((attachment) => shown(request, attachment))
    },
  )

  api.post(
    '/actions/addon-attachments/resolve',
    { schema: { body: ResolveAttachments } },
    async (request) => {
      const { addon_attachment: attachment, app, addon_service: addonService } = request.body
      const { attachments } = await broker.resolveAttachments({
        actor: actorOf(request),
        attachment,
        app: identityText(app),
        addonService: identityText(addonService),
      })
      return attachments.map((found) => shown(request, found))
    },
  )
}

function oneRoutes(api: Api, context: ApiContext): void {
  const { broker } = context
  const shown = shownBy(context)
  const one = { schema: { params: AttachmentParams } }

  api.get('/addon-attachments/:attachment', one, async (request) => {
    const { attachment } = request.params
    return shown(request, await broker.getAttachment({ actor: actorOf(request), attachment }))
  })

  api.get(
    '/apps/:app/addon-attachments/:attachment',
    { schema: { params: AppAttachmentParams } },
    async (request) => {
      const { id } = await targetApp(context, request)
      const { attachment } = request.params
      const found = await broker.getAttachment({ actor: actorOf(request), attachment, app: id })
      return shown(request, found)
    },
  )

  api.post('/addon-attachments', { schema: { body: CreateAttachment } }, async (request, reply) => {
    const { addon, app, name, confirm, namespace } = request.body
    const made = await broker.createAttachment(
      {
        actor: actorOf(request),
        addon: identityText(addon),
        app: identityText(app),
        name: name ?? '',
        confirm: confirm ?? '',
        namespace: namespace ?? '',
      },
      { timeoutMs: addonCallMs },
    )
    reply.code(201)
    return shown(request, made)
  })

  api.delete('/addon-attachments/:attachment', one, async (request) => {
    const { attachment } = request.params
    const gone = await broker.destroyAttachment(
      { actor: actorOf(request), attachment },
      { timeoutMs: addonCallMs },
    )
    return shown(request, gone)
  })
}
