import type { InventoryPage, ListBusinessesInSetBody, ListBusinessSetsBody } from '@podyard/contract'
import { cmdbErrors } from '../errors.ts'
import type { Caller } from '../http/caller.ts'
import type { Database } from '../store/database.ts'
import { type BusinessRow, businessView, pickFields } from './business.ts'
import { type BusinessSetRow, businessSetView, scopeRule } from './business-set.ts'
import { businessSetColumns, businessSetSelectList, findBusinessSet } from './business-set-store.ts'
import { businessSelectList } from './business-store.ts'
import type { Columns } from './filter/columns.ts'
import { compileFilter } from './filter/compile.ts'
import { createParameters, type Parameters } from './filter/parameters.ts'
import { parseFilter } from './filter/parse.ts'
import { readableTenants } from './inventory-deps.ts'
import { businessColumns, compileSort, compileTimeCondition, readingConditions } from './list-conditions.ts'
import { afterCursor, checkPage, nextCursor, type Page } from './list-page.ts'
import { visibleTenant } from './list-tenant.ts'

type View = Readonly<Record<string, unknown>>
type Listed = { readonly count: number; readonly info: readonly View[]; readonly next_cursor?: string }

/**
 * list_business_set (container API reference 10.7): a page of sets, or their number. No limit means all of them; 1199006
 * for a page or a filter that is wrong.
 */
export async function listBusinessSets(db: Database, caller: Caller, body: ListBusinessSetsBody): Promise<Listed> {
  const page = checkSetPage(body.page)
  const parameters = createParameters()
  const where = readingConditions(() => [
    visibleTenant('s.bk_supplier_account', caller, parameters),
    olderFilter('bk_biz_set_filter', body.bk_biz_set_filter, businessSetColumns, parameters),
    ...(body.time_condition == null ? [] : [compileTimeCondition(body.time_condition, businessSetColumns, parameters)]),
  ])
  const source = { from: 'business_set s', columns: businessSetSelectList, id: 's.id', fields: businessSetColumns }
  return listRows<BusinessSetRow>(db, source, where, page, parameters, (row) =>
    pickFields(businessSetView(row), body.fields ?? []),
  )
}

/** Beyond this a page is refused; 0 is all, up to `mostSets`. */
const maxLimit = 1_000
const mostSets = 50_000

function checkSetPage(page: InventoryPage | null | undefined): Page {
  const limit = page?.limit ?? 0
  if (page?.enable_count === true) return checkPage(page, setList)
  if (limit > maxLimit || limit < 0) throw cmdbErrors.mismatch('limit')
  const start = page?.start ?? 0
  if (start < 0) throw cmdbErrors.mismatch('start')
  const shown = limit === 0 ? mostSets : limit
  if (page?.cursor == null) return { kind: 'rows', start, limit: shown, sort: page?.sort ?? '' }
  if (start !== 0 || (page.sort ?? '') !== '') throw cmdbErrors.mismatch('page.cursor')
  return { kind: 'cursor', after: afterCursor(setList, page.cursor), limit: shown, list: setList }
}
const setList = 'biz_set'

/**
 * list_business_in_business_set: the businesses that a set's scope takes in, archived ones left out. 1199010 without an
 * id, 1199006 `bk_biz_set_id` for an unknown one and for filters, and those of pages.
 */
export async function listBusinessesInSet(
  db: Database,
  caller: Caller,
  body: ListBusinessesInSetBody,
): Promise<Listed> {
  const id = body.bk_biz_set_id ?? 0
  if (id === 0) throw cmdbErrors.unset('bk_biz_set_id')
  const page = checkPage(body.page, 'biz_set/biz')
  const parameters = createParameters()
  const filter = readingConditions(() => [olderFilter('filter', body.filter, businessColumns, parameters)])
  const set = await findBusinessSet(db, id, readableTenants(caller))
  if (set === undefined) throw cmdbErrors.mismatch('bk_biz_set_id')
  const where = [inScope(set, parameters), visibleTenant('b.bk_supplier_account', caller, parameters), ...filter]
  const source = { from: 'business b', columns: businessSelectList, id: 'b.id', fields: businessColumns }
  return listRows<BusinessRow>(db, source, where, page, parameters, (row) => businessView(row, body.fields ?? []))
}

/** SQL that is true for the businesses `b` of a set. */
export function inScope(set: BusinessSetRow, parameters: Parameters): string {
  const rule = scopeRule(set.bk_scope)
  const scope = rule === undefined ? 'true' : compileFilter(rule, businessColumns, parameters)
  return `(b.bk_data_status is distinct from 'disabled' and ${scope})`
}

/** A rule of the older DSL, 1199006 with the path of what is wrong. */
function olderFilter(name: string, filter: unknown, columns: Columns, parameters: Parameters): string {
  if (filter === undefined || filter === null) return 'true'
  const parsed = parseFilter(filter, { dialect: 'older', fields: 'any', maxDepth: 3 })
  if (parsed.ok) return compileFilter(parsed.rule, columns, parameters)
  if (parsed.reason === 'shape') throw cmdbErrors.undecodable([{ path: name, message: 'must be a rule' }])
  const path = `${name}.${parsed.path}`
  throw cmdbErrors.mismatch(path, [{ path, message: parsed.message }])
}

type Source = { readonly from: string; readonly columns: string; readonly id: string; readonly fields: Columns }

async function listRows<Row extends { readonly id: number }>(
  db: Database,
  source: Source,
  conditions: readonly string[],
  page: Page,
  parameters: Parameters,
  view: (row: Row) => View,
): Promise<Listed> {
  const where = conditions.join(' and ')
  if (page.kind === 'count') {
    const text = `select count(*) as n from ${source.from} where ${where}`
    const [row] = await db.query<{ n: number }>(text, parameters.values)
    return { count: row?.n ?? 0, info: [] }
  }
  const isCursor = page.kind === 'cursor'
  const after = isCursor ? ` and ${source.id} > ${parameters.add(page.after, 'bigint')}` : ''
  const order = isCursor ? source.id : compileSort(page.sort, source.fields, source.id)
  const rows = await db.query<Row>(
    `select ${source.columns} from ${source.from} where ${where}${after} order by ${order}
     limit ${parameters.add(page.limit, 'bigint')} offset ${parameters.add(isCursor ? 0 : page.start, 'bigint')}`,
    parameters.values,
  )
  const info = rows.map(view)
  if (!isCursor) return { count: 0, info }
  return { count: 0, info, next_cursor: nextCursor(page.list, page.limit, rows.length, rows.at(-1)?.id ?? 0) }
}
