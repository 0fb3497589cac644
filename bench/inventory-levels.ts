import type pg from 'pg'
import { insertCluster, insertStatement } from '../packages/server/src/inventory/insert-statements.ts'
import { insertPods } from '../packages/server/src/inventory/pod-statements.ts'

/** One level of the tree, as `inventory-write` measures it: full batches over HTTP, and the same rows by bare SQL. */
export type Level = {
  readonly name: string
  /** Rows of a batch: what the endpoint takes at most. */
  readonly size: number
  readonly path: string
  /** Emptied before every run on the empty table. */
  readonly tables: readonly string[]
  /** A request for a full batch. */
  readonly body: () => unknown
  /** The ids of so many batches, drawn at once. */
  readonly draw: (sql: pg.Pool, batches: number) => Promise<number>
  /** The rows that Podyard writes for a full batch, as they are listed. `first` is the first id. */
  readonly views: (first: number) => readonly View[]
  /** Podyard's own statement without its checks. */
  readonly statement: { readonly name: string; readonly text: string }
  readonly statementValues: (views: readonly View[]) => readonly unknown[]
  /** One insert for each table, and what each takes of the rows. */
  readonly plain: readonly { readonly text: string; readonly rows: (views: readonly View[]) => readonly unknown[] }[]
}

type View = Readonly<Record<string, unknown>> & { readonly id: number }

let named = 0
const newName = (what: string) => `${what}-${process.pid}-${named++}`

const stamps = { creator: 'admin', modifier: 'admin', create_time: 1_767_605_400, last_time: 1_767_605_400 }
const place = { bk_biz_id: 1, bk_supplier_account: '0', bk_cluster_id: 1 }
const times = <T>(n: number, make: (i: number) => T) => Array.from({ length: n }, (_, i) => make(i))

/** An insert of exactly the columns that the rows have. */
function plainInsert(
  table: string,
  columns: string,
  more: readonly [columns: string, values: string] = ['', ''],
): string {
  const names = columns.replaceAll(/ (bigint|int|text|boolean|jsonb)\b/g, '')
  return `insert into ${table} (${names}${more[0]}) select ${names}${more[1]} from json_to_recordset($1) as x(${columns})`
}

function plainEvents(resource: string, sub = '') {
  return {
    text: `insert into event (resource, sub_resource, type, object_id, biz_id, detail)
      select '${resource}', '${sub}', 'create', id, 1, detail from json_to_recordset($1) as x(id bigint, detail jsonb)`,
    rows: (views: readonly View[]) => views.map((view) => ({ id: view.id, detail: view })),
  }
}

const drawFrom = (sequence: string, size: number) => async (sql: pg.Pool, batches: number) => {
  const { rows } = await sql.query<{ id: string }>('select draw_ids($1::text::regclass, $2::int) as id', [
    sequence,
    batches * size,
  ])
  return Number(rows[0]?.id)
}

const identity = (views: readonly View[]) => views
const commonColumns = `id bigint, bk_biz_id bigint, bk_supplier_account text, bk_cluster_id bigint, cluster_uid text, creator text,
  modifier text, create_time bigint, last_time bigint`

// ---- clusters: one a call ----

const clusterRow = () => {
  const name = newName('cluster')
  return {
    bk_biz_id: 1,
    name,
    uid: `${name}-uid`,
    type: 'INDEPENDENT_CLUSTER',
    scheduling_engine: 'k8s',
    xid: name,
    version: '1.34.1',
    network_type: 'overlay',
    region: 'region-1',
    vpc: 'vpc-1',
    environment: 'prod',
    network: ['10.0.0.0/8'],
  }
}

export const clusterLevel: Level = {
  name: 'cluster',
  size: 1,
  path: '/create/kube/cluster',
  tables: [],
  body: clusterRow,
  draw: drawFrom('cluster_id_seq', 1),
  views: (id) => [{ id, ...clusterRow(), bk_supplier_account: '0', ...stamps }],
  statement: insertCluster,
  statementValues: ([view]) => [JSON.stringify(view), 'client'],
  plain: [
    {
      text: plainInsert(
        'cluster',
        `id bigint, bk_biz_id bigint, bk_supplier_account text, name text, uid text, type text, scheduling_engine text, xid text,
        version text, network_type text, region text, vpc text, environment text, network jsonb, creator text, modifier text,
        create_time bigint, last_time bigint`,
      ),
      rows: identity,
    },
    plainEvents('kube_cluster'),
  ],
}

