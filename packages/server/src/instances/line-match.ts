import type { Database, Queryable, Statement } from '../store/database.ts'
import { inTransaction } from '../store/transaction.ts'
import { bind, findPlaces } from './claim-careful.ts'
import { readPoolsById } from './claim-reads.ts'
import { isOpen } from './claim-refusal.ts'
import type { Claim, Instance } from './instance.ts'
import { detailSql, type InstanceRow, liveColumns, toInstance } from './instance-row.ts'
import { aliveInLine } from './line-sql.ts'

/** What one look at a pool's line came to. */
export type Matched = {
  /** By waiter; instances of waiters of other replicas were announced to those. */
  readonly bound: readonly {
    readonly waiterId: string
    readonly replica: string
    readonly instances: readonly Instance[]
  }[]
  /** A batch or a shared claim is next, which this kind of look cannot serve. */
  readonly isBlocked: boolean
  /** Shared claims wait: what others gave back may be enough for them. */
  readonly hasShared: boolean
}

/**
 * Pairs the first waiters of a pool's line with its ready pods: exclusive claims of one instance, up to the first that is
 * something else. Waiters are locked in the order of the line, and waited for: it is the same order in every line, so two
 * looks at once cannot block each other for good, and neither passes over somebody.
 *
 * Whoever makes pods ready, whoever joins a line, and a sweep each second run this: either the one sees the pod or the
 * other sees the waiter.
 */
const matchFirst: Statement = {
  name: 'line-match',
  text: `with clock as materialized (select instance_now() as now),
    room as materialized (select count(*) as n from (select 1 from ready where pool_id = $1 limit 256) x),
    called as materialized (
      select w.*, l.priority as line_priority, l.seq as line_seq from (
          select l.waiter_id, l.priority, l.seq ${aliveInLine('$1')}
            and exists (select from pool p where p.id = $1 and p.status not in (5, 6) and not p.draining)
          order by l.priority desc, l.seq limit (select n from room)) l
        join waiter w on w.id = l.waiter_id
      order by l.priority desc, l.seq for update of w),
    ranked as materialized (
      select c.*, row_number() over turn as rn,
        bool_and(c.schedule_policy = 'exclusive' and c.count = 1) over turn as simple
      from called c window turn as (order by c.line_priority desc, c.line_seq)),
    cand as materialized (select array(
      select ctid from ready where pool_id = $1 order by seq
        limit (select count(*) from ranked where simple) for update skip locked) as tids),
    pick as (delete from ready where ctid = any((select tids from cand)::tid[]) returning *),
    num as (select pick.*, row_number() over (order by seq) as rn from pick),
    pair as materialized (
      select r.id, r.request_id, r.replica, r.labels, r.tenant, r.priority, r.lease_seconds, r.arrived_at, r.rn,
        n.pod_uid, n.pod_name, n.namespace, n.ip, n.node, n.host_ip
      from ranked r join num n using (rn) where r.simple),
    served as (delete from waiter where id in (select id from pair)),
    left_line as (delete from line where waiter_id in (select id from pair)),
    bound as (
      insert into instance (id, request_id, pool_id, pool_uid, pool_name, group_name, schedule_policy, labels, tenant,
          priority, lease_seconds, expires_at, pod_uid, pod_name, namespace, ip, node, host_ip,
          bk_biz_id, bk_pod_id, bk_host_id, waited_ms, warm, created_at)
        select r.id, r.request_id, p.id, p.uid, p.name, p.group_name, 'exclusive', r.labels, r.tenant,
          r.priority, r.lease_seconds,
          case when r.lease_seconds > 0 then clock.now + make_interval(secs => r.lease_seconds) end,
          r.pod_uid, r.pod_name, r.namespace, r.ip, r.node, r.host_ip,
          coalesce(k.bk_biz_id, 0), coalesce(k.id, 0), coalesce(k.bk_host_id, 0),
          floor(extract(epoch from clock.now - r.arrived_at) * 1000)::int, false, clock.now
        from pair r cross join clock join pool p on p.id = $1
          left join lateral (select id, bk_biz_id, bk_host_id from pod
            where uid = r.pod_uid and origin = 'sync' limit 1) k on true
        order by r.rn
      returning *),
    -- at most 50 ids of at most 128 characters: a payload ends at 8,000 bytes
    told as materialized (
      select pg_notify('podyard_claim_' || replica, json_agg(id)::text)
      from pair where replica <> $2 group by replica, (rn - 1) / 50),
    logged as (
      insert into event (resource, type, object_id, biz_id, detail)
        select 'instance', 'create', b.no, b.bk_biz_id, ${detailSql('b')} from bound b order by b.no)
    select exists (select from ranked where not simple) as blocked,
      exists (select from line where pool_id = $1 and shared) as has_shared, (select count(*) from told) as told, b.*
    from (select 1) one left join (
      select ${liveColumns('i')}, p.replica from bound i join pair p using (id)) b on true
    order by b.no`,
}

export async function matchSimple(db: Queryable, poolId: number, replica: string): Promise<Matched> {
  type Row = InstanceRow & { blocked: boolean; has_shared: boolean; replica: string; id: string | null }
  const rows = await db.run<Row>(matchFirst, [poolId, replica])
  return {
    isBlocked: rows[0]?.blocked ?? false,
    hasShared: rows[0]?.has_shared ?? false,
    bound: rows
      .filter((row) => row.id !== null)
      .map((row) => ({ waiterId: row.id, replica: row.replica, instances: [toInstance(row)] })),
  }
}

