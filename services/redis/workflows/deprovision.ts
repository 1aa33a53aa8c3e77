import type { AddonId } from '#lib/ids.ts'
import { defineWorkflow } from '#lib/workflow/define-workflow.ts'
import { removeFolder, stopInstance } from '../instance-process.ts'
import { markDeprovisioned, markDeprovisioning, withInstanceLock } from '../instances-db.ts'
import type { InstancesContext } from '../instances.ts'

//   mark ──▶ stop-process ──▶ remove-folder ──▶ forget ──▶ gone
//
// Entered by the wish to be gone, from whatever the provision workflow had made so far.

/** Removes an instance and its data for good; of what is missing already nothing is removed. */
export const deprovisionInstance = defineWorkflow<InstancesContext>()({
  name: 'deprovision-instance',
  first: 'mark',
  steps: {
    async mark(_context, { subjectId }) {
      return {
        go: 'stop-process',
        write: (tx) => markDeprovisioning(tx, subjectId as AddonId),
      }
    },
    async 'stop-process'({ locks, host }, { subjectId }) {
      const addonId = subjectId as AddonId
      await withInstanceLock(locks, addonId, () => stopInstance(host, addonId))
      return { go: 'remove-folder' }
    },
    async 'remove-folder'({ locks, host }, { subjectId }) {
      const addonId = subjectId as AddonId
      await withInstanceLock(locks, addonId, () => removeFolder(host, addonId))
      return { go: 'forget' }
    },
    async forget(_context, { subjectId }) {
      return {
        done: 'gone',
        write: (tx) => markDeprovisioned(tx, subjectId as AddonId),
      }
    },
  },
})
