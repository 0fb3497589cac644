/**
 * Keeps one cluster's namespaces, nodes, workloads and pods in the inventory. What the shared reflectors tell waits by
 * key, and one loop writes what waits, a batch to a transaction. Beside it a slow resync reads back what is stored, repairs
 * what differs, and counts it.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { V1Pod, V1ReplicaSet } from '@kubernetes/client-node'
import { loadSyncedCluster, type SyncedCluster, workloadKeyText } from '../inventory/cluster-stored.ts'
import { applyClusterChanges, refreshStatistics, type SyncTarget } from '../inventory/cluster-sync.ts'
import { orAborted } from '../kube/deadline.ts'
import type { KubeClient, KubeObject, Reflector } from '../kube/index.ts'
import type { Database } from '../store/database.ts'
import { type Lease, LeaseLost } from '../store/lease.ts'
import { serverStart } from '../store/server-start.ts'
import type { Logger } from '../telemetry/logger.ts'
import { type Batch, nextBatch, podsPerBatch } from './batch.ts'
import { followParents, markAllParents, moveParents, noParents, type ParentReflectors } from './dirty-parents.ts'
import { createPodBacklog } from './pod-backlog.ts'
import { rereadPods } from './reread-pods.ts'
import type { SyncMetrics } from './sync-metrics.ts'
import { createWakeUp } from './wake-up.ts'

export type ClusterReflectors = ParentReflectors & {
  readonly replicaSets: Reflector<V1ReplicaSet>
  /** Need keep no more of a pod than its identity: sync takes what it needs when it is told. */
  readonly pods: Reflector<V1Pod>
}

export type SyncerOptions = {
  readonly db: Database
  readonly lease: Lease | undefined
  readonly kube: KubeClient
  /** Whom the rows belong to. Asked once, when the syncer runs and follows the reflectors. */
  readonly register: () => Promise<SyncTarget>
  readonly reflectors: ClusterReflectors
  readonly logger: Logger
  readonly metrics: SyncMetrics
  /** Made first when the inventory is empty, so that it gets the first ids. */
  readonly firstNamespace?: string
  readonly resyncEveryMs?: number
  /** See `createPodBacklog`. */
  readonly maxWaitingTextBytes?: number
}

export type Syncer = {
  /** Resolves when everything that the cluster held at the start is in the inventory. */
  readonly firstPass: Promise<void>
  /** Works until the signal aborts. Rejects then, and when the lease is lost. Whatever is told before it is called has to be read again. */
  run(signal: AbortSignal): Promise<void>
}

const defaultResyncEveryMs = 300_000
/** What comes within this time of the first sign of a change is written with it. */
const gatherMs = 10
/**
 * Where pods come in a flow, they are gathered between two transactions for ten times as long as the last one took, within
 * these bounds: a transaction costs about as much as ten pods in it, and a pod that goes on changing while it starts is
 * written once. A change by itself is written at once, and what fills whole transactions is written without a rest.
 */
const flowGatherMs = { least: 100, most: 500 }
const flowGatherTimes = 10
/** Pods in one transaction from which on they are a flow. */
const flowPods = 3
/** Pods that wait for a parent, or parents that wait for their children to go, are looked at again after so long. */
const waitingLookMs = 250
/** After a reading that found none of the pods whose content is not at hand. */
const rereadMs = 1_000

