import { setImmediate as nextTurn } from 'node:timers/promises'
import type { PodHolds, PodState, ReadyPod } from '../../src/pools/pod-holds.ts'
import type { Database } from '../../src/store/database.ts'

/** A pod as the cluster has it in the model: what a controller would be told of it. */
export type ModelPod = {
  readonly uid: string
  readonly poolId: number
  cluster: 'ready' | 'unready' | 'gone'
  /** How often it was offered; the rule about times below is only checked for pods that were offered once. */
  offered: number
  /** Database time after which nobody may have got it: it was taken back, and that was committed. */
  closedAt: number | undefined
}

/** The pods of one pool, and what its controller tells of them: the cluster's half of a random sequence. */
export type ModelPool = {
  readonly id: number
  readonly name: string
  readonly pods: ModelPod[]
  isDraining: boolean
}

const asReady = (pod: ModelPod): ReadyPod => ({
  uid: pod.uid,
  name: pod.uid,
  namespace: 'default',
  poolId: pod.poolId,
  ip: '10.1.2.3',
  node: 'node-1',
  hostIp: '192.0.2.1',
  cpuMillis: 1_000,
  memoryBytes: 2 ** 30,
  idleSeconds: null,
  isMarked: false,
})

export async function databaseTime(db: Database): Promise<number> {
  const [row] = await db.query<{ ms: number }>('select extract(epoch from clock_timestamp())::float8 * 1000 as ms')
  return row?.ms ?? Number.NaN
}

/** What happens to pods, as the controller tells it. */
export function createCluster(db: Database, holds: PodHolds) {
  let made = 0
  let told: PodState[] = []
  let telling: Promise<number> | undefined

  /** As the controller does: what comes while one transaction runs goes into the next. Resolves to a time after the commit. */
  function tell(states: readonly PodState[]): Promise<number> {
    told.push(...states)
    telling ??= (async () => {
      await nextTurn()
      const now = told
      told = []
      telling = undefined
      await holds.tell(now)
      return databaseTime(db)
    })()
    return telling
  }
  const close = (pods: readonly ModelPod[], at: number) => {
    for (const pod of pods) pod.closedAt ??= at
  }
  const offer = async (pods: readonly ModelPod[]) => {
    for (const pod of pods) {
      pod.offered += 1
      pod.cluster = 'ready'
      pod.closedAt = undefined
    }
    await tell(pods.map((pod) => ({ kind: 'ready', pod: asReady(pod) })))
  }
  return {
    async add(pool: ModelPool, count: number): Promise<void> {
      const pods = Array.from({ length: count }, (): ModelPod => {
        made += 1
        return {
          uid: `${pool.name}-${made}`,
          poolId: pool.id,
          cluster: 'ready',
          offered: 0,
          closedAt: undefined,
        }
      })
      pool.pods.push(...pods)
      await offer(pods)
    },
    /** As a late event of a watch may: pods that were released or retired meanwhile must stay out. */
    offer,
    async takeBack(pod: ModelPod): Promise<void> {
      pod.cluster = 'unready'
      close([pod], await tell([{ kind: 'unready', uid: pod.uid }]))
    },
    async remove(pod: ModelPod): Promise<void> {
      pod.cluster = 'gone'
      close([pod], await tell([{ kind: 'gone', uid: pod.uid }]))
    },
    async shrink(pool: ModelPool, pods: readonly ModelPod[]): Promise<void> {
      const names = pods.map(({ uid }) => ({ uid, name: uid, namespace: 'default' }))
      const { retired } = await holds.retire(pool.id, names, 'shrunk')
      if (retired.length === 0) return
      close(
        pods.filter(({ uid }) => retired.includes(uid)),
        await databaseTime(db),
      )
    },
    async drain(pool: ModelPool): Promise<void> {
      pool.isDraining = true
      await db.query('update pool set draining = true, valid_from = now() where id = $1', [pool.id])
      await holds.close([pool.id], 'drained')
    },
    async undrain(pool: ModelPool): Promise<void> {
      await db.query('update pool set draining = false, valid_from = now() where id = $1', [pool.id])
      pool.isDraining = false
      await offer(pool.pods.filter((pod) => pod.cluster === 'ready'))
    },
  }
}

export type Cluster = ReturnType<typeof createCluster>

