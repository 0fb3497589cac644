import type { Queryable } from '../store/database.ts'
import type { Instance } from './instance.ts'
import {
  containersOf,
  detailSql,
  type InstanceRow,
  movedColumns,
  movedNames,
  pastColumns,
  toInstance,
} from './instance-row.ts'

/**
 * The end of instances: their rows move to `instance_past`, exclusive pods are retired, what shared ones held is free.
 * Many in one statement; rows are locked in one order, so two groups cannot wait for each other.
 */
const endInstances = {
  name: 'instance-end',
  text: `with clock as materialized (select instance_now() as now),
    asked as materialized (
      select i.id, e.state, e.reason from unnest($1::text[], $2::text[], $3::text[]) e(id, state, reason)
        join instance i using (id) cross join clock
      -- a lease that was kept alive in this moment has not lapsed
      where e.state <> 'expired' or i.expires_at <= clock.now
      order by i.id for update of i),
    gone as (delete from instance i using asked a where i.id = a.id returning i.*, a.state as end_state, a.reason as end_reason),
    moved as (
      insert into instance_past (${movedNames}, ended_at, reason, containers)
        select ${movedColumns('g', 'g.end_state')}, clock.now, g.end_reason, k.containers
        from gone g cross join clock ${containersOf('g')} on true
      returning *),
    retire as (
      insert into retired (pod_uid, pool_id, pod_name, namespace, reason, retired_at)
        select g.pod_uid, g.pool_id, g.pod_name, g.namespace, g.end_state, clock.now from gone g cross join clock
        where g.schedule_policy = 'exclusive' order by g.pod_uid
      on conflict do nothing),
    logged as (
      insert into event (resource, type, object_id, biz_id, detail)
        select 'instance', 'delete', m.no, m.bk_biz_id, ${detailSql('m', { ended: 'm.ended_at', reason: 'm.reason' })}
        from moved m order by m.no)
    select ${pastColumns('m')} from moved m`,
}

export type End = {
  readonly id: string
  readonly state: 'released' | 'expired' | 'lost'
  /** For people and for the ledger. */
  readonly reason: string
}

/** The instances that ended by this call, in no order; those that are not alive (any more) are left out. */
export async function endInstancesNow(db: Queryable, ends: readonly End[]): Promise<Instance[]> {
  const rows = await db.run<InstanceRow>(endInstances, [
    ends.map(({ id }) => id),
    ends.map(({ state }) => state),
    ends.map(({ reason }) => reason),
  ])
  return rows.map(toInstance)
}