export function createSyncer(options: SyncerOptions): Syncer {
  const { db, reflectors, logger, metrics } = options
  const first = Promise.withResolvers<void>()
  // Nobody has to wait for it.
  first.promise.catch(() => {})
  const backlog = createPodBacklog(options.maxWaitingTextBytes)
  const dirty = noParents()
  /** Parents that vanished while children hang on them: they go when their children are gone. */
  const kept = noParents()
  const wakeUp = createWakeUp(gatherMs)
  let target: SyncTarget
  let stored: SyncedCluster
  let databaseStart: string | undefined
  /** Pods written so far, and how many it takes until the planner is told. */
  let made = 0
  let analyzeAt = 1_000
  let rereadAt = 0

  async function load(): Promise<void> {
    const start = await serverStart(db)
    if (databaseStart !== undefined && start !== databaseStart) backlog.forgetWritten()
    databaseStart = start
    stored = await loadSyncedCluster(db, target.clusterId)
  }

  /** Everything that the cluster holds and everything that is stored: whatever differs will be written. */
  function markEverything(): void {
    markAllParents(reflectors, stored, dirty)
    for (const { metadata } of reflectors.pods.values()) {
      const { uid = '', namespace = '', name = '' } = metadata ?? {}
      if (!backlog.has(uid) || !stored.pods.has(uid)) backlog.redo(uid, { namespace, name })
    }
    for (const uid of stored.pods.keys()) if (!backlog.has(uid)) backlog.drop(uid)
  }

  async function write(batch: Batch): Promise<void> {
    const parents = noParents()
    // What changes from here on is dirty again, whatever this batch writes.
    moveParents(dirty, parents)
    for (const uid of batch.pods.keys()) backlog.take(uid)
    const startedAt = performance.now()
    try {
      const result = await applyClusterChanges(db, options.lease, target, stored, batch.changes)
      stored = result.stored
      for (const [uid, pod] of batch.pods)
        if (pod.kind === 'read') backlog.written(uid, pod.print)
        else backlog.removed(uid)
      for (const { kind, change, count } of result.written) metrics.written.inc({ kind, change }, count)
      keepParents(result.kept)
      if (batch.changes.pods.remove.length > 0) moveParents(kept, dirty)
      metrics.batchSeconds.observe((performance.now() - startedAt) / 1000)
    } catch (error) {
      moveParents(parents, dirty)
      for (const [uid, pod] of batch.pods) backlog.putBack(uid, pod)
      throw error
    }
    made += batch.changes.pods.upsert.length
    if (made < analyzeAt) return
    analyzeAt *= 4
    await refreshStatistics(db).catch((error: unknown) =>
      logger.debug({ err: error }, 'statistics could not be refreshed'),
    )
  }

  function keepParents({
    namespaces,
    nodes,
    workloads,
  }: Awaited<ReturnType<typeof applyClusterChanges>>['kept']): void {
    for (const name of namespaces) kept.namespaces.add(name)
    for (const name of nodes) kept.nodes.add(name)
    for (const key of workloads) kept.workloads.set(workloadKeyText(key), key)
  }

  /** Reads back what is stored; every difference that the events should have told is drift. */
  async function resync(): Promise<void> {
    const before = stored
    await load()
    for (const kind of ['namespaces', 'nodes', 'workloads'] as const)
      for (const key of before[kind].keys()) if (!stored[kind].has(key)) metrics.drift.inc({ kind: kind.slice(0, -1) })
    // Those that wait are on their way to be removed or written anew.
    for (const uid of before.pods.keys())
      if (!stored.pods.has(uid) && backlog.isWritten(uid)) metrics.drift.inc({ kind: 'pod' })
    markEverything()
  }

  async function start(): Promise<void> {
    await load()
    markEverything()
  }

  async function reread(signal: AbortSignal): Promise<void> {
    try {
      if ((await rereadPods(options.kube, backlog, signal)) > 0) return
    } catch (error) {
      if (!signal.aborted) logger.warn({ err: error }, 'pods could not be read for sync; trying again')
    }
    rereadAt = performance.now() + rereadMs
  }

  /** One transaction, or one reading. Resolves when the next step may be made. */
  async function step(signal: AbortSignal, resyncAt: number): Promise<void> {
    const batch = nextBatch({ reflectors, stored, dirty, backlog, firstNamespace: options.firstNamespace })
    const isFull = batch.pods.size >= podsPerBatch
    const startedAt = performance.now()
    if (!batch.isEmpty) {
      await write(batch)
      metrics.dirty.set(backlog.size)
    }
    // There is room again for what was not at hand.
    if (batch.hasUnread && !isFull && performance.now() >= rereadAt) return reread(signal)
    if (!batch.isEmpty) {
      if (batch.pods.size >= flowPods && !isFull) await pause(flowRestMs(performance.now() - startedAt), signal)
      return
    }
    // They are as they are stored.
    moveParents(dirty, noParents())
    if (!batch.hasUnread) first.resolve()
    await wakeUp.sleep(signal, backlog.size > 0 ? waitingLookMs : Math.max(1, resyncAt - performance.now()))
  }

  async function work(signal: AbortSignal): Promise<void> {
    const resyncEveryMs = options.resyncEveryMs ?? defaultResyncEveryMs
    let failures = 0
    let isLoaded = false
    let resyncAt = 0
    while (!signal.aborted) {
      try {
        if (!isLoaded || performance.now() >= resyncAt) {
          await (isLoaded ? resync() : start())
          isLoaded = true
          resyncAt = performance.now() + resyncEveryMs
        }
        await step(signal, resyncAt)
        failures = 0
      } catch (error) {
        if (signal.aborted || error instanceof LeaseLost) throw error
        failures += 1
        isLoaded = false // whatever was committed is read again
        metrics.failures.inc()
        logger.warn({ err: error, failures }, 'sync could not write a batch; it will try again')
        await pause(Math.random() * Math.min(10_000, 100 * 2 ** Math.min(failures, 10)), signal)
      }
    }
  }

  return {
    firstPass: first.promise,
    async run(signal) {
      const stops = [
        followParents(reflectors, dirty, wakeUp.wake),
        reflectors.pods.subscribe((change) => {
          if (backlog.tell(change)) wakeUp.wake()
        }),
      ]
      try {
        target = await options.register()
        const all = Object.values(reflectors) as Reflector<KubeObject>[]
        await orAborted(Promise.all(all.map((reflector) => reflector.synced)), signal)
        await work(signal)
      } finally {
        for (const stop of stops) stop()
        first.reject(new Error('sync stopped'))
      }
    },
  }
}

function flowRestMs(tookMs: number): number {
  return Math.min(flowGatherMs.most, Math.max(flowGatherMs.least, flowGatherTimes * tookMs))
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => {})
}
