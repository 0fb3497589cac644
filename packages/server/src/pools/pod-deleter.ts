import type { V1Pod } from '@kubernetes/client-node'
import { KubeError, type Reflector, resources } from '../kube/types.ts'
import type { RetriedFailure } from './cluster-failure.ts'
import { toPodView } from './observed.ts'
import type { Step } from './plan-types.ts'
import type { RetiredPod } from './pod-holds.ts'
import type { PoolEntry } from './pool-entry.ts'
import { deletionStory } from './pool-events-text.ts'
import type { PoolSteps } from './pool-steps.ts'

export type PodDeleterOptions = {
  readonly steps: PoolSteps
  readonly pods: Reflector<V1Pod>
  readonly entryBySeq: (poolSeq: number) => PoolEntry | undefined
  /** The cluster says that there is no such pod. */
  readonly onGone: (uid: string) => void
  /** Nothing more is begun. */
  readonly stopping: AbortSignal
}

/**
 * Deletes retired pods on the cluster, each until it is gone. Within the controller's bound on writes; what the cluster
 * refuses is tried again with the pool's backoff, by one pod at first.
 */
export type PodDeleter = {
  /** Pods that the table has; those that are known already are left alone. */
  add(pods: readonly Retiree[]): void
  /** The plan wants these gone now, whatever is known of them. */
  order(pods: readonly Retiree[]): void
  /** Looks again at pods that were left to others for a while. */
  look(): void
  onPodGone(uid: string): void
  /** Resolves when no call is under way. */
  idle(): Promise<void>
}

/** Pods of one pool; those of pools that are gone have one together. */
type Lane = {
  readonly entry: PoolEntry | undefined
  readonly failures: Map<Step, RetriedFailure>
  waiting: Item[]
  inFlight: number
  timer: NodeJS.Timeout | undefined
  /** Names for the pool's story, by reason. */
  told: Map<string, string[]>
}

/** A retired pod, wherever it is known from. */
export type Retiree = Omit<RetiredPod, 'no'>

type Item = { readonly pod: Retiree; readonly seenAt: number; isSent: boolean }

/** A ReplicaSet that is made smaller takes its victims itself; deleted by us before, they would be replaced. */
const leftToSetMs = 10_000

/** A delete that was accepted so long ago, of a pod that no watch shows. */
const forgottenMs = 60_000

/** A pod that ends sooner was of no use, and the next one may be of none either. */
const youngMs = 600_000

