import { setFlagsFromString } from 'node:v8'

/**
 * Counts what lies outside of the heap together with it when V8 decides to collect, and has it
 * decide so less often. Lines live in buffers out there, for each 64 MB of which it would mark the
 * whole heap: five times a second at 400,000 lines, a fifth of this process's CPU (npm run bench).
 */
export function collectWithHeap(): void {
  setFlagsFromString('--external-memory-accounted-in-global-limit')
  // Three times what was left by the last one, before the next one: V8 itself goes by how fast memory
  // is asked for, and marked the heap five times a second at 300,000 lines of 500 bytes, which took
  // 0.47 CPU seconds per million lines and takes 0.22 now.
  setFlagsFromString('--heap-growing-percent=200')
}
