import type { TopologyCountBody } from '@podyard/contract'
import { cmdbErrors } from '../errors.ts'
import type { Caller } from '../http/caller.ts'
import type { Database } from '../store/database.ts'
import { visibleCounts } from './count-reads.ts'
import { createParameters, type Parameters } from './filter/parameters.ts'
import { visibleTenant } from './list-tenant.ts'
import { checkPlaces, type PlaceInTopology } from './topology-nodes.ts'

type Counted = { readonly kind: string; readonly id: number; readonly count: number }

const maxPlaces = 100

/**
 * find/kube/topo_node/{type}/count (container API reference 2.5): the pods, or the hosts of the business, below each of
 * up to 100 places, in the order of the request. 1199010 for what is missing, 1199006 `resource_info` beyond 100 and
 * `non-kube objects`, 1199998 for another type.
 */
export async function countTopology(
  db: Database,
  caller: Caller,
  type: string,
  body: TopologyCountBody,
): Promise<readonly Counted[]> {
  const business = body.bk_biz_id ?? 0
  if (business === 0) throw cmdbErrors.unset('bk_biz_id')
  const given = body.resource_info ?? []
  if (given.length === 0) throw cmdbErrors.unset('resource_info')
  if (given.length > maxPlaces) throw cmdbErrors.mismatch('resource_info')
  const asked = checkPlaces(given, 'resource_info')
  if (type !== 'pod' && type !== 'host') throw cmdbErrors.untyped('count type error')
  const parameters = createParameters()
  const sql = (type === 'pod' ? podCounts : hostCounts)({
    business: parameters.add(business, 'bigint'),
    asked: `unnest(${parameters.add(
      asked.map((one) => one.kind),
      'text[]',
    )}, ${parameters.add(
      asked.map((one) => one.id),
      'bigint[]',
    )}) with ordinality as i(kind, id, place)`,
    places: asked,
    caller,
    parameters,
  })
  return db.query<Counted>(sql, parameters.values)
}

type Question = {
  readonly business: string
  /** Table expression `i(kind, id, place)`. */
  readonly asked: string
  readonly places: readonly PlaceInTopology[]
  readonly caller: Caller
  readonly parameters: Parameters
}

/** From the counts of workloads; only pods on one node are looked at themselves. */
function podCounts({ business, asked, places, caller, parameters }: Question): string {
  const seen = (alias: string) => visibleTenant(`${alias}.bk_supplier_account`, caller, parameters)
  const kept = `with kept as materialized (
      select c.bk_cluster_id, c.bk_namespace_id, c.ref_kind, c.ref_id, sum(c.pods) as n
      from ${visibleCounts('workload_count', business)} c where ${seen('c')} group by 1, 2, 3, 4)`
  const onNode = places.some((place) => place.kind === 'node')
    ? `when 'node' then (select count(*) from pod p where p.bk_node_id = i.id and ${visiblePods(business)} and ${seen('p')})`
    : ''
  return `${kept} select i.kind, i.id, coalesce(case i.kind
      when 'biz' then (select sum(n) from kept)
      when 'cluster' then (select sum(n) from kept where bk_cluster_id = i.id)
      when 'namespace' then (select sum(n) from kept where bk_namespace_id = i.id)
      when 'folder' then 0
      ${onNode}
      else (select sum(n) from kept where ref_kind = i.kind and ref_id = i.id) end, 0)::bigint as count
    from ${asked} order by i.place`
}

/**
 * Hosts of the business, each asked whether it has a pod in the place: one step in an index per host, where counting the
 * hosts of all pods would read them all. A cluster's hosts are also those of its nodes without pods, a folder's only those.
 */
function hostCounts({ business, asked, caller, parameters }: Question): string {
  const seen = (alias: string) => visibleTenant(`${alias}.bk_supplier_account`, caller, parameters)
  const hasPod = (where: string) =>
    `exists (select from pod p where p.bk_host_id = h.id and ${where} and ${visiblePods(business)} and ${seen('p')})`
  const emptyNode = `exists (select from node n where n.bk_host_id = h.id and n.bk_biz_id = ${business}
      and n.bk_cluster_id = i.id and not n.has_pod and ${seen('n')})`
  const hosts = (condition: string) => `(select count(*) from host h where h.bk_biz_id = ${business} and ${condition})`
  return `select i.kind, i.id, case i.kind
      when 'biz' then ${hosts(`(${hasPod('true')} or exists (select from node n where n.bk_host_id = h.id and n.bk_biz_id = ${business} and ${seen('n')}))`)}
      when 'cluster' then ${hosts(`(${hasPod('p.bk_cluster_id = i.id')} or ${emptyNode})`)}
      when 'folder' then ${hosts(emptyNode)}
      when 'namespace' then ${hosts(hasPod('p.bk_namespace_id = i.id'))}
      when 'node' then ${hosts(`exists (select from node n where n.id = i.id and n.bk_host_id = h.id and n.bk_biz_id = ${business} and ${seen('n')})`)}
      else (select count(distinct p.bk_host_id) from pod p join host h on h.id = p.bk_host_id and h.bk_biz_id = ${business}
        where p.ref_kind = i.kind and p.ref_id = i.id and ${visiblePods(business)} and ${seen('p')}) end as count
    from ${asked} order by i.place`
}

const visiblePods = (business: string) =>
  `(p.bk_biz_id = ${business} or p.bk_namespace_id in (select bk_namespace_id from namespace_shared where bk_asst_biz_id = ${business}))`
