import { create } from '@bufbuild/protobuf'
import { must } from '#lib/assert.ts'
import { renderAttachment } from '#lib/platform-api/addon-attachment.ts'
import { renderAddon } from '#lib/platform-api/addon.ts'
import { renderApp } from '#lib/platform-api/app.ts'
import { renderCollaborator } from '#lib/platform-api/collaborator.ts'
import { renderRelease } from '#lib/platform-api/release.ts'
import { renderUser } from '#lib/platform-api/user.ts'
import { AppRefSchema, type AppRef } from '#proto/broker/v1/broker_pb.ts'
import type { Actor } from '#proto/common/v1/common_pb.ts'
import type { Event } from '#proto/events/v1/events_pb.ts'
import type { Audience } from './topics-db.ts'

type Action = 'create' | 'update' | 'destroy'

/** A fact in Heroku's words, before it is known who wants to know. */
export type Notice = {
  include: string
  resource: string
  action: Action
  audience: Audience
  actor: { email: string; id: string }
  /** Apps whose names are needed to render: their ids. */
  namesNeeded: string[]
  /** The resource as the API shows it, and as it was before when it has changed. */
  render: (nameOf: (appId: string) => string) => { data: object; previous?: object }
}

type Fact = Event['fact']
type Value<Case extends Fact['case']> = Extract<Fact, { case: Case }>['value']

/** The facts that are told. */
export const toldFacts = [
  'app_updated',
  'app_destroyed',
  'release_created',
  'addon_changed',
  'attachment_changed',
  'collaborator_added',
  'collaborator_removed',
]

/** What a fact is told as; undefined for others, and for those of versions without resources. */
export function noticeOf(fact: Fact, apiUrl: string): Notice | undefined {
  switch (fact.case) {
    case 'appUpdated':
    case 'appDestroyed':
      return fact.value.app && appNotice(fact, apiUrl)
    case 'releaseCreated':
      return fact.value.release && releaseNotice(fact.value)
    case 'collaboratorAdded':
    case 'collaboratorRemoved':
      return fact.value.collaborator && collaboratorNotice(fact)
    case 'addonChanged':
      return fact.value.addon && addonNotice(fact.value, apiUrl)
    case 'attachmentChanged':
      return fact.value.attachment && attachmentNotice(fact.value, apiUrl)
    case 'appCreated':
    case 'appRenamed':
    case 'appLogged':
    case undefined:
      return undefined
  }
}

function appNotice(
  fact: Extract<Fact, { case: 'appUpdated' | 'appDestroyed' }>,
  apiUrl: string,
): Notice {
  const { appId, actor } = fact.value
  const app = must(fact.value.app, 'app of a fact')
  const previous = fact.case === 'appUpdated' ? fact.value.previous : undefined
  return {
    include: 'api:app',
    resource: 'app',
    action: fact.case === 'appUpdated' ? 'update' : 'destroy',
    audience: { appId },
    actor: userOf(actor),
    namesNeeded: [],
    render: () => ({
      data: renderApp(app, apiUrl),
      ...(previous && { previous: renderApp(previous, apiUrl) }),
    }),
  }
}

function releaseNotice({ appId, release: made }: Value<'releaseCreated'>): Notice {
  const release = must(made, 'release of a fact')
  return {
    include: 'api:release',
    resource: 'release',
    action: 'create',
    audience: { appId },
    actor: renderUser({ id: release.userId, email: release.userEmail }),
    namesNeeded: [],
    render: () => ({ data: renderRelease(release) }),
  }
}

function collaboratorNotice(
  fact: Extract<Fact, { case: 'collaboratorAdded' | 'collaboratorRemoved' }>,
): Notice {
  const { appId, actor } = fact.value
  const collaborator = must(fact.value.collaborator, 'collaborator of a fact')
  return {
    include: 'api:collaborator',
    resource: 'collaborator',
    action: fact.case === 'collaboratorAdded' ? 'create' : 'destroy',
    audience: { appId },
    actor: userOf(actor),
    namesNeeded: [],
    render: () => ({ data: renderCollaborator(collaborator) }),
  }
}

function addonNotice(value: Value<'addonChanged'>, apiUrl: string): Notice {
  const { appId, addonId, actor, previous } = value
  const now = must(value.addon, 'add-on of a fact')
  return {
    include: 'api:addon',
    resource: 'addon',
    action: previous ? (now.state === 'deprovisioned' ? 'destroy' : 'update') : 'create',
    audience: { appId, addonId },
    actor: userOf(actor),
    namesNeeded: [appId],
    render: (nameOf) => {
      const show = (addon: typeof now) =>
        renderAddon({ ...addon, app: named(appId, nameOf) }, none, apiUrl)
      return { data: show(now), ...(previous && { previous: show(previous) }) }
    },
  }
}

function attachmentNotice(value: Value<'attachmentChanged'>, apiUrl: string): Notice {
  const { appId, addonId, removed, actor } = value
  const attachment = must(value.attachment, 'attachment of a fact')
  const addon = must(attachment.addon, 'add-on of an attachment')
  const billingAppId = addon.app?.id ?? ''
  return {
    include: 'api:addon-attachment',
    resource: 'addon-attachment',
    action: removed ? 'destroy' : 'create',
    audience: { appId, addonId },
    actor: userOf(actor),
    namesNeeded: [appId, billingAppId],
    render: (nameOf) => {
      const whole = {
        ...attachment,
        app: named(appId, nameOf),
        addon: { ...addon, app: named(billingAppId, nameOf) },
      }
      return { data: renderAttachment(whole, none, apiUrl) }
    },
  }
}

/** Nothing is shown whole that the API shows by its name. */
const none: ReadonlySet<string> = new Set()

const userOf = (actor: Actor | undefined) =>
  renderUser({ id: actor?.accountId ?? '', email: actor?.email ?? '' })

const named = (id: string, nameOf: (appId: string) => string): AppRef =>
  create(AppRefSchema, { id, name: nameOf(id) })
