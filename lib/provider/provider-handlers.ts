import { conflict, invalidParams, notFound, unavailable } from '#lib/errors.ts'
import { parseId, type AddonId, type AppId, type RotationId } from '#lib/ids.ts'
import { transaction, type Pool } from '#lib/postgres.ts'
import {
  requestRevocation,
  requestRotation,
  type CredentialRotation,
} from '#lib/provider/credential-rotation.ts'
import type { ProviderWorkflows } from '#lib/provider/provider-workflows.ts'
import type { Resource, ResourceRequest, ResourceTable } from '#lib/provider/resource.ts'
import type { RpcHandlers } from '#lib/rpc.ts'
import { startWorkflow, type WorkflowRunner } from '#lib/workflow/workflow-runner.ts'
import { waitUntilSettled } from '#lib/workflow/wait-until-settled.ts'
import { getRunningWorkflow, raiseWish } from '#lib/workflow/workflows-db.ts'
import type { ProviderService } from '#proto/provider/v1/provider_pb.ts'

/** Longest that a request waits for its workflow; after that the answer is "pending, ask again". */
const waitMs = 5_000
/** Resources in one answer: of each some 60 bytes, in a message of at most 1 MB. */
const resourcesPageMax = 1_000
/** A removal meets the request that it removes at most once; the rest is room. */
const removalTriesMax = 3

/** By slug. */
type ProviderPlans = Readonly<Record<string, unknown>>

export type ProviderOptions<R extends Resource, Context> = {
  pool: Pool
  runner: WorkflowRunner
  table: ResourceTable<R>
  plans: ProviderPlans
  workflows: ProviderWorkflows<Context>
  rotation: CredentialRotation<R>
  /** The variables of a resource that is ready, {"HEROKU_POSTGRESQL_URL": "postgres://…"}. */
  configOf: (resource: R) => Record<string, string>
  /** The same of a credential that its customer has named, for a provider that has such. */
  credentialConfigOf?: (resource: R, name: string) => Promise<Record<string, string> | undefined>
  /** For the customer, when it is ready. */
  readyMessage: string
  /** Throws when nothing more can be provided now. */
  assertRoom?: () => Promise<void>
  /**
   * Throws INVALID_PARAMS, with the numbers, when what a ready resource holds does not fit that
   * plan. One that is gone meanwhile fits.
   */
  assertFits: (resource: R, plan: string) => Promise<void>
  /** For the customer, when it has another plan. */
  changedMessage: (resource: R) => string
}

/**
 * The Partner API's calls for a provider whose resources are made, changed and removed by
 * workflows. Delivery is at least once and calls may overtake each other: the same id is always the
 * same resource with the same variables, and an id whose removal was asked for is never provided
 * again, nor changed.
 */
export function providerHandlers<R extends Resource, Context>(
  options: ProviderOptions<R, Context>,
): RpcHandlers<typeof ProviderService> {
  const { configOf, readyMessage } = options
  return {
    async provision({ uuid, name, plan }) {
      const addonId = parseAddonId(uuid)
      await requestResource(options, { addonId, name, plan })
      const resource = await waitForResource(options, addonId)
      if (resource.removalWanted) throw gone()
      if (resource.state !== 'ready') return { id: addonId, pending: true }
      return { id: addonId, config: configOf(resource), message: readyMessage }
    },
    async changePlan({ uuid, plan }) {
      const addonId = parseAddonId(uuid)
      assertPlanExists(options, plan)
      if (!(await requestPlan(options, addonId, plan))) return { pending: true }
      const resource = await waitForResource(options, addonId)
      if (resource.removalWanted) throw noSuchResource()
      if (resource.plan !== plan)
        throw unavailable(`The plan "${resource.plan}" was asked for meanwhile. Try again.`)
      if (await getRunningWorkflow(options.pool, addonId)) return { pending: true }
      return { message: options.changedMessage(resource) }
    },
    ...rotationHandlers(options),
    async getCredentialConfig({ uuid, name }) {
      const resource = await options.table.find(options.pool, parseAddonId(uuid))
      if (resource?.state !== 'ready' || resource.removalWanted) throw noSuchResource()
      const config = await options.credentialConfigOf?.(resource, name)
      if (!config) throw notFound('credential')
      return { config }
    },
    async deprovision({ uuid, appId }) {
      const addonId = parseAddonId(uuid)
      await requestRemoval(options, addonId, parseId<AppId>(appId))
      const { state } = await waitForResource(options, addonId)
      return { pending: state !== 'deprovisioned' }
    },
    async listResources({ afterUuid }) {
      const after = afterUuid === '' ? undefined : parseAddonId(afterUuid)
      const page = await options.table.list(options.pool, { after, limit: resourcesPageMax })
      return {
        resources: page.map(({ addonId, plan, state, removalWanted }) => ({
          uuid: addonId,
          plan,
          ready: state === 'ready' && !removalWanted,
        })),
      }
    },
  }
}

