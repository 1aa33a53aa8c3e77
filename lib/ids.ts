import { createHash, randomUUID } from 'node:crypto'

declare const brand: unique symbol
type Id<Kind extends string> = string & { readonly [brand]: Kind }

// The one registry of ids, alphabetical. Each is a uuid in lower case, and the compiler keeps them
// apart.
export type AccountId = Id<'account'>
export type AddonId = Id<'addon'>
export type AppId = Id<'app'>
export type AttachmentId = Id<'attachment'>
export type AuthorizationId = Id<'authorization'>
export type ChangeId = Id<'change'>
export type CollaboratorId = Id<'collaborator'>
export type DeliveryId = Id<'delivery'>
export type DrainId = Id<'drain'>
export type ReleaseId = Id<'release'>
export type RotationId = Id<'rotation'>
export type ScheduleId = Id<'schedule'>
export type SessionId = Id<'session'>
export type TopicId = Id<'topic'>
export type TransferId = Id<'transfer'>
export type WebhookEventId = Id<'webhook event'>
export type WebhookId = Id<'webhook'>

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** A fresh random id. */
export function newId<T extends Id<string>>(): T {
  return randomUUID() as string as T
}

/**
 * The id that is always the same for the same text: of a change that must count once however often
 * it is tried, and of things that have no row anywhere. A uuid of version 8 (RFC 9562: custom).
 */
export function derivedId<T extends Id<string>>(text: string): T {
  const hex = createHash('sha256').update(text).digest('hex')
  const variant = ((Number.parseInt(hex.slice(16, 18), 16) & 0x3f) | 0x80).toString(16)
  const parts = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `${variant}${hex.slice(18, 20)}`,
    hex.slice(20, 32),
  ]
  return parts.join('-') as T
}

/** True for text in the form of a uuid; paths of the API take a uuid or a human name. */
export function isUuid(text: string): boolean {
  return uuidPattern.test(text)
}

/** The text as an id, or undefined when it is not a uuid. The only way from text to an id. */
export function parseId<T extends Id<string>>(text: string): T | undefined {
  return isUuid(text) ? (text.toLowerCase() as T) : undefined
}
