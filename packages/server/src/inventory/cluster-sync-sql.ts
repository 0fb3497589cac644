import type { Statement } from '../store/database.ts'

/**
 * The statements of `cluster-sync.ts`. Each takes a whole batch as one JSON parameter; a row that is already as the
 * cluster says is not touched. Only rows of origin 'sync' are updated or removed; a client's row with the same name
 * serves as a parent and stays as the client wrote it.
 *
 * $1 the cluster's id, $2 the batch, $3 now in Unix seconds, $4 the user that is stamped, then business, tenant and the
 * cluster's uid where rows are made. The answers carry `change`: create, update or same.
 */

const newRow = `$5::bigint as bk_biz_id, $6::text as bk_supplier_account, $1::bigint as bk_cluster_id, $7::text as cluster_uid,
  $4::text as creator, $4::text as modifier, $3::bigint as create_time, $3::bigint as last_time, 'sync' as origin`
const newColumns =
  'bk_biz_id, bk_supplier_account, bk_cluster_id, cluster_uid, creator, modifier, create_time, last_time, origin'
const stamp = 'last_time = $3, modifier = $4, valid_from = now()'

/** Update what differs, insert what is missing, and give back every row of the batch. */
function upsert(options: {
  readonly name: string
  readonly table: string
  readonly input: string
  /** Joins `t` (the table) and `i` (the batch) on the unique key. */
  readonly match: string
  readonly columns: readonly string[]
  readonly fixed?: { readonly columns: string; readonly values: string }
  readonly nextId: string
  /** What identifies a row; the id alone where nothing is said. */
  readonly id?: string
}): Statement {
  const { table, columns, match, id = 'id' } = options
  const idOf = (prefix: string) =>
    `(${id
      .split(', ')
      .map((column) => `${prefix}${column}`)
      .join(', ')})`
  const list = (prefix: string) => columns.map((column) => `${prefix}${column}`).join(', ')
  const set = columns.map((column) => `${column} = i.${column}`).join(', ')
  const fixedColumns = options.fixed === undefined ? '' : `, ${options.fixed.columns}`
  const fixedValues = options.fixed === undefined ? '' : `, ${options.fixed.values}`
  return {
    name: options.name,
    text: `with i as materialized (select * from json_to_recordset($2) as i(ord int, ${options.input})),
      updated as (
        update ${table} t set ${set}, ${stamp} from i
        where ${match} and t.origin = 'sync' and (${list('t.')}) is distinct from (${list('i.')})
        returning t.*),
      missing as (
        select i.* from i where not exists (select 1 from ${table} t where ${match}) order by i.ord),
      inserted as (
        insert into ${table} (id, ${newColumns}, name, ${columns.join(', ')}${fixedColumns})
        select ${options.nextId}, n.bk_biz_id, n.bk_supplier_account, n.bk_cluster_id, n.cluster_uid, n.creator, n.modifier,
          n.create_time, n.last_time, n.origin, n.name, ${list('n.')}${fixedValues}
        from (select m.*, ${newRow} from missing m) n
        on conflict do nothing
        returning *)
      select 'create' as change, c.* from inserted c
      union all select 'update', u.* from updated u
      union all select 'same', t.* from ${table} t join i on ${match} where ${idOf('t.')} not in (select ${id} from updated)`,
  }
}

export const upsertNamespaces = upsert({
  name: 'sync-upsert-namespaces',
  table: 'namespace',
  input: 'name text, uid text, labels jsonb',
  match: 't.bk_cluster_id = $1 and md5(t.name)::uuid = md5(i.name)::uuid and t.name = i.name',
  columns: ['uid', 'labels'],
  nextId: `nextval('namespace_id_seq')`,
})

export const upsertNodes = upsert({
  name: 'sync-upsert-nodes',
  table: 'node',
  input: `name text, uid text, bk_host_id bigint, roles text, labels jsonb, taints jsonb, unschedulable boolean,
    internal_ip jsonb, external_ip jsonb, hostname text, runtime_component text, pod_cidr text`,
  match: 't.bk_cluster_id = $1 and md5(t.name)::uuid = md5(i.name)::uuid and t.name = i.name',
  columns: [
    'uid',
    'bk_host_id',
    'roles',
    'labels',
    'taints',
    'unschedulable',
    'internal_ip',
    'external_ip',
    'hostname',
    'runtime_component',
    'pod_cidr',
  ],
  nextId: `nextval('node_id_seq')`,
})

const workloadKinds = [
  'deployment',
  'statefulSet',
  'daemonSet',
  'gameStatefulSet',
  'gameDeployment',
  'cronJob',
  'job',
  'pods',
  'customResource',
]

