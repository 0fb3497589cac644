import type { Queryable, Statement } from '../store/database.ts'
import type { Placement } from './claim-plan.ts'
import type { Instance } from './instance.ts'
import { detailSql, type InstanceRow, liveColumns, toInstance } from './instance-row.ts'

/**
 * A plan becomes true: ready pods leave `ready`, shared ones carry more, instances and their events are written. All rows
 * that it touches are locked by the transaction already.
 */
const bindPlan: Statement = {
  name: 'claim-bind-plan',
  text: `with clock as materialized (select instance_now() as now),
    input as materialized (
      select * from json_to_recordset($1) as i(ord int, id text, request_id text, pool_id bigint, pool_uid uuid,
        pool_name text, group_name text, policy text, cpu_millis bigint, memory_bytes bigint, labels jsonb, tenant text,
        priority int, lease_seconds int, waited_ms int, pod_uid text, pod_name text, namespace text, ip text, node text, host_ip text)),
    taken as (
      delete from ready r using json_to_recordset($2) as t(pool_id bigint, seq bigint)
        where r.pool_id = t.pool_id and r.seq = t.seq returning r.*),
    load as materialized (
      select pod_uid, sum(cpu_millis) as cpu, sum(memory_bytes) as memory, count(*) as n, min(tenant) as tenant
      from input where policy = 'shared' group by pod_uid),
    opened as (
      insert into shared_pod (pod_uid, pool_id, pod_name, namespace, ip, node, host_ip, cpu_millis, memory_bytes,
          cpu_millis_used, memory_bytes_used, instances, tenant, idle_seconds)
        select t.pod_uid, t.pool_id, t.pod_name, t.namespace, t.ip, t.node, t.host_ip, t.cpu_millis, t.memory_bytes,
          l.cpu, l.memory, l.n, case when $3 then l.tenant else '' end, t.idle_seconds
        from taken t join load l using (pod_uid)),
    filled as (
      update shared_pod s set cpu_millis_used = s.cpu_millis_used + l.cpu, memory_bytes_used = s.memory_bytes_used + l.memory,
          instances = s.instances + l.n, recycle_at = null, tenant = case when $3 then l.tenant else s.tenant end
        from load l where s.pod_uid = l.pod_uid),
    called as (delete from waiter where id = any($4)),
    left_line as (delete from line where waiter_id = any($4)),
    bound as (
      insert into instance (id, request_id, pool_id, pool_uid, pool_name, group_name, schedule_policy, cpu_millis,
          memory_bytes, labels, tenant, priority, lease_seconds, expires_at, pod_uid, pod_name, namespace, ip, node, host_ip,
          bk_biz_id, bk_pod_id, bk_host_id, waited_ms, warm, created_at)
        select i.id, i.request_id, i.pool_id, i.pool_uid, i.pool_name, i.group_name, i.policy, i.cpu_millis,
          i.memory_bytes, i.labels, i.tenant, i.priority, i.lease_seconds,
          case when i.lease_seconds > 0 then clock.now + make_interval(secs => i.lease_seconds) end,
          i.pod_uid, i.pod_name, i.namespace, i.ip, i.node, i.host_ip,
          coalesce(k.bk_biz_id, 0), coalesce(k.id, 0), coalesce(k.bk_host_id, 0),
          i.waited_ms, cardinality($4::text[]) = 0, clock.now
        from input i cross join clock
          left join lateral (select id, bk_biz_id, bk_host_id from pod
            where uid = i.pod_uid and origin = 'sync' limit 1) k on true
        order by i.ord
      returning *),
    logged as (
      insert into event (resource, type, object_id, biz_id, detail)
        select 'instance', 'create', b.no, b.bk_biz_id, ${detailSql('b')} from bound b order by b.no)
    select ${liveColumns('b')} from bound b order by b.no`,
}

/** Instances in the order of the plan. `waiters` leave the line with it: they are what the claims are of. */
export async function bindPlacement(
  db: Queryable,
  placement: Placement,
  options: { readonly tenantAffinity: boolean; readonly waited: ReadonlyMap<string, number> },
): Promise<Instance[]> {
  const rows = placement.bindings.map(({ claim, id, pool, pod }, ord) => ({
    ord,
    id,
    request_id: claim.requestId,
    pool_id: pool.id,
    pool_uid: pool.uid,
    pool_name: pool.name,
    group_name: pool.group,
    policy: claim.policy,
    cpu_millis: claim.cpuMillis,
    memory_bytes: claim.memoryBytes,
    labels: claim.labels,
    tenant: claim.tenant,
    priority: claim.priority,
    lease_seconds: claim.leaseSeconds,
    waited_ms: options.waited.get(claim.id) ?? 0,
    pod_uid: pod.podUid,
    pod_name: pod.podName,
    namespace: pod.namespace,
    ip: pod.ip,
    node: pod.node,
    host_ip: pod.hostIp,
  }))
  const taken = placement.taken.map(({ poolId, seq }) => ({ pool_id: poolId, seq }))
  const served = new Set(placement.bindings.map(({ claim }) => claim.id))
  const bound = await db.run<InstanceRow>(bindPlan, [
    JSON.stringify(rows),
    JSON.stringify(taken),
    options.tenantAffinity,
    [...options.waited.keys()].filter((id) => served.has(id)),
  ])
  return bound.map(toInstance)
}
