import type { V1Node, V1Pod } from '@kubernetes/client-node'
import type { Reflector } from '../kube/types.ts'
import { poolUidOfPod, toPodView } from './observed.ts'
import { isMarked, readyPodOf, takesPods } from './pod-facts.ts'
import type { KnownPod, PodHolds, PodName, PodState } from './pod-holds.ts'
import { createPodTeller, type Haste } from './pod-teller.ts'
import { handsOut } from './pool.ts'
import type { PoolEntry } from './pool-entry.ts'

export type EligibilityOptions = {
  readonly holds: Pick<PodHolds, 'tell' | 'known'>
  readonly pods: Reflector<V1Pod>
  readonly nodes: Reflector<V1Node>
  readonly namespace: string
  readonly entryByUid: (poolUid: string) => PoolEntry | undefined
  /** See `PodTellerOptions`. */
  readonly onError: (error: unknown) => boolean
  readonly signal: AbortSignal
}

/**
 * Keeps the table of pods that can be had as the cluster is: a pod is in it while it is Ready, on a node that takes pods,
 * of a pool that hands out. What changes is told at once, many in one transaction; what is told twice costs nothing.
 */
export type PodEligibility = {
  /** The pod is gone, though the watch may not say so yet. */
  onGone(uid: string): void
  /** Something else changed that decides whether these pods may be had. */
  onPods(pods: Iterable<{ readonly uid: string }>): void
  /**
   * Compares the tables with the cluster and tells the differences. The first call takes over what a predecessor left;
   * nothing is told before it.
   */
  compare(): Promise<Comparison>
  stop(): void
}

export type Comparison = {
  /** Differences that nobody was working on. */
  readonly corrections: number
  /** Pods of known pools that bear the marks of an instance while no table knows them, now and the last time. */
  readonly orphans: readonly Orphan[]
}

export type Orphan = PodName & { readonly poolId: number }

type Tracked = {
  readonly name: string
  readonly poolUid: string
  node: string
  /** What the tables say, as far as the pod could be had. */
  told: Exclude<PodState['kind'], 'gone'>
  /** When it was told: what was read from the tables before says nothing about it. */
  toldAt: number
  isGone: boolean
  /** The last comparison found marks on it and no table that knows it. */
  isOrphan: boolean
}

/** Rows of one look into the tables: a few milliseconds. */
const page = 1_000