type WaiterRow = {
  id: string
  replica: string
  request_id: string | null
  schedule_policy: 'exclusive' | 'shared'
  cpu_millis: number
  memory_bytes: number
  labels: Record<string, string> | null
  tenant: string
  priority: number
  lease_seconds: number
  count: number
  waited_ms: number
  behind_exclusive: boolean
}

const waiterColumns = `w.id, w.replica, w.request_id, w.schedule_policy, w.cpu_millis, w.memory_bytes, w.labels, w.tenant,
  w.priority, w.lease_seconds, w.count, floor(extract(epoch from instance_now() - w.arrived_at) * 1000)::int as waited_ms`

/** The first of the line, whatever it is. */
const lockHead: Statement = {
  name: 'line-lock-head',
  text: `select ${waiterColumns}, false as behind_exclusive
    from (select l.waiter_id, l.priority, l.seq ${aliveInLine('$1')} order by l.priority desc, l.seq limit 1) l
      join waiter w on w.id = l.waiter_id for update of w`,
}

/** The pools in whose line it is the first: a batch may take from all of them. */
const headedPools: Statement = {
  name: 'line-headed-pools',
  text: `select h.pool_id from line h where h.waiter_id = $1 and not exists (
    select 1 ${aliveInLine('h.pool_id')}
      and (l.priority > h.priority or (l.priority = h.priority and l.seq < h.seq)))`,
}

/** The first shared claims of the line. What one of them may take is never what an exclusive claim before it could have had. */
const lockShared: Statement = {
  name: 'line-lock-shared',
  text: `select ${waiterColumns}, exists (
      select 1 ${aliveInLine('$1')} and not l.shared
        and (l.priority > s.priority or (l.priority = s.priority and l.seq < s.seq))) as behind_exclusive
    from (select l.waiter_id, l.priority, l.seq ${aliveInLine('$1')} and l.shared
        order by l.priority desc, l.seq limit 64) s
      join waiter w on w.id = s.waiter_id
    order by s.priority desc, s.seq for update of w`,
}

const tell: Statement = {
  name: 'line-tell',
  text: `select pg_notify('podyard_claim_' || replica, ids) from unnest($1::text[], $2::text[]) t(replica, ids)`,
}

/** Serves a batch that heads the line. */
export function matchBatch(db: Database, poolId: number, replica: string, tenantAffinity: boolean): Promise<Matched> {
  return inTransaction(db, async (tx) => {
    const [head] = await tx.run<WaiterRow>(lockHead, [poolId])
    if (head === undefined || head.schedule_policy !== 'exclusive') return nothing
    const headed = await tx.run<{ pool_id: number }>(headedPools, [head.id])
    return serve(
      tx,
      [head],
      headed.map(({ pool_id }) => pool_id),
      { replica, tenantAffinity, mayTakeReady: true },
    )
  })
}

/** Serves shared claims in their order. */
export function matchShared(db: Database, poolId: number, replica: string, tenantAffinity: boolean): Promise<Matched> {
  return inTransaction(db, async (tx) => {
    const waiters = await tx.run<WaiterRow>(lockShared, [poolId])
    const first = waiters.filter(({ behind_exclusive }) => !behind_exclusive)
    const served = await serve(tx, first, [poolId], { replica, tenantAffinity, mayTakeReady: true })
    if (served.bound.length < first.length || first.length === waiters.length) return served
    const rest = waiters.slice(first.length)
    const more = await serve(tx, rest, [poolId], { replica, tenantAffinity, mayTakeReady: false })
    return { ...nothing, bound: [...served.bound, ...more.bound] }
  })
}

const nothing: Matched = { bound: [], isBlocked: false, hasShared: false }

async function serve(
  tx: Queryable,
  waiters: readonly WaiterRow[],
  poolIds: readonly number[],
  options: { readonly replica: string; readonly tenantAffinity: boolean; readonly mayTakeReady: boolean },
): Promise<Matched> {
  if (waiters.length === 0) return nothing
  const pools = (await readPoolsById(tx, poolIds)).filter(isOpen)
  const claims = waiters.map(toClaim)
  const placement = await findPlaces(tx, claims, pools, options, {
    inOrder: true,
    ofLine: true,
    mayTakeReady: options.mayTakeReady,
  })
  const waited = new Map(waiters.map((waiter) => [waiter.id, waiter.waited_ms]))
  const bound = await bind(tx, placement, options, waited)
  const byId = new Map(waiters.map((waiter) => [waiter.id, waiter]))
  const matched = [...bound].map(([claim, instances]) => ({
    waiterId: claim.id,
    replica: byId.get(claim.id)?.replica ?? '',
    instances,
  }))
  const foreign = matched.filter(({ replica }) => replica !== options.replica)
  if (foreign.length > 0)
    await tx.run(tell, [
      foreign.map(({ replica }) => replica),
      foreign.map(({ waiterId }) => JSON.stringify([waiterId])),
    ])
  return { ...nothing, bound: matched }
}

/** A waiter as the claim that it was; where it may be served, and how long it waits, stands in the line. */
function toClaim(row: WaiterRow): Claim {
  return {
    id: row.id,
    isChosen: false,
    requestId: row.request_id,
    bodyHash: '',
    selector: { kind: 'labels', keys: [] },
    policy: row.schedule_policy,
    cpuMillis: row.cpu_millis,
    memoryBytes: row.memory_bytes,
    count: row.count,
    isBatch: row.count > 1,
    labels: row.labels,
    tenant: row.tenant,
    priority: row.priority,
    leaseSeconds: row.lease_seconds,
    timeoutMs: 0,
  }
}
