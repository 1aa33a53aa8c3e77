import { invalidParams, notFound } from '#lib/errors.ts'
import { newId } from '#lib/ids.ts'
import { transaction, type Pool, type Queryable, type Transaction } from '#lib/postgres.ts'
import type { Secrets } from '#lib/secrets/secrets.ts'
import {
  findAddonService,
  listAddonServices,
  lockAddonServices,
  putAddonService,
  type AddonServiceRow,
} from './addon-services-db.ts'
import type { Actor } from './context.ts'
import { newManifestRevision } from './manifest-revisions.ts'
import type { ServiceDeclaration } from './manifest.ts'
import { sealCredentials } from './partner-credentials.ts'
import { putPlan, retireOtherPlans } from './plans-db.ts'

/** Who a service belongs to where the operator's own files declare it. */
export const operator = { accountId: '', email: 'operator' } as const

/**
 * Writes what the operator's manifests declare. Services and plans keep their ids over restarts; a
 * plan that is no longer declared is retired; a service whose manifest is gone stays for its
 * add-ons' sake.
 */
export async function declareServices(
  { pool, secrets }: { pool: Pool; secrets: Secrets },
  declarations: ServiceDeclaration[],
): Promise<void> {
  await transaction(pool, async (tx) => {
    await lockAddonServices(tx)
    for (const declaration of declarations) await declareService(tx, secrets, declaration, operator)
  })
}

/** Writes one service, its plans and its manifest's revision. Answers the service's id. */
export async function declareService(
  tx: Transaction,
  secrets: Secrets,
  declaration: ServiceDeclaration,
  owner: Actor,
): Promise<string> {
  const { manifest, plans } = declaration
  const known = await findAddonService(tx, manifest.slug)
  const id = known?.id ?? newId()
  await putAddonService(tx, {
    id,
    slug: manifest.slug,
    humanName: manifest.humanName,
    state: plans.state,
    cliPluginName: manifest.cliPluginName,
    baseUrl: manifest.baseUrl,
    configVars: manifest.configVars,
    configVarsPrefix: manifest.configVarsPrefix,
    defaultAttachmentName: plans.defaultAttachmentName ?? manifest.configVarsPrefix,
    supportsMultipleInstallations: manifest.requires.includes('many_per_app'),
    supportsSharing: manifest.requires.includes('attachable'),
    ownerId: owner.accountId,
    testers: plans.testers,
    apiVersion: manifest.apiVersion,
    ssoUrl: manifest.ssoUrl,
    requires: manifest.requires,
    regions: manifest.regions,
    providerServiceId: manifest.osb?.serviceId ?? '',
    sealedCredentials: sealCredentials(secrets, id, manifest, known),
  })
  for (const plan of plans.plans) await putPlan(tx, { id: newId(), addonServiceId: id, ...plan })
  await retireOtherPlans(
    tx,
    id,
    plans.plans.map(({ slug }) => slug),
  )
  await newManifestRevision(tx, secrets, { addonServiceId: id, declaration, author: owner.email })
  return id
}

/** By slug or uuid, as the actor may see it, or NOT_FOUND. */
export async function getAddonService(
  db: Queryable,
  actor: Actor,
  slugOrId: string,
): Promise<AddonServiceRow> {
  const service = await findAddonService(db, slugOrId)
  if (!service || !maySee(actor, service))
    throw notFound('add_on_service', "Couldn't find that add-on service.")
  return service
}

export async function listVisibleServices(db: Queryable, actor: Actor): Promise<AddonServiceRow[]> {
  return (await listAddonServices(db)).filter((service) => maySee(actor, service))
}

/** One in alpha is for its owner and the testers that the owner names; all others are public. */
export function maySee(actor: Actor, { state, ownerId, testers }: AddonServiceRow): boolean {
  if (state !== 'alpha') return true
  return (ownerId !== '' && actor.accountId === ownerId) || testers.includes(actor.email)
}

/** Why nobody gets a new add-on of the service now, or nothing. */
export function refuseClosed(service: AddonServiceRow): void {
  if (service.state === 'shutdown')
    throw invalidParams(`${service.humanName} is shut down and takes no new add-ons.`)
}
