import { setTimeout as delay } from 'node:timers/promises'
import type { Database, Queryable, Statement } from '../store/database.ts'
import { inTransaction } from '../store/transaction.ts'

/** Delta rows of one fold at most: some 50 ms of work, and no lock is held longer. */
const foldRows = 5_000
const betweenFoldsMs = 2_000

type Folded = { readonly taken: number; readonly empty: readonly string[] | null }

const fold = (name: string, key: string, sums: readonly string[], conflict: string): Statement => ({
  name: `count-fold-${name}`,
  text: `with taken as (
      delete from ${name}_delta
      where ctid = any(array(select ctid from ${name}_delta limit $1 for update skip locked)) returning *),
    folded as (
      insert into ${name} as t (${key}, ${sums.join(', ')})
      select ${key}, ${sums.map((sum) => `sum(${sum})`).join(', ')} from taken group by ${key}
      having ${sums.map((sum) => `sum(${sum}) <> 0`).join(' or ')} order by ${key}
      on conflict (${conflict}) do update set ${sums.map((sum) => `${sum} = t.${sum} + excluded.${sum}`).join(', ')}
      returning t.ctid, ${sums.map((sum) => `t.${sum} = 0`).join(' and ')} as is_empty)
    select (select count(*) from taken) as taken, (select array_agg(ctid::text) from folded where is_empty) as empty`,
})

const labels = fold(
  'label_count',
  'bk_biz_id, bk_namespace_id, bk_supplier_account, key, value',
  ['pods'],
  'bk_biz_id, (md5(key)::uuid), (md5(value)::uuid), bk_namespace_id, bk_supplier_account',
)
const workloadKey = 'bk_biz_id, bk_cluster_id, bk_namespace_id, ref_kind, ref_id, bk_supplier_account'
const workloads = fold('workload_count', workloadKey, ['pods', 'containers'], workloadKey)

/** $1 the places of rows that the same transaction brought down to zero. */
const removeEmpty = (name: string): Statement => ({
  name: `count-remove-empty-${name}`,
  text: `delete from ${name} where ctid = any($1::text[]::tid[])`,
})

/**
 * Folds what the triggers appended into the counts; returns how many rows that were. Any number of callers may fold at
 * once: each takes rows of its own.
 */
export async function foldCounts(db: Database): Promise<number> {
  let folded = 0
  for (const [statement, name] of [
    [labels, 'label_count'],
    [workloads, 'workload_count'],
  ] as const) {
    for (;;) {
      const taken = await inTransaction(db, async (tx) => {
        const [row] = await tx.run<Folded>(statement, [foldRows])
        if (row?.empty != null) await tx.run(removeEmpty(name), [row.empty])
        return row?.taken ?? 0
      })
      folded += taken
      if (taken < foldRows) break
    }
  }
  return folded
}

/**
 * Folds again and again until the signal aborts, and counts anew what was asked for: the lease holder's work. `onRepaired`
 * gets how many counts were wrong; it stays at 0, since the triggers cannot be passed by.
 */
export async function runCountSweep(options: {
  readonly db: Database
  readonly signal: AbortSignal
  readonly onRepaired: (business: number, counts: number) => void
  readonly onError: (error: unknown) => void
}): Promise<void> {
  const { db, signal, onError } = options
  while (!signal.aborted) {
    await Promise.resolve()
      .then(() => foldCounts(db))
      .then(() => recountRequested(db, options.onRepaired))
      .catch(onError)
    await delay(betweenFoldsMs, undefined, { signal }).catch(() => {})
  }
}

const request: Statement = {
  name: 'count-request',
  text: 'insert into recount_request (bk_biz_id) values ($1) on conflict do nothing',
}

/** Has the counts of a business counted anew, soon. */
export async function requestRecount(db: Queryable, business: number): Promise<void> {
  await db.run(request, [business])
}

const requested: Statement = {
  name: 'count-requested',
  text: 'delete from recount_request returning bk_biz_id as business',
}

/** Counts anew what was asked for. */
export async function recountRequested(
  db: Database,
  onRepaired: (business: number, counts: number) => void,
): Promise<void> {
  for (const { business } of await db.run<{ business: number }>(requested)) {
    const repaired = await recount(db, business)
    if (repaired > 0) onRepaired(business, repaired)
  }
}

// What is there less what is counted, both in one snapshot, appended like any other change: writers need not stop.
const recountLabels: Statement = {
  name: 'count-recount-labels',
  text: `insert into label_count_delta
    select bk_biz_id, bk_namespace_id, bk_supplier_account, key, value, sum(pods) from (
      select p.bk_biz_id, p.bk_namespace_id, p.bk_supplier_account, l.key, l.value, count(*) as pods
        from pod p, label_pairs(p.labels) l where p.bk_biz_id = $1
        group by p.bk_biz_id, p.bk_namespace_id, p.bk_supplier_account, l.key, rollup (l.value)
      union all select bk_biz_id, bk_namespace_id, bk_supplier_account, key, value, -pods from label_count where bk_biz_id = $1
      union all select bk_biz_id, bk_namespace_id, bk_supplier_account, key, value, -pods from label_count_delta where bk_biz_id = $1) c
    group by 1, 2, 3, 4, 5 having sum(pods) <> 0 returning 1`,
}
const recountWorkloads: Statement = {
  name: 'count-recount-workloads',
  text: `insert into workload_count_delta
    select ${workloadKey}, sum(pods), sum(containers) from (
      select ${workloadKey}, count(*) as pods, 0 as containers from pod where bk_biz_id = $1 group by ${workloadKey}
      union all select ${workloadKey}, 0, count(*) from container where bk_biz_id = $1 group by ${workloadKey}
      union all select ${workloadKey}, -pods, -containers from workload_count where bk_biz_id = $1
      union all select ${workloadKey}, -pods, -containers from workload_count_delta where bk_biz_id = $1) c
    group by ${workloadKey} having sum(pods) <> 0 or sum(containers) <> 0 returning 1`,
}

/** Counts a business from its pods and containers, and puts right what differs; returns how many counts that were. */
export async function recount(db: Queryable, business: number): Promise<number> {
  const repaired = await db.run(recountLabels, [business])
  return repaired.length + (await db.run(recountWorkloads, [business])).length
}