export const upsertWorkloads = upsert({
  name: 'sync-upsert-workloads',
  table: 'workload',
  input: `name text, kind text, bk_namespace_id bigint, namespace text, uid text, labels jsonb, selector jsonb, replicas bigint,
    min_ready_seconds bigint, strategy_type text, rolling_update_strategy jsonb, cr_kind text, cr_api_version text`,
  match: `t.bk_namespace_id = i.bk_namespace_id and t.kind = i.kind and t.name = i.name
    and (i.kind <> 'customResource' or (t.cr_kind = i.cr_kind and t.cr_api_version = i.cr_api_version))`,
  columns: ['uid', 'labels', 'selector', 'replicas', 'min_ready_seconds', 'strategy_type', 'rolling_update_strategy'],
  id: 'kind, id',
  fixed: {
    columns: 'kind, bk_namespace_id, namespace, cr_kind, cr_api_version',
    values: 'n.kind, n.bk_namespace_id, n.namespace, n.cr_kind, n.cr_api_version',
  },
  nextId: `case n.kind ${workloadKinds.map((kind) => `when '${kind}' then nextval('workload_${kind.toLowerCase()}_id_seq')`).join(' ')} end`,
})

const podColumns = [
  'bk_node_id',
  'bk_host_id',
  'node_name',
  'priority',
  'labels',
  'ip',
  'ips',
  'volumes',
  'qos_class',
  'node_selectors',
  'tolerations',
]
const podInput = `with i as materialized (select * from json_to_recordset($2) as i(ord int, id bigint, uid text, name text, bk_namespace_id bigint,
    namespace text, ref_kind text, ref_id bigint, ref_name text, bk_node_id bigint, bk_host_id bigint, node_name text,
    priority int, labels jsonb, ip text, ips jsonb, volumes jsonb, qos_class text, node_selectors jsonb, tolerations jsonb))`
const prefixed = (prefix: string, columns: readonly string[]) =>
  columns.map((column) => `${prefix}${column}`).join(', ')

/** Pods that are stored, by their ids. One that left its owner keeps its workload: ref is not among what changes. */
export const updatePods: Statement = {
  name: 'sync-update-pods',
  text: `${podInput}
    update pod p set ${podColumns.map((column) => `${column} = i.${column}`).join(', ')}, ${stamp}
    from i where p.id = i.id and p.bk_cluster_id = $1 and p.uid = i.uid and p.origin = 'sync'
      and (${prefixed('p.', podColumns)}) is distinct from (${prefixed('i.', podColumns)})
    returning p.id`,
}

/** Pods that are not stored yet. One whose name a client has taken in that workload is left out. */
export const insertPods: Statement = {
  name: 'sync-insert-pods',
  text: `${podInput}
    insert into pod (id, ${newColumns}, uid, name, bk_namespace_id, namespace, ref_kind, ref_id, ref_name, operator,
      ${podColumns.join(', ')})
    select nextval('pod_id_seq'), n.bk_biz_id, n.bk_supplier_account, n.bk_cluster_id, n.cluster_uid, n.creator, n.modifier,
      n.create_time, n.last_time, n.origin, n.uid, n.name, n.bk_namespace_id, n.namespace, n.ref_kind, n.ref_id, n.ref_name,
      jsonb_build_array($4::text), ${prefixed('n.', podColumns)}
    from (select i.uid, i.name, i.bk_namespace_id, i.namespace, i.ref_kind, i.ref_id, i.ref_name,
        ${prefixed('i.', podColumns)}, ${newRow} from i order by i.ord) n
    on conflict do nothing
    returning id, uid, bk_node_id`,
}

const containerColumns = [
  'container_uid',
  'image',
  'ports',
  'host_ports',
  'args',
  'started',
  'limits',
  'requests',
  'liveness',
  'environment',
  'mounts',
]
/** $2 is a list of containers, each with its pod's id; `c` joins it to the pods that are stored. */
const containerInput = `with c as materialized (
    select p.id as bk_pod_id, p.bk_biz_id, p.bk_supplier_account, p.bk_cluster_id, p.bk_namespace_id, p.ref_kind, p.ref_id,
      i.ord, i.name, ${prefixed('i.', containerColumns)}
    from json_to_recordset($2) as i(ord int, bk_pod_id bigint, name text, container_uid text, image text, ports jsonb, host_ports jsonb,
      args jsonb, started bigint, limits jsonb, requests jsonb, liveness jsonb, environment jsonb, mounts jsonb)
    join pod p on p.id = i.bk_pod_id and p.origin = 'sync' where $1::bigint = p.bk_cluster_id)`

