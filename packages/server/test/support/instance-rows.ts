import type { Queryable } from '../../src/store/database.ts'

/** A running pool, by SQL: nobody acts on it. */
export async function insertPool(
  db: Queryable,
  name: string,
  options: {
    readonly group?: string
    readonly size?: number
    readonly maxSize?: number
    readonly status?: number
    readonly labels?: Record<string, string>
    readonly requests?: Record<string, string>
  } = {},
): Promise<number> {
  const size = options.size ?? 10
  const maxSize = options.maxSize ?? size
  const [row] = await db.query<{ id: number }>(
    `insert into pool (name, group_name, size, max_size, scalable, status, labels, resources, msg_word)
      values ($1, $2, $3, $4, $5, $6, $7, $8, 'Running') returning id`,
    [
      name,
      options.group ?? 'default',
      size,
      maxSize,
      maxSize > size,
      options.status ?? 4,
      options.labels ?? null,
      { requests: options.requests ?? { cpu: '1', memory: '1Gi' }, limits: {} },
    ],
  )
  return row?.id ?? 0
}

let pods = 0

/** Ready pods of a pool, by SQL; their uids. */
export async function insertReady(
  db: Queryable,
  poolId: number,
  count: number,
  options: { readonly cpuMillis?: number; readonly memoryBytes?: number; readonly idleSeconds?: number | null } = {},
): Promise<string[]> {
  const names = Array.from({ length: count }, () => {
    pods += 1
    return `pod-${pods}`
  })
  await db.query(
    `insert into ready (pool_id, pod_uid, pod_name, namespace, ip, node, host_ip, cpu_millis, memory_bytes, idle_seconds)
      select $1, 'uid-' || name, name, 'default', '10.1.' || (n / 256)::int % 256 || '.' || n % 256, 'node-1', '10.0.0.1', $3, $4, $5
      from unnest($2::text[]) with ordinality p(name, n) order by n`,
    [poolId, names, options.cpuMillis ?? 1000, options.memoryBytes ?? 2 ** 30, options.idleSeconds ?? null],
  )
  return names.map((name) => `uid-${name}`)
}

/** Moves the clock of deadlines and leases. */
export async function moveClock(db: Queryable, seconds: number): Promise<void> {
  await db.query(
    `insert into instance_clock (shift) values (make_interval(secs => $1))
      on conflict (id) do update set shift = instance_clock.shift + excluded.shift`,
    [seconds],
  )
}

const tables = [
  ...[
    'instance',
    'instance_past',
    'request',
    'waiter',
    'line',
    'replica',
    'ready',
    'shared_pod',
    'retired',
    'replacement',
  ],
  ...['instance_clock', 'event', 'pool_event', 'pool', 'container', 'pod'],
]

/** Nothing of pools and instances is left. Not by truncate, whose locks would meet those of sweeps that run meanwhile. */
export async function clearInstances(db: Queryable): Promise<void> {
  for (const table of tables) await db.query(`delete from ${table}`)
}
