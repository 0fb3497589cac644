import type { Database, Queryable, Transaction } from '../store/database.ts'
import { inFencedTransaction, type Lease } from '../store/lease.ts'
import { inTransaction } from '../store/transaction.ts'
import type { Pool, PoolEventDraft, PoolSpec, PoolStatus } from './pool.ts'
import { recordChanges, type StoryLine } from './pool-events.ts'
import { newPoolColumns, newPoolNames, type PoolRow, poolColumns, toNewRow, toPool } from './pool-row.ts'

/**
 * The table `pool`. Every change of it goes through here: it adds 1 to `version`, and writes the pool's story and the
 * event log in the same transaction. Statements that lock several rows lock them in the order of `id`.
 */

const insertPools = {
  name: 'pool-insert',
  // Numbers are drawn in the order of the request (lists are newest first), rows are inserted in the order of names:
  // two requests with the same names cannot wait for each other.
  text: `with input as materialized (
      select nextval('pool_id_seq') as id, i.* from json_to_recordset($1) as i(${newPoolColumns})),
    created as (
      insert into pool as p (id, ${newPoolNames}) select id, ${newPoolNames} from input order by name
        on conflict on constraint pool_name_unique do nothing returning ${poolColumns})
    select * from created order by id`,
}

/** Stores new pools with status 0, all in one statement. Those whose id exists already are left out of the answer. */
export function createPools(
  db: Database,
  pools: readonly { readonly id: string; readonly spec: PoolSpec }[],
  event: PoolEventDraft,
): Promise<Pool[]> {
  return inTransaction(db, async (tx) => {
    const rows = await tx.run<PoolRow>(insertPools, [JSON.stringify(pools.map((p) => toNewRow(p.id, p.spec)))])
    const created = rows.map(toPool)
    await recordChanges(
      tx,
      created.map((pool) => ({ pool, event })),
      created.map((pool) => ({ type: 'create', pool })),
    )
    return created
  })
}

export type PoolFilter = { readonly id?: string | undefined; readonly group?: string | undefined }

const selectPage = {
  name: 'pool-page',
  text: `select total.total, ${poolColumns}
    from (select count(*) as total from pool
      where ($1::text is null or name = $1) and ($2::text is null or group_name = $2)) total
    left join lateral (select * from pool
      where ($1::text is null or name = $1) and ($2::text is null or group_name = $2)
      order by id desc limit $3::bigint offset $4::bigint) p on true
    order by p.id desc`,
}

/** Newest first. `total` counts the matches on all pages. */
export async function listPoolPage(
  db: Queryable,
  filter: PoolFilter,
  page: { readonly limit: bigint; readonly skip: bigint },
): Promise<{ readonly total: number; readonly pools: readonly Pool[] }> {
  const rows = await db.run<PoolRow & { total: number }>(selectPage, [
    filter.id ?? null,
    filter.group ?? null,
    String(page.limit),
    String(page.skip),
  ])
  return { total: rows[0]?.total ?? 0, pools: rows.filter((row) => row.id !== null).map(toPool) }
}

const selectAll = { name: 'pool-all', text: `select ${poolColumns} from pool p order by p.id` }
const selectByStatus = {
  name: 'pool-by-status',
  text: `select ${poolColumns} from pool p where p.status = any($1::smallint[]) order by p.id`,
}
const selectByUids = {
  name: 'pool-by-uids',
  text: `select ${poolColumns} from pool p where p.uid = any($1::uuid[]) order by p.id`,
}
const selectById = { name: 'pool-by-id', text: `select ${poolColumns} from pool p where p.name = $1` }

/** Every pool, oldest first. */
export async function listPools(db: Queryable): Promise<Pool[]> {
  return (await db.run<PoolRow>(selectAll)).map(toPool)
}

/** The pools in one of these states, oldest first. */
export async function listPoolsByStatus(db: Queryable, statuses: readonly PoolStatus[]): Promise<Pool[]> {
  return (await db.run<PoolRow>(selectByStatus, [statuses])).map(toPool)
}

/** Those of these pools that still exist, oldest first. */
export async function getPoolsByUid(db: Queryable, uids: readonly string[]): Promise<Pool[]> {
  return (await db.run<PoolRow>(selectByUids, [uids])).map(toPool)
}

export async function getPoolByUid(db: Queryable, uid: string): Promise<Pool | undefined> {
  return (await getPoolsByUid(db, [uid]))[0]
}

/** By the id of the API. */
export async function getPoolById(db: Queryable, id: string): Promise<Pool | undefined> {
  const [row] = await db.run<PoolRow>(selectById, [id])
  return row === undefined ? undefined : toPool(row)
}

