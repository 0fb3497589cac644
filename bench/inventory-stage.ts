import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { startServerProcess } from '../e2e/support/server-process.ts'
import { createLoadClient, type LoadClient } from './load-client.ts'

/** A Podyard in a process of its own on an empty inventory, its database for bare SQL, and connections to both. */
export type Stage = {
  readonly sql: pg.Pool
  readonly http: LoadClient
  /** Where Podyard listens. */
  readonly url: string
  /** Clients that work at once; both pools have as many connections. */
  readonly clients: number
}

/** Starts a stage for the time of `work`. Nothing but the bench writes to it: sync is off. */
export async function onStage<T>(clients: number, work: (stage: Stage) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'podyard-bench-'))
  await chmod(dir, 0o755)
  const server = await startServerProcess({ dataDir: dir, args: ['--log-level', 'warn', '--sync', 'off'] })
  const sql = new pg.Pool({
    host: join(dir, 'postgres'),
    port: 5432,
    user: 'podyard',
    database: 'podyard',
    max: clients,
  })
  sql.on('error', () => {})
  const http = createLoadClient(server.url, clients)
  try {
    return await work({ sql, http, url: server.url, clients })
  } finally {
    http.close()
    await sql.end()
    await server.stop()
    await rm(dir, { recursive: true, force: true })
  }
}

/** The `data` of an answer of the inventory; throws when it is a refusal. `path` is the one after /api/v3. */
export async function call<T>(
  http: LoadClient,
  method: 'POST' | 'PUT' | 'DELETE',
  path: string,
  body: string,
): Promise<T> {
  const answer = await http.send(method, `/api/v3${path}`, body)
  const { result, message, data } = JSON.parse(answer.text) as {
    readonly result: boolean
    readonly message: string
    readonly data: T
  }
  if (!result) throw new Error(`${method} ${path}: ${message}`)
  return data
}

/** Runs all jobs on so many lanes and returns the milliseconds from the first to the last. */
export async function clock(clients: number, jobs: readonly (() => Promise<unknown>)[]): Promise<number> {
  let next = 0
  const startedAt = performance.now()
  await Promise.all(
    Array.from({ length: clients }, async () => {
      for (let job = jobs[next++]; job !== undefined; job = jobs[next++]) await job()
    }),
  )
  return performance.now() - startedAt
}

/** How many rows `fillInventory` makes. Pods are spread evenly over workloads and nodes, workloads over namespaces. */
export type Sizes = {
  readonly pods: number
  readonly containersPerPod: number
  readonly namespaces: number
  readonly workloads: number
  readonly nodes: number
  /** Nodes are on the hosts in turn. */
  readonly hosts: number
}

/** The size that figures of record are taken at. */
export const million: Sizes = {
  pods: 1_000_000,
  containersPerPod: 2,
  namespaces: 100,
  workloads: 5_000,
  nodes: 2_000,
  hosts: 2_000,
}

const stamps = `'admin', 'admin', 1767605400, 1767605400`
const stampColumns = 'creator, modifier, create_time, last_time'

/**
 * Empties the inventory and fills it with business 1, cluster 1 and what is in it, by plain SQL. Pod i (from 1) is called
 * `pod-i`, has an address of its own, and hangs on deployment `1 + (i - 1) % workloads` and node `1 + (i - 1) % nodes`;
 * its labels are `app: web-<one of 500>`, `env: test | prod` and `app.kubernetes.io/name: web`.
 */
export async function fillInventory(sql: pg.Pool, sizes: Sizes, progress: (line: string) => void): Promise<void> {
  await emptyInventory(sql)
  await sql.query(
    `insert into business (id, bk_biz_name, bk_biz_maintainer) select nextval('business_id_seq'), 'bench', 'admin'`,
  )
  await sql.query(
    `insert into cluster (id, bk_biz_id, name, uid, type, ${stampColumns})
     select nextval('cluster_id_seq'), 1, 'bench', 'bench-cluster', 'INDEPENDENT_CLUSTER', ${stamps}`,
  )
  await sql.query(
    `insert into host (id, bk_biz_id, bk_host_innerip)
     select nextval('host_id_seq'), 1, array[host('10.200.0.0'::inet + i)] from generate_series(1, $1::int) i`,
    [sizes.hosts],
  )
  await sql.query(
    `insert into host_address (bk_cloud_id, address, host_id) select bk_cloud_id, bk_host_innerip[1], id from host`,
  )
  await fillNamespaces(sql, sizes.namespaces)
  await fillNodes(sql, sizes.nodes, sizes.pods > 0, sizes.hosts)
  await fillWorkloads(sql, sizes.workloads, sizes.namespaces)
  await fillPods(sql, sizes, progress)
  for (const table of tables) await sql.query(`vacuum analyze ${table}`)
}

const tables = ['business', 'host', 'host_address', 'cluster', 'namespace', 'node', 'workload', 'pod', 'container']

