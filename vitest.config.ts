import { defineConfig } from 'vitest/config'

// What a test needs decides where it runs: the unit project needs nothing, pg and integration need
// the engines (NATS, Redis, PostgreSQL), system a whole platform, cli also the official heroku CLI.
// pg drives the code beside it, integration the services as processes, whose ports its files share.
// Two cores: files one after the other keep the engines' answers quick. Those of the units and of the
// CLI run two at a time: most of their time is the start of one process after the other.
const oneByOne = { fileParallelism: false, sequence: { groupOrder: 1 } } as const
const withEngines = {
  ...oneByOne,
  globalSetup: ['test/support/engines.ts'],
  testTimeout: 30_000,
  hookTimeout: 60_000,
}
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          maxWorkers: 2,
          testTimeout: 20_000,
          include: [
            '{lib,services,scripts,local-platform,client,egress-shim}/**/*.test.ts',
            '{provider-check,cli,demo,test}/**/*.test.ts',
          ],
          exclude: ['**/*.pg.test.ts', 'test/{contract,integration,chaos,system,cli}/**'],
        },
      },
      {
        test: {
          name: 'pg',
          ...withEngines,
          include: ['{lib,services,local-platform}/**/*.pg.test.ts'],
        },
      },
      {
        test: {
          name: 'integration',
          ...withEngines,
          include: ['test/{contract,integration}/**/*.test.ts'],
        },
      },
      {
        test: {
          name: 'chaos',
          ...withEngines,
          include: ['test/chaos/**/*.test.ts'],
        },
      },
      {
        test: {
          name: 'system',
          ...oneByOne,
          include: ['test/system/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 180_000,
        },
      },
      {
        test: {
          name: 'cli',
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
          include: ['test/cli/**/*.test.ts'],
          globalSetup: ['test/support/cli-platform.ts'],
          testTimeout: 120_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
})
