import type { V1Pod, V1ReplicaSet } from '@kubernetes/client-node'
import { poolUidOfPod, replicaTrouble, toPodView } from './observed.ts'
import type { PodView } from './plan-types.ts'

/**
 * The pods of every pool, found by the pool's uid, and which Deployment a ReplicaSet belongs to: an event costs the same
 * however many pods there are. Fed by the reflectors and by the answers to our own writes, whichever comes first.
 */
export type PodIndex = {
  /** Takes a pod in, unless a newer state of it is known; the pool that it belongs to. */
  putPod(pod: V1Pod, atMs: number): string | undefined
  /** It was deleted: a late answer to its creation does not bring it back. */
  removePod(pod: V1Pod, atMs: number): string | undefined
  /** It is no pod of a pool any more. */
  dropPod(pod: V1Pod): string | undefined
  podsOf(poolUid: string): Iterable<PodView>
  /** As far as it was watched: a pod that is on its way out is not ready any more. */
  hasBeenReady(pod: V1Pod): boolean
  /** Pods that were taken in before `untilMs` and that `isThere` denies are dropped: returns how many. */
  dropPhantoms(poolUid: string, untilMs: number, isThere: (pod: PodView) => boolean): number
  putReplicaSet(replicaSet: V1ReplicaSet): void
  removeReplicaSet(replicaSet: V1ReplicaSet): void
  /** The uid of the Deployment that controls this ReplicaSet. */
  deploymentOf(replicaSetUid: string): string | undefined
  /** Why pods of the Deployment's ReplicaSets cannot be made. */
  troubleOf(deploymentUid: string): string | undefined
  /** Pods that became ready for the first time since this was asked last, at most 10,000. */
  takeRefills(): readonly Refill[]
  /** Forgets which pods were removed before `untilMs`. */
  forgetRemoved(untilMs: number): void
}

/** How long a pod took from its creation to its first readiness. */
export type Refill = { readonly poolUid: string; readonly milliseconds: number }

type Entry = {
  readonly view: PodView
  readonly version: string
  /** When its first and its latest state were taken in. */
  readonly firstAt: number
  readonly putAt: number
  readonly wasReady: boolean
}
type SetEntry = { readonly deploymentUid: string; readonly trouble: string | undefined }

function putEntry(pod: V1Pod, version: string, putAt: number, known: Entry | undefined): Entry {
  const view = toPodView(pod)
  const readySince = view.isReady ? (known?.view.readySince ?? putAt) : undefined
  const wasReady = view.isReady || known?.wasReady === true
  return {
    view: { ...view, readySince, hasBeenReady: wasReady },
    version,
    firstAt: known?.firstAt ?? putAt,
    putAt,
    wasReady,
  }
}

/** A cluster tells creation in whole seconds: where the pod was seen within two of it, our own clock is the better one. */
function refillOf(entry: Entry): number {
  const { createdAt } = entry.view
  const sinceFirst = entry.putAt - entry.firstAt
  return entry.firstAt - createdAt < 2_000 ? sinceFirst : Math.max(sinceFirst, entry.putAt - createdAt)
}

const maxRefills = 10_000

export function createPodIndex(): PodIndex {
  const pools = new Map<string, Map<string, Entry>>()
  const removed = new Map<string, number>()
  const sets = new Map<string, SetEntry>()
  const setsOf = new Map<string, Set<string>>()
  let refills: Refill[] = []

  function drop(poolUid: string, uid: string): void {
    const pods = pools.get(poolUid)
    pods?.delete(uid)
    if (pods?.size === 0) pools.delete(poolUid)
  }

  return {
    putPod(pod, atMs) {
      const poolUid = poolUidOfPod(pod)
      const { uid, resourceVersion = '' } = pod.metadata ?? {}
      // The answer to a create may come after the pod's whole life was told.
      if (poolUid === undefined || uid === undefined || removed.has(uid)) return undefined
      let pods = pools.get(poolUid)
      if (pods === undefined) {
        pods = new Map()
        pools.set(poolUid, pods)
      }
      const known = pods.get(uid)
      if (known === undefined || isNewer(resourceVersion, known.version)) {
        const entry = putEntry(pod, resourceVersion, atMs, known)
        pods.set(uid, entry)
        // One that is ready when it is first seen may have been so for long.
        if (known?.wasReady === false && entry.wasReady && refills.length < maxRefills)
          refills.push({ poolUid, milliseconds: refillOf(entry) })
      }
      return poolUid
    },
    removePod(pod, atMs) {
      const poolUid = poolUidOfPod(pod)
      const uid = pod.metadata?.uid
      if (poolUid === undefined || uid === undefined) return undefined
      removed.set(uid, atMs)
      drop(poolUid, uid)
      return poolUid
    },
    dropPod(pod) {
      const poolUid = poolUidOfPod(pod)
      if (poolUid !== undefined) drop(poolUid, pod.metadata?.uid ?? '')
      return poolUid
    },
    hasBeenReady: (pod) => pools.get(poolUidOfPod(pod) ?? '')?.get(pod.metadata?.uid ?? '')?.wasReady === true,
    *podsOf(poolUid) {
      for (const entry of pools.get(poolUid)?.values() ?? []) yield entry.view
    },
    dropPhantoms(poolUid, untilMs, isThere) {
      let dropped = 0
      for (const [uid, entry] of [...(pools.get(poolUid) ?? [])]) {
        if (entry.putAt >= untilMs || isThere(entry.view)) continue
        drop(poolUid, uid)
        dropped += 1
      }
      return dropped
    },
    putReplicaSet(replicaSet) {
      const uid = replicaSet.metadata?.uid
      const owner = replicaSet.metadata?.ownerReferences?.find((r) => r.controller === true && r.kind === 'Deployment')
      if (uid === undefined) return
      this.removeReplicaSet(replicaSet)
      if (owner === undefined) return
      sets.set(uid, { deploymentUid: owner.uid, trouble: replicaTrouble(replicaSet) })
      const siblings = setsOf.get(owner.uid) ?? new Set()
      siblings.add(uid)
      setsOf.set(owner.uid, siblings)
    },
    removeReplicaSet(replicaSet) {
      const uid = replicaSet.metadata?.uid ?? ''
      const known = sets.get(uid)
      if (known === undefined) return
      sets.delete(uid)
      const siblings = setsOf.get(known.deploymentUid)
      siblings?.delete(uid)
      if (siblings?.size === 0) setsOf.delete(known.deploymentUid)
    },
    deploymentOf: (replicaSetUid) => sets.get(replicaSetUid)?.deploymentUid,
    troubleOf(deploymentUid) {
      for (const uid of setsOf.get(deploymentUid) ?? []) {
        const trouble = sets.get(uid)?.trouble
        if (trouble !== undefined) return trouble
      }
      return undefined
    },
    takeRefills() {
      const taken = refills
      refills = []
      return taken
    },
    forgetRemoved(untilMs) {
      for (const [uid, at] of removed) if (at < untilMs) removed.delete(uid)
    },
  }
}

/**
 * Versions of one resource are decimal numbers that grow (Kubernetes 1.35 says so; etcd's always were). They may be
 * beyond 2^53, so they are compared as text.
 */
export function isNewer(a: string, b: string): boolean {
  return a.length === b.length ? a > b : a.length > b.length
}
