/** Controllers that die in the middle of anything, on a real control plane. */
import { inject } from 'vitest'
import { usePoolCluster } from '../../packages/server/test/support/pool-cluster.ts'
import { poolRestarts } from '../../packages/server/test/support/pool-restarts.ts'
import { attachControlPlane } from '../control-plane/control-plane.ts'
import { ownNamespace } from './support/own-namespace.ts'

const c = usePoolCluster({
  connect: async () => ownNamespace(await attachControlPlane(inject('controlPlaneRunDir'))),
})

poolRestarts(c, { killed: 15, stopped: 5 })
