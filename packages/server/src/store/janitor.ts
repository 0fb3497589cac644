import { setTimeout as delay } from 'node:timers/promises'
import type { Database } from './database.ts'

const ensurePartitions = { name: 'history-ensure-partitions', text: 'select history_ensure_partitions(now())' }

/** The oldest rows first, by their number: the log needs no index on time. */
const sweepEvents = {
  name: 'event-sweep',
  text: `with old as (
      select seq from (select seq, at from event order by seq limit 10000) oldest
      where at < now() - make_interval(days => $1::int))
    delete from event using old where event.seq = old.seq returning 1 as gone`,
}

/** Whole months that lie before the retention. */
const oldPartitions = {
  name: 'history-old-partitions',
  text: `select c.relname as name
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'history'::regclass and c.relname ~ '^history_[0-9]{6}$'
      and to_date(substr(c.relname, 9), 'YYYYMM') + interval '1 month' < (now() at time zone 'UTC') - make_interval(days => $1::int)`,
}

export type Retention = { readonly eventDays: number; readonly historyDays: number }

/** What must not grow for ever: removes old events and old months of history, and makes the months to come. Returns what went. */
export async function sweep(
  db: Database,
  retention: Retention,
): Promise<{ readonly events: number; readonly months: number }> {
  await db.run(ensurePartitions)
  let events = 0
  for (;;) {
    const gone = await db.run(sweepEvents, [retention.eventDays])
    events += gone.length
    if (gone.length < 10_000) break
  }
  const months = await db.run<{ name: string }>(oldPartitions, [retention.historyDays])
  for (const { name } of months) await db.query(`drop table "${name}"`)
  return { events, months: months.length }
}

/** Sweeps now and then every hour, until the signal aborts. `others` sweep what capabilities keep by age. */
export async function runJanitor(options: {
  readonly db: Database
  readonly retention: Retention
  readonly others: readonly (() => Promise<unknown>)[]
  readonly signal: AbortSignal
  readonly onError: (error: unknown) => void
}): Promise<void> {
  const { db, retention, signal, onError } = options
  while (!signal.aborted) {
    for (const work of [() => sweep(db, retention), ...options.others]) if (!signal.aborted) await work().catch(onError)
    await delay(3_600_000, undefined, { signal }).catch(() => {})
  }
}
