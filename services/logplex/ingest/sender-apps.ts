import type { TokenRoute } from './token-table.ts'

/** Whose lines a connection has brought so far: one app's, or those of several. */
export type SenderApps = { route: TokenRoute | undefined; several: boolean }

/** Who is not known by a connection: such senders are not held back for the sake of one app. */
export const anybody: SenderApps = { route: undefined, several: true }

export const newSender = (): SenderApps => ({ route: undefined, several: false })

/** The sender has brought a line of this route. */
export function noteRoute(sender: SenderApps, route: TokenRoute): void {
  // Two tokens of one app lead into one log.
  if (sender.route && sender.route.appId !== route.appId) sender.several = true
  sender.route = route
}
