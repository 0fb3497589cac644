import type { V1Deployment, V1Pod, V1ReplicaSet, V2HorizontalPodAutoscaler } from '@kubernetes/client-node'
import { sleep } from '../kube/deadline.ts'
import type { KubeClient, Reflector } from '../kube/types.ts'
import type { Database } from '../store/database.ts'
import { type Lease, LeaseLost } from '../store/lease.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { cleanText } from './cluster-failure.ts'
import { createLimiter } from './limiter.ts'
import { autoscalerName, deploymentName, managedByLabel, managedByValue, poolUidAnnotation } from './names.ts'
import { poolUidOfReplicaSet } from './observed.ts'
import { planPool } from './plan.ts'
import type { PoolAction, StatusWrite } from './plan-types.ts'
import { createPodIndex } from './pod-index.ts'
import type { Pool, PoolEventDraft } from './pool.ts'
import { createPoolActions, say } from './pool-actions.ts'
import type { ChangedPools, PoolChanges } from './pool-changes.ts'
import { build, createEntry, currentDeployment, currentHpa, observe, type PoolEntry } from './pool-entry.ts'
import { poolMetrics } from './pool-metrics.ts'
import { getPoolsByUid, listPools } from './pool-store.ts'
import { createStatusWriter } from './status-writer.ts'
import type { PoolTemplate } from './template.ts'
import { createWorkQueue } from './work-queue.ts'

export type PoolReflectors = {
  readonly deployments: Reflector<V1Deployment>
  readonly pods: Reflector<V1Pod>
  readonly replicaSets: Reflector<V1ReplicaSet>
  readonly horizontalPodAutoscalers: Reflector<V2HorizontalPodAutoscaler>
}

export type PoolControllerDeps = {
  readonly db: Database
  /** Fences every write to the database. Undefined: not fenced (tests with one process). */
  readonly lease: Lease | undefined
  readonly kube: KubeClient
  /** Their first lists must begin after the lease was taken: what a predecessor made is counted from them. */
  readonly reflectors: PoolReflectors
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
  /** Between two looks at one pool: a burst of events is one look. */
  readonly restMs: number
  /** Between two looks at everything. */
  readonly resyncMs: number
  /** What was written to the cluster and has not shown up in a reflector for so long is given up. */
  readonly phantomMs: number
  /** For calls that are under way when the controller has to stop. */
  readonly stopGraceMs: number
}

const defaultTuning: PoolControllerTuning = {
  maxWrites: 16,
  concurrency: 64,
  restMs: 15,
  resyncMs: 30_000,
  phantomMs: 30_000,
  stopGraceMs: 1_000,
}
const backoff = { baseMs: 100, maxMs: 30_000 }
/** Steps for one pool before the others get their turn. */
const maxRounds = 6

export type PoolController = {
  /** Works until the signal aborts. Rejects when the lease is lost, or a reflector ends before its first list. */
  run(signal: AbortSignal): Promise<void>
}

/**
 * Keeps the cluster as the pools' rows say, and the rows as the cluster is. Every pool is looked at when its row or one
 * of its objects changes: the plan says what to do (`plan.ts`), `pool-actions.ts` does it, and it is looked at again
 * until the plan is empty. Any step may be cut off: the next start reads rows and cluster and goes on.
 */
