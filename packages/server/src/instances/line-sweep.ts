import type { Queryable, Statement } from '../store/database.ts'
import { replicaSilenceSeconds } from './line-sql.ts'

/** Who leaves the line without an instance: after the deadline, because the client left, or because the process died. */

/** Removes waiters, their places, and their request ids, which are free then. Rows that somebody has in hand stay. */
const removed = (chosen: string) => `with gone_first as materialized (${chosen}),
    gone as (delete from waiter w using gone_first g where w.id = g.id returning w.id, w.request_id),
    places as (delete from line where waiter_id in (select id from gone) returning pool_id),
    freed as (
      delete from request r using gone g where r.request_id = g.request_id and r.instance_id = g.id)
    select g.id, coalesce((select array_agg(distinct pool_id) from places), '{}') as pool_ids from gone g`

const expire: Statement = {
  name: 'line-expire',
  text: removed(`select id from waiter where replica = $1 and deadline <= instance_now()
    order by id limit 1000 for update skip locked`),
}

/** Not passing over the locked: whoever matches it now decides first, and then it is not there. */
const leave: Statement = {
  name: 'line-leave',
  text: removed('select id from waiter where id = any($1) order by id for update'),
}

const dead: Statement = {
  name: 'line-drop-dead',
  text: removed(`select w.id from waiter w left join replica r on r.id = w.replica
    where r.seen_at is null or r.seen_at < statement_timestamp() - make_interval(secs => ${replicaSilenceSeconds})
    order by w.id limit 1000 for update of w skip locked`),
}

/** Those of this process whose pools have all closed or gone. */
const closed: Statement = {
  name: 'line-closed',
  text: removed(`select w.id from waiter w where w.replica = $1 and not exists (
      select from line l join pool p on p.id = l.pool_id
      where l.waiter_id = w.id and p.status not in (5, 6) and not p.draining)
    order by w.id limit 1000 for update of w skip locked`),
}

const forgetDead: Statement = {
  name: 'replica-forget-dead',
  text: `delete from replica r where r.seen_at < statement_timestamp() - make_interval(secs => ${10 * replicaSilenceSeconds})
    and not exists (select from waiter w where w.replica = r.id)`,
}

const beat: Statement = {
  name: 'replica-beat',
  // Not the clock that tests move: a process lives by the time that passes.
  text: `insert into replica (id, seen_at) values ($1, statement_timestamp())
    on conflict (id) do update set seen_at = statement_timestamp()`,
}

const standing: Statement = { name: 'line-standing', text: 'select id from waiter where id = any($1)' }

const waitingPools: Statement = {
  name: 'line-waiting-pools',
  text: `select p.id from pool p where exists (select from line l where l.pool_id = p.id)
    and (exists (select from ready r where r.pool_id = p.id) or exists (select from line l where l.pool_id = p.id and l.shared))`,
}

type Removed = { readonly ids: readonly string[]; readonly poolIds: readonly number[] }

async function remove(db: Queryable, statement: Statement, value?: unknown): Promise<Removed> {
  const rows = await db.run<{ id: string; pool_ids: number[] }>(statement, value === undefined ? [] : [value])
  return { ids: rows.map(({ id }) => id), poolIds: rows[0]?.pool_ids ?? [] }
}

/** This process's waiters past their deadline, at most 1,000. */
export const expireWaiters = (db: Queryable, replica: string) => remove(db, expire, replica)
/** Those of these that still waited. */
export const leaveLine = (db: Queryable, ids: readonly string[]) => remove(db, leave, ids)
export const dropClosed = (db: Queryable, replica: string) => remove(db, closed, replica)

/** Waiters of processes that are not heard of any more; their request ids are free. */
export async function dropDead(db: Queryable): Promise<Removed> {
  const gone = await remove(db, dead)
  await db.run(forgetDead)
  return gone
}

export async function beatReplica(db: Queryable, replica: string): Promise<void> {
  await db.run(beat, [replica])
}

/** Those of these that wait, whoever they belong to. */
export async function stillWaiting(db: Queryable, ids: readonly string[]): Promise<Set<string>> {
  return new Set((await db.run<{ id: string }>(standing, [ids])).map(({ id }) => id))
}

/** Pools where somebody waits and something may be had. */
export async function poolsToMatch(db: Queryable): Promise<number[]> {
  return (await db.run<{ id: number }>(waitingPools)).map(({ id }) => id)
}
