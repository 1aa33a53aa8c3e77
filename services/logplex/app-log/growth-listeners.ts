import type { AppId } from '#lib/ids.ts'

type Listener = (head: number) => void
type Growth = { head: number; listeners: Set<Listener> }

/** Who in this process wants to hear that which app's log has grown, and what they have heard. */
export class GrowthListeners {
  readonly #apps = new Map<AppId, Growth>()

  add(appId: AppId, listener: Listener): () => void {
    const growth = this.#apps.get(appId) ?? { head: 0, listeners: new Set() }
    this.#apps.set(appId, growth)
    growth.listeners.add(listener)
    return () => {
      growth.listeners.delete(listener)
      if (growth.listeners.size === 0 && this.#apps.get(appId) === growth) this.#apps.delete(appId)
    }
  }

  has(appId: AppId): boolean {
    return this.#apps.has(appId)
  }

  /** The highest number that was told; 0 when nobody listens. */
  headOf(appId: AppId): number {
    return this.#apps.get(appId)?.head ?? 0
  }

  apps(): AppId[] {
    return [...this.#apps.keys()]
  }

  /**
   * Redis says that this is the head: tells it as well when it is lower than what was told, for
   * then the log has lost numbers. Somebody may have told a higher one meanwhile, who wakes for
   * nothing.
   */
  asked(appId: AppId, head: number): void {
    const growth = this.#apps.get(appId)
    if (growth && head < growth.head) growth.head = head - 1
    this.tell(appId, head)
  }

  /** Tells each growth once, whichever way it becomes known first. */
  tell(appId: AppId, head: number): void {
    const growth = this.#apps.get(appId)
    if (!growth || head <= growth.head) return
    growth.head = head
    for (const listener of growth.listeners) listener(head)
  }
}