export function createPodDeleter({ steps, pods, entryBySeq, onGone, stopping }: PodDeleterOptions): PodDeleter {
  const { kube, now } = steps
  const items = new Map<string, Item>()
  const lanes = new Map<number | undefined, Lane>()
  const background = new Set<Promise<void>>()

  function laneOf(poolId: number): Lane {
    const entry = entryBySeq(poolId)
    const key = entry?.pool.seq
    let lane = lanes.get(key)
    if (lane === undefined || lane.entry !== entry) {
      lane = {
        entry,
        failures: entry?.failures ?? new Map(),
        waiting: [],
        inFlight: 0,
        timer: undefined,
        told: new Map(),
      }
      lanes.set(key, lane)
    }
    return lane
  }

  function seen({ namespace, name, uid }: Retiree): V1Pod | undefined {
    const pod = pods.get(namespace, name)
    return pod?.metadata?.uid === uid ? pod : undefined
  }

  /** Somebody else is about to take it away. */
  function isLeftToOthers({ pod, seenAt }: Item): boolean {
    // With the Deployment, by the garbage collector.
    if (pod.reason === 'deleted') return entryBySeq(pod.poolId) !== undefined
    if (pod.reason !== 'shrunk' && pod.reason !== 'drained') return false
    const owner = seen(pod)?.metadata?.ownerReferences?.find((reference) => reference.controller === true)
    return owner?.kind === 'ReplicaSet' && now() - seenAt < leftToSetMs
  }

  function take(pod: Retiree): void {
    const isNews = !items.has(pod.uid)
    const item = { pod, seenAt: now(), isSent: false }
    items.set(pod.uid, item)
    const entry = entryBySeq(pod.poolId)
    entry?.held.delete(pod.uid)
    const there = seen(pod)
    // One that is gone already would be kept in mind for ever.
    if (entry !== undefined && there !== undefined) {
      // Before the pool is looked at again: its next pod waits for it.
      if (isNews && pod.reason === 'finished') tellLost(entry, there)
      entry.retired.add(pod.uid)
      steps.wake(entry.pool.uid)
    }
    send(item)
  }

  function tellLost(entry: PoolEntry, pod: V1Pod): void {
    const { name, createdAt, trouble } = toPodView(pod)
    if (now() - createdAt < youngMs) steps.lost(entry, `pod ${name} ended: ${trouble ?? 'nothing says why'}`)
  }

  function send(item: Item): void {
    if (item.isSent || isLeftToOthers(item)) return
    const pod = seen(item.pod)
    // Told so already: only its end is waited for.
    if (pod?.metadata?.deletionTimestamp !== undefined) return
    item.isSent = true
    const lane = laneOf(item.pod.poolId)
    lane.waiting.push(item)
    dispatch(lane)
  }

  function dispatch(lane: Lane): void {
    clearTimeout(lane.timer)
    while (lane.waiting.length > 0 && !stopping.aborted) {
      const failure = lane.failures.get('delete')
      const waitMs = failure === undefined ? 0 : failure.retryAt - now()
      if (waitMs > 0) {
        lane.timer = setTimeout(() => dispatch(lane), Math.min(waitMs, 60_000))
        return
      }
      // One shows whether deletions are possible again.
      if (failure !== undefined && lane.inFlight > 0) return
      const item = lane.waiting.shift()
      if (item === undefined || !items.has(item.pod.uid)) continue
      lane.inFlight += 1
      const work = remove(lane, item).finally(() => {
        background.delete(work)
        lane.inFlight -= 1
        if (lane.inFlight === 0) tell(lane)
        dispatch(lane)
      })
      background.add(work)
      if (failure !== undefined) return
    }
  }

  async function remove(lane: Lane, item: Item): Promise<void> {
    const { uid, name, namespace, reason } = item.pod
    let isThere = true
    const isDone = await steps.attempt(lane, 'delete', async () => {
      try {
        const options = { preconditions: { uid }, ...steps.callOptions }
        isThere = (await kube.delete(resources.pods, { namespace, name }, options)) === 'deleted'
      } catch (error) {
        // Another pod has the name by now: ours is gone.
        if (!(error instanceof KubeError) || error.code !== 409) throw error
        isThere = false
      }
    })
    if (!isDone) {
      lane.waiting.unshift(item)
      return
    }
    if (!isThere) {
      items.delete(uid)
      onGone(uid)
    }
    const { entry } = lane
    if (entry === undefined) return
    if (isThere && seen(item.pod) !== undefined) entry.deleting.add(uid)
    const names = lane.told.get(reason)
    if (names === undefined) lane.told.set(reason, [name])
    else names.push(name)
    steps.wake(entry.pool.uid)
  }

  /** One line for all the pods of a wave. */
  function tell({ entry, told }: Lane): void {
    for (const [reason, names] of told) {
      const event = deletionStory(reason, names)
      if (event !== undefined) entry?.events.push(event)
    }
    if (told.size > 0 && entry !== undefined) steps.wake(entry.pool.uid)
    told.clear()
  }

  return {
    add(retired) {
      for (const pod of retired) if (!items.has(pod.uid)) take(pod)
    },
    order(retired) {
      for (const pod of retired) if (items.get(pod.uid)?.isSent !== true) take(pod)
    },
    look() {
      for (const [uid, item] of items) {
        send(item)
        // No watch will tell of the end of a pod that none has shown; if its row is still open, it is read again.
        if (item.isSent && now() - item.seenAt > forgottenMs && seen(item.pod) === undefined) items.delete(uid)
      }
      for (const [key, lane] of lanes) {
        dispatch(lane)
        if (lane.waiting.length === 0 && lane.inFlight === 0) lanes.delete(key)
      }
    },
    onPodGone(uid) {
      items.delete(uid)
    },
    async idle() {
      while (background.size > 0) await Promise.all(background)
      for (const lane of lanes.values()) clearTimeout(lane.timer)
    },
  }
}
