import type { Database, Queryable } from '../store/database.ts'
import { inTransaction } from '../store/transaction.ts'

/** What must not grow for ever: the ledger by whole days, and request ids that nobody may repeat any more. */

// A partition is made and dropped under a lock that every release needs: it is not waited for long, but asked for again
// an hour later. Two days are made ahead.
const dontWait = { name: 'ledger-lock-timeout', text: `set local lock_timeout = '3s'` }
const ensurePartitions = {
  name: 'ledger-ensure-partitions',
  text: 'select instance_past_ensure_partitions(instance_now())',
}
const oldPartitions = {
  name: 'ledger-old-partitions',
  text: `select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'instance_past'::regclass and c.relname ~ '^instance_past_[0-9]{8}$'
      and to_date(substr(c.relname, 15), 'YYYYMMDD') + 1 + $1::int <= (instance_now() at time zone 'UTC') order by 1`,
}
const sweepRequests = {
  name: 'request-sweep',
  text: `with old as (select request_id from request where expires_at <= (select instance_now()) order by expires_at limit 10000
      for update skip locked),
    gone as (delete from request r using old where r.request_id = old.request_id and r.expires_at <= (select instance_now()) returning 1)
    select count(*) as n from gone`,
}

/** Makes the ledger's days to come; call it now and then, at least once a day. */
export function ensureLedgerDays(db: Database): Promise<void> {
  return inTransaction(db, async (tx) => {
    await tx.run(dontWait)
    await tx.run(ensurePartitions)
  })
}

/** Drops the ledger's days that ended so many days ago; their names. */
export async function dropLedgerDays(db: Database, days: number): Promise<string[]> {
  const old = (await db.run<{ name: string }>(oldPartitions, [days])).map(({ name }) => name)
  for (const name of old)
    await inTransaction(db, async (tx) => {
      await tx.run(dontWait)
      await tx.query(`drop table "${name}"`)
    })
  return old
}

/** Forgets request ids past their expiry; how many. */
export async function sweepRequestIds(db: Queryable): Promise<number> {
  for (let swept = 0; ; ) {
    const [row] = await db.run<{ n: number }>(sweepRequests)
    swept += row?.n ?? 0
    if ((row?.n ?? 0) < 10_000) return swept
  }
}
