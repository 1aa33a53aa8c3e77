import { conflict, invalidParams, unavailable } from '#lib/errors.ts'
import { parseId, type AddonId } from '#lib/ids.ts'
import { transaction, type Pool } from '#lib/postgres.ts'
import type { Resource, ResourceRequest, ResourceTable } from '#lib/provider/resource.ts'
import type { RpcHandlers } from '#lib/rpc.ts'
import type { Workflow } from '#lib/workflow/define-workflow.ts'
import { startWorkflow, type WorkflowRunner } from '#lib/workflow/workflow-runner.ts'
import { waitUntilSettled } from '#lib/workflow/wait-until-settled.ts'
import { getRunningWorkflow, raiseWish } from '#lib/workflow/workflows-db.ts'
import type { ProviderService } from '#proto/provider/v1/provider_pb.ts'

/** Longest that a request waits for its workflow; after that the answer is "pending, ask again". */
const waitMs = 5_000
/** A removal meets the request that it removes at most once; the rest is room. */
const removalTriesMax = 3

export type ProviderOptions<R extends Resource, Context> = {
  pool: Pool
  runner: WorkflowRunner
  table: ResourceTable<R>
  plans: Readonly<Record<string, unknown>>
  workflows: { provision: Workflow<Context>; deprovision: Workflow<Context> }
  /** The variables of a resource that is ready, {"HEROKU_POSTGRESQL_URL": "postgres://…"}. */
  configOf: (resource: R) => Record<string, string>
  /** For the customer, when it is ready. */
  readyMessage: string
  /** Throws when nothing more can be provided now. */
  assertRoom?: () => Promise<void>
}

/**
 * The Partner API's calls for a provider whose resources are made and removed by workflows.
 * Delivery is at least once and calls may overtake each other: the same id is always the same
 * resource with the same variables, and an id whose removal was asked for is never provided again.
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
    async deprovision({ uuid }) {
      const addonId = parseAddonId(uuid)
      await requestRemoval(options, addonId)
      const { state } = await waitForResource(options, addonId)
      return { pending: state !== 'deprovisioned' }
    },
  }
}

function parseAddonId(uuid: string): AddonId {
  const addonId = parseId<AddonId>(uuid)
  if (!addonId) throw invalidParams(`The resource's uuid is not a uuid: ${JSON.stringify(uuid)}.`)
  return addonId
}

const gone = () =>
  invalidParams('This resource was deprovisioned and cannot come back. Create a new add-on.')

async function requestResource<R extends Resource, Context>(
  { pool, table, plans, workflows, assertRoom }: ProviderOptions<R, Context>,
  request: ResourceRequest,
): Promise<void> {
  if (!Object.hasOwn(plans, request.plan))
    throw invalidParams(
      `There is no plan "${request.plan}". Choose one of: ${Object.keys(plans).join(', ')}.`,
    )
  const known = await table.find(pool, request.addonId)
  if (!known) await assertRoom?.()
  await transaction(pool, async (tx) => {
    if (await table.insert(tx, request)) {
      await startWorkflow(tx, workflows.provision, request.addonId)
      return
    }
    const resource = await table.find(tx, request.addonId)
    if (!resource || resource.removalWanted) throw gone()
    if (resource.plan !== request.plan)
      throw conflict(
        `This resource exists with the plan "${resource.plan}", not "${request.plan}".` +
          ' Use another uuid for another resource.',
      )
  })
}

async function requestRemoval<R extends Resource, Context>(
  options: ProviderOptions<R, Context>,
  addonId: AddonId,
): Promise<void> {
  for (let tries = 0; tries < removalTriesMax; tries++)
    if (await tryRequestRemoval(options, addonId)) return
  throw unavailable('The resource was being requested at this moment. Try again.')
}

/** False when its request was committed in between: look again. */
async function tryRequestRemoval<R extends Resource, Context>(
  { pool, table, workflows }: ProviderOptions<R, Context>,
  addonId: AddonId,
): Promise<boolean> {
  return transaction(pool, async (tx) => {
    // First the workflow, then the resource: the order in which a step's commit locks them.
    const raised = await raiseWish(tx, addonId, 'deprovision')
    const resource = await table.lock(tx, addonId)
    // Never heard of: gone already, and so that a request that this one overtook finds it gone.
    if (!resource) return table.insertTombstone(tx, addonId)
    if (resource.removalWanted) return true
    if (!raised && (await getRunningWorkflow(tx, addonId))) return false
    await table.wantRemoval(tx, addonId)
    // A running provision workflow reads the wish and starts the removal itself.
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
