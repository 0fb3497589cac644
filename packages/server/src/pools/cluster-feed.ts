import type { V1Deployment, V1Pod, V1ReplicaSet, V2HorizontalPodAutoscaler } from '@kubernetes/client-node'
import type { KubeObject, Reflector } from '../kube/types.ts'
import { deploymentName } from './names.ts'
import { poolUidOfPod, poolUidOfReplicaSet } from './observed.ts'
import type { PodIndex } from './pod-index.ts'
import type { PoolEntry } from './pool-entry.ts'

export type PoolReflectors = {
  readonly deployments: Reflector<V1Deployment>
  readonly pods: Reflector<V1Pod>
  readonly replicaSets: Reflector<V1ReplicaSet>
  readonly horizontalPodAutoscalers: Reflector<V2HorizontalPodAutoscaler>
}

const isLeaving = (entry: PoolEntry, uid: string) => entry.deleting.has(uid) || entry.retired.has(uid)

export type ClusterFeedOptions = {
  readonly reflectors: PoolReflectors
  readonly namespace: string
  readonly index: PodIndex
  readonly entryByUid: (poolUid: string) => PoolEntry | undefined
  readonly entryById: (poolId: string) => PoolEntry | undefined
  /** A pod of the pool ended before it was ever ready, and Podyard did not delete it. */
  readonly onLost: (entry: PoolEntry, why: string) => void
  readonly wake: (poolUid: string) => void
  /** Nothing is to be done at once: the Deployment of a fixed pool makes its pods. */
  readonly wakeLazily: (poolUid: string) => void
  readonly now: () => number
}

/** Takes what the reflectors tell into the index and the entries, and wakes the pool that each change is about. */
export type ClusterFeed = {
  /** Takes in what the reflectors hold already; call it when their first lists are in. */
  seed(): void
  stop(): void
}

export function startClusterFeed(options: ClusterFeedOptions): ClusterFeed {
  const { reflectors, namespace, index, now } = options
  const isHere = (object: KubeObject | undefined) => object?.metadata?.namespace === namespace

  /** Deployments and autoscalers are found by name: one of somebody else's is the pool's business, too. */
  function onNamed(
    kind: 'deployment' | 'hpa',
    tail: string,
    before: KubeObject | undefined,
    after: KubeObject | undefined,
  ): void {
    const object = after ?? before
    const { name = '' } = object?.metadata ?? {}
    const head = deploymentName('')
    if (!isHere(object) || !name.startsWith(head) || !name.endsWith(tail)) return
    const entry = options.entryById(name.slice(head.length, name.length - tail.length))
    if (entry === undefined) return
    if (after === undefined) {
      const uid = before?.metadata?.uid ?? ''
      if (entry[kind]?.object.metadata?.uid === uid) entry[kind] = undefined
      entry.deleting.delete(uid)
    }
    options.wake(entry.pool.uid)
  }

  function wakeForPods({ pool }: PoolEntry): void {
    if (pool.scalable) options.wake(pool.uid)
    else options.wakeLazily(pool.uid)
  }

  function onReplicaSet(before: V1ReplicaSet | undefined, after: V1ReplicaSet | undefined): void {
    const object = after ?? before
    const poolUid = object === undefined || !isHere(object) ? undefined : poolUidOfReplicaSet(object)
    if (poolUid === undefined) return
    if (after !== undefined) index.putReplicaSet(after)
    else if (before !== undefined) index.removeReplicaSet(before)
    const entry = options.entryByUid(poolUid)
    if (entry !== undefined) wakeForPods(entry)
  }

  function onPod(before: V1Pod | undefined, after: V1Pod | undefined): void {
    if (!isHere(after ?? before)) return
    // Its mark is what ties it to a pool: a pod that lost it, or has another, is gone for the former one.
    const poolUid = after === undefined ? undefined : index.putPod(after, now())
    if (before !== undefined && after === undefined) tellLost(before)
    if (before !== undefined && poolUid !== poolUidOfPod(before)) {
      const former = after === undefined ? index.removePod(before, now()) : index.dropPod(before)
      onPodOf(former, before, after)
    }
    onPodOf(poolUid, before, after)
  }

  /** Somebody deletes what Podyard makes, maybe as fast as it is made. */
  function tellLost(pod: V1Pod): void {
    const uid = pod.metadata?.uid ?? ''
    const entry = options.entryByUid(poolUidOfPod(pod) ?? '')
    const owner = pod.metadata?.ownerReferences?.find((reference) => reference.controller === true)
    if (entry === undefined || isLeaving(entry, uid) || owner?.kind !== 'Deployment') return
    if (!index.hasBeenReady(pod))
      options.onLost(entry, `pod ${pod.metadata?.name} was deleted by somebody else before it was ready`)
  }

  function onPodOf(poolUid: string | undefined, before: V1Pod | undefined, after: V1Pod | undefined): void {
    const entry = poolUid === undefined ? undefined : options.entryByUid(poolUid)
    if (entry === undefined) return
    if (after === undefined) {
      const uid = before?.metadata?.uid ?? ''
      for (const uids of [entry.deleting, entry.retired, entry.held]) uids.delete(uid)
    }
    wakeForPods(entry)
  }

  const unsubscribe = [
    reflectors.deployments.subscribe(({ before, after }) => onNamed('deployment', '', before, after)),
    reflectors.horizontalPodAutoscalers.subscribe(({ before, after }) => onNamed('hpa', '-hpa', before, after)),
    reflectors.replicaSets.subscribe(({ before, after }) => onReplicaSet(before, after)),
    reflectors.pods.subscribe(({ before, after }) => onPod(before, after)),
  ]

  return {
    seed() {
      for (const replicaSet of reflectors.replicaSets.values()) onReplicaSet(undefined, replicaSet)
      for (const pod of reflectors.pods.values()) onPod(undefined, pod)
    },
    stop() {
      for (const end of unsubscribe) end()
    },
  }
}
