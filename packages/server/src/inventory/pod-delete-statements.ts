import type { Statement } from '../store/database.ts'

/** A pod that shall go, and the business whose shared cluster it is in. */
export type LockedPod = {
  readonly id: number
  readonly bk_biz_id: number
  readonly bk_node_id: number
  readonly platform: number | null
}

/** $1 ids, $2 tenants that the caller writes (null: all). Locked in the order of ids, as every delete does. */
export const lockPods: Statement = {
  name: 'inventory-lock-pods',
  text: `select pod.id, pod.bk_biz_id, pod.bk_node_id, s.bk_asst_biz_id as platform
    from pod left join namespace_shared s on s.bk_namespace_id = pod.bk_namespace_id
    where pod.id = any($1::bigint[]) and ($2::text[] is null or pod.bk_supplier_account = any($2))
    order by pod.id for update of pod`,
}

/** Waits for the creators that put pods on these nodes; the statements after it see their pods. $1 ids */
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
