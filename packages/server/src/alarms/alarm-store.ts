import type { Database, Queryable, Transaction } from '../store/database.ts'
import { inFencedTransaction, type Lease } from '../store/lease.ts'
import type { AlarmKind, Clear, OpenAlarm, Raise } from './alarm.ts'
import { type AlarmRow, toAlarmView } from './alarm-view.ts'

/** The table `alarm`. What is written here is in the event log and in the webhook's outbox, or in none of them. */

const columns = `id, kind, pool_uid, pool_name, pod_uid, pod_name, namespace, cause, since, raised_at, cleared_at,
  cleared_because`

const selectOpen = {
  name: 'alarm-open',
  text: `select ${columns} from alarm where cleared_at is null order by id`,
}

/** Those that are open, oldest first. */
export async function readOpenAlarms(db: Queryable): Promise<AlarmRow[]> {
  return db.run<AlarmRow>(selectOpen)
}

const selectNow = { name: 'alarm-now', text: 'select extract(epoch from instance_now())::float8 * 1000 as now' }

/** Milliseconds since the epoch by the database's clock. */
export async function readAlarmTime(db: Queryable): Promise<number> {
  const [row] = await db.run<{ now: number }>(selectNow)
  if (row === undefined) throw new Error('the database tells no time')
  return row.now
}

const selectPage = {
  name: 'alarm-page',
  text: `select ${columns} from alarm
    where ($1::text is null or pool_name = $1) and ($2::boolean is null or (cleared_at is null) = $2) and id < $3::bigint
    order by id desc limit $4`,
}

/** Newest first, below `before`. `isOpen` undefined: open and cleared ones. */
export function listAlarmRows(
  db: Queryable,
  filter: { readonly pool?: string | undefined; readonly isOpen?: boolean | undefined },
  page: { readonly before: number; readonly limit: number },
): Promise<AlarmRow[]> {
  return db.run<AlarmRow>(selectPage, [filter.pool ?? null, filter.isOpen ?? null, page.before, page.limit])
}

const insertAlarms = {
  name: 'alarm-insert',
  text: `insert into alarm (kind, pool_uid, pool_name, pod_uid, pod_name, namespace, cause, since, raised_at)
    select kind, pool_uid, pool_name, pod_uid, pod_name, namespace, cause, since, instance_now()
    from json_to_recordset($1) as i(ord int, kind text, pool_uid uuid, pool_name text, pod_uid text, pod_name text,
      namespace text, cause text, since timestamptz) order by ord
    on conflict do nothing returning ${columns}`,
}
const clearAlarms = {
  name: 'alarm-clear',
  text: `update alarm a set cleared_at = instance_now(), cleared_because = i.because
    from unnest($1::bigint[], $2::text[]) as i(id, because)
    where a.id = i.id and a.cleared_at is null returning ${columns
      .split(',')
      .map((column) => `a.${column.trim()}`)
      .join(', ')}`,
}
const insertLog = {
  name: 'alarm-log',
  text: `insert into event (resource, type, object_id, detail)
    select 'alarm', type, object_id, detail
    from json_to_recordset($1) as i(ord int, type text, object_id bigint, detail jsonb) order by ord`,
}

export type AlarmChanges = { readonly raised: readonly AlarmRow[]; readonly cleared: readonly AlarmRow[] }

/**
 * Raises and clears, each once: what is open already, or cleared, is left out of the answer. `beside` writes what else is
 * to be written with it.
 */
export function writeAlarms(
  db: Database,
  lease: Lease | undefined,
  namespace: string,
  changes: { readonly raise: readonly Raise[]; readonly clear: readonly Clear[] },
  beside: (tx: Transaction, changes: AlarmChanges) => Promise<void>,
): Promise<AlarmChanges> {
  return inFencedTransaction(db, lease, async (tx) => {
    const raised =
      changes.raise.length === 0
        ? []
        : await tx.run<AlarmRow>(insertAlarms, [
            JSON.stringify(changes.raise.map((one, ord) => ({ ord, namespace, ...toInput(one) }))),
          ])
    const cleared =
      changes.clear.length === 0
        ? []
        : await tx.run<AlarmRow>(clearAlarms, [
            changes.clear.map(({ alarm }) => alarm.id),
            changes.clear.map(({ because }) => because),
          ])
    const done = { raised, cleared: cleared.sort((a, b) => a.id - b.id) }
    if (raised.length + cleared.length > 0) {
      await beside(tx, done)
      await tx.run(insertLog, [JSON.stringify([...logOf('create', raised), ...logOf('update', done.cleared)])])
    }
    return done
  })
}

const toInput = ({ kind, pool, pod, cause, since }: Raise) => ({
  kind,
  pool_uid: pool.uid,
  pool_name: pool.id,
  pod_uid: pod.uid,
  pod_name: pod.name,
  cause,
  since: new Date(since),
})

const logOf = (type: 'create' | 'update', rows: readonly AlarmRow[]) =>
  rows.map((row, ord) => ({ ord, type, object_id: row.id, detail: toAlarmView(row) }))

export const toOpenAlarm = (row: AlarmRow): OpenAlarm => ({
  id: row.id,
  kind: row.kind as AlarmKind,
  poolUid: row.pool_uid,
  podUid: row.pod_uid,
})
