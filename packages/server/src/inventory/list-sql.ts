import type { WorkloadKind } from '@podyard/contract'
import type { Caller } from '../http/caller.ts'
import { ofLabelKey, onlyLabelOf, visibleCounts } from './count-reads.ts'
import type { KubeObject } from './fields.ts'
import { compileFilter } from './filter/compile.ts'
import { createParameters, type Parameters } from './filter/parameters.ts'
import type { Rule } from './filter/rule.ts'
import { compileSort } from './list-conditions.ts'
import { columnsFor, rowAlias } from './list-fields.ts'
import type { Page } from './list-page.ts'
import { visibleTenant } from './list-tenant.ts'

/** What a list of the container half is asked for, checked. */
export type ListQuery = {
  readonly object: KubeObject
  /** Workloads only. */
  readonly kind: WorkloadKind | undefined
  readonly business: number
  /** Containers only; 0: of all pods. */
  readonly pod: number
  readonly rule: Rule | undefined
  readonly caller: Caller
}

/** What others put into the business's shared clusters, or whose shared clusters it uses: arrays in PostgreSQL's text. */
export type Shared = { readonly namespaces: string; readonly clusters: string }

type Sql = { readonly text: string; readonly values: readonly unknown[] }

/**
 * A page's rows: `columns`, then the id, then (without `shared`) the two texts of `Shared`. Without `shared` only the
 * business's own rows are looked at, and the answer says what else there is: most businesses have no more, and one round
 * trip is all. One row of nulls stands for no rows.
 */
export function pageSql(
  query: ListQuery,
  page: Exclude<Page, { kind: 'count' }>,
  columns: readonly string[],
  shared?: Shared,
): Sql {
  const parameters = createParameters()
  const { business, own, rest } = conditionsOf(query, parameters)
  const isCursor = page.kind === 'cursor'
  const order = isCursor ? byId : compileSort(page.sort, columnsFor(query.object), byId)
  const where = isCursor ? `${rest} and ${byId} > ${parameters.add(page.after, 'bigint')}` : rest
  const limit = parameters.add(page.limit, 'bigint')
  const offset = parameters.add(isCursor ? 0 : page.start, 'bigint')
  const rows = (condition: string, n = limit, skipped = ` offset ${offset}`) =>
    `select ${columns.map((name) => `${rowAlias}.${name}, `).join('')}${byId} as row_id from ${query.object} ${rowAlias}
     where ${condition} and ${where} order by ${order} limit ${n}${skipped}`
  const names = [...columns, 'row_id'].map((name) => `p.${name}`).join(', ')
  let text: string
  if (shared === undefined)
    text = `select ${names}, s.namespaces, s.clusters from ${sharedOf(query.object, business)} s left join lateral (${rows(own)}) p on true`
  else if (query.object === 'pod' && order === byId) {
    // One branch per shared cluster, each in the order of its own index: the owner of a cluster pages as fast as its users.
    const clusters = parameters.add(shared.clusters, 'bigint[]')
    const namespaces = parameters.add(shared.namespaces, 'bigint[]')
    const others = `${rowAlias}.bk_cluster_id = c.id and ${rowAlias}.bk_biz_id <> ${business} and ${rowAlias}.bk_namespace_id = any(${namespaces})`
    const enough = `${limit} + ${offset}`
    text = `select ${names} from (
        (${rows(own, enough, '')})
        union all
        (select o.* from unnest(${clusters}) as c(id) cross join lateral (${rows(others, enough, '')}) o)) p
      order by p.row_id limit ${limit} offset ${offset}`
  } else text = rows(`(${own} or ${sharedRows(query.object, shared, parameters)})`)
  return { text, values: parameters.values }
}

/** How many rows there are: the number, then (without `shared`) the texts of `Shared`. One row. */
export function countSql(query: ListQuery, shared?: Shared): Sql {
  const parameters = createParameters()
  const { business, own, rest } = conditionsOf(query, parameters)
  const from = (condition: string) =>
    `select count(*) as n from ${query.object} ${rowAlias} where ${condition} and ${rest}`
  const text =
    shared === undefined
      ? `select (${from(own)}) as n, s.namespaces, s.clusters from ${sharedOf(query.object, business)} s`
      : from(`(${own} or ${sharedRows(query.object, shared, parameters)})`)
  return { text, values: parameters.values }
}

/** The number of rows where that is kept: all pods or containers of a business, or its pods with one label. One row. */
export function keptCountSql(query: ListQuery): Sql | undefined {
  const { object, rule, pod } = query
  if ((object !== 'pod' && object !== 'container') || pod !== 0) return undefined
  const label = object === 'pod' && rule !== undefined ? onlyLabelOf(rule) : undefined
  if (rule !== undefined && label === undefined) return undefined
  const parameters = createParameters()
  const business = parameters.add(query.business, 'bigint')
  const tenant = visibleTenant('c.bk_supplier_account', query.caller, parameters)
  if (label === undefined)
    return {
      text: `select coalesce(sum(c.${object}s), 0)::bigint as n from ${visibleCounts('workload_count', business)} c where ${tenant}`,
      values: parameters.values,
    }
  const value = parameters.add(label.value, 'text')
  return {
    text: `select coalesce(sum(c.pods), 0)::bigint as n from ${visibleCounts('label_count', business)} c
      where ${tenant} and ${ofLabelKey(label.key, parameters)} and md5(c.value)::uuid = md5(${value})::uuid and c.value = ${value}`,
    values: parameters.values,
  }
}

const byId = `${rowAlias}.id`

function conditionsOf(query: ListQuery, parameters: Parameters) {
  const { object, kind, pod, rule, caller } = query
  const business = parameters.add(query.business, 'bigint')
  const rest = [
    visibleTenant(`${rowAlias}.bk_supplier_account`, caller, parameters),
    ...(kind === undefined ? [] : [`${rowAlias}.kind = ${parameters.add(kind, 'text')}`]),
    ...(pod === 0 ? [] : [`${rowAlias}.bk_pod_id = ${parameters.add(pod, 'bigint')}`]),
    ...(rule === undefined ? [] : [compileFilter(rule, columnsFor(object), parameters)]),
  ].join(' and ')
  return { business, own: `${rowAlias}.bk_biz_id = ${business}`, rest }
}

/** The texts of `Shared` for a business; nulls where there is nothing. Nodes are their platform's alone (reference 4.2). */
function sharedOf(object: KubeObject, business: string): string {
  if (object === 'node') return '(select null::text as namespaces, null::text as clusters)'
  const column = object === 'cluster' ? 'bk_biz_id' : 'bk_asst_biz_id'
  return `(select array_agg(bk_namespace_id)::text as namespaces, array_agg(distinct bk_cluster_id)::text as clusters
    from namespace_shared where ${column} = ${business})`
}

function sharedRows(object: KubeObject, shared: Shared, parameters: Parameters): string {
  if (object === 'cluster') return `${byId} = any(${parameters.add(shared.clusters, 'bigint[]')})`
  const column = object === 'namespace' ? 'id' : 'bk_namespace_id'
  return `${rowAlias}.${column} = any(${parameters.add(shared.namespaces, 'bigint[]')})`
}
