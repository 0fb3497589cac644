import type { ContainersByTopologyBody } from '@podyard/contract'
import { cmdbErrors } from '../errors.ts'
import type { Caller } from '../http/caller.ts'
import { JsonText } from '../http/json-text.ts'
import type { Database } from '../store/database.ts'
import { ownCounts } from './count-reads.ts'
import { compileFilter } from './filter/compile.ts'
import { createParameters, type Parameters } from './filter/parameters.ts'
import type { Rule } from './filter/rule.ts'
import { compileSort } from './list-conditions.ts'
import { columnsByField, filterTypes } from './list-fields.ts'
import { checkPage, nextCursor } from './list-page.ts'
import { checkFilter } from './list-service.ts'
import { visibleTenant } from './list-tenant.ts'
import { rawTextView } from './raw-view.ts'
import { checkPlaces, type PlaceInTopology } from './topology-nodes.ts'

const list = 'container/by_topo'
const maxPlaces = 200

/**
 * list_kube_container_by_topo (container API reference 2.4): containers of a business below any of the places, with their
 * pods. Rows are raw: every asked field is there, null where nothing is stored. Checked in the original's order: 1199010,
 * 1199035 `bk_kube_nodes`, 1199006 for kinds and filters, 1199010 for absent fields, and those of pages.
 */
export async function listContainersByTopology(
  db: Database,
  caller: Caller,
  body: ContainersByTopologyBody,
): Promise<JsonText> {
  const business = body.bk_biz_id ?? 0
  if (business === 0) throw cmdbErrors.unset('bk_biz_id')
  const given = body.bk_kube_nodes ?? []
  if (given.length > maxPlaces) throw cmdbErrors.tooMany('bk_kube_nodes', maxPlaces)
  const places = checkPlaces(given, 'bk_kube_nodes')
  const podRule = checkFilter(body.pod_filter, filterTypes('pod'), 4, 'pod_filter')
  const containerRule = checkFilter(body.container_filter, filterTypes('container'), 3, 'container_filter')
  if ((body.pod_fields ?? []).length === 0) throw cmdbErrors.unset('pod_fields')
  if ((body.container_fields ?? []).length === 0) throw cmdbErrors.unset('container_fields')
  const page = checkPage(body.page, list)

  const parameters = createParameters()
  if (page.kind === 'count' && podRule === undefined && containerRule === undefined)
    return new JsonText(`{"count":${await keptCount(db, caller, business, places)},"info":[]}`)
  const conditions = [
    `c.bk_biz_id = ${parameters.add(business, 'bigint')}`,
    visibleTenant('c.bk_supplier_account', caller, parameters),
    ...(places.length === 0 ? [] : [belowAny('p', places, parameters)]),
    ...filterOf(podRule, 'pod', 'p', parameters),
    ...filterOf(containerRule, 'container', 'c', parameters),
    ...(page.kind === 'cursor' ? [`c.id > ${parameters.add(page.after, 'bigint')}`] : []),
  ]
  const from = `from container c join pod p on p.id = c.bk_pod_id where ${conditions.join(' and ')}`
  if (page.kind === 'count') {
    const [row] = await db.query<{ n: number }>(`select count(*) as n ${from}`, parameters.values)
    return new JsonText(`{"count":${row?.n ?? 0},"info":[]}`)
  }

  const container = rawTextView('container', body.container_fields ?? [], 0)
  const pod = rawTextView('pod', body.pod_fields ?? [], container.columns.length)
  const topology = [
    ['bk_biz_id', 'c.bk_biz_id'],
    ['bk_cluster_id', 'c.bk_cluster_id'],
    ['bk_namespace_id', 'c.bk_namespace_id'],
    ['bk_workload_id', 'c.ref_id'],
    ['workload_type', 'to_json(c.ref_kind)'],
    ['bk_host_id', 'p.bk_host_id'],
  ] as const
  const topologyAt = container.columns.length + pod.columns.length
  const columns = [
    ...container.columns.map((name) => `c.${name}`),
    ...pod.columns.map((name) => `p.${name}`),
    ...topology.map(([, sql]) => sql),
    'c.id',
  ]
  const order = page.kind === 'cursor' ? 'c.id' : compileSort(page.sort, columnsByField('container', 'c'), 'c.id')
  const rows = await db.texts(
    `select ${columns.join(', ')} ${from} order by ${order} limit ${parameters.add(page.limit, 'bigint')}
     offset ${parameters.add(page.kind === 'cursor' ? 0 : page.start, 'bigint')}`,
    parameters.values,
  )
  const info = rows.map((row) => {
    const place = topology.map(([name], i) => `"${name}":${row[topologyAt + i]}`).join(',')
    return `{"container":${container.write(row)},"pod":${pod.write(row)},"topo":{${place}}}`
  })
  if (page.kind === 'rows') return new JsonText(`{"count":0,"info":[${info.join(',')}]}`)
  const next = nextCursor(list, page.limit, rows.length, Number(rows.at(-1)?.at(-1) ?? 0))
  return new JsonText(`{"count":0,"info":[${info.join(',')}],"next_cursor":"${next}"}`)
}

/**
 * SQL that is true below the places. Asked of pods, whose columns say the same as their containers' and have the indexes.
 * Every kind but cluster and namespace is looked for among the workloads, as in the original: node, folder and biz match
 * nothing.
 */
function belowAny(alias: string, places: readonly PlaceInTopology[], parameters: Parameters): string {
  const byKind = Map.groupBy(places, (place) => place.kind)
  const parts = [...byKind].map(([kind, group]) => {
    const ids = parameters.add(
      group.map((place) => place.id),
      'bigint[]',
    )
    if (kind === 'cluster') return `${alias}.bk_cluster_id = any(${ids})`
    if (kind === 'namespace') return `${alias}.bk_namespace_id = any(${ids})`
    return `(${alias}.ref_kind = ${parameters.add(kind, 'text')} and ${alias}.ref_id = any(${ids}))`
  })
  return `(${parts.join(' or ')})`
}

/** Without filters the number is kept. */
async function keptCount(
  db: Database,
  caller: Caller,
  business: number,
  places: readonly PlaceInTopology[],
): Promise<number> {
  const parameters = createParameters()
  const conditions = [
    visibleTenant('c.bk_supplier_account', caller, parameters),
    ...(places.length === 0 ? [] : [belowAny('c', places, parameters)]),
  ]
  const [row] = await db.query<{ n: number }>(
    `select coalesce(sum(c.containers), 0)::bigint as n
     from ${ownCounts('workload_count', parameters.add(business, 'bigint'))} c where ${conditions.join(' and ')}`,
    parameters.values,
  )
  return row?.n ?? 0
}

const filterOf = (rule: Rule | undefined, object: 'pod' | 'container', alias: string, parameters: Parameters) =>
  rule === undefined ? [] : [compileFilter(rule, columnsByField(object, alias), parameters)]
