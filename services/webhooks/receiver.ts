import type { WebhookId } from '#lib/ids.ts'
import type { Secrets } from '#lib/secrets/secrets.ts'
import type { WebhookRow } from './webhooks-db.ts'

/** Where a webhook leads, and what it shows there to be believed. */
export type Receiver = {
  url: string
  secret: string
  /** Of the header of that name; empty: none. */
  authorization: string
}

type SealedReceiver = Pick<WebhookRow, 'sealedUrl' | 'sealedSecret' | 'sealedAuthorization'>

/** Where the sealed values live: they open nowhere else. */
const place = (column: string, id: WebhookId): string => `webhooks.${column} ${id}`

export function sealReceiver(
  secrets: Secrets,
  id: WebhookId,
  { url, secret, authorization }: Receiver,
): SealedReceiver {
  return {
    sealedUrl: secrets.seal(url, place('sealed_url', id)),
    sealedSecret: secrets.seal(secret, place('sealed_secret', id)),
    sealedAuthorization:
      authorization === '' ? '' : secrets.seal(authorization, place('sealed_authorization', id)),
  }
}

export function openReceiver(
  secrets: Secrets,
  { id, sealedUrl, sealedSecret, sealedAuthorization }: SealedReceiver & { id: WebhookId },
): Receiver {
  return {
    url: secrets.open(sealedUrl, place('sealed_url', id)),
    secret: secrets.open(sealedSecret, place('sealed_secret', id)),
    authorization:
      sealedAuthorization === ''
        ? ''
        : secrets.open(sealedAuthorization, place('sealed_authorization', id)),
  }
}