const lockById = { name: 'pool-lock', text: `select ${poolColumns} from pool p where p.name = $1 for update` }
const updateSpec = {
  name: 'pool-update-spec',
  text: `update pool p set size = $2, max_size = $3, horizontal_pod_autoscaler_spec = $4, autoscaling = $5, draining = $6,
      status = case when status = 0 then 0 else 2 end, version = version + 1, updated_at = now(), valid_from = now()
    where p.id = $1 returning ${poolColumns}`,
}

/** What a client may change of a pool that exists. */
export type PoolChange = Pick<PoolSpec, 'size' | 'maxSize' | 'horizontalPodAutoscalerSpec' | 'autoscaling'> &
  Pick<Pool, 'draining'>

/**
 * Changes a pool and sets status 2 (one that nobody has looked at yet stays new). `decide` sees the row locked, so of two changes at once the second sees what the
 * first did; whatever it throws leaves the pool as it is. Undefined: no such pool.
 */
export function changePool(
  db: Database,
  id: string,
  decide: (pool: Pool) => { readonly change: PoolChange; readonly event: PoolEventDraft },
): Promise<Pool | undefined> {
  return inTransaction(db, async (tx) => {
    const [row] = await tx.run<PoolRow>(lockById, [id])
    if (row === undefined) return undefined
    const { change, event } = decide(toPool(row))
    const [changed] = await tx.run<PoolRow>(updateSpec, [
      row.id,
      change.size,
      change.maxSize,
      change.horizontalPodAutoscalerSpec,
      change.autoscaling,
      change.draining,
    ])
    if (changed === undefined) throw new Error(`pool ${id} vanished under its lock`)
    const pool = toPool(changed)
    await recordChanges(tx, [{ pool, event }], [{ type: 'update', pool }])
    return pool
  })
}

const lockMatching = {
  name: 'pool-lock-matching',
  text: `select id, uid, status from pool
    where ($1::text is null or name = $1) and ($2::text is null or group_name = $2) order by id for update`,
}
const markDeleted = {
  name: 'pool-mark-deleted',
  text: `update pool p set status = 6, version = version + 1, updated_at = now(), valid_from = now()
    where p.id = any($1::bigint[]) and p.status <> 6 returning ${poolColumns}`,
}

/** Sets status 6 on every match at once, and returns all matches; those that have it already stay as they are. */
export function markPoolsDeleted(
  db: Database,
  filter: PoolFilter,
  event: PoolEventDraft,
): Promise<Pick<Pool, 'uid' | 'seq'>[]> {
  return inTransaction(db, async (tx) => {
    const matches = await tx.run<Pick<PoolRow, 'id' | 'uid' | 'status'>>(lockMatching, [
      filter.id ?? null,
      filter.group ?? null,
    ])
    const living = matches.filter((match) => match.status !== 6)
    if (living.length > 0) {
      const rows = await tx.run<PoolRow>(markDeleted, [living.map((match) => match.id)])
      const pools = rows.map(toPool).sort((a, b) => a.seq - b.seq)
      await recordChanges(
        tx,
        pools.map((pool) => ({ pool, event })),
        pools.map((pool) => ({ type: 'update', pool })),
      )
    }
    return matches.map(({ uid, id }) => ({ uid, seq: id }))
  })
}

/** What the controller found out about a pool. Members that are left out stay as they are. */
export type ObservedWrite = {
  readonly uid: string
  /** The version that the finding is about: nothing is written when the pool has another by now. */
  readonly version: number
  readonly status?: PoolStatus
  readonly word?: string
  readonly notes?: readonly string[]
  readonly readyCount?: number
  /** Replaces what was remembered. A write of this alone is not told to watchers. */
  readonly observed?: Readonly<Record<string, unknown>>
  /** Added to the pool's story. */
  readonly events?: readonly PoolEventDraft[]
}

// Status 6 is terminal: a write that would leave it finds no row, like one with an old version.
const updateObserved = {
  name: 'pool-update-observed',
  text: `with input as materialized (
      select * from json_to_recordset($1) as i(uid uuid, version bigint, status smallint, word text, notes jsonb,
        ready_count bigint, observed jsonb)),
    locked as materialized (
      select p.id, i.* from pool p join input i on i.uid = p.uid and i.version = p.version
      where p.status <> 6 or coalesce(i.status, 6) = 6
      order by p.id for update of p)
    update pool p set
      status = coalesce(l.status, p.status),
      msg_word = coalesce(l.word, p.msg_word),
      msg_notes = case when l.notes is null then p.msg_notes else array(select jsonb_array_elements_text(l.notes)) end,
      ready_count = coalesce(l.ready_count, p.ready_count),
      observed = coalesce(l.observed, p.observed),
      version = p.version + 1, updated_at = now(), valid_from = now()
    from locked l where p.id = l.id and p.version = l.version returning ${poolColumns}`,
}

