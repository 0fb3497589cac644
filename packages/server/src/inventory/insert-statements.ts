import type { Statement } from '../store/database.ts'
import { type KubeObject, kubeFields } from './fields.ts'
import { type ParentTable, unchangedParents } from './parent-statements.ts'

export type BatchObject = Extract<KubeObject, 'node' | 'namespace' | 'workload'>

/** A table's columns as the record of a JSON row has them, and as they are stored: a val field that is absent is its zero. */
export function recordOf(object: Exclude<KubeObject, 'pod' | 'container'>) {
  const columns = kubeFields[object].flatMap((field) =>
    field.column === undefined || 'members' in field.column ? [] : [{ ...field.column, presence: field.presence }],
  )
  const zero = (type: string) => (type === 'bigint' ? '0' : `''`)
  return {
    names: columns.map((c) => c.name).join(', '),
    values: columns
      .map((c) => (c.presence === 'ptr' ? `x.${c.name}` : `coalesce(x.${c.name}, ${zero(c.type)})`))
      .join(', '),
    types: columns.map((c) => `${c.name} ${c.type}`).join(', '),
  }
}

/** The order of the unique keys: two writers of the same names wait for each other in line, and never crosswise. */
const keyOrder: Readonly<Record<BatchObject, string>> = {
  node: 'x.bk_cluster_id, x.name collate "C"',
  namespace: 'x.bk_cluster_id, x.name collate "C"',
  workload: 'x.bk_namespace_id, x.name collate "C", x.cr_kind collate "C", x.cr_api_version collate "C"',
}

/** Namespaces of clusters that belong to another business: whose cluster it is (container API reference 4.2). */
const relations = `, relations as (
  insert into namespace_shared (bk_namespace_id, bk_cluster_id, bk_biz_id, bk_asst_biz_id, bk_supplier_account)
  select r.id, r.bk_cluster_id, r.bk_biz_id, c.bk_biz_id, r.bk_supplier_account
  from rows r join cluster c on c.id = r.bk_cluster_id where c.bk_biz_id <> r.bk_biz_id)`

function insertInto(object: BatchObject, condition: string): { readonly rows: string; readonly events: string } {
  const { names, values, types } = recordOf(object)
  const [kindColumn, kindValue] = object === 'workload' ? [', kind', ', $3::text'] : ['', '']
  return {
    rows: `rows as (
        insert into ${object} (${names}, origin${kindColumn})
        select ${values}, $2${kindValue} from jsonb_to_recordset($1::jsonb) as x(${types}) where ${condition}
        order by ${keyOrder[object]}
        returning ${object === 'namespace' ? 'id, bk_cluster_id, bk_biz_id, bk_supplier_account' : '1'})
      ${object === 'namespace' ? relations : ''}`,
    // Waits until the rows are known: an event's number that is drawn early holds every watcher until the commit.
    events: `insert into event (resource, sub_resource, type, object_id, biz_id, tenant, detail)
      select 'kube_${object}', $3::text, 'create', (e->>'id')::bigint, coalesce((e->>'bk_biz_id')::bigint, 0),
        e->>'bk_supplier_account', e
      from jsonb_array_elements($1::jsonb) as e where (select count(*) from rows) > 0`,
  }
}

/**
 * Inserts a batch and its create events from one JSON text: an array of rows as the wire shows them (zero members left
 * out), which are also the events' details; the text is parsed once (see `insertPods`).
 *
 * $1 the views, $2 origin, $3 the workloads' kind, '' elsewhere
 */
export function insertStatement(object: BatchObject): Statement {
  const { rows, events } = insertInto(object, 'true')
  return { name: `inventory-insert-${object}`, text: `with ${rows} ${events}` }
}

/**
 * The same as a transaction of its own, if all parents are still as they were found. Answers with `ok`.
 * From $4 on the ids and versions of the parents, table by table.
 */
export function insertIfUnchangedStatement(object: BatchObject, parents: readonly ParentTable[]): Statement {
  const { rows, events } = insertInto(object, '(select ok from unchanged)')
  return {
    name: `inventory-insert-${object}-if-unchanged`,
    text: `with ${unchangedParents(parents, 4)}, ${rows}, events as (${events}) select ok from unchanged`,
  }
}

const cluster = recordOf('cluster')

/**
 * One cluster and its create event, with an id of its own, as a transaction of its own. Answers with the id.
 * $1 the view without an id, $2 origin
 */
export const insertCluster: Statement = {
  name: 'inventory-insert-cluster',
  text: `with drawn as materialized (select nextval('cluster_id_seq') as id),
    views as materialized (select id, $1::jsonb || jsonb_build_object('id', id) as view from drawn),
    rows as (
      insert into cluster (${cluster.names}, origin)
      select ${cluster.values}, $2 from views, jsonb_to_record(views.view) as x(${cluster.types}) returning 1),
    events as (
      insert into event (resource, type, object_id, biz_id, tenant, detail)
      select 'kube_cluster', 'create', id, (view->>'bk_biz_id')::bigint, view->>'bk_supplier_account', view
      from views where (select count(*) from rows) > 0)
    select id from drawn`,
}