export function createPoolController(deps: PoolControllerDeps): PoolController {
  const { db, reflectors, namespace, template, logger } = deps
  const tuning = { ...defaultTuning, ...deps.tuning }
  const { now, random } = deps.clock ?? { now: Date.now, random: Math.random }
  const metrics = poolMetrics(deps.metrics)

  async function run(signal: AbortSignal): Promise<void> {
    const entries = new Map<string, PoolEntry>()
    /** Which pool has an id now: objects are found by name, too. */
    const uidsById = new Map<string, string>()
    const index = createPodIndex()
    const writer = createStatusWriter(db, deps.lease)
    const calls = new AbortController()
    const stop = new AbortController()
    const stopping = AbortSignal.any([signal, stop.signal])
    let fatal: unknown

    const queue = createWorkQueue({
      process: (uid) => reconcile(uid),
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
    const seenDeployment = (entry: PoolEntry) => reflectors.deployments.get(namespace, deploymentName(entry.pool.id))
    const seenHpa = (entry: PoolEntry) =>
      reflectors.horizontalPodAutoscalers.get(namespace, autoscalerName(entry.pool.id))
    const actions = createPoolActions({
      kube: deps.kube,
      namespace,
      index,
      limit: createLimiter(tuning.maxWrites),
      metrics,
      now,
      random,
      signal: calls.signal,
      deploymentOf: (entry) => currentDeployment(entry, seenDeployment(entry)),
      hpaOf: (entry) => currentHpa(entry, seenHpa(entry)),
      wake: (uid) => queue.add(uid),
      sleep,
    })

    // Rows

    function take(pool: Pool): void {
      const entry = entries.get(pool.uid)
      if (entry === undefined) {
        entries.set(pool.uid, createEntry(pool, template, namespace))
        uidsById.set(pool.id, pool.uid)
        queue.add(pool.uid)
        return
      }
      // A read that began before our last write ended tells the past.
      if (pool.version <= entry.pool.version) return
      entry.pool = pool
      entry.built = build(pool, template, namespace)
      // Somebody changed the pool: what was refused before may be taken now.
      entry.failures.clear()
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

    const changed = new Set<string>()
    let isAllChanged = true
    let isReading = false

    /** Reads what changed, one statement for everything that changed meanwhile; again and again while the database is down. */
    async function readRows(): Promise<void> {
      if (isReading) return
      isReading = true
      for (let failures = 0; !stopping.aborted && (isAllChanged || changed.size > 0); ) {
        const uids = [...changed]
        const isAll = isAllChanged
        changed.clear()
        isAllChanged = false
        try {
          const known = isAll ? [...entries.keys()] : uids
          const pools = await (isAll ? listPools(db) : getPoolsByUid(db, uids))
          const found = new Set(pools.map((pool) => pool.uid))
          // Before the new ones: a pool made anew has the id of one that is gone.
          for (const uid of known) if (!found.has(uid)) drop(uid)
          for (const pool of pools) take(pool)
          failures = 0
        } catch (error) {
          if (isAll) isAllChanged = true
          for (const uid of uids) changed.add(uid)
          if (stopping.aborted) break
          logger.warn({ err: error }, 'pools could not be read; trying again')
          await sleep(Math.min(5_000, 100 * 2 ** failures++), stopping).catch(() => {})
        }
      }
      isReading = false
    }

    function onPoolsChanged(pools: ChangedPools): void {
      if (pools === 'all') isAllChanged = true
      else for (const uid of pools) changed.add(uid)
      void readRows()
      // Asked for again (a DELETE of a pool in status 6): what is waited for is tried at once.
      if (pools !== 'all')
        for (const uid of pools) {
          entries.get(uid)?.failures.delete('delete')
          if (entries.has(uid)) queue.add(uid)
        }
    }

    // One pool

    async function reconcile(uid: string): Promise<void> {
      const entry = entries.get(uid)
      if (entry === undefined) return
      for (let round = 0; round < maxRounds; round += 1) {
        if (stopping.aborted) return
        const seen = { deployment: seenDeployment(entry), hpa: seenHpa(entry) }
        const plan = planPool(entry.pool, observe(entry, seen, index), now())
        tellMade(entry)
        let hasActed = false
        let hasWritten = false
        for (const action of plan) {
          if (stopping.aborted) return
          switch (action.kind) {
            case 'wait-until':
              queue.addAt(uid, action.time)
              break
            case 'write-status':
              hasWritten = true
              if (!(await writeStatus(entry, action.write))) return
              break
            case 'remove-pool':
              return removePool(entry)
            default:
              hasActed ||= action.kind !== 'create-pods'
              await actions.perform(entry, action)
          }
        }
        if (!hasActed) {
          if (!hasWritten && entry.events.length > 0) await writeStatus(entry, {})
          return
        }
      }
      queue.add(uid)
    }

    /** One line for all the pods of a wave, when the wave is over. */
    function tellMade(entry: PoolEntry): void {
      if (entry.made.length === 0 || entry.creating.size > 0) return
      entry.events.push({ type: 'Normal', reason: 'PodsCreated', message: `${say(entry.made)} created` })
      entry.made = []
    }

    /** False: the pool was changed meanwhile, and is looked at again when that has been read. */
    async function writeStatus(entry: PoolEntry, write: StatusWrite): Promise<boolean> {
      const carried = entry.events
      const events = [...carried, ...(write.events ?? [])]
      const pool = await writer.write({
        uid: entry.pool.uid,
        version: entry.pool.version,
        ...write,
        ...(write.notes === undefined ? {} : { notes: write.notes.map(cleanText) }),
        events: events.map((event): PoolEventDraft => ({ ...event, message: cleanText(event.message) })),
      })
      if (pool === undefined) {
        onPoolsChanged([entry.pool.uid])
        return false
      }
      entry.events = entry.events.slice(carried.length)
      if (pool.version > entry.pool.version) entry.pool = pool
      if (pool.observed.isDegraded === true) metrics.degraded.set({ pool: pool.id }, 1)
      else metrics.degraded.remove(pool.id)
      return true
    }

    async function removePool(entry: PoolEntry): Promise<void> {
      // Asked of the cluster itself: a row that goes before its objects leaves them behind for good.
      if (await actions.findRemains(entry)) return queue.add(entry.pool.uid)
      if (stopping.aborted) return
      const events = [
        ...entry.events,
        { type: 'Normal', reason: 'Deleted', message: 'nothing of the pool is left on the cluster' } as const,
      ]
      const { uid, version } = entry.pool
      if (await writer.remove({ uid, version, events })) drop(uid)
      else onPoolsChanged([uid])
    }

    // The cluster

    const wakeByName = (object: { metadata?: { name?: string; namespace?: string } } | undefined, tail: string) => {
      const { name = '', namespace: at } = object?.metadata ?? {}
      if (at !== namespace || !name.startsWith(deploymentName('')) || !name.endsWith(tail)) return
      const uid = uidsById.get(name.slice(deploymentName('').length, name.length - tail.length))
      if (uid !== undefined) queue.add(uid)
    }
    const entryByName = (name: string | undefined) =>
      entries.get(uidsById.get((name ?? '').slice(deploymentName('').length)) ?? '')

    const unsubscribe = [
      reflectors.deployments.subscribe(({ before, after }) => {
        if (after === undefined && before?.metadata?.namespace === namespace) {
          const entry = entryByName(before.metadata.name)
          const { uid } = before.metadata
          if (entry !== undefined && entry.deployment?.object.metadata?.uid === uid) entry.deployment = undefined
          if (uid !== undefined) entry?.deleting.delete(uid)
        }
        wakeByName(after ?? before, '')
      }),
      reflectors.horizontalPodAutoscalers.subscribe(({ before, after }) => {
        if (after === undefined && before?.metadata?.namespace === namespace) {
          const entry = entryByName(before.metadata.name?.replace(/-hpa$/, ''))
          const { uid } = before.metadata
          if (entry !== undefined && entry.hpa?.object.metadata?.uid === uid) entry.hpa = undefined
          if (uid !== undefined) entry?.deleting.delete(uid)
        }
        wakeByName(after ?? before, '-hpa')
      }),
      reflectors.replicaSets.subscribe(({ before, after }) => {
        if ((after ?? before)?.metadata?.namespace === namespace) onReplicaSet(before, after)
      }),
      reflectors.pods.subscribe(({ before, after }) => {
        if ((after ?? before)?.metadata?.namespace === namespace) onPod(before, after)
      }),
    ]

    function onReplicaSet(before: V1ReplicaSet | undefined, after: V1ReplicaSet | undefined): void {
      const uid = poolUidOfReplicaSet((after ?? before) as V1ReplicaSet)
      if (uid === undefined) return
      if (after !== undefined) index.putReplicaSet(after)
      else if (before !== undefined) index.removeReplicaSet(before)
      if (entries.has(uid)) queue.add(uid)
    }

    function onPod(before: V1Pod | undefined, after: V1Pod | undefined): void {
      // Its labels are what ties it to a pool: a pod that lost them is gone for the pool.
      const uid =
        (after === undefined ? undefined : index.putPod(after, now())) ??
        (before === undefined ? undefined : index.removePod(before, now()))
      if (uid === undefined) return
      const entry = entries.get(uid)
      if (entry === undefined) return
      if (after === undefined && before?.metadata?.uid !== undefined) entry.deleting.delete(before.metadata.uid)
      queue.add(uid)
    }

    // The slow look at everything

    async function resync(): Promise<void> {
      while (!stopping.aborted) {
        await sleep(tuning.resyncMs, stopping).catch(() => {})
        if (stopping.aborted) return
        const until = now() - tuning.phantomMs
        let corrections = 0
        for (const entry of entries.values()) corrections += giveUpPhantoms(entry, until)
        index.forgetRemoved(now() - 10 * tuning.phantomMs)
        for (const entry of entries.values()) {
          const seen = { deployment: seenDeployment(entry), hpa: seenHpa(entry) }
          const plan = planPool(entry.pool, observe(entry, seen, index), now())
          const isDrift = (action: PoolAction) => action.kind !== 'wait-until'
          // What is being worked on is not drift: it only counts when nobody else would have looked.
          if (plan.some(isDrift) && entry.creating.size === 0) {
            corrections += 1
            queue.add(entry.pool.uid)
          }
        }
        if (corrections > 0) metrics.corrections.inc(corrections)
        count()
        isAllChanged = true
        await readRows()
      }
    }

    function giveUpPhantoms(entry: PoolEntry, until: number): number {
      let found = 0
      if (entry.deployment !== undefined && entry.deployment.atMs < until && seenDeployment(entry) === undefined) {
        entry.deployment = undefined
        found += 1
      }
      if (entry.hpa !== undefined && entry.hpa.atMs < until && seenHpa(entry) === undefined) {
        entry.hpa = undefined
        found += 1
      }
      return (
        found +
        index.dropPhantoms(
          entry.pool.uid,
          until,
          (pod) => reflectors.pods.get(namespace, pod.name)?.metadata?.uid === pod.uid,
        )
      )
    }

    function count(): void {
      metrics.pools.reset()
      for (const { pool } of entries.values()) metrics.pools.inc({ status: String(pool.status) })
      let orphans = 0
      for (const { metadata } of reflectors.deployments.values()) {
        if (metadata?.namespace !== namespace || metadata.labels?.[managedByLabel] !== managedByValue) continue
        if (!entries.has(metadata.annotations?.[poolUidAnnotation] ?? '')) orphans += 1
      }
      metrics.orphans.set(orphans)
    }

    // Life

    const endCalls = () => {
      setTimeout(() => calls.abort(), tuning.stopGraceMs).unref()
    }
    stopping.addEventListener('abort', endCalls, { once: true })
    const stopListening = deps.poolChanges.onPoolsChanged(onPoolsChanged)
    try {
      await Promise.race([
        Promise.all(Object.values(reflectors).map((reflector) => reflector.synced)),
        aborted(stopping),
      ])
      if (stopping.aborted) return
      for (const replicaSet of reflectors.replicaSets.values())
        if (replicaSet.metadata?.namespace === namespace) onReplicaSet(undefined, replicaSet)
      for (const pod of reflectors.pods.values()) if (pod.metadata?.namespace === namespace) onPod(undefined, pod)
      await readRows()
      count()
      await Promise.all([queue.run(stopping), resync()])
    } finally {
      stop.abort()
      for (const end of unsubscribe) end()
      stopListening()
      await actions.idle()
    }
    if (fatal !== undefined) throw fatal
  }

  return { run }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
