import { invalidParams, unauthorized } from '#lib/errors.ts'
import { ssoRequest, type SsoRequest } from '#lib/partner-api/sso.ts'
import { getApp } from './access.ts'
import { busyMessage } from './addon-state.ts'
import { viewAddon, type AddonView } from './addon-view.ts'
import { findVisibleAddon, type AddonRef } from './addons.ts'
import type { Actor, StepContext } from './context.ts'
import { dashboardRequest } from './dashboard-url.ts'
import { dashboardTicketSeconds } from './limits.ts'
import { openCredentials } from './partner-credentials.ts'

type Ticket = { addonId: string; accountId: string; email: string; app: string; expiresAt: number }

const ticketPlace = 'dashboard ticket'

/**
 * Lets a browser, which has no token, open the add-on's dashboard as the actor: sealed, and good for
 * minutes. What the actor may see is looked up again when it is used. Empty without a dashboard.
 *
 * @param app id of the app that the actor comes from; empty: the billing app
 */
export function dashboardTicket(
  { secrets }: Pick<StepContext, 'secrets'>,
  { addon, service }: Pick<AddonView, 'addon' | 'service'>,
  actor: Actor,
  app: string,
): string {
  const has =
    service.ssoUrl !== '' ||
    addon.sealedDashboardUrl !== '' ||
    (service.apiVersion === '1' && service.sealedCredentials !== '')
  if (!has || addon.state !== 'provisioned') return ''
  const expiresAt = Date.now() + dashboardTicketSeconds * 1000
  const ticket: Ticket = { addonId: addon.id, ...actor, app, expiresAt }
  return Buffer.from(secrets.seal(JSON.stringify(ticket), ticketPlace)).toString('base64url')
}

/** What logs the ticket's owner in. UNAUTHORIZED for a ticket that is none, or has run out. */
export async function openDashboard(
  context: StepContext,
  { ticket: text, addon }: { ticket: string; addon: string },
): Promise<SsoRequest> {
  const ticket = readTicket(context, text)
  if (!ticket || ticket.addonId !== addon.toLowerCase() || ticket.expiresAt < Date.now())
    throw unauthorized(
      'This address has run out: it is good for ten minutes. Run heroku addons:open once more.',
    )
  const { accountId, email, app } = ticket
  return getSso(context, { actor: { accountId, email }, addon: ticket.addonId, app })
}

function readTicket({ secrets }: StepContext, text: string): Ticket | undefined {
  try {
    const sealed = Buffer.from(text, 'base64url').toString('utf8')
    return JSON.parse(secrets.open(sealed, ticketPlace)) as Ticket
  } catch {
    return undefined
  }
}

/**
 * What logs the actor in at the add-on's dashboard, made now. INVALID_PARAMS where there is none.
 */
export async function getSso(context: StepContext, ref: AddonRef): Promise<SsoRequest> {
  const addon = await findVisibleAddon(context, ref)
  const { service, app } = await viewAddon(context, addon)
  const busy = busyMessage(addon)
  if (busy) throw invalidParams(busy)
  const dashboard = dashboardRequest(context.secrets, addon)
  if (dashboard) return dashboard
  const contextApp = ref.app === '' ? app : await getApp(context, ref.actor, ref.app)
  const found = ssoRequest(
    { ...service, ...openCredentials(context.secrets, service) },
    {
      uuid: addon.id,
      providerId: addon.providerId || addon.id,
      user: { id: ref.actor.accountId, email: ref.actor.email },
      app: app.name,
      contextApp: contextApp.name,
      timestamp: Math.floor(Date.now() / 1000),
    },
  )
  if (!found)
    throw invalidParams(
      `${service.humanName} has no dashboard. See ${addon.name} with heroku addons:info, and its` +
        ' variables with heroku config.',
    )
  return found
}
