import type { V1Node } from '@kubernetes/client-node'
import { sleep } from '../kube/deadline.ts'
import type { Reflector } from '../kube/types.ts'
import type { PoolReflectors } from './cluster-feed.ts'
import { createPodActions, type PodActions } from './pod-actions.ts'
import { createPodDeleter } from './pod-deleter.ts'
import { createPodEligibility, type Orphan } from './pod-eligibility.ts'
import type { PodHolds } from './pod-holds.ts'
import type { PodIndex } from './pod-index.ts'
import type { PoolChanges } from './pool-changes.ts'
import type { PoolEntry } from './pool-entry.ts'
import type { PoolMetrics } from './pool-metrics.ts'
import type { PoolSteps } from './pool-steps.ts'
import { runPoolWork } from './pool-work.ts'

export type PodKeepingOptions = {
  readonly holds: PodHolds
  readonly steps: PoolSteps
  readonly reflectors: PoolReflectors & { readonly nodes: Reflector<V1Node> }
  readonly namespace: string
  readonly entries: ReadonlyMap<string, PoolEntry>
  /** By `Pool.seq`. */
  readonly entryBySeq: (poolSeq: number) => PoolEntry | undefined
  readonly index: PodIndex
  readonly metrics: PoolMetrics
  readonly poolChanges: Pick<PoolChanges, 'onWork'>
  /** True: this can never succeed, and nothing is tried again. */
  readonly onError: (error: unknown) => boolean
  /** Milliseconds between two comparisons of the tables with the cluster. */
  readonly resyncMs: number
  readonly signal: AbortSignal
}

/** Keeps the tables and the cluster in step about who may have which pod. */
export type PodKeeping = {
  readonly actions: PodActions
  /** Whether the pool's pods may be had may have changed. */
  onPool(poolUid: string): void
  run(): Promise<void>
  /** Stops listening, and resolves when no call is under way. */
  stop(): Promise<void>
}

export function createPodKeeping(options: PodKeepingOptions): PodKeeping {
  const { holds, steps, reflectors, namespace, entries, index, signal, onError } = options
  const eligibility = createPodEligibility({
    holds,
    pods: reflectors.pods,
    nodes: reflectors.nodes,
    namespace,
    entryByUid: (uid) => entries.get(uid),
    onError,
    signal,
  })
  const deleter = createPodDeleter({
    steps,
    pods: reflectors.pods,
    entryBySeq: options.entryBySeq,
    onGone: eligibility.onGone,
    stopping: signal,
  })
  const unsubscribe = reflectors.pods.subscribe(({ before, after }) => {
    if (after === undefined && before?.metadata?.uid !== undefined) deleter.onPodGone(before.metadata.uid)
  })

  /** Pods of claims that nobody knows: what is left of a database that was put back to an earlier state. */
  async function retireOrphans(orphans: readonly Orphan[]): Promise<void> {
    for (const { poolId, ...pod } of orphans) {
      const { retired } = await holds.retire(poolId, [pod], 'orphaned')
      if (retired.length > 0) deleter.order([{ ...pod, poolId, reason: 'orphaned' }])
    }
  }

  async function compare(): Promise<boolean> {
    try {
      const { corrections, orphans } = await eligibility.compare()
      await retireOrphans(orphans)
      options.metrics.holdCorrections.inc(corrections)
      return true
    } catch (error) {
      if (!signal.aborted) onError(error)
      return false
    }
  }

  return {
    actions: createPodActions({ steps, holds, deleter }),
    onPool(poolUid) {
      eligibility.onPods(index.podsOf(poolUid))
    },
    async run() {
      await Promise.race([reflectors.nodes.synced, sleep(2 ** 31 - 1, signal)]).catch(() => {})
      // What a predecessor left is taken over before anything is handed out.
      while (!signal.aborted && !(await compare())) await sleep(retryMs, signal).catch(() => {})
      if (signal.aborted) return
      const working = runPoolWork({
        holds,
        deleter,
        entries,
        index,
        wake: steps.wake,
        onWork: options.poolChanges.onWork,
        onError,
        signal,
      })
      while (!signal.aborted) {
        await sleep(options.resyncMs, signal).catch(() => {})
        if (!signal.aborted) await compare()
      }
      await working
    },
    async stop() {
      unsubscribe()
      eligibility.stop()
      await deleter.idle()
    },
  }
}

const retryMs = 1_000
