import { viewSql } from './view-sql.ts'

/** Where a subtree begins. */
export type TreeRoot = 'cluster' | 'namespace' | 'workload'

type Table = 'cluster' | 'node' | 'namespace' | 'workload' | 'pod'

/** The rows of each table that are in the subtrees of the ids $1; under workloads of the kind $2. */
const within: Readonly<Record<TreeRoot, Readonly<Partial<Record<Table, string>>>>> = {
  cluster: {
    cluster: 't.id = any($1::bigint[])',
    namespace: 't.bk_cluster_id = any($1::bigint[])',
    workload: 't.bk_cluster_id = any($1::bigint[])',
    node: 't.bk_cluster_id = any($1::bigint[])',
    pod: 't.bk_cluster_id = any($1::bigint[])',
  },
  namespace: {
    namespace: 't.id = any($1::bigint[])',
    workload: 't.bk_namespace_id = any($1::bigint[])',
    pod: 't.bk_namespace_id = any($1::bigint[])',
  },
  workload: {
    workload: 't.kind = $2 and t.id = any($1::bigint[])',
    pod: 't.ref_kind = $2 and t.ref_id = any($1::bigint[])',
  },
}

/** Tables from the top down, as locks are taken. */
export const lockOrder = ['namespace', 'workload', 'node'] as const
/** Tables from the bottom up, as rows go. */
export const removeOrder = ['workload', 'namespace', 'node', 'cluster'] as const

export const isWithin = (root: TreeRoot, table: Table) => within[root][table] !== undefined

/** Whoever makes a child, or puts a pod on a node, holds the parent: after this the subtree cannot grow. */
export const lockText = (root: TreeRoot, table: Table) =>
  `select count(*) from (select 1 from ${table} t where ${within[root][table]} order by t.id for update) locked`

/** Nodes outside the subtree that lose pods. */
export const lockNodesText = (root: TreeRoot) =>
  `select id from node where id in (select t.bk_node_id from pod t where ${within[root].pod}) order by id for update`

/** Whether rows of other tenants are in the subtree. The last parameter: tenants that the caller writes */
export const foreignText = (root: TreeRoot, table: Table) =>
  `select 1 from ${table} t where ${within[root][table]} and t.bk_supplier_account <> all($${tail(root)}::text[]) limit 1`

/** The events of the transaction, until all rows are gone: drawn then, their numbers do not hold watchers for so long. */
export const createRemovedText = `create temp table removed (
  ord bigint generated always as identity primary key, resource text not null, sub_resource text not null, type text not null,
  object_id bigint not null, biz_id bigint not null, tenant text not null, detail jsonb not null) on commit drop`

const keep = (resource: string, type: string, alias: string, detail: string) =>
  `insert into removed (resource, sub_resource, type, object_id, biz_id, tenant, detail)
   select '${resource}', ${resource === 'kube_workload' ? `${alias}.kind` : `''`}, '${type}', ${alias}.id, ${alias}.bk_biz_id,
     ${alias}.bk_supplier_account, ${detail} from ${alias}`

/** The next pods with their containers. Last parameters: after which id, how many at most */
export const removePodsText = (root: TreeRoot) => `
  with picked as materialized (
    select t.id from pod t where ${within[root].pod} and t.id > $${tail(root)}::bigint
    order by t.id limit $${tail(root) + 1}::int),
  p as (delete from pod where id in (select id from picked) returning *),
  c as (delete from container where bk_pod_id in (select id from picked) returning *),
  nested as materialized (
    select c.bk_pod_id, jsonb_agg(${viewSql('container', 'c')} order by c.id) as containers from c group by c.bk_pod_id),
  kept as (
    ${keep('kube_pod', 'delete', 'p', `${viewSql('pod', 'p')} || jsonb_build_object('containers', coalesce(nested.containers, '[]'))`)}
    left join nested on nested.bk_pod_id = p.id order by p.id)
  select (select count(*) from p) as pods, (select count(*) from c) as containers, (select max(id) from picked) as last`

export const removeText = (root: TreeRoot, table: (typeof removeOrder)[number]) => `
  with gone as (delete from ${table} t where ${within[root][table]} returning t.*),
  ${table === 'namespace' ? 'relations as (delete from namespace_shared where bk_namespace_id in (select id from gone)),' : ''}
  kept as (${keep(`kube_${table}`, 'delete', 'gone', viewSql(table, 'gone'))} order by gone.id)
  select count(*) as rows from gone`

/** Nodes that carry no pod any more. $1 ids, $2 modifier, $3 Unix seconds */
export const unmarkNodesText = `
  with changed as (
    update node t set has_pod = false, modifier = $2, last_time = $3, valid_from = now()
    where t.id = any($1::bigint[]) and t.has_pod and not exists (select 1 from pod p where p.bk_node_id = t.id) returning t.*)
  ${keep('kube_node', 'update', 'changed', viewSql('node', 'changed'))} order by changed.id`

/** Some of the events. $1 after which one, $2 up to which one */
export const tellText = `insert into event (resource, sub_resource, type, object_id, biz_id, tenant, detail)
  select resource, sub_resource, type, object_id, biz_id, tenant, detail from removed where ord > $1 and ord <= $2 order by ord`

/** The number of the first parameter after those of the scope. */
function tail(root: TreeRoot): number {
  return root === 'workload' ? 3 : 2
}
