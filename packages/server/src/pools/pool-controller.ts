import type { Backoff } from '../kube/backoff.ts'
import { sleep } from '../kube/deadline.ts'
import type { KubeClient } from '../kube/types.ts'
import type { Database } from '../store/database.ts'
import { type Lease, LeaseLost } from '../store/lease.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { defaultRetry, pauseMsOf } from './cluster-failure.ts'
import { type PoolReflectors, startClusterFeed } from './cluster-feed.ts'
import { createLimiter } from './limiter.ts'
import { autoscalerName, deploymentName } from './names.ts'
import { createPodIndex } from './pod-index.ts'
import type { Pool } from './pool.ts'
import { createPoolActions } from './pool-actions.ts'
import type { ChangedPools, PoolChanges } from './pool-changes.ts'
import { build, createEntry, currentDeployment, currentHpa, observe, type PoolEntry } from './pool-entry.ts'
import { poolMetrics } from './pool-metrics.ts'
import { createReconciler } from './pool-reconciler.ts'
import { resyncPools } from './pool-resync.ts'
import { createPoolRows } from './pool-rows.ts'
import { createPoolScenes, type PoolScenes } from './pool-scenes.ts'
import { createPoolSteps } from './pool-steps.ts'
import { createStatusWriter } from './status-writer.ts'
import type { PoolTemplate } from './template.ts'
import { createWorkQueue } from './work-queue.ts'

export type PoolControllerDeps = {
  readonly db: Database
  /** Fences every write to the database. Undefined: not fenced (tests with one process). */
  readonly lease: Lease | undefined
  readonly kube: KubeClient
  /** Their first lists must begin after the lease was taken: what a predecessor made is counted from them. */
  readonly reflectors: PoolReflectors
  /** Where pools run. */
  readonly namespace: string
  readonly template: PoolTemplate
  readonly poolChanges: Pick<PoolChanges, 'onPoolsChanged'>
  readonly logger: Logger
  readonly metrics: Metrics
  readonly clock?: PoolClock
  readonly tuning?: Partial<PoolControllerTuning>
}

export type PoolClock = {
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** In [0, 1). */
  readonly random: () => number
}

export type PoolControllerTuning = {
  /** Writes to the Kubernetes API at the same time. */
  readonly maxWrites: number
  /** Pools worked on at the same time. */
  readonly concurrency: number
  /** Milliseconds between two looks at one pool: a burst of events is one look. */
  readonly restMs: number
  /** Milliseconds between two looks at everything. */
  readonly resyncMs: number
  /** What was written to the cluster and has not shown up in a reflector for so many milliseconds is given up. */
  readonly phantomMs: number
  /** Between tries of a step that the cluster refuses. */
  readonly retry: Backoff
  /** Milliseconds that calls which are under way get when the controller has to stop. */
  readonly stopGraceMs: number
}

const defaultTuning: PoolControllerTuning = {
  maxWrites: 16,
  concurrency: 64,
  restMs: 15,
  resyncMs: 30_000,
  phantomMs: 30_000,
  retry: defaultRetry,
  stopGraceMs: 1_000,
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
    const index = createPodIndex()
    const stop = new AbortController()
    const stopping = AbortSignal.any([signal, stop.signal])
    const calls = new AbortController()
    const load = { failing: 0 }
    let fatal: unknown

    const queue = createWorkQueue({
      process: async (uid) => {
        const entry = entries.get(uid)
        if (entry !== undefined) await reconciler.reconcile(entry)
      },
      concurrency: tuning.concurrency,
      restMs: tuning.restMs,
      backoff,
      random,
      now,
      onError(uid, error) {
        if (error instanceof LeaseLost) {
          fatal ??= error
          stop.abort(error)
        }
        if (stopping.aborted) return
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
      } else {
        // A read that began before our last write ended tells the past.
        if (pool.version <= entry.pool.version) return
        // Somebody changed the pool: what was refused before may be taken now. (Not for what we wrote ourselves and read
        // again: a pool whose pods come and go would never back off.)
        const isAsked =
          pool.status !== entry.pool.status || JSON.stringify(pool.spec) !== JSON.stringify(entry.pool.spec)
        if (isAsked) entry.failures.clear()
        entry.pool = pool
        entry.built = build(pool, template, namespace)
      }
      queue.add(pool.uid)
    }

    function drop(uid: string): void {
      const entry = entries.get(uid)
      if (entry === undefined) return
      entries.delete(uid)
      if (uidsById.get(entry.pool.id) === uid) uidsById.delete(entry.pool.id)
      queue.forget(uid)
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
    const actions = createPoolActions(steps)
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
    })
    const feed = startClusterFeed({
      reflectors,
      namespace,
      index,
      entryByUid: (uid) => entries.get(uid),
      entryById: (id) => entries.get(uidsById.get(id) ?? ''),
      onLost: steps.lost,
      wake: queue.add,
      now,
    })

    // Calls that are under way are not cut at once: most of them end, and what they did is known.
    let grace: NodeJS.Timeout | undefined
    stopping.addEventListener('abort', () => (grace = setTimeout(() => calls.abort(), tuning.stopGraceMs)), {
      once: true,
    })
    const stopListening = deps.poolChanges.onPoolsChanged(onPoolsChanged)
    try {
      const synced = Promise.all(Object.values(reflectors).map((reflector) => reflector.synced))
      await Promise.race([synced, aborted(stopping)])
      if (stopping.aborted) return
      feed.seed()
      await rows.read('all')
      scenes.attach({ entries, index, wake: queue.add })
      await Promise.all([
        queue.run(stopping),
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
      await actions.idle()
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