/**
 * Writes what the controller found out about many pools, one statement per table, while it still holds `lease`.
 * Returns the pools that were written, as they are now, oldest first; the others were changed meanwhile (or removed):
 * read them again. At most one write for a pool.
 */
export function writeObservedMany(
  db: Database,
  lease: Lease | undefined,
  writes: readonly ObservedWrite[],
): Promise<Pool[]> {
  if (writes.length === 0) return Promise.resolve([])
  return inFencedTransaction(db, lease, async (tx) => {
    const rows = await tx.run<PoolRow>(updateObserved, [JSON.stringify(writes.map(toInput))])
    const pools = rows.map(toPool).sort((a, b) => a.seq - b.seq)
    const byUid = new Map(writes.map((write) => [write.uid, write]))
    const told = pools.filter((pool) => isOnWire(byUid.get(pool.uid)))
    await recordChanges(
      tx,
      pools.flatMap((pool) => storyOf(pool, byUid.get(pool.uid)?.events)),
      told.map((pool) => ({ type: 'update', pool })),
    )
    return pools
  })
}

/** Writes one finding; undefined when the pool was changed meanwhile (or removed). */
export async function writeObserved(
  db: Database,
  lease: Lease | undefined,
  write: ObservedWrite,
): Promise<Pool | undefined> {
  return (await writeObservedMany(db, lease, [write]))[0]
}

const toInput = (write: ObservedWrite) => ({
  uid: write.uid,
  version: write.version,
  status: write.status,
  word: write.word,
  notes: write.notes,
  ready_count: write.readyCount,
  observed: write.observed,
})

const isOnWire = (write: ObservedWrite | undefined) =>
  write !== undefined && (write.status ?? write.word ?? write.notes ?? write.readyCount) !== undefined

const storyOf = (pool: Pool, events: readonly PoolEventDraft[] = []): StoryLine[] =>
  events.map((event) => ({ pool, event }))

const lockByUid = { name: 'pool-lock-uid', text: `select id, name from pool where uid = $1 for update` }

/** Adds to a pool's story without a change of the pool; nothing when the pool is gone. */
export async function addPoolEvents(
  db: Database,
  lease: Lease | undefined,
  uid: string,
  events: readonly PoolEventDraft[],
): Promise<void> {
  if (events.length === 0) return
  await inFencedTransaction(db, lease, async (tx) => {
    const [row] = await tx.run<{ id: number; name: string }>(lockByUid, [uid])
    if (row !== undefined)
      await recordChanges(
        tx,
        events.map((event) => ({ pool: { uid, id: row.name }, event })),
        [],
      )
  })
}

const deleteRows = {
  name: 'pool-delete',
  text: `with locked as materialized (
      select p.id from pool p join json_to_recordset($1) as i(uid uuid, version bigint) on i.uid = p.uid
      where i.version = p.version and p.status = 6 order by p.id for update of p)
    delete from pool p where p.id in (select id from locked) returning ${poolColumns}`,
}

/** A pool whose objects are gone, and the last lines of its story. */
export type PoolRemoval = {
  readonly uid: string
  readonly version: number
  readonly events?: readonly PoolEventDraft[]
}

/** Removes pools in status 6, many at once; returns the uids that were removed. Their ids are free from now on. */
export function removePools(
  db: Database,
  lease: Lease | undefined,
  removals: readonly PoolRemoval[],
): Promise<string[]> {
  if (removals.length === 0) return Promise.resolve([])
  return inFencedTransaction(db, lease, async (tx: Transaction) => {
    const input = removals.map(({ uid, version }) => ({ uid, version }))
    const rows = await tx.run<PoolRow>(deleteRows, [JSON.stringify(input)])
    const pools = rows.map(toPool).sort((a, b) => a.seq - b.seq)
    const events = new Map(removals.map((removal) => [removal.uid, removal.events]))
    await recordChanges(
      tx,
      pools.flatMap((pool) => storyOf(pool, events.get(pool.uid))),
      pools.map((pool) => ({ type: 'delete', pool })),
    )
    return pools.map((pool) => pool.uid)
  })
}

/** Removes one pool in status 6; false when it was changed meanwhile, or is gone. */
export async function removePool(
  db: Database,
  lease: Lease | undefined,
  uid: string,
  version: number,
  events: readonly PoolEventDraft[] = [],
): Promise<boolean> {
  return (await removePools(db, lease, [{ uid, version, events }])).length === 1
}