/** Containers that are not sent any more go first: their uid may be another one's by now. $2 holds pods' ids and names. */
export const deleteMissingContainers: Statement = {
  name: 'sync-delete-missing-containers',
  text: `with c as materialized (
      select i.bk_pod_id, i.name from json_to_recordset($2) as i(bk_pod_id bigint, name text)
      join pod p on p.id = i.bk_pod_id and p.origin = 'sync' where $1::bigint = p.bk_cluster_id)
    delete from container t using (select distinct bk_pod_id from c) touched
    where t.bk_pod_id = touched.bk_pod_id
      and not exists (select 1 from c where c.bk_pod_id = t.bk_pod_id and c.name = t.name)
    returning t.bk_pod_id`,
}

/** By name: a restarted container has another uid and keeps its row. */
export const updateContainers: Statement = {
  name: 'sync-update-containers',
  text: `${containerInput}
    update container t set ${containerColumns.map((column) => `${column} = c.${column}`).join(', ')},
      last_time = $3::bigint, modifier = $4::text, valid_from = now()
    from c where t.bk_pod_id = c.bk_pod_id and t.name = c.name
      and (${prefixed('t.', containerColumns)}) is distinct from (${prefixed('c.', containerColumns)})
    returning t.bk_pod_id`,
}

export const insertContainers: Statement = {
  name: 'sync-insert-containers',
  text: `${containerInput}
    insert into container (id, bk_pod_id, bk_biz_id, bk_supplier_account, bk_cluster_id, bk_namespace_id, ref_kind, ref_id,
      name, ${containerColumns.join(', ')}, creator, modifier, create_time, last_time, origin)
    select nextval('container_id_seq'), n.bk_pod_id, n.bk_biz_id, n.bk_supplier_account, n.bk_cluster_id, n.bk_namespace_id,
      n.ref_kind, n.ref_id, n.name, ${prefixed('n.', containerColumns)}, $4::text, $4::text, $3::bigint, $3::bigint, 'sync'
    from (select * from c where not exists (select 1 from container t where t.bk_pod_id = c.bk_pod_id and t.name = c.name)
      order by bk_pod_id, ord) n
    returning bk_pod_id`,
}

// ---- removals, and what follows from pods that came and went ----

export const deleteWorkloads: Statement = {
  name: 'sync-delete-workloads',
  text: `delete from workload w using json_to_recordset($2) as i(kind text, id bigint)
    where w.bk_cluster_id = $1 and w.kind = i.kind and w.id = i.id and w.origin = 'sync'
      and not exists (select 1 from pod p where p.ref_id = w.id and p.ref_kind = w.kind)
    returning w.*`,
}
export const deleteNamespaces: Statement = {
  name: 'sync-delete-namespaces',
  text: `delete from namespace n where n.bk_cluster_id = $1 and n.id = any($2::bigint[]) and n.origin = 'sync'
      and not exists (select 1 from pod p where p.bk_namespace_id = n.id)
      and not exists (select 1 from workload w where w.bk_namespace_id = n.id)
    returning n.*`,
}
export const deleteNodes: Statement = {
  name: 'sync-delete-nodes',
  text: `delete from node n where n.bk_cluster_id = $1 and n.id = any($2::bigint[]) and n.origin = 'sync'
      and not exists (select 1 from pod p where p.bk_node_id = n.id)
    returning n.*`,
}
/** Synced workloads that only pods told of (no reflector of their kind), once their namespace is to go. */
export const orphanedWorkloads: Statement = {
  name: 'sync-orphaned-workloads',
  text: `select kind, id from workload where bk_cluster_id = $1 and bk_namespace_id = any($2::bigint[]) and origin = 'sync'`,
}
export const deletePods: Statement = {
  name: 'sync-delete-pods',
  text: `delete from pod where bk_cluster_id = $1 and origin = 'sync' and uid = any($2::text[]) returning *`,
}
export const deleteContainersOf: Statement = {
  name: 'sync-delete-containers-of',
  text: `delete from container where bk_pod_id = any($1::bigint[]) returning *`,
}
/** has_pod follows the pods of these nodes, whoever wrote them. */
export const flipNodes: Statement = {
  name: 'sync-flip-nodes',
  text: `with touched as (select id from node where id = any($1::bigint[]) order by id for no key update)
    update node n set has_pod = not n.has_pod, last_time = $2, modifier = $3, valid_from = now()
    from touched where n.id = touched.id and n.has_pod <> exists (select 1 from pod p where p.bk_node_id = n.id)
    returning n.*`,
}
export const readPods: Statement = {
  name: 'sync-read-pods',
  text: `select p.*, (select coalesce(json_agg(c order by c.id), '[]') from container c where c.bk_pod_id = p.id) as containers
    from pod p where p.id = any($1::bigint[]) order by p.id`,
}
