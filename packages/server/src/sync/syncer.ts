/**
 * Keeps one cluster's namespaces, nodes, workloads and pods in the inventory. A first, simple form: what the shared
 * reflectors see is marked dirty by key, and one loop writes what is dirty, a batch to a transaction. Beside it a slow
 * resync reads back what is stored, repairs what differs, and counts it.
 */
import { hash as digest } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { V1Deployment, V1Namespace, V1Node, V1OwnerReference, V1Pod, V1ReplicaSet } from '@kubernetes/client-node'
import type { PodFacts, WorkloadFacts, WorkloadKey } from '../inventory/cluster-facts.ts'
import {
  applyClusterChanges,
  type ClusterChangeResult,
  type ClusterChanges,
  loadSyncedCluster,
  refreshStatistics,
  type SyncedCluster,
  type SyncTarget,
  workloadKeyText,
} from '../inventory/cluster-sync.ts'
import type { Change, KubeObject, Reflector } from '../kube/index.ts'
import type { Database } from '../store/database.ts'
import { type Lease, LeaseLost } from '../store/lease.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { bareWorkload, deploymentFacts, namespaceFacts, nodeFacts, podFacts } from './mapping.ts'

export type ClusterReflectors = {
  readonly namespaces: Reflector<V1Namespace>
  readonly nodes: Reflector<V1Node>
  readonly deployments: Reflector<V1Deployment>
  readonly replicaSets: Reflector<V1ReplicaSet>
  readonly pods: Reflector<V1Pod>
}

export type SyncerOptions = {
  readonly db: Database
  readonly lease: Lease | undefined
  readonly target: SyncTarget
  readonly reflectors: ClusterReflectors
  readonly logger: Logger
  readonly metrics: SyncMetrics
  /** Made first when the inventory is empty, so that it gets the first ids. */
  readonly firstNamespace?: string
  readonly resyncEveryMs?: number
}

export type SyncMetrics = ReturnType<typeof createSyncMetrics>

export function createSyncMetrics(metrics: Metrics) {
  return {
    written: metrics.counter('podyard_sync_rows_written_total', 'Inventory rows that sync wrote', ['kind', 'change']),
    drift: metrics.counter('podyard_sync_drift_total', 'Differences that the slow resync found and repaired', ['kind']),
    failures: metrics.counter('podyard_sync_failures_total', 'Batches that could not be written and were tried again'),
    dirty: metrics.gauge('podyard_sync_dirty', 'Objects that wait to be written'),
    batchSeconds: metrics.histogram('podyard_sync_batch_duration_seconds', 'Time to write one batch'),
  }
}

export type Syncer = {
  /** Resolves when everything that the cluster held at the start is in the inventory. */
  readonly firstPass: Promise<void>
  run(signal: AbortSignal): Promise<void>
}

/** Pods to a transaction: about 30 ms of work, so that a change behind a large backlog is not late by seconds. */
const podsPerBatch = 200

/**
 * Whether nothing changed that the inventory keeps: heartbeats of nodes and the progress of Deployments are most of what is
 * told about them, and must not cost a transaction each.
 */
function isSameFor<T>({ before, after }: Change<T & KubeObject>, facts: (object: T) => object): boolean {
  return before !== undefined && after !== undefined && JSON.stringify(facts(before)) === JSON.stringify(facts(after))
}

type Place = { readonly namespace: string; readonly name: string }

