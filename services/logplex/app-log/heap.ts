import { setFlagsFromString } from 'node:v8'

/**
 * Counts what lies outside of the heap together with it when V8 decides to collect. Lines live in
 * buffers out there, for each 64 MB of which it would mark the whole heap: five times a second at
 * 400,000 lines, a fifth of this process's CPU (npm run bench).
 */
export function collectWithHeap(): void {
  setFlagsFromString('--external-memory-accounted-in-global-limit')
}
