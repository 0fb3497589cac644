import type { ContainerListBody, InventoryListBody, WorkloadKind } from '@podyard/contract'
import { cmdbErrors } from '../errors.ts'
import type { Caller } from '../http/caller.ts'
import { JsonText } from '../http/json-text.ts'
import type { Database } from '../store/database.ts'
import type { KubeObject } from './fields.ts'
import { parseFilter } from './filter/parse.ts'
import type { FieldType, Rule } from './filter/rule.ts'
import { filterTypes } from './list-fields.ts'
import { checkPage, nextCursor, type Page } from './list-page.ts'
import { countSql, keptCountSql, type ListQuery, pageSql, type Shared } from './list-sql.ts'
import { textView } from './view-text.ts'

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
export async function listInventory(db: Database, caller: Caller, request: ListRequest): Promise<JsonText> {
  const { object, kind, body } = request
  const business = body.bk_biz_id ?? 0
  // The list of workloads is the one that does not ask for a business.
  if (business === 0 && object !== 'workload') throw cmdbErrors.unset('bk_biz_id')
  // Bodies are open: in the other lists this is one of the unknown members.
  const pod = object === 'container' ? (body.bk_pod_id ?? 0) : 0
  if (pod < 0) throw cmdbErrors.mismatch('bk_pod_id')
  const page = checkPage(body.page, kind === undefined ? object : `${object}/${kind}`)
  const rule = checkFilter(body.filter, filterTypes(object, kind), object === 'pod' ? 4 : 3)
  const query: ListQuery = { object, kind, business, pod, rule, caller }
  if (page.kind === 'count') return new JsonText(`{"count":${await countRows(db, query)},"info":[]}`)
  return listPage(db, query, page, body.fields ?? [])
}

async function countRows(db: Database, query: ListQuery): Promise<number> {
  const kept = keptCountSql(query)
  if (kept !== undefined) return (await db.query<{ n: number }>(kept.text, kept.values))[0]?.n ?? 0
  const own = countSql(query)
  const [row] = await db.query<{ n: number } & Partial<Shared>>(own.text, own.values)
  if (row?.namespaces == null || row.clusters == null) return row?.n ?? 0
  const all = countSql(query, { namespaces: row.namespaces, clusters: row.clusters })
  return (await db.query<{ n: number }>(all.text, all.values))[0]?.n ?? 0
}

/** The rows go from the database into the answer as text. */
async function listPage(
  db: Database,
  query: ListQuery,
  page: Exclude<Page, { kind: 'count' }>,
  fields: readonly string[],
): Promise<JsonText> {
  const view = textView(query.object, fields.length === 0 ? undefined : new Set(fields))
  const idAt = view.columns.length
  const own = pageSql(query, page, view.columns)
  let rows = await db.texts(own.text, own.values)
  const namespaces = rows[0]?.[idAt + 1]
  const clusters = rows[0]?.[idAt + 2]
  if (namespaces != null && clusters != null) {
    const all = pageSql(query, page, view.columns, { namespaces, clusters })
    rows = await db.texts(all.text, all.values)
  } else if (rows[0]?.[idAt] === null) rows = []

  let info = ''
  for (const row of rows) info += (info === '' ? '' : ',') + view.write(row)
  if (page.kind === 'rows') return new JsonText(`{"count":0,"info":[${info}]}`)
  const next = nextCursor(page.list, page.limit, rows.length, Number(rows.at(-1)?.[idAt] ?? 0))
  return new JsonText(`{"count":0,"info":[${info}],"next_cursor":"${next}"}`)
}

/** A filter of the container API, or nothing; throws 1199000 for what is no rule and 1199006 with the original's text. */
export function checkFilter(
  filter: unknown,
  fields: ReadonlyMap<string, FieldType>,
  maxDepth: number,
  /** The request's member that the filter is. */
  path = 'filter',
): Rule | undefined {
  if (filter === undefined || filter === null) return undefined
  const parsed = parseFilter(filter, { dialect: 'current', fields, maxDepth })
  if (parsed.ok) return parsed.rule
  if (parsed.reason === 'shape')
    throw cmdbErrors.undecodable([{ path, message: 'must be a rule, with a condition or an operator' }])
  throw cmdbErrors.mismatch(parsed.message)
}
