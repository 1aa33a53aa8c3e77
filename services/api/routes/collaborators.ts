import { notFound } from '#lib/errors.ts'
import { isUuid } from '#lib/ids.ts'
import type { Api, ApiContext } from '../context.ts'
import { actorOf } from '../hooks/identity.ts'
import { renderCollaborator } from '#lib/platform-api/collaborator.ts'
import { AddCollaborator, CollaboratorParams } from '../schemas/collaborators.ts'
import { AppParams } from '../schemas/fields.ts'
import { partnerApp, targetApp } from '../targets.ts'

export function collaboratorRoutes(api: Api, context: ApiContext): void {
  const { apps } = context
  const one = { schema: { params: CollaboratorParams } }

  const ofApp = { config: { partners: true }, schema: { params: AppParams } } as const
  api.get('/apps/:app/collaborators', ofApp, async (request) => {
    const { partner, params } = request
    // A provider may see who works on its customer's app: with the eyes of the owner.
    const { app, owner } = partner
      ? await partnerApp(context, { partner, ...params })
      : { app: await targetApp(context, request), owner: actorOf(request) }
    const list = await apps.listCollaborators({ actor: owner, app: app.id })
    return list.collaborators.map(renderCollaborator)
  })

  api.post(
    '/apps/:app/collaborators',
    { schema: { params: AppParams, body: AddCollaborator } },
    async (request, reply) => {
      const { id } = await targetApp(context, request)
      const given = request.body.user
      const user = typeof given === 'string' ? given : (given.email ?? given.id ?? '')
      const added = await apps.addCollaborator({ actor: actorOf(request), app: id, user })
      reply.code(201)
      return renderCollaborator(added)
    },
  )

  api.get('/apps/:app/collaborators/:collaborator', one, async (request) => {
    const { id } = await targetApp(context, request)
    const list = await apps.listCollaborators({ actor: actorOf(request), app: id })
    const wanted = request.params.collaborator
    const found = list.collaborators.find(({ id: own, account }) =>
      isUuid(wanted)
        ? [own, account?.id].includes(wanted.toLowerCase())
        : account?.email === wanted,
    )
    if (!found) throw notFound('collaborator')
    return renderCollaborator(found)
  })

  api.delete('/apps/:app/collaborators/:collaborator', one, async (request) => {
    const { id } = await targetApp(context, request)
    const user = request.params.collaborator
    return renderCollaborator(
      await apps.removeCollaborator({ actor: actorOf(request), app: id, user }),
    )
  })
}
