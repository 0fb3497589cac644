import type { ContainerListBody, InventoryListBody, WorkloadKind } from '@podyard/contract'
import { cmdbErrors } from '../errors.ts'
import type { Caller } from '../http/caller.ts'
import type { Queryable } from '../store/database.ts'
import type { KubeObject } from './fields.ts'
import type { Columns } from './filter/columns.ts'
import { compileFilter } from './filter/compile.ts'
import { createParameters, type Parameters } from './filter/parameters.ts'
import { parseFilter } from './filter/parse.ts'
import type { FieldType, Rule } from './filter/rule.ts'
import { compileSort } from './list-conditions.ts'
import { columnsByField, filterTypes, rowAlias } from './list-fields.ts'
import { checkPage } from './list-page.ts'
import { visibleTenant } from './list-tenant.ts'
import { columnsOf, type Row, type View, viewOf } from './views.ts'

export type ListResult = { readonly count: number; readonly info: readonly View[] }

export type ListRequest = {
  readonly object: KubeObject
  /** Workloads only: whose rows. */
  readonly kind?: WorkloadKind
  readonly body: InventoryListBody & Pick<ContainerListBody, 'bk_pod_id'>
}

/**
 * The lists of clusters, nodes, namespaces, workloads, pods and containers (container API reference 2.4): a page of rows
 * with count 0, or a count without rows. Checks in the original's order: business, page, filter; throws 1199010, 1199011,
 * 1199006, 1199059 or 1199000.
 */
export async function listInventory(db: Queryable, caller: Caller, request: ListRequest): Promise<ListResult> {
  const { object, kind, body } = request
  const business = body.bk_biz_id ?? 0
  // The list of workloads is the one that does not ask for a business.
  if (business === 0 && object !== 'workload') throw cmdbErrors.unset('bk_biz_id')
  // Bodies are open: in the other lists this is one of the unknown members.
  const pod = object === 'container' ? (body.bk_pod_id ?? 0) : 0
  if (pod < 0) throw cmdbErrors.mismatch('bk_pod_id')
  const page = checkPage(body.page)
  const rule = checkFilter(body.filter, filterTypes(object, kind), object === 'pod' ? 4 : 3)

  const columns = columnsFor(object)
  const parameters = createParameters()
  const conditions = [
    ...(kind === undefined ? [] : [`${rowAlias}.kind = ${parameters.add(kind, 'text')}`]),
    ...(pod === 0 ? [] : [`${rowAlias}.bk_pod_id = ${parameters.add(pod, 'bigint')}`]),
    await visibleRows(db, object, business, parameters),
    visibleTenant(`${rowAlias}.bk_supplier_account`, caller, parameters),
    ...(rule === undefined ? [] : [compileFilter(rule, columns, parameters)]),
  ]
  const from = `from ${object} ${rowAlias} where ${conditions.join(' and ')}`
  if (page.kind === 'count') {
    const [row] = await db.query<{ n: number }>(`select count(*) as n ${from}`, parameters.values)
    return { count: row?.n ?? 0, info: [] }
  }
  const only = body.fields == null || body.fields.length === 0 ? undefined : new Set(body.fields)
  const selected = new Set(['id', ...columnsOf(object, only)])
  const rows = await db.query<Row>(
    `select ${[...selected].map((name) => `${rowAlias}.${name}`).join(', ')} ${from}
     order by ${compileSort(page.sort, columns, `${rowAlias}.id`)}
     limit ${parameters.add(page.limit, 'bigint')} offset ${parameters.add(page.start, 'bigint')}`,
    parameters.values,
  )
  return { count: 0, info: rows.map((row) => viewOf(object, row, only)) }
}

/** A filter of the container API, or nothing; throws 1199000 for what is no rule and 1199006 with the original's text. */
export function checkFilter(
  filter: unknown,
  fields: ReadonlyMap<string, FieldType>,
  maxDepth: number,
): Rule | undefined {
  if (filter === undefined || filter === null) return undefined
  const parsed = parseFilter(filter, { dialect: 'current', fields, maxDepth })
  if (parsed.ok) return parsed.rule
  if (parsed.reason === 'shape')
    throw cmdbErrors.undecodable([{ path: 'filter', message: 'must be a rule, with a condition or an operator' }])
  throw cmdbErrors.mismatch(parsed.message)
}

const columnSets = new Map<KubeObject, Columns>()
function columnsFor(object: KubeObject): Columns {
  const known = columnSets.get(object) ?? columnsByField(object)
  columnSets.set(object, known)
  return known
}

/**
 * The rows of a business (container API reference 4.2). The owner of a shared cluster sees what others put there; a user
 * of one sees the cluster. The shared namespaces are looked up first: most businesses have none, and then the condition
 * is one that an index serves in the order of the page.
 */
async function visibleRows(
  db: Queryable,
  object: KubeObject,
  business: number,
  parameters: Parameters,
): Promise<string> {
  const own = `${rowAlias}.bk_biz_id = ${parameters.add(business, 'bigint')}`
  if (object === 'node') return own
  const rows = await db.run<{ id: number }>(object === 'cluster' ? usedClusters : sharedNamespaces, [business])
  if (rows.length === 0) return own
  const column = object === 'cluster' || object === 'namespace' ? 'id' : 'bk_namespace_id'
  const shared = parameters.add(
    rows.map((row) => row.id),
    'bigint[]',
  )
  return `(${own} or ${rowAlias}.${column} = any(${shared}))`
}

const usedClusters = {
  name: 'list-used-clusters',
  text: 'select distinct bk_cluster_id as id from namespace_shared where bk_biz_id = $1',
}

const sharedNamespaces = {
  name: 'list-shared-namespaces',
  text: 'select bk_namespace_id as id from namespace_shared where bk_asst_biz_id = $1',
}
