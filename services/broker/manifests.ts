import { conflict, forbidden, invalidParams, notFound } from '#lib/errors.ts'
import { transaction, type Pool, type Queryable, type Transaction } from '#lib/postgres.ts'
import { declareService, maySee, operator } from './addon-services.ts'
import {
  countServicesOf,
  findAddonService,
  lockAddonServices,
  type AddonServiceRow,
} from './addon-services-db.ts'
import { newClientSecret } from './client-secret.ts'
import type { Actor, StepContext } from './context.ts'
import { endAccessTokensOfService } from './grants-db.ts'
import { manifestBytesMax, servicesPerAccountMax } from './limits.ts'
import { openRevision, type ManifestRevision } from './manifest-revisions.ts'
import { parseService, serviceStates, type ServiceDeclaration } from './manifest.ts'
import {
  findManifest,
  findNewestManifest,
  listManifests,
  type ManifestStamp,
} from './manifests-db.ts'

type Context = Pick<StepContext, 'pool' | 'secrets'>

/** What a service has that was pushed without plans: as in Heroku's portal, one to test with. */
const plansOfNewService = {
  state: 'alpha',
  plans: [{ slug: 'test', name: 'Test', price_cents: 0, default: true }],
}

/**
 * Takes a manifest, and the plans beside it, of the account that pushed the service first. A slug
 * that nobody has yet becomes the account's.
 *
 * @throws PlexusError INVALID_PARAMS with field, rule and value; CONFLICT when "$base" is not the
 * newest revision; FORBIDDEN for a service of somebody else, or a state that is the operator's to
 * give.
 */
export async function pushManifest(
  { pool, secrets }: Context,
  request: { actor: Actor; slug: string; contents: string; plans: string },
): Promise<ManifestRevision & { clientSecret: string }> {
  const { actor, slug } = request
  return transaction(pool, async (tx) => {
    await lockAddonServices(tx)
    const known = await findAddonService(tx, slug)
    const newest = known && (await findNewestManifest(tx, known.id))
    const before = newest && openRevision(secrets, newest)
    // Whose it is, and what it is based on, before what is wrong in it.
    if (known) assertOwner(actor, known)
    else await assertRoom(tx, actor)
    const contents = readJson('manifest', request.contents)
    assertBase(contents, before)
    const declaration = readPush({ slug, contents, plans: request.plans }, before)
    assertPrefix(declaration, known)
    assertState(declaration, known)
    const id = await declareService(tx, secrets, declaration, actor)
    const clientSecret = known ? '' : await newClientSecret(tx, id)
    const row = await findNewestManifest(tx, id)
    if (!row) throw new Error('a pushed manifest has no row')
    return { ...openRevision(secrets, row), clientSecret }
  })
}

function readPush(
  { slug, contents, plans }: { slug: string; contents: unknown; plans: string },
  before: ManifestRevision | undefined,
): ServiceDeclaration {
  const plansValue = plans === '' ? (before?.plans ?? plansOfNewService) : readJson('plans', plans)
  return readDeclaration(slug, contents, plansValue)
}

function readDeclaration(slug: string, contents: unknown, plans: unknown): ServiceDeclaration {
  try {
    const declaration = parseService(
      { file: 'manifest', value: contents },
      { file: 'plans', value: plans },
    )
    const { manifest } = declaration
    if (manifest.slug !== slug)
      throw new Error(`manifest: id must be "${slug}", as in the path, got "${manifest.slug}"`)
    // nats leads to the services of the platform itself.
    if (manifest.baseUrl.startsWith('nats:'))
      throw new Error(`manifest: api.production.base_url must be an https:// url`)
    return declaration
  } catch (error) {
    throw invalidParams(`${(error as Error).message}.`)
  }
}

function readJson(what: string, text: string): unknown {
  if (Buffer.byteLength(text) > manifestBytesMax)
    throw invalidParams(`The ${what} is longer than ${manifestBytesMax} bytes. Shorten it.`)
  try {
    return JSON.parse(text)
  } catch (error) {
    throw invalidParams(`The ${what} is not JSON: ${(error as Error).message}.`)
  }
}

function assertOwner(actor: Actor, service: AddonServiceRow): void {
  if (service.ownerId === operator.accountId || service.ownerId !== actor.accountId)
    throw forbidden(
      `${service.slug} is somebody else's add-on service. Choose another id for yours.`,
    )
}

