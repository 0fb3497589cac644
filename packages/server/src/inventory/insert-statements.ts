import type { Statement } from '../store/database.ts'
import { type KubeObject, kubeFields } from './fields.ts'

/**
 * Inserts a batch and its create events from one JSON text: an array of rows as the wire shows them (zero members left
 * out), which are also the events' details. Like `insertPods`; sorted by id, the events are drawn after the last row.
 *
 * $1 the views, $2 origin; for workloads $3 the kind
 */
function insertStatement(object: Exclude<KubeObject, 'pod' | 'container'>): Statement {
  const columns = kubeFields[object].flatMap((field) =>
    field.column === undefined || 'members' in field.column ? [] : [{ ...field.column, presence: field.presence }],
  )
  const names = columns.map((c) => c.name).join(', ')
  const values = columns
    .map((c) => (c.presence === 'ptr' ? `x.${c.name}` : `coalesce(x.${c.name}, ${c.type === 'bigint' ? '0' : `''`})`))
    .join(', ')
  const recordset = columns.map((c) => `${c.name} ${c.type}`).join(', ')
  const [kindColumn, kindValue] = object === 'workload' ? [', kind', ', $3::text'] : ['', '']
  return {
    name: `inventory-insert-${object}`,
    text: `with rows as (
        insert into ${object} (${names}, origin${kindColumn})
        select ${values}, $2${kindValue} from jsonb_to_recordset($1::jsonb) as x(${recordset})
        returning id, bk_biz_id, bk_supplier_account)
      insert into event (resource, sub_resource, type, object_id, biz_id, tenant, detail)
      select 'kube_${object}', ${object === 'workload' ? '$3::text' : `''`}, 'create', r.id, r.bk_biz_id, r.bk_supplier_account, e.detail
      from rows r
      join (select (value->>'id')::bigint as id, value as detail from jsonb_array_elements($1::jsonb)) e on e.id = r.id
      order by r.id`,
  }
}

export const insertClusters = insertStatement('cluster')
export const insertNodes = insertStatement('node')
export const insertNamespaces = insertStatement('namespace')
export const insertWorkloads = insertStatement('workload')

/** $1 a JSON array of rows of namespace_shared */
export const insertSharedNamespaces: Statement = {
  name: 'inventory-insert-shared-namespaces',
  text: `insert into namespace_shared (bk_namespace_id, bk_cluster_id, bk_biz_id, bk_asst_biz_id, bk_supplier_account)
    select * from json_to_recordset($1) as x(bk_namespace_id bigint, bk_cluster_id bigint, bk_biz_id bigint,
      bk_asst_biz_id bigint, bk_supplier_account text)`,
}