export function createSyncer(options: SyncerOptions): Syncer {
  const { reflectors, logger, metrics } = options
  const first = Promise.withResolvers<void>()
  // Nobody has to wait for it.
  first.promise.catch(() => {})
  let stored: SyncedCluster
  /** Digest of each pod's facts as last written, by uid: most events change nothing that the inventory keeps. */
  let digests = new Map<string, string>()
  const dirty = {
    namespaces: new Set<string>(),
    nodes: new Set<string>(),
    workloads: new Map<string, Place>(),
    pods: new Map<string, Place>(),
  }
  let wake: (() => void) | undefined
  const wakeUp = () => wake?.()

  const placeOf = (object: KubeObject): Place => ({
    namespace: object.metadata?.namespace ?? '',
    name: object.metadata?.name ?? '',
  })
  const markPod = (change: Change<V1Pod>) => {
    for (const pod of [change.before, change.after]) {
      const uid = pod?.metadata?.uid
      if (pod !== undefined && uid !== undefined) dirty.pods.set(uid, placeOf(pod))
    }
    wakeUp()
  }
  const markWorkload = (change: Change<V1Deployment>) => {
    const object = change.after ?? change.before
    if (object === undefined || isSameFor(change, deploymentFacts)) return
    const place = placeOf(object)
    dirty.workloads.set(workloadKeyText({ kind: 'deployment', ...place }), place)
    wakeUp()
  }
  const mark =
    <T extends KubeObject>(set: Set<string>, facts: (object: T) => object) =>
    (change: Change<T>) => {
      if (isSameFor(change, facts)) return
      const name = (change.after ?? change.before)?.metadata?.name
      if (name !== undefined) set.add(name)
      wakeUp()
    }

  const lookup = (namespace: string, owner: V1OwnerReference): V1OwnerReference | null | undefined => {
    if (owner.kind !== 'ReplicaSet') return undefined
    const replicaSet = reflectors.replicaSets.get(namespace, owner.name)
    if (replicaSet === undefined) return undefined
    return replicaSet.metadata?.ownerReferences?.find((reference) => reference.controller === true) ?? null
  }

  /** Everything that the cluster holds and everything that is stored: whatever differs will be written. */
  function markEverything(): void {
    for (const namespace of reflectors.namespaces.values()) dirty.namespaces.add(namespace.metadata?.name ?? '')
    for (const name of stored.namespaces.keys()) dirty.namespaces.add(name)
    for (const node of reflectors.nodes.values()) dirty.nodes.add(node.metadata?.name ?? '')
    for (const name of stored.nodes.keys()) dirty.nodes.add(name)
    for (const deployment of reflectors.deployments.values()) markWorkload({ before: undefined, after: deployment })
    for (const key of stored.workloads.values())
      if (key.kind === 'deployment') dirty.workloads.set(workloadKeyText(key), key)
    for (const pod of reflectors.pods.values()) markPod({ before: undefined, after: pod })
    for (const uid of stored.pods.keys()) if (!dirty.pods.has(uid)) dirty.pods.set(uid, { namespace: '', name: '' })
  }

  /** The next transaction's work; pods whose parents are not known yet stay dirty. */
  function nextBatch(): ClusterChanges & { readonly digests: ReadonlyMap<string, string> } {
    const namespaces = { upsert: [] as ReturnType<typeof namespaceFacts>[], remove: [] as string[] }
    for (const name of inOrder(dirty.namespaces, options.firstNamespace)) {
      const namespace = reflectors.namespaces.get(undefined, name)
      if (namespace !== undefined) namespaces.upsert.push(namespaceFacts(namespace))
      else if (stored.namespaces.get(name)?.synced === true) namespaces.remove.push(name)
    }
    const nodes = { upsert: [] as ReturnType<typeof nodeFacts>[], remove: [] as string[] }
    for (const name of inOrder(dirty.nodes)) {
      const node = reflectors.nodes.get(undefined, name)
      if (node !== undefined) nodes.upsert.push(nodeFacts(node))
      else if (stored.nodes.get(name)?.synced === true) nodes.remove.push(name)
    }
    const workloads = { upsert: new Map<string, WorkloadFacts>(), remove: [] as WorkloadKey[] }
    const places = [...dirty.workloads.values()].sort((a, b) =>
      order(
        `${a.namespace === options.firstNamespace ? '' : a.namespace}/${a.name}`,
        `${b.namespace === options.firstNamespace ? '' : b.namespace}/${b.name}`,
      ),
    )
    for (const place of places) {
      const key = { kind: 'deployment', namespace: place.namespace, name: place.name }
      const deployment = reflectors.deployments.get(place.namespace, place.name)
      if (deployment !== undefined) workloads.upsert.set(workloadKeyText(key), deploymentFacts(deployment))
      else if (stored.workloads.get(workloadKeyText(key))?.synced === true) workloads.remove.push(key)
    }
    const pods = { upsert: [] as PodFacts[], remove: [] as string[] }
    const written = new Map<string, string>()
    for (const [uid, place] of dirty.pods) {
      if (pods.upsert.length + pods.remove.length >= podsPerBatch) break
      const pod = reflectors.pods.get(place.namespace, place.name)
      if (pod === undefined || pod.metadata?.uid !== uid) {
        if (stored.pods.has(uid)) pods.remove.push(uid)
        else dirty.pods.delete(uid)
        continue
      }
      const facts = podFacts(pod, lookup)
      const print = facts === undefined ? undefined : digest('md5', JSON.stringify(facts), 'base64')
      if (facts === undefined || print === digests.get(uid)) {
        dirty.pods.delete(uid)
        continue
      }
      const known =
        (stored.namespaces.has(facts.namespace) || dirty.namespaces.has(facts.namespace)) &&
        (stored.nodes.has(facts.node_name) || dirty.nodes.has(facts.node_name))
      if (!known) continue
      const key = workloadKeyText(facts.workload)
      if (!stored.workloads.has(key) && !workloads.upsert.has(key)) {
        const deployment =
          facts.workload.kind === 'deployment'
            ? reflectors.deployments.get(facts.workload.namespace, facts.workload.name)
            : undefined
        workloads.upsert.set(key, deployment === undefined ? bareWorkload(facts.workload) : deploymentFacts(deployment))
      }
      pods.upsert.push(facts)
      written.set(uid, print as string)
    }
    return {
      namespaces,
      nodes,
      workloads: { ...workloads, upsert: [...workloads.upsert.values()] },
      pods,
      digests: written,
    }
  }

  /** Pods written so far, and how many it takes until the planner is told. */
  let made = 0
  let analyzeAt = 1_000

  /** Parents that vanished while children hang on them: they go when their children are gone. */
  let kept: ClusterChangeResult['kept'][] = []
  function markKept(): void {
    for (const parents of kept) {
      for (const name of parents.namespaces) dirty.namespaces.add(name)
      for (const name of parents.nodes) dirty.nodes.add(name)
      for (const key of parents.workloads) dirty.workloads.set(workloadKeyText(key), key)
    }
    kept = []
  }

  /** False when nothing was there to do. */
  async function writeBatch(): Promise<boolean> {
    const batch = nextBatch()
    const size =
      batch.namespaces.upsert.length +
      batch.namespaces.remove.length +
      batch.nodes.upsert.length +
      batch.nodes.remove.length +
      batch.workloads.upsert.length +
      batch.workloads.remove.length +
      batch.pods.upsert.length +
      batch.pods.remove.length
    if (size === 0) {
      dirty.namespaces.clear()
      dirty.nodes.clear()
      dirty.workloads.clear()
      return false
    }
    // What changes from here on is dirty again, whatever this batch wrote.
    const taken = {
      namespaces: new Set(dirty.namespaces),
      nodes: new Set(dirty.nodes),
      workloads: new Map(dirty.workloads),
      pods: new Map(
        [...batch.pods.upsert.map((pod) => pod.uid), ...batch.pods.remove].map((uid) => [uid, dirty.pods.get(uid)]),
      ),
    }
    dirty.namespaces.clear()
    dirty.nodes.clear()
    dirty.workloads.clear()
    for (const uid of taken.pods.keys()) dirty.pods.delete(uid)
    const startedAt = performance.now()
    try {
      const result = await applyClusterChanges(options.db, options.lease, options.target, stored, batch)
      stored = result.stored
      made += batch.pods.upsert.length
      if (made >= analyzeAt) {
        analyzeAt *= 4
        await refreshStatistics(options.db).catch((error: unknown) =>
          logger.debug({ err: error }, 'statistics could not be refreshed'),
        )
      }
      for (const [uid, print] of batch.digests) digests.set(uid, print)
      for (const uid of batch.pods.remove) digests.delete(uid)
      for (const { kind, change, count } of result.written) metrics.written.inc({ kind, change }, count)
      kept = [...kept, result.kept]
      if (batch.pods.remove.length > 0) markKept()
      metrics.batchSeconds.observe((performance.now() - startedAt) / 1000)
      return true
    } catch (error) {
      for (const name of taken.namespaces) dirty.namespaces.add(name)
      for (const name of taken.nodes) dirty.nodes.add(name)
      for (const [key, place] of taken.workloads) dirty.workloads.set(key, place)
      for (const [uid, place] of taken.pods) if (place !== undefined && !dirty.pods.has(uid)) dirty.pods.set(uid, place)
      throw error
    }
  }

  async function load(): Promise<void> {
    stored = await loadSyncedCluster(options.db, options.target)
  }

  /** Reads back what is stored; every difference that the events should have told is drift. */
  async function resync(): Promise<void> {
    const before = stored
    await load()
    for (const uid of before.pods.keys()) {
      if (stored.pods.has(uid) || dirty.pods.has(uid)) continue
      metrics.drift.inc({ kind: 'pod' })
      digests.delete(uid)
    }
    for (const name of before.namespaces.keys())
      if (!stored.namespaces.has(name)) metrics.drift.inc({ kind: 'namespace' })
    for (const name of before.nodes.keys()) if (!stored.nodes.has(name)) metrics.drift.inc({ kind: 'node' })
    for (const key of before.workloads.keys()) if (!stored.workloads.has(key)) metrics.drift.inc({ kind: 'workload' })
    markEverything()
  }

  async function run(signal: AbortSignal): Promise<void> {
    const all = Object.values(reflectors) as Reflector<KubeObject>[]
    const aborted = new Promise<never>((_, reject) => {
      if (signal.aborted) reject(signal.reason)
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
    aborted.catch(() => {})
    const stops = [
      reflectors.namespaces.subscribe(mark(dirty.namespaces, namespaceFacts)),
      reflectors.nodes.subscribe(mark(dirty.nodes, nodeFacts)),
      reflectors.deployments.subscribe(markWorkload),
      reflectors.pods.subscribe(markPod),
    ]
    try {
      await Promise.race([Promise.all(all.map((reflector) => reflector.synced)), aborted])
      let failures = 0
      let loaded = false
      let resyncAt = 0
      const resyncEveryMs = options.resyncEveryMs ?? 300_000
      while (!signal.aborted) {
        try {
          if (!loaded) {
            await load()
            digests = new Map()
            markEverything()
            loaded = true
            resyncAt = performance.now() + resyncEveryMs
          } else if (performance.now() >= resyncAt) {
            resyncAt = performance.now() + resyncEveryMs
            await resync()
          }
          const wrote = await writeBatch()
          failures = 0
          metrics.dirty.set(dirty.pods.size)
          if (wrote) continue
          first.resolve()
          // Pods that wait for a parent, and parents that wait for their children, are looked at again in a moment.
          await sleepUntilWoken(signal, dirty.pods.size > 0 ? 250 : Math.max(1, resyncAt - performance.now()))
        } catch (error) {
          if (signal.aborted || error instanceof LeaseLost) throw error
          failures += 1
          loaded = false // whatever was committed is read again
          metrics.failures.inc()
          logger.warn({ err: error, failures }, 'sync could not write a batch; it will try again')
          await delay(Math.random() * Math.min(10_000, 100 * 2 ** Math.min(failures, 10)), undefined, { signal }).catch(
            () => {},
          )
        }
      }
    } finally {
      for (const stop of stops) stop()
      first.reject(new Error('sync stopped'))
    }
  }

  function sleepUntilWoken(signal: AbortSignal, atMostMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer)
        signal.removeEventListener('abort', done)
        wake = undefined
        resolve()
      }
      const timer = setTimeout(done, Math.min(atMostMs, 2 ** 31 - 1))
      signal.addEventListener('abort', done, { once: true })
      // A burst of events gathers for a moment; it becomes one transaction.
      wake = () => {
        wake = undefined
        clearTimeout(timer)
        setTimeout(done, 10)
      }
    })
  }

  return { firstPass: first.promise, run }
}

function inOrder(names: Iterable<string>, firstName?: string): string[] {
  return [...names].sort((a, b) => (a === firstName ? -1 : b === firstName ? 1 : order(a, b)))
}

const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)
