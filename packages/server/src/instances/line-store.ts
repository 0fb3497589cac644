import type { Queryable, Statement } from '../store/database.ts'
import type { PoolFacts } from './claim-plan.ts'
import { isOpen } from './claim-refusal.ts'
import type { Claim } from './instance.ts'

/** Places in line. */

const enqueue: Statement = {
  name: 'line-enqueue',
  text: `with clock as materialized (select instance_now() as now),
    input as materialized (
      select * from json_to_recordset($1) as i(ord int, id text, request_id text, policy text, cpu_millis bigint,
        memory_bytes bigint, labels jsonb, tenant text, priority int, lease_seconds int, count int, timeout_ms bigint)),
    arrived as (
      insert into waiter (id, replica, request_id, schedule_policy, cpu_millis, memory_bytes, labels, tenant, priority,
          lease_seconds, count, arrived_at, deadline)
        select i.id, $2, i.request_id, i.policy, i.cpu_millis, i.memory_bytes, i.labels, i.tenant, i.priority,
          i.lease_seconds, i.count, clock.now, clock.now + make_interval(secs => i.timeout_ms / 1000.0)
        from input i cross join clock order by i.ord
      returning id, seq, replica, schedule_policy, count, priority, deadline)
    insert into line (pool_id, waiter_id, seq, priority, replica, deadline, wants_step, shared, batch)
      select p.pool_id, a.id, a.seq, a.priority, a.replica, a.deadline, p.wants_step, a.schedule_policy = 'shared', a.count > 1
      from arrived a cross join json_to_recordset($3) as p(pool_id bigint, wants_step boolean)`,
}

/**
 * Puts claims in line, in their order, in every open pool that may serve them. A claim that names a pool that can grow
 * asks for one scale-up step, once.
 */
export async function enqueueClaims(
  tx: Queryable,
  replica: string,
  claims: readonly Claim[],
  pools: readonly PoolFacts[],
): Promise<void> {
  const rows = claims.map((claim, ord) => ({
    ord,
    id: claim.id,
    request_id: claim.requestId,
    policy: claim.policy,
    cpu_millis: claim.cpuMillis,
    memory_bytes: claim.memoryBytes,
    labels: claim.labels,
    tenant: claim.tenant,
    priority: claim.priority,
    lease_seconds: claim.leaseSeconds,
    count: claim.count,
    timeout_ms: claim.timeoutMs,
  }))
  const isNamed = claims[0]?.selector.kind === 'pool'
  const places = pools
    .filter(isOpen)
    .map((pool) => ({ pool_id: pool.id, wants_step: isNamed && pool.isScalable && pool.maxSize > pool.size }))
  await tx.run(enqueue, [JSON.stringify(rows), replica, JSON.stringify(places)])
}
