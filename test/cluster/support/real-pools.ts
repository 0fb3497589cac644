import { afterAll, beforeAll, inject } from 'vitest'
import { beforeRetry, removeAllPools } from '../../../packages/server/test/support/before-retry.ts'
import {
  type PoolCluster,
  type RunningController,
  usePoolCluster,
} from '../../../packages/server/test/support/pool-cluster.ts'
import { type Api, must } from '../../control-plane/api.ts'
import { attachControlPlane } from '../../control-plane/control-plane.ts'
import { type NamespaceOptions, ownNamespace } from './own-namespace.ts'

export type RealPools = PoolCluster & {
  /** A plain client of the administrator's. */
  readonly api: Api
  /** Makes an object in the namespace: `path` is that of its collection below the namespace. */
  make(group: string, plural: string, object: object): Promise<void>
}

/** A namespace on the control plane of the run, a database, and a pool controller that runs for the whole block. */
export function useRealPools(options: NamespaceOptions & { readonly template?: object } = {}): RealPools {
  let api: Api
  const c = usePoolCluster({
    connect: async () => {
      const plane = await attachControlPlane(inject('controlPlaneRunDir'))
      api = plane.api
      return ownNamespace(plane, options)
    },
  })
  let controller: RunningController
  beforeAll(async () => {
    controller = await c.start(options.template === undefined ? {} : { template: options.template })
  })
  beforeRetry(() => removeAllPools(c))
  afterAll(async () => {
    await controller?.stop()
  })
  const extra = {
    make: async (group: string, plural: string, object: object) => {
      await must(api, 'POST', `${group}/namespaces/${c.namespace}/${plural}`, object)
    },
  }
  // Not spread: what it holds is there only when the test runs.
  return new Proxy(c, {
    get: (target, name) => {
      if (name === 'api') return api
      return name === 'make' ? extra.make : Reflect.get(target, name)
    },
  }) as RealPools
}
