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
    less as materialized (
      select pod_uid, sum(cpu_millis) as cpu, sum(memory_bytes) as memory, count(*) as n from gone
      where schedule_policy = 'shared' group by pod_uid),
    eased as materialized (
      select s.pod_uid from shared_pod s where s.pod_uid in (select pod_uid from less) order by s.pod_uid for update),
    -- the tenant's last instance left, nobody may come back to it, and the pod has no idle time of its own
    spent as (
      delete from shared_pod s using less l join eased using (pod_uid) where s.pod_uid = l.pod_uid
        and $4::bool and $5::int = 0 and s.instances = l.n and s.idle_seconds is null
      returning s.pod_uid, s.pool_id, s.pod_name, s.namespace),
    given_back as (
      update shared_pod s set cpu_millis_used = s.cpu_millis_used - l.cpu, memory_bytes_used = s.memory_bytes_used - l.memory,
        instances = s.instances - l.n,
        tenant = case when s.instances = l.n and $5 < 0 then '' else s.tenant end,
        recycle_at = case when s.instances > l.n then null
          when s.idle_seconds > 0 then clock.now + make_interval(secs => s.idle_seconds)
          when $4::bool and $5::int > 0 and s.idle_seconds is null then clock.now + make_interval(secs => $5) end
      from less l join eased using (pod_uid) cross join clock where s.pod_uid = l.pod_uid
        and not ($4::bool and $5::int = 0 and s.instances = l.n and s.idle_seconds is null)),
    retire_spent as (
      insert into retired (pod_uid, pool_id, pod_name, namespace, reason, retired_at)
        select pod_uid, pool_id, pod_name, namespace, 'tenant', clock.now from spent cross join clock on conflict do nothing),
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

export type TenantSettings = {
  /** Whether shared instances of different tenants are kept apart. */
  readonly tenantAffinity: boolean
  /**
   * What happens to a shared pod without an idle time of its own when a tenant's last instance leaves it: -1 anybody may
   * use it, 0 it is deleted, n it is deleted unless the tenant comes back within n seconds (pool API reference 5.4).
   */
  readonly tenantReuseSeconds: number
}

/** The instances that ended by this call, in no order; those that are not alive (any more) are left out. */
export async function endInstancesNow(
  db: Queryable,
  ends: readonly End[],
  tenants: TenantSettings = { tenantAffinity: false, tenantReuseSeconds: -1 },
): Promise<Instance[]> {
  const rows = await db.run<InstanceRow>(endInstances, [
    ends.map(({ id }) => id),
    ends.map(({ state }) => state),
    ends.map(({ reason }) => reason),
    tenants.tenantAffinity,
    tenants.tenantReuseSeconds,
  ])
  return rows.map(toInstance)
}
