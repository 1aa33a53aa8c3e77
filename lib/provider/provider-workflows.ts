import { must } from '#lib/assert.ts'
import type { Transaction } from '#lib/postgres.ts'
import type { Resource, ResourceTable } from '#lib/provider/resource.ts'
import type { Workflow } from '#lib/workflow/define-workflow.ts'
import { startWorkflow } from '#lib/workflow/workflow-runner.ts'

/** What moves the resources of a provider; one at a time moves a resource. */
export type ProviderWorkflows<Context> = {
  provision: Workflow<Context>
  changePlan: Workflow<Context>
  deprovision: Workflow<Context>
}

/**
 * To be committed with the end of a workflow: what was wished for while it ran comes next, the removal
 * before another plan.
 *
 * @param applied the resource as the workflow read it.
 */
export async function startWished<R extends Resource, Context>(
  tx: Transaction,
  applied: R,
  next: { lock: ResourceTable<R>['lock'] } & Omit<ProviderWorkflows<Context>, 'provision'>,
): Promise<void> {
  const { addonId } = applied
  // The lock, so that a wish is either seen here or finds no workflow running and starts its own.
  const now = must(await next.lock(tx, addonId), `resource ${addonId}`)
  if (now.removalWanted) await startWorkflow(tx, next.deprovision, addonId)
  else if (now.plan !== applied.plan) await startWorkflow(tx, next.changePlan, addonId)
}
