/** The pool scenarios of the simulated cluster, word for word, on a real API server, scheduler and controller manager. */
import { afterAll, beforeAll, describe, inject } from 'vitest'
import { beforeRetry, removeAllPools } from '../../packages/server/test/support/before-retry.ts'
import { type RunningController, usePoolCluster } from '../../packages/server/test/support/pool-cluster.ts'
import { poolInterference, poolRefusals } from '../../packages/server/test/support/pool-interference.ts'
import { poolLifecycle } from '../../packages/server/test/support/pool-lifecycle.ts'
import { attachControlPlane } from '../control-plane/control-plane.ts'
import { ownNamespace } from './support/own-namespace.ts'

const c = usePoolCluster({
  connect: async () => ownNamespace(await attachControlPlane(inject('controlPlaneRunDir'))),
})
let controller: RunningController
beforeAll(async () => {
  controller = await c.start()
})
beforeRetry(() => removeAllPools(c))
afterAll(async () => {
  await controller?.stop()
})

describe('come, change and go', () => poolLifecycle(c))
describe('are disturbed', () => poolInterference(c))
describe('are refused', () => poolRefusals(c))
