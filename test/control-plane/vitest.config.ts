import { defineConfig } from 'vitest/config'

/** Tests that need a real control plane. Apart from `npm test`, since they need Go or its binaries. */
export default defineConfig({
  root: new URL('../..', import.meta.url).pathname,
  test: {
    include: ['test/control-plane/**/*.test.ts'],
    environment: 'node',
    globalSetup: ['test/control-plane/global-setup.ts'],
    testTimeout: 300_000,
    hookTimeout: 300_000,
    pool: 'threads',
    // They share one control plane, and some restart its API server.
    fileParallelism: false,
    reporters: ['default', './scripts/summary-reporter.mjs'],
  },
})
