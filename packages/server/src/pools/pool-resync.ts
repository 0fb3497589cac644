import { sleep } from '../kube/deadline.ts'
import type { PoolReflectors } from './cluster-feed.ts'
import { autoscalerName, deploymentName, managedByLabel, managedByValue, poolUidAnnotation } from './names.ts'
import { planPool } from './plan.ts'
import type { PoolObserved } from './plan-types.ts'
import type { PodIndex } from './pod-index.ts'
import type { PoolEntry } from './pool-entry.ts'
import type { PoolMetrics } from './pool-metrics.ts'
import type { PoolRows } from './pool-rows.ts'
import type { WorkQueue } from './work-queue.ts'

export type ResyncOptions = {
  readonly entries: ReadonlyMap<string, PoolEntry>
  readonly index: PodIndex
  readonly reflectors: PoolReflectors
  readonly namespace: string
  readonly metrics: PoolMetrics
  readonly look: (entry: PoolEntry) => PoolObserved
  readonly queue: WorkQueue
  readonly rows: PoolRows
  /** Told how many steps wait after a failure: their retries share a budget. */
  readonly load: { failing: number }
  readonly now: () => number
  readonly resyncMs: number
  readonly phantomMs: number
  readonly signal: AbortSignal
}

/** Milliseconds between two counts of the pools, for the metrics. */
const countMs = 5_000
/** After as long without a lost pod, or without somebody's edit, the next one is the first again. */
const quietMs = 600_000

/**
 * Looks at everything now and then, beside the watches, and counts what it finds undone: in a healthy system that count
 * stays where it is. Also forgets what was written to the cluster and never showed up, and reads all rows again.
 */
export async function resyncPools(options: ResyncOptions): Promise<void> {
  const { entries, index, metrics, queue, now, signal, phantomMs } = options
  for (let lookAt = now() + options.resyncMs; ; ) {
    countPools(options)
    await sleep(Math.min(countMs, options.resyncMs), signal).catch(() => {})
    if (signal.aborted) return
    if (now() < lookAt) continue
    lookAt = now() + options.resyncMs
    let corrections = 0
    index.forgetRemoved(now() - 10 * phantomMs)
    for (const entry of entries.values()) {
      const phantoms = giveUpPhantoms(options, entry)
      // Refusals are forgotten when their step succeeds; what no step follows, when it has been quiet.
      for (const [step, { retryAt }] of entry.failures) if (retryAt < now() - quietMs) entry.failures.delete(step)
      // What somebody works on or waits for is not drift.
      const isAtRest = entry.creating.size === 0 && queue.isAtRest(entry.pool.uid)
      const plan = isAtRest ? planPool(entry.pool, options.look(entry), now()) : []
      const isUndone = plan.some((action) => action.kind !== 'wait-until')
      if (phantoms > 0 || isUndone) queue.add(entry.pool.uid)
      corrections += phantoms + (isUndone ? 1 : 0)
    }
    if (corrections > 0) metrics.corrections.inc(corrections)
    await options.rows.read('all')
  }
}

function giveUpPhantoms({ reflectors, namespace, index, now, phantomMs }: ResyncOptions, entry: PoolEntry): number {
  const until = now() - phantomMs
  const { id, uid } = entry.pool
  let found = 0
  if (entry.deployment !== undefined && entry.deployment.atMs < until) {
    if (reflectors.deployments.get(namespace, deploymentName(id)) === undefined) found += 1
    entry.deployment = undefined
  }
  if (entry.hpa !== undefined && entry.hpa.atMs < until) {
    if (reflectors.horizontalPodAutoscalers.get(namespace, autoscalerName(id)) === undefined) found += 1
    entry.hpa = undefined
  }
  const isThere = (pod: { readonly name: string; readonly uid: string }) =>
    reflectors.pods.get(namespace, pod.name)?.metadata?.uid === pod.uid
  return found + index.dropPhantoms(uid, until, isThere)
}

function countPools({ entries, reflectors, namespace, metrics, load, now }: ResyncOptions): void {
  metrics.pools.reset()
  metrics.waiting.reset()
  load.failing = 0
  for (const { pool, failures } of entries.values()) {
    metrics.pools.inc({ status: String(pool.status) })
    for (const [step, failure] of failures) {
      if (failure.retryAt <= now()) continue
      metrics.waiting.inc({ step })
      load.failing += 1
    }
  }
  let orphans = 0
  for (const { metadata } of reflectors.deployments.values()) {
    if (metadata?.namespace !== namespace || metadata.labels?.[managedByLabel] !== managedByValue) continue
    if (!entries.has(metadata.annotations?.[poolUidAnnotation] ?? '')) orphans += 1
  }
  metrics.orphans.set(orphans)
}