export async function emptyInventory(sql: pg.Pool): Promise<void> {
  await sql.query(`truncate ${tables.join(', ')}, namespace_shared, event`)
  const { rows } = await sql.query<{ name: string }>(
    `select sequencename as name from pg_sequences where schemaname = 'public'
     and (sequencename like 'workload\\_%' or sequencename = any($1))`,
    [tables.map((table) => `${table}_id_seq`)],
  )
  for (const { name } of rows) await sql.query(`alter sequence ${name} restart`)
}

/** More namespaces of cluster 1. */
export async function fillNamespaces(sql: pg.Pool, count: number): Promise<void> {
  await sql.query(
    `insert into namespace (id, bk_biz_id, bk_cluster_id, cluster_uid, name, labels, ${stampColumns})
     select i, 1, 1, 'bench-cluster', 'namespace-' || i, '{"team": "web"}', ${stamps}
     from (select nextval('namespace_id_seq') as i from generate_series(1, $1::int)) n`,
    [count],
  )
}

/** More nodes of cluster 1, on the hosts in turn. */
export async function fillNodes(sql: pg.Pool, count: number, hasPod: boolean, hosts: number): Promise<void> {
  await sql.query(
    `insert into node (id, bk_biz_id, bk_cluster_id, cluster_uid, bk_host_id, name, roles, labels, taints, unschedulable,
       internal_ip, hostname, has_pod, ${stampColumns})
     select i, 1, 1, 'bench-cluster', 1 + (i - 1) % $3::int, 'node-' || i, 'node', '{"kubernetes.io/os": "linux"}', '{}', false,
       jsonb_build_array(host('10.200.0.0'::inet + 1 + (i - 1) % $3::int)), 'node-' || i, $2, ${stamps}
     from (select nextval('node_id_seq') as i from generate_series(1, $1::int)) n`,
    [count, hasPod, hosts],
  )
}

/** More deployments, in the namespaces in turn. */
export async function fillWorkloads(sql: pg.Pool, count: number, namespaces: number): Promise<void> {
  await sql.query(
    `insert into workload (kind, id, bk_biz_id, bk_cluster_id, cluster_uid, bk_namespace_id, namespace, name, labels, selector,
       replicas, strategy_type, ${stampColumns})
     select 'deployment', i, 1, 1, 'bench-cluster', 1 + (i - 1) % $2::int, 'namespace-' || 1 + (i - 1) % $2::int, 'deployment-' || i,
       '{"app": "web"}', '{"match_labels": {"app": "web"}, "match_expressions": null}', 3, 'RollingUpdate', ${stamps}
     from (select nextval('workload_deployment_id_seq') as i from generate_series(1, $1::int)) n`,
    [count, namespaces],
  )
}

async function fillPods(sql: pg.Pool, sizes: Sizes, progress: (line: string) => void): Promise<void> {
  const step = 50_000
  for (let from = 1; from <= sizes.pods; from += step) {
    const to = Math.min(from + step - 1, sizes.pods)
    await sql.query(
      `insert into pod (id, bk_biz_id, bk_cluster_id, cluster_uid, bk_namespace_id, namespace, ref_kind, ref_id, ref_name,
         bk_host_id, bk_node_id, node_name, name, operator, priority, labels, ip, ips, qos_class, ${stampColumns})
       select nextval('pod_id_seq'), 1, 1, 'bench-cluster', w.bk_namespace_id, w.namespace, 'deployment', w.id, w.name,
         n.bk_host_id, n.id, n.name, 'pod-' || i, '["admin"]', 1,
         jsonb_build_object('app', 'web-' || i % 500, 'env', case i % 2 when 0 then 'test' else 'prod' end, 'app.kubernetes.io/name', 'web'),
         host('10.0.0.0'::inet + i), jsonb_build_array(jsonb_build_object('ip', host('10.0.0.0'::inet + i))), 'Burstable', ${stamps}
       from generate_series($1::bigint, $2::bigint) i
       join workload w on w.kind = 'deployment' and w.id = 1 + (i - 1) % $3::bigint
       join node n on n.id = 1 + (i - 1) % $4::bigint order by i`,
      [from, to, sizes.workloads, sizes.nodes],
    )
    await sql.query(
      `insert into container (id, bk_pod_id, bk_biz_id, bk_cluster_id, bk_namespace_id, ref_kind, ref_id, name, container_uid,
         image, ports, started, limits, requests, environment, mounts, ${stampColumns})
       select nextval('container_id_seq'), p.id, 1, 1, p.bk_namespace_id, 'deployment', p.ref_id, 'container-' || k,
         'containerd://' || p.name || '-' || k, 'registry.example/team/web:1.2.3', '[{"name": "http", "containerPort": 8080}]',
         1767605400, '{"cpu": "200m", "memory": "256Mi"}', '{"cpu": "100m", "memory": "128Mi"}',
         '[{"name": "MODE", "value": "production"}]', '[{"name": "data", "mountPath": "/data"}]', ${stamps}
       from pod p, generate_series(0, $3::int) k where p.id between $1 and $2 order by p.id, k`,
      [from, to, sizes.containersPerPod - 1],
    )
    progress(`filled ${to.toLocaleString('en')} pods`)
  }
}
