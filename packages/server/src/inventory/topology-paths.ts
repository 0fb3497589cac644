import type { HostPathsBody, PodPathsBody, TopologyPathBody } from '@podyard/contract'
import type { CmdbLanguage } from '../cmdb-messages.ts'
import { cmdbErrors } from '../errors.ts'
import type { Caller } from '../http/caller.ts'
import type { Database } from '../store/database.ts'
import { createParameters } from './filter/parameters.ts'
import { readableTenants } from './inventory-deps.ts'
import { compileSort } from './list-conditions.ts'
import { columnsFor } from './list-fields.ts'
import { checkPage, type Page } from './list-page.ts'
import { visibleTenant } from './list-tenant.ts'
import { kindsInTopology } from './topology-nodes.ts'

type Child = { readonly id: number; readonly name: string; readonly kind: string }
type Children = { readonly info: readonly Child[]; readonly count: number }

/** The nodes of a cluster without pods, as one child of it (container API reference 2.5, 9.22). */
const folder = (language: CmdbLanguage): Child => ({
  id: 999,
  name: language === 'en' ? 'Empty Pod Node(s)' : '空Pod节点',
  kind: 'folder',
})

/**
 * find/kube/topo_path (container API reference 2.5): what lies one level below a business, cluster or namespace.
 * 1199010, 1199006 `bk_reference_obj_id` or the word that is none, 1199011 `bk_cluster_id` for a cluster that the business
 * does not see, 1199998 for levels that have no answer there, and those of pages.
 */
export async function findTopologyPath(
  db: Database,
  caller: Caller,
  language: CmdbLanguage,
  body: TopologyPathBody,
): Promise<Children> {
  const business = body.bk_biz_id ?? 0
  if (business === 0) throw cmdbErrors.unset('bk_biz_id')
  const reference = body.bk_reference_obj_id ?? ''
  if (reference === 'folder' || reference === 'pod') throw cmdbErrors.mismatch('bk_reference_obj_id')
  if (!['biz', 'cluster', 'namespace', 'node', 'workload', 'container'].includes(reference))
    throw cmdbErrors.mismatch(reference.slice(0, 128))
  const id = body.bk_reference_id ?? 0
  if (id === 0) throw cmdbErrors.unset('bk_reference_id must be set')
  const page = checkPage(body.page)
  const level = { db, caller, business, id, page }
  if (reference === 'biz') return childrenOf(level, 'cluster')
  if (reference === 'cluster') return childrenOfCluster(level, folder(language))
  if (reference === 'namespace') return childrenOfNamespace(level)
  throw cmdbErrors.untyped('this table name does not exist')
}

type Level = {
  readonly db: Database
  readonly caller: Caller
  readonly business: number
  readonly id: number
  readonly page: Page
}

/** Which rows of a table are children, and seen by the business: `$b` is the business, `$id` the parent. */
const conditions = {
  cluster: '(r.bk_biz_id = $b or r.id in (select bk_cluster_id from namespace_shared where bk_biz_id = $b))',
  namespace:
    'r.bk_cluster_id = $id and (r.bk_biz_id = $b or r.id in (select bk_namespace_id from namespace_shared where bk_asst_biz_id = $b))',
  workload:
    'r.bk_namespace_id = $id and (r.bk_biz_id = $b or r.bk_namespace_id in (select bk_namespace_id from namespace_shared where bk_asst_biz_id = $b))',
} as const

async function childrenOf(level: Level, table: keyof typeof conditions, kind?: string): Promise<Children> {
  const { db, caller, business, id, page } = level
  const parameters = createParameters()
  // Each placeholder only where the text has it: PostgreSQL refuses a parameter that nothing uses.
  const condition = conditions[table]
    .replaceAll('$b', () => parameters.add(business, 'bigint'))
    .replaceAll('$id', () => parameters.add(id, 'bigint'))
  const from = `from ${table} r where ${condition} and ${visibleTenant('r.bk_supplier_account', caller, parameters)}
    ${kind === undefined ? '' : `and r.kind = ${parameters.add(kind, 'text')}`}`
  if (page.kind !== 'rows') {
    const [row] = await db.query<{ n: number }>(`select count(*) as n ${from}`, parameters.values)
    return { count: row?.n ?? 0, info: [] }
  }
  const rows = await db.query<{ id: number; name: string }>(
    `select r.id, r.name ${from} order by ${compileSort(page.sort, columnsFor(table), 'r.id')}
     limit ${parameters.add(page.limit, 'bigint')} offset ${parameters.add(page.start, 'bigint')}`,
    parameters.values,
  )
  return { count: 0, info: rows.map((row) => ({ id: row.id, name: row.name, kind: kind ?? table })) }
}

const clusterOwner = {
  name: 'topology-cluster-owner',
  text: 'select bk_biz_id, type from cluster where id = $1 and ($2::text[] is null or bk_supplier_account = any($2))',
}

