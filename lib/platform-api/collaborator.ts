import { must } from '#lib/assert.ts'
import type { Collaborator } from '#proto/apps/v1/apps_pb.ts'
import { renderAppRef } from './app.ts'
import { isoTime } from './time.ts'

export function renderCollaborator(collaborator: Collaborator) {
  const { id, app, account, role, createdAt, updatedAt } = collaborator
  const user = must(account, 'account of a collaborator')
  return {
    app: renderAppRef(app),
    created_at: isoTime(createdAt),
    id,
    role,
    updated_at: isoTime(updatedAt, createdAt),
    user: { email: user.email, federated: false, id: user.id },
  }
}
