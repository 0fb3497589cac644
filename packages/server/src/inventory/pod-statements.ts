import type { Statement } from '../store/database.ts'
import { kubeFields } from './fields.ts'

/**
 * Everything that a batch of pods refers to, locked so that none of it can be deleted before the commit, and the ids of
 * the new rows: one statement whatever the batch. `for key share` lets other creators and updates pass; a delete takes
 * `for update`. Both locks are taken in the order of their keys, as the deletes do.
 *
 * $1 kinds and $2 ids of the workloads, $3 ids of the nodes, $4 ids of the namespaces, $5 tenants that the caller reads
 * (null: all), $6 number of pods, $7 number of containers
 */
export const readPodParents: Statement = {
  name: 'inventory-read-pod-parents',
  text: `with w as (
      select kind, id, name, bk_biz_id, bk_cluster_id, cluster_uid, bk_namespace_id, namespace from workload
      where (kind, id) in (select * from unnest($1::text[], $2::bigint[]))
        and ($5::text[] is null or bk_supplier_account = any($5))
      order by kind, id for key share),
    n as (
      select id, name, bk_biz_id, bk_cluster_id, has_pod from node
      where id = any($3::bigint[]) and ($5::text[] is null or bk_supplier_account = any($5))
        and (select count(*) from w) >= 0
      order by id for key share),
    s as (select bk_namespace_id, bk_asst_biz_id from namespace_shared where bk_namespace_id = any($4::bigint[]))
    select draw_ids('pod_id_seq', $6::int) as first_pod, draw_ids('container_id_seq', $7::int) as first_container,
      (select coalesce(json_agg(w), '[]') from w) as workloads,
      (select coalesce(json_agg(n), '[]') from n) as nodes,
      (select coalesce(json_agg(s), '[]') from s) as shared`,
}

const columns = (object: 'pod' | 'container') =>
  kubeFields[object].flatMap((field) => {
    if (field.column === undefined) return []
    if ('members' in field.column)
      return Object.entries(field.column.members).map(([member, column]) => ({
        name: column.name,
        value: column.type === 'bigint' ? `(x.ref->>'${member}')::bigint` : `coalesce(x.ref->>'${member}', '')`,
      }))
    const { name, type } = field.column
    const zero = type === 'bigint' ? '0' : `''`
    return [{ name, value: field.presence === 'ptr' ? `x.${name}` : `coalesce(x.${name}, ${zero})` }]
  })
const names = (object: 'pod' | 'container') =>
  columns(object)
    .map((c) => c.name)
    .join(', ')
const values = (object: 'pod' | 'container') =>
  columns(object)
    .map((c) => c.value)
    .join(', ')
const recordset = (object: 'pod' | 'container') =>
  kubeFields[object]
    .flatMap((field) => {
      if (field.column === undefined) return []
      return 'members' in field.column ? ['ref jsonb'] : [`${field.column.name} ${field.column.type}`]
    })
    .join(', ')

/**
 * Inserts pods, their containers and one create event per pod, all from one JSON text (`podViews`): the text is parsed
 * once, the columns are picked out of it, and each element as it stands is its event's detail. The events come last: they
 * wait until both counts are known (a number drawn early would hold the watchers).
 *
 * $1 the views, $2 origin
 */
export const insertPods: Statement = {
  name: 'inventory-insert-pods',
  text: `with pods as (
      insert into pod (${names('pod')}, origin)
      select ${values('pod')}, $2 from jsonb_to_recordset($1::jsonb) as x(${recordset('pod')})
      returning 1),
    containers as (
      insert into container (${names('container')}, origin)
      select ${values('container')}, $2
      from jsonb_to_recordset(jsonb_path_query_array($1::jsonb, '$[*].containers[*]')) as x(${recordset('container')})
      returning 1)
    insert into event (resource, type, object_id, biz_id, tenant, detail)
    select 'kube_pod', 'create', (p->>'id')::bigint, coalesce((p->>'bk_biz_id')::bigint, 0), p->>'bk_supplier_account', p
    from jsonb_array_elements($1::jsonb) as p
    where (select count(*) from pods) + (select count(*) from containers) >= 0`,
}

/**
 * Marks nodes that carry a pod from now on; those that are marked already are not touched. Locked in the order of ids.
 * $1 ids, $2 modifier, $3 Unix seconds
 */
export const markNodesWithPods: Statement = {
  name: 'inventory-mark-nodes-with-pods',
  text: `update node set has_pod = true, modifier = $2, last_time = $3, valid_from = now()
    where id in (select id from node where id = any($1::bigint[]) and not has_pod order by id for no key update)
    returning *`,
}
