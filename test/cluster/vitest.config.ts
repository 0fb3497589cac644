import { defineConfig } from 'vitest/config'

/** `npm run test:cluster`: what is shown on a real control plane. Apart from `npm test`, since it needs Go or its binaries. */
export default defineConfig({
  root: new URL('../..', import.meta.url).pathname,
  test: {
    include: ['test/cluster/**/*.test.ts', 'test/control-plane/**/*.test.ts'],
    environment: 'node',
    globalSetup: ['test/cluster/global-setup.ts', 'packages/server/test/support/global-postgres.ts'],
    // Limits to give up at, not measures: real controllers pause for up to half a minute after a failure.
    testTimeout: 600_000,
    hookTimeout: 300_000,
    // The last line of defence where many processes share a machine that may stand still for seconds: see CONTRIBUTING.
    retry: process.env.CI === undefined ? 0 : 1,
    pool: 'threads',
    // They share one control plane, and some restart its API server or remove etcd's history.
    fileParallelism: false,
    maxConcurrency: 12,
    reporters: ['default', './scripts/summary-reporter.mjs'],
  },
})
