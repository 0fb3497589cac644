import type { Queryable } from '../store/database.ts'
import type { Pool, PoolEvent, PoolEventDraft } from './pool.ts'
import { toPoolView } from './pool-view.ts'

/**
 * What is written beside every change of a pool, in its transaction: first the pool's story (`pool_event`), then, as
 * the transaction's last statement, the event log.
 */

export type StoryLine = { readonly pool: Pick<Pool, 'uid' | 'id'>; readonly event: PoolEventDraft }
export type LogLine = { readonly type: 'create' | 'update' | 'delete'; readonly pool: Pool }

// A pool's row is locked by whoever writes its story, so the newest line cannot change under this statement.
// `same` is materialized: joined freely, the planner began with the texts, and 5,000 pools with one message took 18 s.
const insertStory = {
  name: 'pool-event-insert',
  text: `with input as materialized (
      select * from json_to_recordset($1)
        as i(ord int, pool_uid uuid, pool_name text, type text, reason text, message text)),
    first_of_pool as (select distinct on (pool_uid) * from input order by pool_uid, ord),
    same as materialized (
      select f.ord, newest.id from first_of_pool f
        cross join lateral (
          select l.id, l.type, l.reason, l.message from pool_event l where l.pool_uid = f.pool_uid
            order by l.id desc limit 1) newest
        where newest.type = f.type and newest.reason = f.reason and newest.message = f.message),
    repeated as (
      update pool_event e set count = e.count + 1, last_at = now() from same where e.id = same.id
        returning same.ord)
    insert into pool_event (pool_uid, pool_name, type, reason, message)
      select pool_uid, pool_name, type, reason, message from input
      where ord not in (select ord from repeated) order by ord`,
}

const insertLog = {
  name: 'pool-event-log',
  text: `insert into event (resource, type, object_id, detail)
    select 'pool', type, object_id, detail
    from json_to_recordset($1) as i(ord int, type text, object_id bigint, detail jsonb) order by ord`,
}

/** Adds lines to the pools' stories, then rows to the event log: call it last in the transaction. */
export async function recordChanges(
  tx: Queryable,
  story: readonly StoryLine[],
  log: readonly LogLine[],
): Promise<void> {
  if (story.length > 0)
    await tx.run(insertStory, [
      JSON.stringify(
        story.map(({ pool, event }, ord) => ({
          ord,
          pool_uid: pool.uid,
          pool_name: pool.id,
          type: event.type,
          reason: event.reason,
          message: event.message,
        })),
      ),
    ])
  if (log.length > 0)
    await tx.run(insertLog, [
      JSON.stringify(log.map(({ type, pool }, ord) => ({ ord, type, object_id: pool.seq, detail: toPoolView(pool) }))),
    ])
}

const lockPools = {
  name: 'pool-story-lock',
  text: 'select id from pool where uid = any($1::uuid[]) order by id for update',
}

/** Adds lines to the stories of pools by whoever does not change the pools themselves; also to those of pools that are gone. */
export async function addStory(tx: Queryable, story: readonly StoryLine[]): Promise<void> {
  if (story.length === 0) return
  await tx.run(lockPools, [story.map(({ pool }) => pool.uid)])
  await recordChanges(tx, story, [])
}

type EventRow = {
  id: number
  pool_uid: string
  pool_name: string
  at: Date
  last_at: Date
  count: number
  type: 'Normal' | 'Warning'
  reason: string
  message: string
}

const eventColumns = 'id, pool_uid, pool_name, at, last_at, count, type, reason, message'

const eventsAfter = {
  name: 'pool-events-after',
  text: `select ${eventColumns} from pool_event where pool_name = $1 and id > $2 order by id limit $3`,
}

const newestEvents = {
  name: 'pool-events-newest',
  text: `select * from (select ${eventColumns} from pool_event where pool_name = $1 order by id desc limit $2) newest
    order by id`,
}

/** The story of every pool that had this id, oldest first: what follows `after`, or without it the newest `limit` lines. */
export async function listPoolEvents(
  db: Queryable,
  poolId: string,
  page: { readonly after?: number | undefined; readonly limit: number },
): Promise<PoolEvent[]> {
  const rows =
    page.after === undefined
      ? await db.run<EventRow>(newestEvents, [poolId, page.limit])
      : await db.run<EventRow>(eventsAfter, [poolId, page.after, page.limit])
  return rows.map((row) => ({
    seq: row.id,
    poolUid: row.pool_uid,
    poolId: row.pool_name,
    at: row.at,
    lastAt: row.last_at,
    count: row.count,
    type: row.type,
    reason: row.reason,
    message: row.message,
  }))
}

const sweep = {
  name: 'pool-events-sweep',
  text: `with old as (select id from pool_event where last_at < now() - make_interval(secs => $1::float8) limit $2),
    gone as (delete from pool_event where id in (select id from old) returning 1)
    select count(*) as swept from gone`,
}

/** Removes at most `limit` lines that are older than so many seconds, and says how many: call again while it is `limit`. */
export async function sweepPoolEvents(db: Queryable, olderThanSeconds: number, limit = 10_000): Promise<number> {
  const [row] = await db.run<{ swept: number }>(sweep, [olderThanSeconds, limit])
  return row?.swept ?? 0
}
