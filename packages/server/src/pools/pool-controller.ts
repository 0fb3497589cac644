import { sleep } from '../kube/deadline.ts'
import type { KubeClient } from '../kube/types.ts'
import type { Database } from '../store/database.ts'
import { type Lease, LeaseLost } from '../store/lease.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { pauseMsOf } from './cluster-failure.ts'
import { startClusterFeed } from './cluster-feed.ts'
import { createLimiter } from './limiter.ts'
import { autoscalerName, deploymentName } from './names.ts'
import type { PodHolds } from './pod-holds.ts'
import { createPodIndex } from './pod-index.ts'
import { createPodKeeping, type PodKeepingOptions } from './pod-keeping.ts'
import { handsOut, type Pool } from './pool.ts'
import { createPoolActions } from './pool-actions.ts'
import type { ChangedPools, PoolChanges } from './pool-changes.ts'
import { build, createEntry, currentDeployment, currentHpa, observe, type PoolEntry } from './pool-entry.ts'
import { poolMetrics } from './pool-metrics.ts'
import { createReconciler } from './pool-reconciler.ts'
import { resyncPools } from './pool-resync.ts'
import { createPoolRows } from './pool-rows.ts'
import { createPoolScenes, type PoolScenes } from './pool-scenes.ts'
import { createPoolSteps } from './pool-steps.ts'
import { defaultTuning, type PoolClock, type PoolControllerTuning } from './pool-tuning.ts'
import { createStatusWriter } from './status-writer.ts'
import type { PoolTemplate } from './template.ts'
import { createWorkQueue } from './work-queue.ts'

export type PoolControllerDeps = {
  readonly db: Database
  /** Fences every write to the database. Undefined: not fenced (tests with one process). */
  readonly lease: Lease | undefined
  readonly kube: KubeClient
  /** Who may have which pod. */
  readonly holds: PodHolds
  /** Their first lists must begin after the lease was taken: what a predecessor made is counted from them. */
  readonly reflectors: PodKeepingOptions['reflectors']
  /** Where pools run. */
  readonly namespace: string
  readonly template: PoolTemplate
  readonly poolChanges: Pick<PoolChanges, 'onPoolsChanged' | 'onWork'>
  readonly logger: Logger
  readonly metrics: Metrics
  readonly clock?: PoolClock
  readonly tuning?: Partial<PoolControllerTuning>
}

const backoff = { baseMs: 100, maxMs: 30_000 }

export type PoolController = {
  /** Works until the signal aborts. Rejects when the lease is lost, or a reflector ends before its first list. */
  run(signal: AbortSignal): Promise<void>
  /** What it knows while it runs. */
  readonly scenes: PoolScenes
}

/**
 * Keeps the cluster as the pools' rows say, and the rows as the cluster is. Every pool is looked at when its row or one
 * of its objects changes: the plan says what to do (`plan.ts`), it is done, and the pool is looked at again until the
 * plan is empty. Any step may be cut off: the next start reads rows and cluster and goes on.
 */
