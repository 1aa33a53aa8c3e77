import { randomUUID } from 'node:crypto'

declare const brand: unique symbol
type Id<Kind extends string> = string & { readonly [brand]: Kind }

// The one registry of ids, alphabetical. Each is a uuid v4 in lower case, and the compiler keeps
// them apart.
export type AccountId = Id<'account'>
export type AddonId = Id<'addon'>
export type AppId = Id<'app'>
export type AttachmentId = Id<'attachment'>
export type AuthorizationId = Id<'authorization'>
export type ChangeId = Id<'change'>
export type CollaboratorId = Id<'collaborator'>
export type DrainId = Id<'drain'>
export type ReleaseId = Id<'release'>
export type SessionId = Id<'session'>

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** A fresh random id. */
export function newId<T extends Id<string>>(): T {
  return randomUUID() as string as T
}

/** True for text in the form of a uuid; paths of the API take a uuid or a human name. */
export function isUuid(text: string): boolean {
  return uuidPattern.test(text)
}

/** The text as an id, or undefined when it is not a uuid. The only way from text to an id. */
export function parseId<T extends Id<string>>(text: string): T | undefined {
  return isUuid(text) ? (text.toLowerCase() as T) : undefined
}