// ---- nodes ----

const hosts = 2_000
let host = 0
const nodeRow = () => {
  host = (host % hosts) + 1
  const name = newName('node')
  return {
    bk_host_id: host,
    bk_cluster_id: 1,
    name,
    roles: 'node',
    labels: { 'kubernetes.io/os': 'linux', 'kubernetes.io/arch': 'amd64', 'kubernetes.io/hostname': name, zone: 'a' },
    taints: { dedicated: 'web' },
    unschedulable: false,
    internal_ip: ['10.200.0.1'],
    external_ip: [],
    hostname: name,
    runtime_component: 'containerd://2.1.4',
    kube_proxy_mode: 'ipvs',
    pod_cidr: '10.1.0.0/24',
  }
}

export const nodeLevel: Level = {
  name: 'node',
  size: 100,
  path: '/createmany/kube/node',
  tables: ['node'],
  body: () => ({ bk_biz_id: 1, data: times(100, nodeRow) }),
  draw: drawFrom('node_id_seq', 100),
  views: (first) =>
    times(100, (i) => ({
      id: first + i,
      ...nodeRow(),
      ...place,
      cluster_uid: 'bench-cluster',
      has_pod: false,
      ...stamps,
    })),
  statement: insertStatement('node'),
  statementValues: (views) => [JSON.stringify(views), 'client', ''],
  plain: [
    {
      text: plainInsert(
        'node',
        `${commonColumns}, bk_host_id bigint, name text, roles text, labels jsonb, taints jsonb, unschedulable boolean, internal_ip jsonb,
        external_ip jsonb, hostname text, runtime_component text, kube_proxy_mode text, pod_cidr text, has_pod boolean`,
      ),
      rows: identity,
    },
    plainEvents('kube_node'),
  ],
}

// ---- namespaces ----

const namespaceRow = () => ({
  bk_cluster_id: 1,
  name: newName('namespace'),
  labels: { team: 'web', env: 'test', 'kubernetes.io/metadata.name': 'namespace' },
  resource_quotas: [
    {
      hard: { 'limits.cpu': '100', 'limits.memory': '200Gi', pods: '500' },
      scopes: ['NotTerminating'],
      scope_selector: { match_expressions: [{ scope_name: 'PriorityClass', operator: 'In', values: ['high'] }] },
    },
  ],
})

export const namespaceLevel: Level = {
  name: 'namespace',
  size: 200,
  path: '/createmany/kube/namespace',
  tables: ['namespace', 'namespace_shared'],
  body: () => ({ bk_biz_id: 1, data: times(200, namespaceRow) }),
  draw: drawFrom('namespace_id_seq', 200),
  views: (first) =>
    times(200, (i) => ({ id: first + i, ...namespaceRow(), ...place, cluster_uid: 'bench-cluster', ...stamps })),
  statement: insertStatement('namespace'),
  statementValues: (views) => [JSON.stringify(views), 'client', ''],
  plain: [
    {
      text: plainInsert('namespace', `${commonColumns}, name text, labels jsonb, resource_quotas jsonb`),
      rows: identity,
    },
    plainEvents('kube_namespace'),
  ],
}

// ---- workloads ----

const bound = (text: string) => ({ type: 1, int_val: 0, str_val: text })
const workloadRow = () => ({
  bk_namespace_id: 1,
  name: newName('deployment'),
  labels: { app: 'web', env: 'test', 'app.kubernetes.io/name': 'web' },
  selector: { match_labels: { app: 'web' }, match_expressions: [{ key: 'env', operator: 'In', values: ['test'] }] },
  replicas: 3,
  min_ready_seconds: 5,
  strategy_type: 'RollingUpdate',
  rolling_update_strategy: { max_unavailable: bound('25%'), max_surge: bound('25%') },
})

export const workloadLevel: Level = {
  name: 'workload',
  size: 200,
  path: '/createmany/kube/workload/deployment',
  tables: ['workload'],
  body: () => ({ bk_biz_id: 1, data: times(200, workloadRow) }),
  draw: drawFrom('workload_deployment_id_seq', 200),
  views: (first) =>
    times(200, (i) => ({
      id: first + i,
      ...workloadRow(),
      ...place,
      cluster_uid: 'bench-cluster',
      namespace: 'namespace-1',
      ...stamps,
    })),
  statement: insertStatement('workload'),
  statementValues: (views) => [JSON.stringify(views), 'client', 'deployment'],
  plain: [
    {
      text: plainInsert(
        'workload',
        `${commonColumns}, bk_namespace_id bigint, namespace text, name text, labels jsonb, selector jsonb, replicas bigint,
        min_ready_seconds bigint, strategy_type text, rolling_update_strategy jsonb`,
        [', kind', `, 'deployment'`],
      ),
      rows: identity,
    },
    plainEvents('kube_workload', 'deployment'),
  ],
}