export function createPoolController(deps: PoolControllerDeps): PoolController {
  const { db, reflectors, namespace, template, logger } = deps
  const tuning = { ...defaultTuning, ...deps.tuning }
  const { now, random } = deps.clock ?? { now: Date.now, random: Math.random }
  const metrics = poolMetrics(deps.metrics)
  const scenes = createPoolScenes()

  async function run(signal: AbortSignal): Promise<void> {
    const entries = new Map<string, PoolEntry>()
    /** Which pool has an id now: Deployments and autoscalers are found by name. */
    const uidsById = new Map<string, string>()
    const uidsBySeq = new Map<number, string>()
    const index = createPodIndex()
    const stop = new AbortController()
    const stopping = AbortSignal.any([signal, stop.signal])
    const calls = new AbortController()
    const load = { failing: 0 }
    let fatal: unknown

    /** Without the lease nothing can be written any more. */
    function isFatal(error: unknown): boolean {
      if (!(error instanceof LeaseLost)) return false
      fatal ??= error
      stop.abort(error)
      return true
    }

    const queue = createWorkQueue({
      process: async (uid) => {
        const entry = entries.get(uid)
        if (entry !== undefined) await reconciler.reconcile(entry)
      },
      concurrency: tuning.concurrency,
      restMs: tuning.restMs,
      longRestMs: tuning.fixedRestMs,
      backoff,
      random,
      now,
      onError(uid, error) {
        if (isFatal(error) || stopping.aborted) return
        metrics.failures.inc()
        logger.warn({ err: error, pool: entries.get(uid)?.pool.id }, 'a pool could not be reconciled; trying again')
      },
    })

    const rows = createPoolRows({
      db,
      signal: stopping,
      onRead(asked, pools) {
        const found = new Set(pools.map((pool) => pool.uid))
        // Those that are gone first: a pool made anew has the id of one of them.
        for (const uid of asked === 'all' ? [...entries.keys()] : asked) if (!found.has(uid)) drop(uid)
        for (const pool of pools) take(pool)
      },
      onError: (error) => logger.warn({ err: error }, 'pools could not be read; trying again'),
    })

    function take(pool: Pool): void {
      const entry = entries.get(pool.uid)
      if (entry === undefined) {
        entries.set(pool.uid, createEntry(pool, template, namespace))
        uidsById.set(pool.id, pool.uid)
        uidsBySeq.set(pool.seq, pool.uid)
        keeping.onPool(pool.uid)
      } else {
        // A read that began before our last write ended tells the past.
        if (pool.version <= entry.pool.version) return
        const before = entry.pool
        // Somebody changed the pool: what was refused before may be taken now. (Not for what we wrote ourselves and read
        // again: a pool whose pods come and go would never back off.)
        const isAsked =
          pool.status !== entry.pool.status || JSON.stringify(pool.spec) !== JSON.stringify(entry.pool.spec)
        if (isAsked) entry.failures.clear()
        entry.pool = pool
        entry.built = build(pool, template, namespace)
        if (handsOut(before) !== handsOut(pool)) keeping.onPool(pool.uid)
      }
      queue.add(pool.uid)
    }

    function drop(uid: string): void {
      const entry = entries.get(uid)
      if (entry === undefined) return
      entries.delete(uid)
      if (uidsById.get(entry.pool.id) === uid) uidsById.delete(entry.pool.id)
      uidsBySeq.delete(entry.pool.seq)
      queue.forget(uid)
      keeping.onPool(uid)
      metrics.degraded.remove(entry.pool.id)
    }

    function onPoolsChanged(pools: ChangedPools): void {
      void rows.read(pools)
      if (pools === 'all') return
      for (const uid of pools) {
        // Asked for again (a DELETE of a pool in status 6): what waits for its next try is tried at once.
        if (entries.get(uid)?.failures.delete('delete') === true) queue.add(uid)
      }
    }

    const look = (entry: PoolEntry) =>
      observe(
        entry,
        {
          deployment: reflectors.deployments.get(namespace, deploymentName(entry.pool.id)),
          hpa: reflectors.horizontalPodAutoscalers.get(namespace, autoscalerName(entry.pool.id)),
        },
        index,
      )
    const steps = createPoolSteps({
      kube: deps.kube,
      namespace,
      index,
      limit: createLimiter(tuning.maxWrites, pauseMsOf, stopping),
      metrics,
      retry: tuning.retry,
      failing: () => load.failing,
      now,
      random,
      signal: calls.signal,
      deploymentOf: (entry) =>
        currentDeployment(entry, reflectors.deployments.get(namespace, deploymentName(entry.pool.id))),
      hpaOf: (entry) =>
        currentHpa(entry, reflectors.horizontalPodAutoscalers.get(namespace, autoscalerName(entry.pool.id))),
      wake: queue.add,
    })
    const keeping = createPodKeeping({
      holds: deps.holds,
      steps,
      reflectors,
      namespace,
      entries,
      entryBySeq: (seq) => entries.get(uidsBySeq.get(seq) ?? ''),
      index,
      metrics,
      poolChanges: deps.poolChanges,
      resyncMs: tuning.resyncMs,
      onError(error) {
        if (isFatal(error)) return true
        logger.warn({ err: error }, 'who may have which pod could not be written; trying again')
        return false
      },
      signal: stopping,
    })
    const actions = createPoolActions(steps, keeping.actions)
    const reconciler = createReconciler({
      actions,
      writer: createStatusWriter(db, deps.lease),
      metrics,
      look,
      queue,
      now,
      signal: stopping,
      reread: (uid) => void rows.read([uid]),
      drop,
      onHandsOut: keeping.onPool,
    })
    const feed = startClusterFeed({
      reflectors,
      namespace,
      index,
      entryByUid: (uid) => entries.get(uid),
      entryById: (id) => entries.get(uidsById.get(id) ?? ''),
      onLost: steps.lost,
      wake: queue.add,
      wakeLazily: queue.addLazily,
      now,
    })

    // Calls that are under way are not cut at once: most of them end, and what they did is known.
    let grace: NodeJS.Timeout | undefined
    stopping.addEventListener('abort', () => (grace = setTimeout(() => calls.abort(), tuning.stopGraceMs)), {
      once: true,
    })
    const stopListening = deps.poolChanges.onPoolsChanged(onPoolsChanged)
    try {
      // Nodes are waited for by what needs them.
      const { nodes: _, ...needed } = reflectors
      const synced = Promise.all(Object.values(needed).map((reflector) => reflector.synced))
      await Promise.race([synced, aborted(stopping)])
      if (stopping.aborted) return
      feed.seed()
      await rows.read('all')
      scenes.attach({ entries, index, wake: queue.add })
      await Promise.all([
        queue.run(stopping),
        keeping.run(),
        resyncPools({
          ...tuning,
          entries,
          index,
          reflectors,
          namespace,
          metrics,
          look,
          queue,
          rows,
          load,
          now,
          signal: stopping,
        }),
      ])
    } finally {
      stop.abort()
      scenes.detach()
      feed.stop()
      stopListening()
      await Promise.all([actions.idle(), keeping.stop()])
      clearTimeout(grace)
    }
    if (fatal !== undefined) throw fatal
  }

  return { run, scenes }
}

function aborted(signal: AbortSignal): Promise<void> {
  // sleep() of more than a day and `for ever` are the same to a signal that ends it.
  return sleep(2 ** 31 - 1, signal).catch(() => {})
}
