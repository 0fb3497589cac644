import { defineConfig } from 'vitest/config'

/** `npm run test:cluster`: what is shown on a real control plane. Apart from `npm test`, since it needs Go or its binaries. */
export default defineConfig({
  root: new URL('../..', import.meta.url).pathname,
  test: {
    include: ['test/cluster/**/*.test.ts', 'test/control-plane/**/*.test.ts'],
    environment: 'node',
    globalSetup: ['test/cluster/global-setup.ts', 'packages/server/test/support/global-postgres.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: 'threads',
    // They share one control plane, and some restart its API server or remove etcd's history.
    fileParallelism: false,
    maxConcurrency: 12,
    reporters: ['default', './scripts/summary-reporter.mjs'],
  },
})