export function createPodEligibility(options: EligibilityOptions): PodEligibility {
  const { pods, nodes, namespace, signal } = options
  const tracked = new Map<string, Tracked>()
  const byNode = new Map<string, Set<string>>()
  /** What is to be told of pods that only the tables know. */
  const unknown = new Map<string, 'gone' | 'unready'>()
  let clock = 0
  let hasTakenOver = false

  const teller = createPodTeller({ holds: options.holds, stateOf, onTold, onError: options.onError, signal })
  const add = (uid: string) => {
    if (hasTakenOver) teller.add(uid, hasteOf(tracked.get(uid)))
  }

  function hasteOf(pod: Tracked | undefined): Haste {
    // What could be had so far may not any more.
    if (pod?.told === 'ready') return 'urgent'
    return (options.entryByUid(pod?.poolUid ?? '')?.waiting ?? 0) > 0 ? 'awaited' : 'none'
  }

  function stateOf(uid: string): PodState | undefined {
    const pod = tracked.get(uid)
    if (pod === undefined) {
      const kind = unknown.get(uid)
      return kind === undefined ? undefined : { kind, uid }
    }
    if (pod.isGone) return { kind: 'gone', uid }
    const state = see(uid, pod)
    return state.kind === pod.told ? undefined : state
  }

  function see(uid: string, known: Tracked): PodState {
    const pod = pods.get(namespace, known.name)
    if (pod?.metadata?.uid !== uid || poolUidOfPod(pod) !== known.poolUid) return { kind: 'unready', uid }
    const { isFinished, isReady } = toPodView(pod)
    if (isFinished) return { kind: 'ended', uid }
    const entry = options.entryByUid(known.poolUid)
    return isReady && entry !== undefined && handsOut(entry.pool) && isNodeFit(known.node)
      ? { kind: 'ready', pod: readyPodOf(pod, entry.pool.seq) }
      : { kind: 'unready', uid }
  }

  function isMarkedNow(uid: string, { name }: Tracked): boolean {
    const pod = pods.get(namespace, name)
    return pod?.metadata?.uid === uid && isMarked(pod)
  }

  /** Until the node is known nothing on it is handed out. */
  function isNodeFit(name: string): boolean {
    const node = nodes.get(undefined, name)
    return node !== undefined && takesPods(node)
  }

  function onTold(state: PodState): void {
    const uid = state.kind === 'ready' ? state.pod.uid : state.uid
    unknown.delete(uid)
    const pod = tracked.get(uid)
    if (pod === undefined) return
    if (state.kind === 'gone') {
      tracked.delete(uid)
      leaveNode(uid, pod.node)
    } else {
      pod.told = state.kind
      pod.toldAt = ++clock
    }
  }

  function leaveNode(uid: string, node: string): void {
    const there = byNode.get(node)
    there?.delete(uid)
    if (there?.size === 0) byNode.delete(node)
  }

  function enterNode(uid: string, node: string): void {
    const there = byNode.get(node)
    if (there === undefined) byNode.set(node, new Set([uid]))
    else there.add(uid)
  }

  function onPod(pod: V1Pod): void {
    const { uid = '', name = '' } = pod.metadata ?? {}
    const node = pod.spec?.nodeName ?? ''
    const known = tracked.get(uid)
    if (known === undefined) {
      const poolUid = poolUidOfPod(pod)
      // Somebody else's, and always was.
      if (poolUid === undefined) return
      tracked.set(uid, { name, poolUid, node, told: 'unready', toldAt: clock, isGone: false, isOrphan: false })
      enterNode(uid, node)
    } else if (known.node !== node) {
      leaveNode(uid, known.node)
      known.node = node
      enterNode(uid, node)
    }
    add(uid)
  }

  /** The uids that the tables have go to `found`; how many of their rows are not as they were told. */
  async function compareTables(found: Set<string>): Promise<number> {
    let corrections = 0
    for (let after = ''; !signal.aborted; ) {
      const readAt = clock
      const rows = await options.holds.known(after, page)
      for (const row of rows) {
        found.add(row.uid)
        if (!teller.isBusyWith(row.uid) && correct(row, readAt)) corrections += 1
      }
      if (rows.length < page) break
      after = rows.at(-1)?.uid ?? ''
    }
    return corrections
  }

  function correct(row: KnownPod, readAt: number): boolean {
    const canBeHad = row.as === 'ready' || (row.as === 'shared' && row.isEligible)
    const pod = tracked.get(row.uid)
    if (pod === undefined) {
      // It is there, but does not say any more whose it is: what holds it keeps it.
      const isThere = pods.get(row.namespace, row.name)?.metadata?.uid === row.uid
      if (isThere && !canBeHad) return false
      unknown.set(row.uid, isThere ? 'unready' : 'gone')
      teller.add(row.uid)
      return true
    }
    if (pod.toldAt > readAt) return false
    // Who is held or retired cannot be had, whatever is told of it.
    const isBeyond = row.as === 'held' || row.as === 'retired'
    const before = pod.told
    pod.told = canBeHad || isBeyond ? 'ready' : 'unready'
    teller.add(row.uid)
    return !isBeyond && (before === 'ready') !== canBeHad
  }

  function onGone(uid: string): void {
    const pod = tracked.get(uid)
    if (pod === undefined) unknown.set(uid, 'gone')
    else pod.isGone = true
    add(uid)
  }

  const isHere = (pod: V1Pod | undefined) => pod?.metadata?.namespace === namespace
  const unsubscribe = [
    pods.subscribe(({ before, after }) => {
      if (!isHere(after ?? before)) return
      if (after !== undefined) onPod(after)
      else if (tracked.has(before?.metadata?.uid ?? '')) onGone(before?.metadata?.uid ?? '')
    }),
    nodes.subscribe(({ before, after }) => {
      const was = before !== undefined && takesPods(before)
      const is = after !== undefined && takesPods(after)
      if (was !== is) for (const uid of byNode.get((after ?? before)?.metadata?.name ?? '') ?? []) add(uid)
    }),
  ]

  return {
    onGone,
    onPods(changed) {
      for (const { uid } of changed) add(uid)
    },
    async compare() {
      const startedAt = clock
      const isFirst = !hasTakenOver
      if (isFirst) for (const pod of pods.values()) if (isHere(pod)) onPod(pod)
      const found = new Set<string>()
      let corrections = await compareTables(found)
      hasTakenOver = true
      const orphans: Orphan[] = []
      for (const [uid, pod] of tracked) {
        const isUnknown = !found.has(uid) && !teller.isBusyWith(uid) && pod.toldAt <= startedAt && !pod.isGone
        const isMarkedHere = isUnknown && isMarkedNow(uid, pod)
        const entry = options.entryByUid(pod.poolUid)
        // Twice, so that nothing that is under way is taken for one.
        if (isMarkedHere && pod.isOrphan && entry !== undefined)
          orphans.push({ uid, name: pod.name, namespace, poolId: entry.pool.seq })
        pod.isOrphan = isMarkedHere
        if (!isUnknown || isMarkedHere) continue
        const isLost = pod.told === 'ready'
        if (isLost) corrections += 1
        pod.told = 'unready'
        if (isLost || isFirst) teller.add(uid)
      }
      await teller.settled()
      return { corrections, orphans }
    },
    stop() {
      for (const end of unsubscribe) end()
    },
  }
}
