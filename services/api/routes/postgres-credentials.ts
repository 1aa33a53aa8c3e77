import { must } from '#lib/assert.ts'
import { conflict, invalidParams, notFound } from '#lib/errors.ts'
import type { Addon } from '#proto/broker/v1/broker_pb.ts'
import type { NamedCredential } from '#proto/data/v1/data_pb.ts'
import type { Api, ApiContext } from '../context.ts'
import { ownDatabase, usableDatabase } from '../data-targets.ts'
import { actorOf, type Identified } from '../hooks/identity.ts'
import { renderCredential, renderNamedCredential } from '../render/postgres-credential.ts'
import { rotateCredentials } from '../rotate-credentials.ts'
import { mayChange } from '../targets.ts'
import {
  CreateCredential,
  CredentialParams,
  DatabaseParams,
  RotateCredentials,
} from '../schemas/data.ts'

const service = 'heroku-postgresql'
const defaultName = 'default'

/**
 * What the pg:credentials commands of the CLI ask of Heroku's data API. Named credentials are seen
 * and changed by the billing app's people; others see the default one.
 */
export function postgresCredentialRoutes(api: Api, context: ApiContext): void {
  readRoutes(api, context)
  changeRoutes(api, context)
  rotationRoutes(api, context)
}

function readRoutes(api: Api, context: ApiContext): void {
  const { postgresData } = context

  api.get(
    '/postgres/v0/databases/:database/credentials',
    { config: { ranges: [] }, schema: { params: DatabaseParams } },
    async (request) => {
      const addon = await usableDatabase(context, request, service)
      const { id: addonId } = addon
      const own = renderCredential(addonId, await postgresData.getDatabaseCredential({ addonId }))
      if (!(await mayChange(context, request, addon))) return [own]
      const { credentials } = await postgresData.listNamedCredentials({ addonId })
      return [own, ...credentials.map((named) => renderNamedCredential(addonId, named))]
    },
  )

  api.get(
    '/postgres/v0/databases/:database/credentials/:credential',
    { schema: { params: CredentialParams } },
    async (request) => {
      const { credential: name } = request.params
      if (name === defaultName) {
        const { id: addonId } = await usableDatabase(context, request, service)
        return renderCredential(addonId, await postgresData.getDatabaseCredential({ addonId }))
      }
      const addon = await ownDatabase(context, request, service)
      return renderNamedCredential(addon.id, await findNamed(context, addon, name))
    },
  )
}

async function findNamed(
  { postgresData }: ApiContext,
  addon: Addon,
  name: string,
): Promise<NamedCredential> {
  const { credentials } = await postgresData.listNamedCredentials({ addonId: addon.id })
  const found = credentials.find((named) => named.name === name)
  if (found) return found
  throw notFound(
    'credential',
    `${addon.name} has no such credential. "heroku pg:credentials" lists those that it has.`,
  )
}

function changeRoutes(api: Api, context: ApiContext): void {
  const { postgresData } = context

  api.post(
    '/postgres/v0/databases/:database/credentials',
    { schema: { params: DatabaseParams, body: CreateCredential } },
    async (request) => {
      const { id: addonId, name: database } = await ownDatabase(context, request, service)
      const { name } = request.body
      const { pending } = await postgresData.createNamedCredential({ addonId, name })
      const made = pending ? `is being made for ${database}` : `can connect to ${database}`
      return { message: `The credential ${name} ${made}.` }
    },
  )

  api.delete(
    '/postgres/v0/databases/:database/credentials/:credential',
    { schema: { params: CredentialParams } },
    async (request) => {
      const addon = await ownDatabase(context, request, service)
      const { credential: name } = request.params
      if (name === defaultName)
        throw invalidParams('The default credential goes with its database, and not before.')
      await refuseAttached(context, request, addon)
      const { pending } = await postgresData.destroyNamedCredential({ addonId: addon.id, name })
      return { message: `The credential ${name} is ${pending ? 'being destroyed' : 'gone'}.` }
    },
  )
}

/** Throws CONFLICT for a credential that an app, of whomever, has in its config. */
async function refuseAttached(
  { broker }: ApiContext,
  request: Identified & { params: { credential: string } },
  addon: Addon,
): Promise<void> {
  const { credential } = request.params
  const actor = actorOf(request)
  const { attachments } = await broker.listAttachments({ actor, addon: addon.id })
  const attached = attachments.filter(({ namespace }) => namespace === `credential:${credential}`)
  if (attached.length === 0) return
  const apps = new Set(attached.map(({ app }) => must(app, 'app of an attachment').name))
  throw conflict(
    `The credential ${credential} of ${addon.name} is attached to ${[...apps].join(', ')}. Detach` +
      ' it there first.',
  )
}

function rotationRoutes(api: Api, context: ApiContext): void {
  api.post(
    '/postgres/v0/databases/:database/credentials_rotation',
    { schema: { params: DatabaseParams, body: RotateCredentials } },
    async (request) =>
      rotateCredentials(context, request, await ownDatabase(context, request, service), ''),
  )

  api.post(
    '/postgres/v0/databases/:database/credentials/:credential/credentials_rotation',
    { schema: { params: CredentialParams, body: RotateCredentials } },
    async (request) => {
      const addon = await ownDatabase(context, request, service)
      const { credential } = request.params
      if (credential !== defaultName) await findNamed(context, addon, credential)
      return rotateCredentials(context, request, addon, credential)
    },
  )
}
