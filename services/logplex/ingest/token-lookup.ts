import { tokenLookupsPerSecondMax, unknownTokenKeptMs, unknownTokensKeptMax } from '../limits.ts'
import type { TokenRoute, TokenTable } from './token-table.ts'

/**
 * Asks for a token that this process does not know yet (another may just have made it), and puts
 * it into the table when there is one.
 */
export type FindToken = (token: string) => Promise<boolean>

/** Too many tokens were looked up within this second: nothing is known of this one. */
export class LookupsUsedUp extends Error {}

const tokenPattern = /^t\.[0-9a-f-]{36}$/

/** Finds routes beyond the table, so seldom that senders with wrong tokens cost next to nothing. */
export class TokenLookup {
  readonly #tokens: TokenTable
  readonly #find: FindToken
  /** Tokens that were not found, and until when that is believed. */
  readonly #unknown = new Map<string, number>()
  readonly #asking = new Map<string, Promise<TokenRoute | undefined>>()
  #second = 0
  #asked = 0

  constructor(tokens: TokenTable, find: FindToken) {
    this.#tokens = tokens
    this.#find = find
  }

  /** True when asking is of no use: no token at all, or one that was just not found. */
  isHopeless(token: string): boolean {
    if (!tokenPattern.test(token)) return true
    return (this.#unknown.get(token) ?? 0) > Date.now()
  }

  /**
   * The token's route, or undefined when nobody has it. Rejects when that cannot be found out now.
   */
  async route(token: string): Promise<TokenRoute | undefined> {
    const known = this.#inTable(token)
    if (known || this.isHopeless(token)) return known
    const asking = this.#asking.get(token)
    if (asking) return asking
    if (!this.#mayAsk()) throw new LookupsUsedUp('too many unknown tokens within a second')
    const answer = this.#ask(token).finally(() => this.#asking.delete(token))
    this.#asking.set(token, answer)
    return answer
  }

  async #ask(token: string): Promise<TokenRoute | undefined> {
    if (await this.#find(token)) return this.#inTable(token)
    if (this.#unknown.size >= unknownTokensKeptMax) this.#unknown.clear()
    this.#unknown.set(token, Date.now() + unknownTokenKeptMs)
    return undefined
  }

  #inTable(token: string): TokenRoute | undefined {
    const bytes = Buffer.from(token)
    return this.#tokens.find(bytes, 0, bytes.length)
  }

  #mayAsk(): boolean {
    const second = Math.floor(Date.now() / 1000)
    if (second !== this.#second) this.#asked = 0
    this.#second = second
    return ++this.#asked <= tokenLookupsPerSecondMax
  }
}
