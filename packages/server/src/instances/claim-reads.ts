import type { Queryable, Statement } from '../store/database.ts'
import type { FreePod, PoolFacts, SharedPod } from './claim-plan.ts'
import type { Selector } from './instance.ts'
import { aliveInLine } from './line-sql.ts'
import { cpuMillisOf, memoryBytesOf } from './quantity.ts'

/** What a claim must know before it is placed. */

type PoolFactsRow = {
  id: number
  uid: string
  name: string
  group_name: string
  status: number
  draining: boolean
  size: number
  max_size: number
  scalable: boolean
  requests: Record<string, string> | null
  msg_word: string
  msg_notes: string[]
  waiting: number
  exclusive_line: boolean
  shared_line: boolean
}

const facts = `p.id, p.uid, p.name, p.group_name, p.status, p.draining, p.size, p.max_size, p.scalable,
  p.resources -> 'requests' as requests, p.msg_word, p.msg_notes,
  (select count(*) from line where pool_id = p.id) as waiting,
  (select true ${aliveInLine('p.id')} and not l.shared limit 1) is not null as exclusive_line,
  (select true ${aliveInLine('p.id')} and l.shared limit 1) is not null as shared_line`

const byName: Statement = { name: 'claim-pool-by-name', text: `select ${facts} from pool p where p.name = $1` }
const byIds: Statement = {
  name: 'claim-pools-by-ids',
  text: `select ${facts} from pool p where p.id = any($1) order by p.id`,
}
/** The most ready first. */
const byGroup: Statement = {
  name: 'claim-pools-by-group',
  text: `select ${facts} from pool p where p.group_name = $1
    order by (select count(*) from (select 1 from ready r where r.pool_id = p.id limit 1000) x) desc, p.id`,
}
/** The first key first; pools with none of them only when `$2` says so, and last. */
const byLabels: Statement = {
  name: 'claim-pools-by-labels',
  text: `select ${facts} from pool p
    cross join lateral (select min(k.ord) as ord from unnest($1::text[]) with ordinality k(key, ord)
      where p.labels ? k.key or p.group_name = k.key or k.key = 'app' or k.key = 'yr-reuse' and not p.scalable
        or k.key = 'yr-idle-to-recycle' and p.scalable and p.idle_reserved_seconds <> 0) rank
    where rank.ord is not null or $2
    order by rank.ord nulls last, (select count(*) from (select 1 from ready r where r.pool_id = p.id limit 1000) x) desc, p.id`,
}

/** The pools that a claim may be served from, the preferred ones first; closed ones, too. */
export async function readPools(db: Queryable, selector: Selector): Promise<PoolFacts[]> {
  return (await readPoolRows(db, selector)).map(toFacts)
}

function readPoolRows(db: Queryable, selector: Selector): Promise<PoolFactsRow[]> {
  if (selector.kind === 'pool') return db.run<PoolFactsRow>(byName, [selector.pool])
  if (selector.kind === 'group') return db.run<PoolFactsRow>(byGroup, [selector.group])
  return db.run<PoolFactsRow>(byLabels, [selector.keys, selector.keys.includes(anyPool)])
}

/** The entry of X-Pool-Label that lets pools without any of the keys serve as well (pool API reference 6.1). */
const anyPool = 'unUseAntiOtherLabels'

export async function readPoolsById(db: Queryable, ids: readonly number[]): Promise<PoolFacts[]> {
  return (await db.run<PoolFactsRow>(byIds, [ids])).map(toFacts)
}

function toFacts(row: PoolFactsRow): PoolFacts {
  return {
    id: row.id,
    uid: row.uid,
    name: row.name,
    group: row.group_name,
    status: row.status,
    isDraining: row.draining,
    size: row.size,
    maxSize: row.max_size,
    isScalable: row.scalable,
    cpuMillis: cpuMillisOf(row.requests?.cpu ?? '0') ?? 0,
    memoryBytes: memoryBytesOf(row.requests?.memory ?? '0') ?? 0,
    word: row.msg_word,
    notes: row.msg_notes,
    waiting: row.waiting,
    hasExclusiveLine: row.exclusive_line,
    hasSharedLine: row.shared_line,
  }
}

const held: Statement = {
  name: 'claim-pods-held',
  text: `select pool_id, count(distinct pod_uid) as held from instance where pool_id = any($1) group by pool_id`,
}

