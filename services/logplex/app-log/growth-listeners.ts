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

  /** Tells each growth once, whichever way it becomes known first. */
  tell(appId: AppId, head: number): void {
    const growth = this.#apps.get(appId)
    if (!growth || head <= growth.head) return
    growth.head = head
    for (const listener of growth.listeners) listener(head)
  }
}