/** Who waits in a pool's line, first come first, and which of those that waited before have an instance now: one moment. */
export async function lookAtLine(db: Database, poolId: number) {
  const [row] = await db.query<{ waiting: { id: string; simple: boolean }[] | null; bound: string[] | null }>(
    `select
      (select json_agg(json_build_object('id', w.id, 'simple', w.count = 1 and w.schedule_policy = 'exclusive')
          order by l.priority desc, l.seq)
        from line l join waiter w on w.id = l.waiter_id join replica r on r.id = l.replica
        where l.pool_id = $1 and r.seen_at > statement_timestamp() - interval '5 s') as waiting,
      (select json_agg(id) from (
        select id from instance where pool_id = $1 union all select id from instance_past where pool_id = $1) i) as bound`,
    [poolId],
  )
  return { waiting: row?.waiting ?? [], bound: new Set(row?.bound ?? []) }
}

/** What is wrong with the tables, however the sequences went. */
export async function findContradictions(db: Database, pools: readonly ModelPool[]): Promise<string[]> {
  const problems: string[] = []
  const ids = pools.map(({ id }) => id)
  const held = await db.query<{ id: string; pod_uid: string; schedule_policy: string; ms: number; live: boolean }>(
    `select id, pod_uid, schedule_policy, extract(epoch from created_at)::float8 * 1000 as ms, true as live
      from instance where pool_id = any($1)
    union all select id, pod_uid, schedule_policy, extract(epoch from created_at)::float8 * 1000, false
      from instance_past where pool_id = any($1)`,
    [ids],
  )
  const pods = new Map(pools.flatMap((pool) => pool.pods.map((pod) => [pod.uid, pod])))
  for (const [uid, on] of Map.groupBy(held, (row) => row.pod_uid)) {
    const exclusive = on.filter((row) => row.schedule_policy === 'exclusive')
    if (exclusive.length > 1 || (exclusive.length === 1 && on.length > 1))
      problems.push(`pod ${uid} was handed out to ${on.map(({ id }) => id).join(' and ')}`)
    const pod = pods.get(uid)
    if (pod === undefined) problems.push(`pod ${uid} is held and was never there`)
    else if (pod.offered === 1 && pod.closedAt !== undefined)
      for (const { id, ms } of on)
        if (ms > pod.closedAt) problems.push(`pod ${uid} was handed out to ${id} after it had been taken back`)
    if (pod?.cluster === 'gone' && on.some(({ live }) => live)) problems.push(`pod ${uid} is gone and still held`)
  }
  const places = await db.query<{ uid: string; at: string }>(
    `select pod_uid as uid, 'ready' as at from ready where pool_id = any($1)
    union all select pod_uid, 'shared' from shared_pod where pool_id = any($1)
    union all select pod_uid, 'retired' from retired where pool_id = any($1)
    union all select pod_uid, 'held' from instance where pool_id = any($1) and schedule_policy = 'exclusive'`,
    [ids],
  )
  const placesOf = Map.groupBy(places, ({ uid }) => uid)
  for (const pool of pools)
    for (const pod of pool.pods) {
      const at = (placesOf.get(pod.uid) ?? []).map((place) => place.at)
      if (at.length > 1) problems.push(`pod ${pod.uid} is in ${at.join(' and ')}`)
      if (at.length === 0 && pod.cluster === 'ready' && !pool.isDraining) problems.push(`pod ${pod.uid} is leaked`)
      if (at.includes('ready') && pod.cluster !== 'ready') problems.push(`pod ${pod.uid} is ready and is not`)
    }
  const overfull = await db.query<{ pod_uid: string }>(
    `select s.pod_uid from shared_pod s left join instance i on i.pod_uid = s.pod_uid where s.pool_id = any($1)
      group by s.pod_uid having coalesce(sum(i.cpu_millis), 0) <> s.cpu_millis_used
        or coalesce(sum(i.memory_bytes), 0) <> s.memory_bytes_used or s.cpu_millis_used > s.cpu_millis
        or s.memory_bytes_used > s.memory_bytes or count(i.id) <> s.instances`,
    [ids],
  )
  problems.push(...overfull.map(({ pod_uid }) => `what runs on shared pod ${pod_uid} is not what is written there`))
  return problems
}