// ---- pods with two containers ----

const podsPerBatch = 200
const containersPerPod = 2
const ref = { kind: 'deployment', id: 1 }

/** What a client sends for one pod; about 840 bytes with its containers. */
function podRow() {
  const name = newName('pod')
  return {
    spec: { bk_cluster_id: 1, bk_namespace_id: 1, bk_node_id: 1, ref },
    name,
    bk_host_id: 1,
    priority: 1,
    operator: ['admin'],
    labels: { app: 'web', env: 'test', 'app.kubernetes.io/name': 'web' },
    ip: '10.1.2.3',
    ips: [{ ip: '10.1.2.3' }],
    qos_class: 'Burstable',
    containers: times(containersPerPod, (i) => ({
      name: `container-${i}`,
      container_uid: `containerd://${name}-${i}`,
      image: 'registry.example/team/web:1.2.3',
      started: 1_767_605_400,
      ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }],
      requests: { cpu: '100m', memory: '128Mi' },
      limits: { cpu: '200m', memory: '256Mi' },
      environment: [{ name: 'MODE', value: 'production' }],
      mounts: [{ name: 'data', mountPath: '/data' }],
    })),
  }
}

type ContainerView = Readonly<Record<string, unknown>> & { readonly ref: typeof ref }
type PodView = View & {
  readonly ref: typeof ref & { readonly name: string }
  readonly containers: readonly ContainerView[]
}

/** Containers have the ids of their pods times two, which nobody else takes: pods and containers are drawn in step. */
function podView(id: number): PodView {
  const { spec, containers, ...pod } = podRow()
  const shared = { ...place, bk_namespace_id: 1 }
  return {
    id,
    ...shared,
    cluster_uid: 'bench-cluster',
    namespace: 'namespace-1',
    node_name: 'node-1',
    bk_node_id: spec.bk_node_id,
    ...pod,
    ...stamps,
    ref: { ...ref, name: 'deployment-1' },
    containers: containers.map((container, i) => ({
      id: -(id * containersPerPod + i),
      bk_pod_id: id,
      ...shared,
      ref,
      ...container,
      ...stamps,
    })),
  }
}

const flat = ({ ref: { kind, id, ...name }, ...row }: ContainerView | PodView) => ({
  ...row,
  ref_kind: kind,
  ref_id: id,
  ...('name' in name ? { ref_name: name.name } : {}),
})

export const podLevel: Level = {
  name: 'pod',
  size: podsPerBatch,
  path: '/createmany/kube/pod',
  tables: ['pod', 'container'],
  body: () => ({ data: [{ bk_biz_id: 1, pods: times(podsPerBatch, podRow) }] }),
  draw: drawFrom('pod_id_seq', podsPerBatch),
  views: (first) => times(podsPerBatch, (i) => podView(first + i)),
  statement: insertPods,
  statementValues: (views) => [JSON.stringify(views), 'client'],
  plain: [
    {
      text: plainInsert(
        'pod',
        `${commonColumns}, bk_namespace_id bigint, namespace text, ref_kind text, ref_id bigint, ref_name text, bk_host_id bigint,
        bk_node_id bigint, node_name text, name text, operator jsonb, priority int, labels jsonb, ip text, ips jsonb, qos_class text`,
      ),
      rows: (views) => (views as readonly PodView[]).map(({ containers: _, ...pod }) => flat(pod as PodView)),
    },
    {
      text: plainInsert(
        'container',
        `id bigint, bk_pod_id bigint, bk_biz_id bigint, bk_supplier_account text, bk_cluster_id bigint, bk_namespace_id bigint,
        ref_kind text, ref_id bigint, name text, container_uid text, image text, ports jsonb, started bigint, limits jsonb,
        requests jsonb, environment jsonb, mounts jsonb, creator text, modifier text, create_time bigint, last_time bigint`,
      ),
      rows: (views) => (views as readonly PodView[]).flatMap((view) => view.containers.map(flat)),
    },
    plainEvents('kube_pod'),
  ],
}
