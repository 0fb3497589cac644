import type { Statement } from '../store/database.ts'
import { kubeFields } from './fields.ts'
import { assignments, differs, editable, typed } from './update-statements.ts'

/** A pod that is stored already under a key of the request. */
export type StoredPod = {
  readonly ord: number
  readonly id: number
  readonly bk_node_id: number
  readonly bk_supplier_account: string
}

const existing = (name: string, lock: string): Statement => ({
  name: `inventory-${name}`,
  text: `select i.ord, p.id, p.bk_node_id, p.bk_supplier_account
    from json_to_recordset($1) as i(ord int, id bigint, kind text, name text)
    join pod p on p.ref_id = i.id and p.ref_kind = i.kind and md5(p.name)::uuid = md5(i.name)::uuid ${lock}`,
})

/** The stored pods with the keys (workload, name) in $1. */
export const existingPods = existing('existing-pods', '')
/** The same, held against changes until the commit, in the order of ids. */
export const lockExistingPods = existing('lock-existing-pods', 'order by p.id for no key update of p')

/** Where an upsert may put a pod that exists, beside what any update may change. */
const placed = [...editable.pod, 'bk_host_id', 'bk_node_id', 'node_name']

/**
 * A change for each pod; those that are already as they should be stay untouched, but for those whose containers changed.
 * $1 an array of changes with ids, $2 modifier, $3 Unix seconds, $4 ids of pods whose containers changed
 */
export const updateDifferingPods: Statement = {
  name: 'inventory-update-differing-pods',
  text: `update pod t set ${assignments(placed)}, modifier = $2, last_time = $3, valid_from = now()
    from jsonb_to_recordset($1::jsonb) as x(id bigint, ${typed('pod', placed)})
    where t.id = x.id and (t.id = any($4::bigint[]) or ${differs(placed)})
    returning t.id`,
}

/** What an update may change of a container; `container_uid` says which one it is. */
const containerMembers = kubeFields.container
  .filter((field) => field.presence === 'ptr' && field.name !== 'ref' && field.name !== 'container_uid')
  .map((field) => field.name)
const list = (prefix: string) => containerMembers.map((name) => `${prefix}${name}`).join(', ')

/**
 * Gives pods the containers of the request: matched by `container_uid`, those that were not sent go, ids survive. Answers
 * with the ids of the pods whose containers changed.
 *
 * $1 the containers with their pods' ids, $2 modifier, $3 Unix seconds, $4 ids of all pods whose containers were sent,
 * $5 origin
 */
export const replaceContainers: Statement = {
  name: 'inventory-replace-containers',
  text: `with x as materialized (
      select * from jsonb_to_recordset($1::jsonb)
        as x(ord int, bk_pod_id bigint, container_uid text, ${typed('container', containerMembers)})),
    gone as (
      delete from container c where c.bk_pod_id = any($4::bigint[]) and not exists (
        select 1 from x where x.bk_pod_id = c.bk_pod_id and x.container_uid = c.container_uid)
      returning bk_pod_id),
    changed as (
      update container t set ${assignments(containerMembers)}, modifier = $2::text, last_time = $3::bigint, valid_from = now()
      from x where t.bk_pod_id = x.bk_pod_id and t.container_uid = x.container_uid and ${differs(containerMembers)}
      returning t.bk_pod_id),
    made as (
      insert into container (id, bk_pod_id, bk_biz_id, bk_supplier_account, bk_cluster_id, bk_namespace_id, ref_kind, ref_id,
        container_uid, ${list('')}, creator, modifier, create_time, last_time, origin)
      select nextval('container_id_seq'), n.*, $2::text, $2::text, $3::bigint, $3::bigint, $5::text
      from (
        select p.id, p.bk_biz_id, p.bk_supplier_account, p.bk_cluster_id, p.bk_namespace_id, p.ref_kind, p.ref_id,
          x.container_uid, ${list('x.').replace('x.image', `coalesce(x.image, '')`)}
        from x join pod p on p.id = x.bk_pod_id
        where not exists (select 1 from container c where c.bk_pod_id = x.bk_pod_id and c.container_uid = x.container_uid)
        order by x.ord) n
      returning bk_pod_id)
    select bk_pod_id from gone union select bk_pod_id from changed union select bk_pod_id from made`,
}

/** Whole rows, each with its containers' rows as `containers`. $1 ids */
export const readPodRows: Statement = {
  name: 'inventory-read-pods',
  text: `select p.*, (select coalesce(json_agg(c order by c.id), '[]') from container c where c.bk_pod_id = p.id) as containers
    from pod p where p.id = any($1::bigint[]) order by p.id`,
}