/** How many pods of each pool run instances. */
export async function readHeld(db: Queryable, pools: readonly PoolFacts[]): Promise<(PoolFacts & { held: number })[]> {
  const rows = await db.run<{ pool_id: number; held: number }>(held, [pools.map(({ id }) => id)])
  const byPool = new Map(rows.map((row) => [row.pool_id, row.held]))
  return pools.map((pool) => ({ ...pool, held: byPool.get(pool.id) ?? 0 }))
}

type FreePodRow = {
  pool_id: number
  seq: number
  pod_uid: string
  pod_name: string
  namespace: string
  ip: string
  node: string
  host_ip: string
  cpu_millis: number
  memory_bytes: number
  idle_seconds: number | null
}

const podColumns = 'pool_id, pod_uid, pod_name, namespace, ip, node, host_ip, cpu_millis, memory_bytes, idle_seconds'

/** At most `$2` of each pool; those that another claim has in hand are passed over. */
const lockFree: Statement = {
  name: 'claim-lock-free',
  text: `select r.* from unnest($1::bigint[]) with ordinality p(id, ord)
    cross join lateral (select seq, ${podColumns} from ready where pool_id = p.id order by seq limit $2
      for update skip locked) r
    order by p.ord, r.seq`,
}

/** Ready pods of these pools, locked; in the order of the pools, the longest ready first. */
export async function lockFreePods(db: Queryable, poolIds: readonly number[], perPool: number): Promise<FreePod[]> {
  return (await db.run<FreePodRow>(lockFree, [poolIds, perPool])).map((row) => ({ ...toPod(row), seq: row.seq }))
}

const peekFree: Statement = {
  name: 'claim-peek-free',
  text: `select r.* from unnest($1::bigint[]) p(id)
    cross join lateral (select cpu_millis, memory_bytes from ready where pool_id = p.id order by seq limit 1) r`,
}

/** What the next ready pods of these pools have. */
export async function peekFreePods(
  db: Queryable,
  poolIds: readonly number[],
): Promise<{ cpu_millis: number; memory_bytes: number }[]> {
  return db.run(peekFree, [poolIds])
}

type SharedPodRow = Omit<FreePodRow, 'seq'> & {
  cpu_millis_used: number
  memory_bytes_used: number
  instances: number
  tenant: string
}

/**
 * For each size asked for, the `$5` fullest pods of each pool that still fit it. They are locked in one order; what
 * changed while that waited is read as it then is, and looked at again by the plan.
 */
const lockShared: Statement = {
  name: 'claim-lock-shared',
  text: `with asked as materialized (select * from unnest($2::bigint[], $3::bigint[], $4::text[]) a(cpu, memory, tenant)),
    fits as materialized (
      select distinct s.pod_uid from asked a cross join unnest($1::bigint[]) p(id)
        cross join lateral (
          select f.pod_uid from shared_pod f where f.pool_id = p.id and f.eligible
            and f.cpu_millis - f.cpu_millis_used >= a.cpu and f.memory_bytes - f.memory_bytes_used >= a.memory
            and (not $6 or f.tenant = a.tenant or (f.tenant = '' and f.instances = 0))
          order by f.cpu_millis - f.cpu_millis_used, f.memory_bytes - f.memory_bytes_used, f.pod_uid limit $5) s)
    select ${podColumns}, cpu_millis_used, memory_bytes_used, instances, tenant
    from shared_pod where pod_uid in (select pod_uid from fits) and eligible order by pod_uid for update`,
}

export type Size = { readonly cpuMillis: number; readonly memoryBytes: number; readonly tenant: string }

export async function lockSharedPods(
  db: Queryable,
  poolIds: readonly number[],
  sizes: readonly Size[],
  each: number,
  tenantAffinity: boolean,
): Promise<SharedPod[]> {
  const rows = await db.run<SharedPodRow>(lockShared, [
    poolIds,
    sizes.map(({ cpuMillis }) => cpuMillis),
    sizes.map(({ memoryBytes }) => memoryBytes),
    sizes.map(({ tenant }) => tenant),
    each,
    tenantAffinity,
  ])
  return rows.map((row) => ({
    ...toPod(row),
    cpuMillisUsed: row.cpu_millis_used,
    memoryBytesUsed: row.memory_bytes_used,
    instances: row.instances,
    tenant: row.tenant,
  }))
}

function toPod(row: Omit<FreePodRow, 'seq'>) {
  return {
    poolId: row.pool_id,
    podUid: row.pod_uid,
    podName: row.pod_name,
    namespace: row.namespace,
    ip: row.ip,
    node: row.node,
    hostIp: row.host_ip,
    cpuMillis: row.cpu_millis,
    memoryBytes: row.memory_bytes,
    idleSeconds: row.idle_seconds,
  }
}
