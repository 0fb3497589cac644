import type { HeldPod, KnownPod, PodHolds, PodName, PodState, RetiredPod } from '../pools/pod-holds.ts'
import type { Database, Transaction } from '../store/database.ts'
import { inFencedTransaction, type Lease } from '../store/lease.ts'
import { inTransaction } from '../store/transaction.ts'
import { endInstancesNow } from './instance-end.ts'
import * as sql from './pod-holds-sql.ts'
import { markForReplacement } from './replacements.ts'

export type PodHoldsOptions = {
  readonly db: Database
  /** Fences all but `close`. Undefined: not fenced (tests with one process). */
  readonly lease: Lease | undefined
  /** Told after the commit which pools got pods, so that their lines are served. */
  readonly match: (poolIds: readonly number[]) => void
  /** Told after the commit how many instances were lost with their pods. */
  readonly onLost?: (count: number) => void
}

export function createPodHolds({ db, lease, match, onLost }: PodHoldsOptions): PodHolds {
  let turn: Promise<unknown> = Promise.resolve()

  /**
   * One after the other: between two of them a pod could be put and retired at the same time, and neither would see the
   * other. (Claims and releases move a uid from table to table in one statement, so they need no such care.)
   */
  function fenced<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    const mine = turn.then(() => inFencedTransaction(db, lease, work))
    turn = mine.catch(() => {})
    return mine
  }

  return {
    async tell(states) {
      if (states.length === 0) return
      const { pools, lost } = await fenced((tx) => writeStates(tx, states))
      match(pools)
      if (lost > 0) onLost?.(lost)
    },
    async known(after, limit) {
      const rows = await db.run<KnownRow>(sql.knownPods, [after, limit])
      return rows.map(({ uid, name, namespace, pool_id: poolId, as, eligible: isEligible }) => ({
        uid,
        name,
        namespace,
        poolId,
        as,
        isEligible,
      }))
    },
    retire: (poolId, pods, reason) => fenced((tx) => retire(tx, poolId, pods, reason)),
    close: createPodCloser(db).close,
    async heldIn(poolId) {
      const rows = await db.run<PodName & { id: string; is_exclusive: boolean }>(sql.heldInPool, [poolId])
      return rows.map(({ id, is_exclusive: isExclusive, ...pod }): HeldPod => ({ ...pod, instanceId: id, isExclusive }))
    },
    async recycle(limit) {
      const [row] = await fenced((tx) => tx.run<{ retired: number }>(sql.recycleDue, [limit]))
      const retired = row?.retired ?? 0
      const [next] = await db.run<{ next_ms: number | null }>(sql.nextRecycle)
      return { retired, nextMs: next?.next_ms ?? undefined }
    },
    async retiredAfter(after, limit) {
      const rows = await db.run<PodName & { no: number; pool_id: number; reason: string }>(sql.retiredAfter, [
        after,
        limit,
      ])
      return rows.map(({ pool_id: poolId, ...pod }): RetiredPod => ({ ...pod, poolId }))
    },
    async forgetRetired(olderThanSeconds) {
      await fenced((tx) => tx.run(sql.forgetRetired, [olderThanSeconds]))
    },
    async makeRoom(poolId, limit) {
      return (await fenced((tx) => tx.run(sql.makeRoom, [poolId, limit]))).length
    },
    async waiting() {
      const rows = await db.run<{ pool_id: number; requests: number; steps: number; idle_shared: number }>(sql.waiting)
      return new Map(
        rows.map(({ pool_id: poolId, idle_shared: idleShared, ...waiting }) => [poolId, { ...waiting, idleShared }]),
      )
    },
    async takeSteps(poolId, limit) {
      return (await fenced((tx) => tx.run(sql.takeSteps, [poolId, limit]))).length
    },
  }
}

/** For requests that drain or delete pools, in any replica. */
export function createPodCloser(db: Database): Pick<PodHolds, 'close'> {
  return {
    async close(poolIds, reason) {
      if (poolIds.length > 0) await inTransaction(db, (tx) => tx.run(sql.closePools, [poolIds, reason]))
    },
  }
}

