import { attachAddon } from './attach-addon.ts'
import { changePlan } from './change-plan.ts'
import { deprovisionAddon } from './deprovision-addon.ts'
import { detachAddon } from './detach-addon.ts'
import { provisionAddon } from './provision-addon.ts'
import { restoreConfig } from './restore-config.ts'
import { rotateCredentials } from './rotate-credentials.ts'
import { updateConfig } from './update-config.ts'

/** Every workflow of the broker; a process that runs some runs all. */
export const workflows = [
  attachAddon,
  changePlan,
  deprovisionAddon,
  detachAddon,
  provisionAddon,
  restoreConfig,
  rotateCredentials,
  updateConfig,
]
