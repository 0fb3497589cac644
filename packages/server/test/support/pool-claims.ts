import type { V1Pod } from '@kubernetes/client-node'
import { afterEach, beforeEach } from 'vitest'
import type { Instance } from '../../src/instances/instance.ts'
import { createPodMarker, type PodMarker } from '../../src/instances/pod-marker.ts'
import { type KubeClient, resources } from '../../src/kube/index.ts'
import { eventually, type PoolCluster, type RunningController } from './pool-cluster.ts'
import { bound, type Replica, useReplicas } from './replicas.ts'

export type PoolClaims = ReturnType<typeof usePoolClaims>

/**
 * A controller, a replica that claims and marks, and what tests ask of the pods between them. Undefined for `marks`: the
 * replica marks through the cluster's own client; null: it does not mark.
 */
export function usePoolClaims(c: PoolCluster, marks?: () => KubeClient | null) {
  const startReplica = useReplicas(() => c.db)
  let marker: PodMarker
  const state = {
    controller: undefined as RunningController | undefined,
    replica: undefined as unknown as Replica,
    /** Begins to act on pools; `stop` it to let a test change things behind its back. */
    async lead() {
      state.controller = await c.start({
        match: (pools) => state.replica.service.match(pools),
        tuning: { resyncMs: 500 },
      })
    },
    async rest() {
      await state.controller?.stop()
      state.controller = undefined
    },
    async claim(body: object): Promise<Instance> {
      const [instance] = bound(await state.replica.claim(body))
      if (instance === undefined) throw new Error('bound to nothing')
      return instance
    },
    release: (instance: Instance) => state.replica.service.release(instance.id),
    get: (instance: Instance) => state.replica.service.get(instance.id),
    /** Every pod that the pool made and that is there, those on their way out apart. */
    async pods(pool: string): Promise<V1Pod[]> {
      const uid = (await c.row(pool))?.uid
      const { items } = await c.kube.list(resources.pods, { namespace: c.namespace })
      return items.filter(
        (pod) =>
          pod.metadata?.annotations?.['podyard.io/pool-uid'] === uid && pod.metadata?.deletionTimestamp === undefined,
      )
    },
    async pod(instance: Instance): Promise<V1Pod | undefined> {
      const { items } = await c.kube.list(resources.pods, {
        namespace: c.namespace,
        fieldSelector: `metadata.name=${instance.podName}`,
      })
      return items.find((pod) => pod.metadata?.uid === instance.podUid)
    },
    /** Names of the pods that can be had. */
    async ready(pool: string): Promise<string[]> {
      const rows = await c.db.query<{ pod_name: string }>(
        'select pod_name from ready r join pool p on p.id = r.pool_id where p.name = $1 order by r.seq',
        [pool],
      )
      return rows.map((row) => row.pod_name)
    },
    /** Waits until so many pods of the pool can be had, and as many as `there` exist. */
    async settles(pool: string, ready: number, there = ready): Promise<string[]> {
      return eventually(`${ready} pods of ${pool} can be had, ${there} are there`, async () => {
        const [names, pods] = [await state.ready(pool), await state.pods(pool)]
        return { isDone: names.length === ready && pods.length === there, value: names }
      })
    },
    isMarked: (instance: Instance) =>
      eventually(`${instance.podName} bears its mark`, async () => {
        const pod = await state.pod(instance)
        return { isDone: pod?.metadata?.annotations?.['podyard.io/instance'] === instance.id, value: pod }
      }),
    isGone: (instance: Instance) =>
      eventually(`${instance.podName} is gone`, async () => {
        const pod = await state.pod(instance)
        return { isDone: pod === undefined, value: pod }
      }),
    async retired(pool: string): Promise<string[]> {
      const rows = await c.db.query<{ reason: string }>(
        'select reason from retired r join pool p on p.id = r.pool_id where p.name = $1 order by no',
        [pool],
      )
      return rows.map((row) => row.reason)
    },
  }

  beforeEach(async () => {
    const kube = marks === undefined ? c.kube : marks()
    marker = createPodMarker({ db: c.db, kube: () => kube ?? undefined, metrics: c.metrics, retryMs: 10 })
    state.replica = startReplica({
      announceWork: c.changes.announceWork,
      ...(kube === null ? {} : { marker }),
    })
    await state.lead()
  })
  afterEach(async () => {
    await marker.idle()
    // Instances hold pods beyond their pools.
    for (const { id } of await c.db.query<{ id: string }>('select id from instance'))
      await state.replica.service.release(id)
    for (const { name } of await c.db.query<{ name: string }>('select name from pool where status <> 6'))
      await c.service.remove({ id: name, group: '' })
    if (state.controller === undefined) await state.lead()
    await eventually('nothing is left of the test', async () => {
      const { items } = await c.kube.list(resources.pods, {
        namespace: c.namespace,
        labelSelector: 'app.kubernetes.io/managed-by=podyard',
      })
      const pools = await c.db.query('select name, status, msg_notes from pool')
      return { isDone: items.length === 0 && pools.length === 0, value: [items.map((i) => i.metadata?.name), pools] }
    })
    await state.rest()
  })
  return state
}
