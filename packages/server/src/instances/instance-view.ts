import type { InstanceView } from '@podyard/contract'
import { type Instance, keepaliveMs } from './instance.ts'

/** An instance as the wire has it. `detailSql` builds the same for events. */
export function toInstanceView(instance: Instance): InstanceView {
  return {
    id: instance.id,
    state: instance.state,
    pool: instance.pool,
    group: instance.group,
    schedule_policy: instance.policy,
    resources:
      instance.policy === 'shared'
        ? { requests: { cpu: `${instance.cpuMillis}m`, memory: String(instance.memoryBytes) } }
        : null,
    request_id: instance.requestId,
    labels: instance.labels,
    tenant: instance.tenant,
    priority: instance.priority,
    pod: {
      name: instance.podName,
      namespace: instance.namespace,
      uid: instance.podUid,
      ip: instance.ip,
      node: instance.node,
      host_ip: instance.hostIp,
      bk_pod_id: instance.bkPodId,
      bk_host_id: instance.bkHostId,
      ...(instance.containers === undefined ? {} : { containers: [...instance.containers] }),
    },
    bk_biz_id: instance.bkBizId,
    lease: { expires_at: timeOf(instance.expiresAtMs), keepalive_ms: keepaliveMs(instance.leaseSeconds) },
    waited_ms: instance.waitedMs,
    warm: instance.isWarm,
    created_at: new Date(instance.createdAtMs).toISOString(),
    ended_at: timeOf(instance.endedAtMs),
    reason: instance.reason,
  }
}

const timeOf = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString())
