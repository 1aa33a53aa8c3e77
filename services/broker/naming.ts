import { randomInt } from 'node:crypto'
import { must } from '#lib/assert.ts'
import { invalidParams } from '#lib/errors.ts'

const adjectives = (
  'acute angular animated arid autumn bold calm clean clear colorful concave convex cool crystal ' +
  'curly cylindrical deep defined dimensional elegant fitted flat flexible floating fluffy fresh ' +
  'globular graceful horizontal infinite lively metric novel octagonal opaque parallel pointy ' +
  'polished reticulated rigid round rugged shallow shaped sharp silhouetted sinuous slippery ' +
  'smooth solid spherical square symmetrical tapered tetrahedral transparent triangular vertical'
).split(' ')

/** Colours of attachments whose default name is taken. */
export const colors = (
  'AMBER AQUA BLACK BLUE BRONZE BROWN CHARCOAL COBALT COPPER CRIMSON CYAN GOLD GRAY GREEN IVORY ' +
  'JADE MAROON MAUVE NAVY OLIVE ONYX ORANGE PINK PUCE PURPLE RED ROSE SILVER TEAL VIOLET WHITE ' +
  'YELLOW'
).split(' ')

const addonNamePattern = /^[a-zA-Z][A-Za-z0-9_-]+$/
const addonNameLengthMax = 256
const attachmentNamePattern = /^[A-Z][A-Z0-9_]*$/
const attachmentNameLengthMax = 100

/** A made-up name of an add-on: "postgresql-flat-02648" of heroku-postgresql. */
export function makeAddonName(serviceSlug: string): string {
  const adjective = must(adjectives[randomInt(adjectives.length)], 'adjective')
  const digits = String(randomInt(100_000)).padStart(5, '0')
  return `${serviceSlug.replace(/^heroku-/, '')}-${adjective}-${digits}`
}

/** The name that a customer chose for an add-on, or INVALID_PARAMS. */
export function checkAddonName(name: string): string {
  if (!addonNamePattern.test(name) || name.length > addonNameLengthMax)
    throw invalidParams(
      'Name must start with a letter and have at least two characters: letters, digits, dashes' +
        ` and underscores, at most ${addonNameLengthMax}.`,
    )
  return name
}

/** The name that a customer chose for an attachment, in upper case, or INVALID_PARAMS. */
export function checkAttachmentName(name: string): string {
  const upper = name.toUpperCase()
  if (!attachmentNamePattern.test(upper) || upper.length > attachmentNameLengthMax)
    throw invalidParams(
      'Attachment name must start with a letter and contain only letters, digits and underscores,' +
        ` at most ${attachmentNameLengthMax}.`,
    )
  return upper
}

/**
 * The name of an attachment for which none was chosen: the service's default (DATABASE, REDIS, else
 * its prefix) when `isFree`, otherwise the prefix with a colour, and with a number once every colour
 * is taken.
 */
export function defaultAttachmentName(
  service: { defaultAttachmentName: string; configVarsPrefix: string },
  isFree: (name: string) => boolean,
): string {
  if (isFree(service.defaultAttachmentName)) return service.defaultAttachmentName
  const start = randomInt(colors.length)
  for (let round = 1; ; round++) {
    const shuffled = [...colors.slice(start), ...colors.slice(0, start)]
    const names = shuffled.map(
      (color) => `${service.configVarsPrefix}_${color}${round === 1 ? '' : round}`,
    )
    const free = names.find(isFree)
    if (free) return free
  }
}

/**
 * The variable of an attachment: the service's own prefix gives way to the attachment's name, so
 * HEROKU_POSTGRESQL_URL attached as DATABASE is DATABASE_URL.
 */
export function configVarName(prefix: string, configVar: string, attachmentName: string): string {
  const start = `${prefix}_`
  const rest = configVar.startsWith(start) ? configVar.slice(start.length) : configVar
  return `${attachmentName}_${rest}`
}
