import type { Statement } from '../store/database.ts'
import { lockRows } from './owned-rows.ts'

/**
 * The nodes of pods that shall go, locked in the order of ids: waits for the creators that put pods on these nodes, and
 * the statements after it see their pods. Nodes before pods, as every writer locks from the top down.
 * $1 ids of the pods, $2 tenants that the caller writes (null: all)
 */
export const lockNodesOfPods: Statement = {
  name: 'inventory-lock-nodes-of-pods',
  text: `with p as materialized (
      select distinct bk_node_id from pod where id = any($1::bigint[]) and ($2::text[] is null or bk_supplier_account = any($2))),
    n as materialized (select id from node where id in (select bk_node_id from p) order by id for update)
    select bk_node_id as id from p where (select count(*) from n) >= 0`,
}

/** See `lockRows`. */
export const lockPods = lockRows('pod', 'update')

/** Nodes that pods leave. $1 ids */
export const lockNodes: Statement = {
  name: 'inventory-lock-nodes',
  text: 'select id from node where id = any($1::bigint[]) order by id for update',
}

/** The rows that went, each with its containers' rows as `containers`. $1 ids */
export const deletePodRows: Statement = {
  name: 'inventory-delete-pods',
  text: `with p as (delete from pod where id = any($1::bigint[]) returning *),
    c as (delete from container where bk_pod_id = any($1::bigint[]) returning *)
    select p.*, coalesce((select json_agg(c order by c.id) from c where c.bk_pod_id = p.id), '[]') as containers
    from p order by p.id`,
}

/** Nodes that carry no pod any more. $1 ids, $2 modifier, $3 Unix seconds */
export const markNodesWithoutPods: Statement = {
  name: 'inventory-mark-nodes-without-pods',
  text: `update node set has_pod = false, modifier = $2, last_time = $3, valid_from = now()
    where id = any($1::bigint[]) and has_pod and not exists (select 1 from pod where pod.bk_node_id = node.id)
    returning *`,
}