function rotationHandlers<R extends Resource, Context>(options: ProviderOptions<R, Context>) {
  const { pool, configOf } = options
  return {
    async rotateCredentials({ uuid, rotationId: text, credential }) {
      const [addonId, rotationId] = [parseAddonId(uuid), parseRotationId(text)]
      const wanted = { rotationId, credential }
      if (!(await requestRotation(options, addonId, wanted))) throw noSuchResource()
      const resource = await waitForResource(options, addonId)
      if (resource.removalWanted) throw noSuchResource()
      const rotated = resource.rotationIds[0] === rotationId
      if (!rotated || (await getRunningWorkflow(pool, addonId))) return { pending: true }
      return { config: configOf(resource) }
    },
    async revokeCredentials({ uuid, rotationId: text, everySession }) {
      const [addonId, rotationId] = [parseAddonId(uuid), parseRotationId(text)]
      if (!(await requestRevocation(options, { addonId, rotationId, everySession }))) return {}
      const { formerValid } = await waitForResource(options, addonId)
      return { pending: formerValid || (await getRunningWorkflow(pool, addonId)) !== undefined }
    },
  } satisfies Partial<RpcHandlers<typeof ProviderService>>
}

function parseAddonId(uuid: string): AddonId {
  const addonId = parseId<AddonId>(uuid)
  if (!addonId) throw invalidParams(`The resource's uuid is not a uuid: ${JSON.stringify(uuid)}.`)
  return addonId
}

function parseRotationId(text: string): RotationId {
  const rotationId = parseId<RotationId>(text)
  if (!rotationId) throw invalidParams(`The rotation's id is not a uuid: ${JSON.stringify(text)}.`)
  return rotationId
}

const gone = () =>
  invalidParams('This resource was deprovisioned and cannot come back. Create a new add-on.')

const noSuchResource = () =>
  notFound('resource', 'There is no such resource: it was never made, or it was deprovisioned.')

function assertPlanExists({ plans }: { plans: ProviderPlans }, plan: string): void {
  if (!Object.hasOwn(plans, plan))
    throw invalidParams(
      `There is no plan "${plan}". Choose one of: ${Object.keys(plans).join(', ')}.`,
    )
}

async function requestResource<R extends Resource, Context>(
  options: ProviderOptions<R, Context>,
  request: ResourceRequest,
): Promise<void> {
  const { pool, table, workflows, assertRoom } = options
  assertPlanExists(options, request.plan)
  const known = await table.find(pool, request.addonId)
  if (!known) await assertRoom?.()
  await transaction(pool, async (tx) => {
    if (await table.insert(tx, request)) {
      await startWorkflow(tx, workflows.provision, request.addonId)
      return
    }
    const resource = await table.find(tx, request.addonId)
    if (!resource || resource.removalWanted) throw gone()
    // Only changePlan moves the plan. One that asks again knows the plan as it was when it was made
    // or last changed: around a change that is either of the two, and never a third.
    if (resource.plan !== request.plan && resource.previousPlan !== request.plan)
      throw conflict(
        `This resource exists with the plan "${resource.plan}", not "${request.plan}".` +
          ' Use another uuid for another resource.',
      )
  })
}

/**
 * Writes the plan down and starts what applies it; a plan that it has already is left as it is.
 *
 * @returns false while the resource is still being made: it is to be asked again.
 */
async function requestPlan<R extends Resource, Context>(
  { pool, table, workflows, assertFits }: ProviderOptions<R, Context>,
  addonId: AddonId,
  plan: string,
): Promise<boolean> {
  const known = await table.find(pool, addonId)
  if (!known || known.removalWanted) throw noSuchResource()
  if (known.state === 'provisioning') return false
  if (known.plan === plan) return true
  // It may outgrow the plan from here on: it is then held to it like any other that does.
  await assertFits(known, plan)
  return transaction(pool, async (tx) => {
    const resource = await table.lock(tx, addonId)
    if (!resource || resource.removalWanted) throw noSuchResource()
    if (resource.plan === plan) return true
    await table.setPlan(tx, resource, plan)
    // A change that is still running reads at its end that another plan was wanted meanwhile.
    if (!(await getRunningWorkflow(tx, addonId)))
      await startWorkflow(tx, workflows.changePlan, addonId)
    return true
  })
}

async function requestRemoval<R extends Resource, Context>(
  options: ProviderOptions<R, Context>,
  addonId: AddonId,
  appId: AppId | undefined,
): Promise<void> {
  for (let tries = 0; tries < removalTriesMax; tries++)
    if (await tryRequestRemoval(options, addonId, appId)) return
  throw unavailable('The resource was being requested at this moment. Try again.')
}

/** False when its request was committed in between: look again. */
async function tryRequestRemoval<R extends Resource, Context>(
  { pool, table, workflows }: ProviderOptions<R, Context>,
  addonId: AddonId,
  appId: AppId | undefined,
): Promise<boolean> {
  return transaction(pool, async (tx) => {
    // First the workflow, then the resource: the order in which a step's commit locks them.
    const raised = await raiseWish(tx, addonId, 'deprovision')
    const resource = await table.lock(tx, addonId)
    // Never heard of: gone already, and so that a request that this one overtook finds it gone.
    if (!resource) return table.insertTombstone(tx, addonId)
    if (resource.removalWanted) return true
    if (!raised && (await getRunningWorkflow(tx, addonId))) return false
    await table.wantRemoval(tx, addonId, appId)
    // A running provision or change workflow reads the wish and starts the removal itself.
    if (!raised) await startWorkflow(tx, workflows.deprovision, addonId)
    return true
  })
}

/** The resource when nothing moves it any more, or as it is after waitMs. */
async function waitForResource<R extends Resource, Context>(
  { pool, runner, table }: ProviderOptions<R, Context>,
  addonId: AddonId,
): Promise<R> {
  runner.wake()
  await waitUntilSettled({ pool, runner }, addonId, waitMs)
  const resource = await table.find(pool, addonId)
  if (!resource) throw new Error(`resource ${addonId} has no row`)
  return resource
}