async function childrenOfCluster(level: Level, empty: Child): Promise<Children> {
  const [cluster] = await level.db.run<{ bk_biz_id: number; type: string }>(clusterOwner, [
    level.id,
    readableTenants(level.caller),
  ])
  const isOwn = cluster?.bk_biz_id === level.business
  if (!isOwn && cluster?.type !== 'SHARE_CLUSTER') throw cmdbErrors.invalid('bk_cluster_id')
  const { info, count } = await childrenOf(level, 'namespace')
  if (!isOwn) return { info, count }
  // On every page, and not counted against its limit.
  return level.page.kind === 'count' ? { info, count: count + 1 } : { info: [empty, ...info], count }
}

/** The page is one of each kind. */
async function childrenOfNamespace(level: Level): Promise<Children> {
  const kinds = await Promise.all(kindsInTopology.map((kind) => childrenOf(level, 'workload', kind)))
  return { info: kinds.flatMap((kind) => kind.info), count: kinds.reduce((sum, kind) => sum + kind.count, 0) }
}

const maxIds = 500

function checkIds(ids: readonly number[] | null | undefined): readonly number[] {
  const given = ids ?? []
  if (given.length === 0) throw cmdbErrors.unset('ids')
  if (given.length > maxIds) throw cmdbErrors.tooMany('ids', maxIds)
  return given
}

type HostPath = {
  readonly bk_biz_id: number
  readonly biz_name: string
  readonly bk_cluster_id: number
  readonly cluster_name: string
}

const hostPaths = {
  name: 'topology-host-paths',
  text: `select distinct n.bk_host_id, n.bk_biz_id, coalesce(b.bk_biz_name, '') as biz_name, n.bk_cluster_id, coalesce(c.name, '') as cluster_name
    from node n left join business b on b.id = n.bk_biz_id left join cluster c on c.id = n.bk_cluster_id
    where n.bk_host_id = any($1) and ($2::text[] is null or n.bk_supplier_account = any($2))
    order by n.bk_host_id, n.bk_biz_id, n.bk_cluster_id`,
}

/**
 * find/kube/host_node_path: the clusters that hosts are nodes of, in the order of the request; empty when none is. 1199010,
 * 1199035.
 */
export async function findHostPaths(
  db: Database,
  caller: Caller,
  body: HostPathsBody,
): Promise<{ readonly info: readonly { readonly bk_host_id: number; readonly paths: readonly HostPath[] }[] }> {
  const ids = checkIds(body.ids)
  const rows = await db.run<HostPath & { bk_host_id: number }>(hostPaths, [ids, readableTenants(caller)])
  if (rows.length === 0) return { info: [] }
  const byHost = Map.groupBy(rows, (row) => row.bk_host_id)
  return {
    info: ids.map((id) => ({
      bk_host_id: id,
      paths: (byHost.get(id) ?? []).map(({ bk_host_id: _, ...path }) => path),
    })),
  }
}

type PodPath = {
  readonly bk_biz_id: number
  readonly biz_name: string
  readonly bk_cluster_id: number
  readonly cluster_name: string
  readonly bk_namespace_id: number
  readonly namespace: string
  readonly kind: string
  readonly bk_workload_id: number
  readonly workload_name: string
  readonly bk_pod_id: number
}

// $1 business, $2 ids, $3 tenants
const podPaths = {
  name: 'topology-pod-paths',
  text: `select p.bk_biz_id, coalesce(b.bk_biz_name, '') as biz_name, p.bk_cluster_id, coalesce(c.name, '') as cluster_name,
      p.bk_namespace_id, p.namespace, p.ref_kind as kind, p.ref_id as bk_workload_id, p.ref_name as workload_name,
      p.id as bk_pod_id, coalesce(own.bk_biz_name, '') as own_name
    from unnest($2::bigint[]) with ordinality as i(id, place)
    join pod p on p.id = i.id
    left join business b on b.id = p.bk_biz_id
    left join business own on own.id = $1
    left join cluster c on c.id = p.bk_cluster_id
    where (p.bk_biz_id = $1 or exists (select from namespace_shared s where s.bk_namespace_id = p.bk_namespace_id and s.bk_asst_biz_id = $1))
      and ($3::text[] is null or p.bk_supplier_account = any($3))
    order by i.place`,
}

/**
 * find/kube/pod_path: where pods are, in the order of the request; unknown ones are left out. A pod that another business
 * has in this one's shared cluster shows twice: here under this business, and at the end under its own. 1199010, 1199035.
 */
export async function findPodPaths(
  db: Database,
  caller: Caller,
  body: PodPathsBody,
): Promise<{ readonly info: readonly PodPath[] }> {
  const business = body.bk_biz_id ?? 0
  if (business === 0) throw cmdbErrors.unset('bk_biz_id')
  const ids = [...new Set(checkIds(body.ids))]
  const rows = await db.run<PodPath & { own_name: string }>(podPaths, [business, ids, readableTenants(caller)])
  const paths = rows.map(({ own_name, ...path }) => ({
    path,
    own: { ...path, bk_biz_id: business, biz_name: own_name },
  }))
  const others = paths.filter(({ path }) => path.bk_biz_id !== business)
  return { info: [...paths.map(({ own }) => own), ...others.map(({ path }) => path)] }
}
