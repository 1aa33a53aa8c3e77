import type { AppId } from '#lib/ids.ts'

/**
 * What can be switched off to shed load. tails: nobody follows (L20). history: streams begin with
 * what is new, and a channel's log is not given out. drains: they stand still, and go on where they
 * stood. ingest: lines are refused over HTTP, elsewhere dropped and counted.
 */
export const loadSwitches = ['tails', 'history', 'drains', 'ingest'] as const
export type LoadSwitch = (typeof loadSwitches)[number]

/** Of Logplex's own API: all; only what changes nothing; none of it. */
export const serviceStates = ['normal', 'read_only', 'disabled'] as const
export type ServiceState = (typeof serviceStates)[number]

/** What is switched off for all, or for one app. */
export type SwitchesOf = { appId: AppId | undefined; off: readonly LoadSwitch[] }

/** The switches as the data path reads them; the control side replaces them. */
export class Switches {
  state: ServiceState = 'normal'
  /** False: nothing is off for anybody, so a line need not be asked about. */
  anyOff = false
  #forAll = new Set<LoadSwitch>()
  #byApp = new Map<AppId, Set<LoadSwitch>>()

  replace(state: ServiceState, switches: SwitchesOf[]): void {
    this.state = state
    this.#forAll = new Set(switches.flatMap(({ appId, off }) => (appId ? [] : off)))
    this.#byApp = new Map(
      switches.flatMap(({ appId, off }) => (appId ? [[appId, new Set(off)]] : [])),
    )
    this.anyOff = switches.some(({ off }) => off.length > 0)
  }

  /** Whether it is off for the app, or, without one, for all. */
  isOff(what: LoadSwitch, appId?: AppId): boolean {
    if (!this.anyOff) return false
    if (this.#forAll.has(what)) return true
    return appId !== undefined && (this.#byApp.get(appId)?.has(what) ?? false)
  }
}
