import type { ErrorCode } from '#proto/common/v1/common_pb.ts'
import { invalidParams, PlexusError } from '#lib/errors.ts'
import { newId, type AddonId, type AttachmentId } from '#lib/ids.ts'
import { checkOptions } from '#lib/partner-api/options-schema.ts'
import { isUniqueViolation, transaction, type Transaction } from '#lib/postgres.ts'
import { startWorkflow } from '#lib/workflow/workflow-runner.ts'
import { getApp, type AppRef } from './access.ts'
import { refuseClosed } from './addon-services.ts'
import { viewAddon, type AddonView } from './addon-view.ts'
import { insertAddon, lockAddonsOfApp, mustFindAddon } from './addons-db.ts'
import { optionsPlace } from './addon-config.ts'
import { chooseAttachmentName, refuseLastAttachment, type ChosenName } from './attachment-name.ts'
import { insertAttachment } from './attachments-db.ts'
import type { Actor, BrokerContext } from './context.ts'
import { recordAddonCreated } from './facts.ts'
import { withFreeNames } from './free-names.ts'
import { addonsPerAppMax, optionsBytesMax, waitMsMax } from './limits.ts'
import { checkAddonName, makeAddonName } from './naming.ts'
import { getPlanToHave, plansById, type PlanOfService } from './plans.ts'
import { provisionAddon } from './workflows/provision-addon.ts'

export type AddonOrder = {
  actor: Actor
  app: string
  /** "service:plan", "service" or uuid. */
  plan: string
  /** Empty: made up. */
  name: string
  /** Empty: the service's default. */
  attachmentName: string
  options: Record<string, string>
  confirm: string
  waitMs: number
}

/**
 * Writes the add-on, its first attachment and its workflow in one transaction, then waits for the
 * workflow. Throws what was refused, by us or by the provider; an add-on that is not ready in time
 * is answered as provisioning.
 */
export async function createAddon(context: BrokerContext, order: AddonOrder): Promise<AddonView> {
  const app = await getApp(context, order.actor, order.app)
  const planOfService = await getPlanToHave(context.pool, order.actor, order.plan)
  refuseClosed(planOfService.service)
  if (order.name !== '') checkAddonName(order.name)
  if (Buffer.byteLength(JSON.stringify(order.options)) > optionsBytesMax)
    throw invalidParams(`The options are longer than ${optionsBytesMax} bytes. Shorten them.`)
  const { plan, service } = planOfService
  checkOptions(plan.optionsSchema, order.options, `${service.slug}:${plan.slug}`)

  const { addonId, workflowId } = await writeOrder(context, order, app, planOfService)
  context.runner.wake()
  // A provider that will call back may take hours: its customer need not wait for it here.
  const willCallBack = async (): Promise<boolean> =>
    (await mustFindAddon(context.pool, addonId)).answered202
  await context.runner.waitFor(workflowId, Math.min(order.waitMs, waitMsMax), willCallBack)
  const addon = await mustFindAddon(context.pool, addonId)
  if (addon.failure !== '') throw new PlexusError(addon.failureCode as ErrorCode, addon.failure)
  return viewAddon(context, addon)
}

type Written = { addonId: AddonId; workflowId: string }

/** Names are chosen before the transaction; when somebody else took one meanwhile, chosen anew. */
async function writeOrder(
  context: BrokerContext,
  order: AddonOrder,
  app: AppRef,
  planOfService: PlanOfService,
): Promise<Written> {
  const { service } = planOfService
  return withFreeNames(app.name, async () => {
    const { actor, confirm, attachmentName: wanted } = order
    const chosen = await chooseAttachmentName(context, { actor, app, service, wanted, confirm })
    const name = order.name || makeAddonName(service.slug)
    try {
      return await transaction(context.pool, (tx) =>
        insertOrder(tx, context, order, { app, planOfService, chosen, name }),
      )
    } catch (error) {
      if (isUniqueViolation(error, 'addons_name') && order.name !== '')
        throw invalidParams('Name is already taken')
      throw error
    }
  })
}

async function insertOrder(
  tx: Transaction,
  { secrets }: BrokerContext,
  { actor, options, confirm }: AddonOrder,
  choice: { app: AppRef; planOfService: PlanOfService; chosen: ChosenName; name: string },
): Promise<Written> {
  const { app, planOfService, chosen } = choice
  await checkRoom(tx, app, planOfService)
  const addonId = newId<AddonId>()
  const by = { appId: app.id, confirm, actorId: actor.accountId, actorEmail: actor.email }
  await insertAddon(tx, {
    ...by,
    id: addonId,
    name: choice.name,
    planId: planOfService.plan.id,
    sealedOptions: secrets.seal(JSON.stringify(options), optionsPlace(addonId)),
  })
  await insertAttachment(tx, {
    ...by,
    id: newId<AttachmentId>(),
    addonId,
    name: chosen.name,
    namespace: '',
    replaces: chosen.replaces?.id ?? null,
  })
  if (chosen.replaces) await refuseLastAttachment(tx, chosen.replaces)
  await recordAddonCreated(tx, addonId)
  return { addonId, workflowId: await startWorkflow(tx, provisionAddon, addonId) }
}

async function checkRoom(tx: Transaction, app: AppRef, { service }: PlanOfService): Promise<void> {
  const addons = await lockAddonsOfApp(tx, app.id)
  if (addons.length >= addonsPerAppMax)
    throw invalidParams(
      `${app.name} has ${addons.length} add-ons, the most that an app can have.` +
        ' Destroy one that is not needed.',
    )
  if (service.supportsMultipleInstallations) return
  const plans = await plansById(
    tx,
    addons.map(({ planId }) => planId),
  )
  const same = addons.find(({ planId }) => plans.get(planId)?.service.id === service.id)
  if (same)
    throw invalidParams(
      `${app.name} already has ${service.humanName} (${same.name}), and it can be installed only` +
        ' once per app.',
    )
}