type KnownRow = PodName & { pool_id: number; as: KnownPod['as']; eligible: boolean }

/** The pools that got pods, and how many instances were lost. Pods are taken away before what ran on them is looked for: see `takeAway`. */
async function writeStates(
  tx: Transaction,
  states: readonly PodState[],
): Promise<{ readonly pools: readonly number[]; readonly lost: number }> {
  const uidsOf = (kinds: readonly PodState['kind'][]) =>
    states.flatMap((state) => (state.kind !== 'ready' && kinds.includes(state.kind) ? [state.uid] : []))
  const away = uidsOf(['unready', 'ended', 'gone'])
  if (away.length > 0) {
    await tx.run(sql.takeAway, [away])
    await tx.run(sql.takeAwayShared, [away])
  }

  const pods = states.flatMap((state) => (state.kind === 'ready' ? [state.pod] : []))
  const pools = pods.length === 0 ? [] : await tx.run<{ pool_id: number }>(sql.putReady, [toInput(pods)])
  if (pools.length > 0) await tx.run(sql.unputHeld, [pods.map((pod) => pod.uid)])

  const ended = uidsOf(['ended'])
  if (ended.length > 0) await tx.run(sql.retireEnded, [ended])
  const gone = uidsOf(['gone'])
  if (gone.length > 0) await tx.run(sql.forgetGone, [gone])
  // Last: it inserts events.
  const lost = (await loseInstances(tx, ended, 'its pod ended')) + (await loseInstances(tx, gone, 'its pod is gone'))
  return { pools: pools.map((row) => row.pool_id), lost }
}

/** How many there were. */
async function loseInstances(tx: Transaction, pods: readonly string[], reason: string): Promise<number> {
  if (pods.length === 0) return 0
  const lost = await tx.run<{ id: string }>(sql.instancesOn, [pods])
  if (lost.length === 0) return 0
  const ended = await endInstancesNow(
    tx,
    lost.map(({ id }) => ({ id, state: 'lost', reason })),
    // Of no effect: nobody comes back to a pod that is lost.
    { tenantAffinity: false, tenantReuseSeconds: -1 },
  )
  await markForReplacement(
    tx,
    ended.map(({ id }) => id),
  )
  return lost.length
}

function toInput(pods: readonly Extract<PodState, { kind: 'ready' }>['pod'][]): string {
  return JSON.stringify(
    pods.map((pod, ord) => ({
      ord,
      pool_id: pod.poolId,
      pod_uid: pod.uid,
      pod_name: pod.name,
      namespace: pod.namespace,
      ip: pod.ip,
      node: pod.node,
      host_ip: pod.hostIp,
      cpu_millis: pod.cpuMillis,
      memory_bytes: pod.memoryBytes,
      idle_seconds: pod.idleSeconds,
      is_marked: pod.isMarked,
    })),
  )
}

async function retire(tx: Transaction, poolId: number, pods: readonly PodName[], reason: string) {
  const uids = pods.map((pod) => pod.uid)
  const picked = new Set<string>()
  for (const pick of [sql.pickReady, sql.pickIdleShared]) {
    const left = uids.filter((uid) => !picked.has(uid))
    if (left.length > 0) for (const row of await tx.run<{ uid: string }>(pick, [left])) picked.add(row.uid)
  }
  const left = uids.filter((uid) => !picked.has(uid))
  if (left.length > 0) for (const row of await tx.run<{ uid: string }>(sql.pickUnready, [left])) picked.add(row.uid)
  const retired = pods.filter((pod) => picked.has(pod.uid))
  if (retired.length > 0) {
    const input = retired.map((pod) => ({ pod_uid: pod.uid, pod_name: pod.name, namespace: pod.namespace }))
    await tx.run(sql.insertRetired, [JSON.stringify(input), poolId, reason])
  }
  return { retired: retired.map((pod) => pod.uid), held: uids.filter((uid) => !picked.has(uid)) }
}
