import type { Instance, InstanceContainer, InstanceState } from './instance.ts'

/** A row of `instance` or `instance_past`, times as Unix milliseconds. */
export type InstanceRow = {
  id: string
  no: number
  request_id: string | null
  pool_id: number
  pool_uid: string
  pool_name: string
  group_name: string
  state: InstanceState
  schedule_policy: 'exclusive' | 'shared'
  cpu_millis: number
  memory_bytes: number
  labels: Record<string, string> | null
  tenant: string
  priority: number
  lease_seconds: number
  expires_at_ms: number | null
  pod_uid: string
  pod_name: string
  namespace: string
  ip: string
  node: string
  host_ip: string
  bk_biz_id: number
  bk_pod_id: number
  bk_host_id: number
  waited_ms: number
  warm: boolean
  created_at_ms: number
  ended_at_ms: number | null
  reason: string
  containers?: InstanceContainer[]
}

/** What both tables have. */
const common = [
  'id',
  'no',
  'request_id',
  'pool_id',
  'pool_uid',
  'pool_name',
  'group_name',
  'state',
  'schedule_policy',
  'cpu_millis',
  'memory_bytes',
  'labels',
  'tenant',
  'priority',
  'lease_seconds',
  'pod_uid',
  'pod_name',
  'namespace',
  'ip',
  'node',
  'host_ip',
  'bk_biz_id',
  'bk_pod_id',
  'bk_host_id',
  'waited_ms',
  'warm',
] as const

// Cut, not rounded: as to_char below does.
const milliseconds = (column: string) => `floor(extract(epoch from ${column}) * 1000)::bigint`

/** The columns of an InstanceRow from `instance` under this alias. */
export const liveColumns = (alias: string) =>
  [
    ...common.map((name) => `${alias}.${name}`),
    `${milliseconds(`${alias}.expires_at`)} as expires_at_ms`,
    `${milliseconds(`${alias}.created_at`)} as created_at_ms`,
    'null::bigint as ended_at_ms',
    `'' as reason`,
  ].join(', ')

/** The same from `instance_past`. */
export const pastColumns = (alias: string) =>
  [
    ...common.map((name) => `${alias}.${name}`),
    `${milliseconds(`${alias}.expires_at`)} as expires_at_ms`,
    `${milliseconds(`${alias}.created_at`)} as created_at_ms`,
    `${milliseconds(`${alias}.ended_at`)} as ended_at_ms`,
    `${alias}.reason`,
    `${alias}.containers`,
  ].join(', ')

/** The containers of the pod of the row under this alias, as the inventory has them: continue with `on true`. */
export const containersOf = (alias: string) =>
  `left join lateral (
    select coalesce(jsonb_agg(jsonb_build_object('bk_container_id', c.id, 'container_uid', c.container_uid,
      'name', coalesce(c.name, '')) order by c.id), '[]') as containers
    from container c where c.bk_pod_id = ${alias}.bk_pod_id and ${alias}.bk_pod_id > 0) k`

/** The columns of the table `instance`, for moving rows to `instance_past`. */
export const movedColumns = (alias: string, state: string) =>
  [
    ...common.map((name) => (name === 'state' ? state : `${alias}.${name}`)),
    `${alias}.expires_at`,
    `${alias}.created_at`,
  ].join(', ')
export const movedNames = [...common, 'expires_at', 'created_at'].join(', ')

export function toInstance(row: InstanceRow): Instance {
  return {
    id: row.id,
    no: row.no,
    requestId: row.request_id,
    poolId: row.pool_id,
    poolUid: row.pool_uid,
    pool: row.pool_name,
    group: row.group_name,
    state: row.state,
    policy: row.schedule_policy,
    cpuMillis: row.cpu_millis,
    memoryBytes: row.memory_bytes,
    labels: row.labels,
    tenant: row.tenant,
    priority: row.priority,
    leaseSeconds: row.lease_seconds,
    expiresAtMs: row.expires_at_ms,
    podUid: row.pod_uid,
    podName: row.pod_name,
    namespace: row.namespace,
    ip: row.ip,
    node: row.node,
    hostIp: row.host_ip,
    bkBizId: row.bk_biz_id,
    bkPodId: row.bk_pod_id,
    bkHostId: row.bk_host_id,
    waitedMs: row.waited_ms,
    isWarm: row.warm,
    createdAtMs: row.created_at_ms,
    endedAtMs: row.ended_at_ms,
    reason: row.reason,
    ...(row.containers === undefined ? {} : { containers: row.containers }),
  }
}

/** RFC 3339 in UTC with milliseconds, as JavaScript writes it. */
const instant = (expression: string) => `to_char(${expression} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`

/**
 * The event's detail: the instance as the wire has it (instance-view.ts; a test holds the two together), from a row under
 * this alias. `ended` and `reason` are expressions.
 */
export const detailSql = (alias: string, options: { state?: string; ended?: string; reason?: string } = {}) =>
  `jsonb_build_object('id', ${alias}.id, 'state', ${options.state ?? `${alias}.state`}, 'pool', ${alias}.pool_name,
    'group', ${alias}.group_name, 'schedule_policy', ${alias}.schedule_policy,
    'resources', case when ${alias}.schedule_policy = 'shared' then
      jsonb_build_object('requests', jsonb_build_object('cpu', ${alias}.cpu_millis || 'm', 'memory', ${alias}.memory_bytes::text)) end,
    'request_id', ${alias}.request_id, 'labels', ${alias}.labels, 'tenant', ${alias}.tenant, 'priority', ${alias}.priority,
    'pod', jsonb_build_object('name', ${alias}.pod_name, 'namespace', ${alias}.namespace, 'uid', ${alias}.pod_uid,
      'ip', ${alias}.ip, 'node', ${alias}.node, 'host_ip', ${alias}.host_ip,
      'bk_pod_id', ${alias}.bk_pod_id, 'bk_host_id', ${alias}.bk_host_id),
    'bk_biz_id', ${alias}.bk_biz_id,
    'lease', jsonb_build_object('expires_at', ${instant(`${alias}.expires_at`)}, 'keepalive_ms', ${alias}.lease_seconds * 500),
    'waited_ms', ${alias}.waited_ms, 'warm', ${alias}.warm, 'created_at', ${instant(`${alias}.created_at`)},
    'ended_at', ${options.ended === undefined ? 'null' : instant(options.ended)}, 'reason', ${options.reason ?? `''`})`
