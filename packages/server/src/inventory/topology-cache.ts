import type { BusinessOnlyBody } from '@podyard/contract'
import type { Caller } from '../http/caller.ts'
import { JsonText } from '../http/json-text.ts'
import type { Database } from '../store/database.ts'
import { visibleCounts } from './count-reads.ts'
import { createParameters } from './filter/parameters.ts'
import { cachedBusiness } from './label-service.ts'
import { visibleTenant } from './list-tenant.ts'
import { kindsInTopology } from './topology-nodes.ts'

/** One cluster, namespace or workload; `cnt` is a workload's own number of containers. */
type Found = {
  readonly kind: string
  readonly id: number
  readonly parent: number
  readonly nm: string
  readonly cnt: number
}

/**
 * get_biz_kube_cache_topo (container API reference 2.4): clusters, namespaces and workloads of a business with the number
 * of containers below each; a shared cluster's owner sees all of it, its users their own part. One snapshot, from the
 * counts: pods and containers are not looked at.
 */
export async function businessTopology(db: Database, caller: Caller, body: BusinessOnlyBody): Promise<JsonText> {
  const id = cachedBusiness(body)
  const parameters = createParameters()
  const business = parameters.add(id, 'bigint')
  const seen = (alias: string) => visibleTenant(`${alias}.bk_supplier_account`, caller, parameters)
  const rows = await db.query<Found>(
    `with theirs as materialized (select bk_namespace_id as id from namespace_shared where bk_asst_biz_id = ${business}),
      counts as (
        select c.ref_kind, c.ref_id, sum(c.containers)::bigint as n from ${visibleCounts('workload_count', business)} c
        where ${seen('c')} group by 1, 2)
     select 'biz' as kind, b.id, 0::bigint as parent, b.bk_biz_name as nm, 0::bigint as cnt from business b where b.id = ${business}
     union all
     select 'cluster', r.id, 0, r.name, 0 from cluster r where (r.bk_biz_id = ${business}
        or r.id in (select bk_cluster_id from namespace_shared where bk_biz_id = ${business})) and ${seen('r')}
     union all
     select 'namespace', r.id, r.bk_cluster_id, r.name, 0 from namespace r
      where (r.bk_biz_id = ${business} or r.id in (select id from theirs)) and ${seen('r')}
     union all
     select r.kind, r.id, r.bk_namespace_id, r.name, coalesce(c.n, 0) from workload r
        left join counts c on c.ref_kind = r.kind and c.ref_id = r.id
      where (r.bk_biz_id = ${business} or r.bk_namespace_id in (select id from theirs)) and ${seen('r')}`,
    parameters.values,
  )
  const place = new Map<string, number>(kindsInTopology.map((kind, i) => [kind, i]))
  rows.sort((a, b) => (place.get(a.kind) ?? 0) - (place.get(b.kind) ?? 0) || a.id - b.id)
  return new JsonText(treeText(id, rows))
}

/** The tree as JSON text: a business may have tens of thousands of workloads. Nodes without children have no `nds`. */
function treeText(business: number, rows: readonly Found[]): string {
  const byNamespace = groupBy(rows.filter((row) => !levels.has(row.kind)))
  const byCluster = groupBy(rows.filter((row) => row.kind === 'namespace'))
  const head = (row: Found, cnt: number) =>
    `{"kind":"${row.kind}","id":${row.id},"nm":${JSON.stringify(row.nm)},"cnt":${cnt}`
  const node = (row: Found, children: readonly Node[]): Node => {
    const cnt = children.reduce((sum, child) => sum + child.cnt, row.cnt)
    const nds = children.length === 0 ? '' : `,"nds":[${children.map((child) => child.text).join(',')}]`
    return { cnt, text: `${head(row, cnt)}${nds}}` }
  }
  const namespaceNode = (row: Found) =>
    node(
      row,
      (byNamespace.get(row.id) ?? []).map((workload) => node(workload, [])),
    )
  const clusters = rows
    .filter((row) => row.kind === 'cluster')
    .map((row) => node(row, (byCluster.get(row.id) ?? []).map(namespaceNode)))
  const name = rows.find((row) => row.kind === 'biz')?.nm ?? ''
  const cnt = clusters.reduce((sum, cluster) => sum + cluster.cnt, 0)
  return `{"biz":{"id":${business},"nm":${JSON.stringify(name)},"cnt":${cnt}},"nds":[${clusters.map((one) => one.text).join(',')}]}`
}
type Node = { readonly cnt: number; readonly text: string }
const levels = new Set(['biz', 'cluster', 'namespace'])

function groupBy(rows: readonly Found[]): Map<number, Found[]> {
  const groups = new Map<number, Found[]>()
  for (const row of rows) {
    const group = groups.get(row.parent)
    if (group === undefined) groups.set(row.parent, [row])
    else group.push(row)
  }
  return groups
}
