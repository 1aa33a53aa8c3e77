import { randomInt } from 'node:crypto'

// No word is longer than 10 letters: a made-up name stays within the 30 characters of a name.
const adjectives = [
  'amber', 'brisk', 'calm', 'clever', 'cosmic', 'crisp', 'dapper', 'dusky', 'eager', 'early',
  'fabled', 'frosty', 'gentle', 'glassy', 'golden', 'grand', 'hidden', 'humble', 'icy', 'jolly',
  'keen', 'lively', 'lucid', 'mellow', 'misty', 'nimble', 'noble', 'open', 'pale', 'patient',
  'quiet', 'rapid', 'rustic', 'silent', 'silver', 'steady', 'sunny', 'tidal', 'vivid', 'windy',
] // prettier-ignore
const nouns = [
  'anchor', 'badger', 'beacon', 'birch', 'bridge', 'brook', 'canyon', 'cedar', 'cliff', 'comet',
  'coral', 'dune', 'ember', 'falcon', 'fern', 'fjord', 'garden', 'glacier', 'harbor', 'heron',
  'island', 'lagoon', 'lantern', 'lynx', 'maple', 'meadow', 'orchard', 'otter', 'pebble', 'pine',
  'plateau', 'prairie', 'reef', 'ridge', 'river', 'sparrow', 'spruce', 'summit', 'valley', 'willow',
] // prettier-ignore

const namePattern = /^[a-z][a-z0-9-]{1,28}[a-z0-9]$/

export function isAppName(name: string): boolean {
  return namePattern.test(name)
}

/** `<adjective>-<noun>-<5 digits>`, such as quiet-harbor-30417. */
export function makeUpAppName(): string {
  const pick = (words: string[]): string => words[randomInt(words.length)] ?? 'plain'
  return `${pick(adjectives)}-${pick(nouns)}-${randomInt(10_000, 100_000)}`
}
