import { invalidParams } from '#lib/errors.ts'
import type { AttachmentId } from '#lib/ids.ts'
import { configBytesMax } from './limits.ts'

export type Vars = Record<string, string>

/** An add-on's attachment with the variables that it brings into the app's config. */
export type AttachedAddon = {
  id: AttachmentId
  name: string
  addonId: string
  addonName: string
  planName: string
  /** This app pays for the add-on. */
  billingApp: boolean
  vars: Vars
}

/** The whole config of an app at one moment: what a release holds. No name is in two places. */
export type AppConfig = {
  /** What users set. */
  vars: Vars
  attachments: AttachedAddon[]
}

/** A config that is to be released, and what the release says of it. */
export type ConfigChange = { description: string; config: AppConfig }

export const emptyConfig: AppConfig = { vars: {}, attachments: [] }

const namePattern = /^[A-Za-z_][A-Za-z0-9_]*$/

/** What a process of the app finds in its environment. */
export function visibleVars({ vars, attachments }: AppConfig): Vars {
  return Object.assign({}, vars, ...attachments.map((attachment) => attachment.vars)) as Vars
}

/** The attachments' variables, each with the attachment that it comes from. */
export function attachedVars(
  attachments: AttachedAddon[],
): Map<string, { value: string; attachment: AttachedAddon }> {
  return new Map(
    attachments.flatMap((attachment) =>
      Object.entries(attachment.vars).map(([name, value]) => [name, { value, attachment }]),
    ),
  )
}

export function withoutVars(vars: Vars, names: string[]): Vars {
  const gone = new Set(names)
  return Object.fromEntries(Object.entries(vars).filter(([name]) => !gone.has(name)))
}

/** Plans of the add-ons that the app pays for, one name for each add-on, sorted. */
export function addonPlanNames({ attachments }: AppConfig): string[] {
  const billed = attachments.filter(({ billingApp }) => billingApp)
  const byAddon = new Map(billed.map(({ addonId, planName }) => [addonId, planName]))
  return [...byAddon.values()].toSorted()
}

/** Refuses names and values that no process environment can hold. */
export function assertEnvironment(vars: Vars): void {
  for (const [name, value] of Object.entries(vars)) {
    if (!namePattern.test(name))
      throw invalidParams(
        `${JSON.stringify(name)} is not a name for a config var: use letters, digits and _, ` +
          `and begin with a letter or _.`,
      )
    if (value.includes('\0'))
      throw invalidParams(
        `The value of ${name} has a NUL byte, which no environment can hold: encode it first, ` +
          `for example in base64.`,
      )
  }
}

export function assertSize(config: AppConfig): void {
  const bytes = Object.entries(visibleVars(config)).reduce(
    (sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value),
    0,
  )
  if (bytes > configBytesMax)
    throw invalidParams(
      `Config vars would take ${bytes} bytes with their names, of at most ${configBytesMax} ` +
        `(64 KB): shorten or unset some, or keep large values in a file store.`,
    )
}
