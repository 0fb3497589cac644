import { defineConfig } from 'vitest/config'

/** A machine that stands still for seconds must not throw a whole run away: see CONTRIBUTING. */
const retry = process.env.CI === undefined ? 0 : 1

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['packages/*/src/**/*.test.ts', 'scripts/**/*.test.ts'],
          environment: 'node',
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'simulator',
          include: ['packages/simulator/test/**/*.test.ts'],
          environment: 'node',
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
      {
        test: {
          name: 'database',
          include: ['packages/server/test/**/*.test.ts', 'packages/cli/test/**/*.test.ts'],
          environment: 'node',
          globalSetup: ['packages/server/test/support/global-postgres.ts'],
          // Limits to give up at, not measures: a disk that is busy with somebody else's sync stands still for seconds, and
          // what takes 20 s on two idle cores took two minutes on busy ones.
          testTimeout: 600_000,
          hookTimeout: 300_000,
          retry,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['e2e/**/*.test.ts'],
          environment: 'node',
          testTimeout: 300_000,
          hookTimeout: 300_000,
          retry,
        },
      },
    ],
    pool: 'threads',
    maxWorkers: 2,
    reporters: ['default', './scripts/summary-reporter.mjs'],
  },
})
