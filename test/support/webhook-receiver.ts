import { createHmac } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { startScriptedReceiver, type ScriptedReceiver } from './scripted-receiver.ts'

/** Of what a webhook is told, what tests look at. */
type Told = {
  id: string
  action: string
  actor: { email: string }
  data: Record<string, unknown>
  previous_data: Record<string, unknown>
  resource: string
  sequence: number
  webhook_metadata: {
    attempt: { id: string }
    delivery: { id: string }
    event: { id: string; include: string }
    webhook: { id: string }
  }
}

type Post = { headers: IncomingHttpHeaders; text: string; told: Told }
export type WebhookReceiver = ScriptedReceiver<Post>

export function startWebhookReceiver(): Promise<WebhookReceiver> {
  return startScriptedReceiver({
    path: '/hooks',
    read: ({ headers }, body) => {
      const text = body.toString('utf8')
      return { headers, text, told: JSON.parse(text) as Told }
    },
  })
}

/** Whether the post is signed with that secret, as Heroku's documentation tells to check it. */
export function isSigned({ headers, text }: Post, secret: string): boolean {
  const expected = createHmac('sha256', secret).update(text).digest('base64')
  return headers['heroku-webhook-hmac-sha256'] === expected
}

/** What has arrived of one kind of resource, in its order. */
export const toldOf = ({ posts }: WebhookReceiver, resource: string): Told[] =>
  posts.map(({ told }) => told).filter((told) => told.resource === resource)