async function assertRoom(tx: Transaction, actor: Actor): Promise<void> {
  if ((await countServicesOf(tx, actor.accountId)) >= servicesPerAccountMax)
    throw invalidParams(
      `An account can have ${servicesPerAccountMax} add-on services. Push to one that you have.`,
    )
}

/** The variables of every attachment are named by it. */
function assertPrefix({ manifest }: ServiceDeclaration, known: AddonServiceRow | undefined): void {
  if (!known || known.configVarsPrefix === manifest.configVarsPrefix) return
  throw invalidParams(
    `api.config_vars_prefix stays "${known.configVarsPrefix}": apps have variables of that name.`,
  )
}

function assertBase(contents: unknown, before: ManifestRevision | undefined): void {
  const isObject = typeof contents === 'object' && contents !== null
  const $base = isObject && '$base' in contents ? contents.$base : undefined
  if (!before || String($base) === String(before.row.base)) return
  throw conflict(
    $base === undefined
      ? 'This service has a manifest already, and yours does not say which revision it is based' +
          ' on ($base). Pull the newest, make your changes in it, and push that.'
      : 'The manifest was changed since you pulled it, by you or by the operator, who opens and closes' +
          ' services. Pull it again (npx plexus manifest pull), make your changes in it, and push that.',
  )
}

/** Its owner may close a service; opening it to others is the operator's affair. */
function assertState({ plans }: ServiceDeclaration, known: AddonServiceRow | undefined): void {
  const { state } = plans
  if (state === 'alpha' || state === 'shutdown' || state === known?.state) return
  throw forbidden(
    `The state "${state}" is the operator's to give: ask for` +
      ` "npx plexus services:state ${known?.slug ?? 'SLUG'} ${state}", then push again.`,
  )
}

/** The newest manifest, or the one with that id; only for the account whose service it is. */
export async function getManifest(
  { pool, secrets }: Context,
  request: { actor: Actor; slug: string; id: string },
): Promise<ManifestRevision> {
  const service = await findOwnService(pool, request.actor, request.slug)
  const row =
    request.id === ''
      ? await findNewestManifest(pool, service.id)
      : await findManifest(pool, service.id, request.id)
  if (!row) throw notFound('manifest')
  return openRevision(secrets, row)
}

/** Newest first. */
export async function listRevisions(
  { pool }: Context,
  request: { actor: Actor; slug: string },
): Promise<ManifestStamp[]> {
  const service = await findOwnService(pool, request.actor, request.slug)
  return listManifests(pool, service.id)
}

/** The service of that slug, when it is the actor's own; FORBIDDEN or NOT_FOUND otherwise. */
async function findOwnService(db: Queryable, actor: Actor, slug: string): Promise<AddonServiceRow> {
  const service = await findAddonService(db, slug)
  if (!service || !maySee(actor, service)) throw notFound('add_on_service')
  assertOwner(actor, service)
  return service
}

/**
 * Makes a new client secret. The old one ends at once, with every access token that was got with
 * it; refresh tokens stay, and need the new secret.
 */
export function renewClientSecret(pool: Pool, actor: Actor, slug: string): Promise<string> {
  return transaction(pool, async (tx) => {
    const service = await findOwnService(tx, actor, slug)
    // First the secret: a trade that holds the service's row has its token ended with the others.
    const clientSecret = await newClientSecret(tx, service.id)
    await endAccessTokensOfService(tx, service.id)
    return clientSecret
  })
}

/**
 * What the operator says of a service that an account has pushed: a revision of its plans, so that
 * the owner pulls the state with them, and no older file takes it back unnoticed.
 */
export async function setState(
  { pool, secrets }: Context,
  slug: string,
  text: string,
): Promise<AddonServiceRow> {
  const state = serviceStates.find((known) => known === text)
  if (!state) throw invalidParams(`A service is one of ${serviceStates.join(', ')}.`)
  return transaction(pool, async (tx) => {
    await lockAddonServices(tx)
    const service = await findAddonService(tx, slug)
    const newest = service && (await findNewestManifest(tx, service.id))
    if (!service || !newest) throw notFound('add_on_service')
    if (service.ownerId === operator.accountId)
      throw invalidParams(`${slug} is declared by a file of the operator: set its state there.`)
    const { contents, plans } = openRevision(secrets, newest)
    const declaration = readDeclaration(slug, contents, { ...plans, state })
    const author = { accountId: service.ownerId, email: operator.email }
    await declareService(tx, secrets, declaration, author)
    return { ...service, state }
  })
}
