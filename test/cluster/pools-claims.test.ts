/** Claims on a real API server, scheduler and controller manager: who owns a claimed pod, who replaces it, who survives. */
import { describe, inject } from 'vitest'
import { beforeRetry, removeAllPools } from '../../packages/server/test/support/before-retry.ts'
import { poolClaimCases } from '../../packages/server/test/support/pool-claim-cases.ts'
import { usePoolClaims } from '../../packages/server/test/support/pool-claims.ts'
import { usePoolCluster } from '../../packages/server/test/support/pool-cluster.ts'
import { poolHoldCases } from '../../packages/server/test/support/pool-hold-cases.ts'
import { attachControlPlane } from '../control-plane/control-plane.ts'
import { ownNamespace } from './support/own-namespace.ts'

const c = usePoolCluster({
  connect: async () => ownNamespace(await attachControlPlane(inject('controlPlaneRunDir'))),
  limitMs: 180_000,
})
const t = usePoolClaims(c)
beforeRetry(() => removeAllPools(c))

describe('pools and requests', () => poolClaimCases(c, t))
describe('pools and what is held', () => poolHoldCases(c, t))
