import type { SearchBusinessBody } from '@podyard/contract'
import { cmdbErrors } from '../errors.ts'
import type { Caller } from '../http/caller.ts'
import { type Database, type Queryable, type Transaction, UniqueViolation } from '../store/database.ts'
import { inTransaction } from '../store/transaction.ts'
import {
  archivedName,
  type BusinessInput,
  type BusinessRow,
  businessView,
  type CheckedBusiness,
  checkBusinessUpdate,
  checkNewBusiness,
} from './business.ts'
import {
  businessesHaveHosts,
  businessHasClusters,
  businessSelectList,
  deleteBusinessRows,
  findBusinessByName,
  insertBusiness,
  isBusinessNameTaken,
  lockBusinesses,
  updateBusinessRow,
} from './business-store.ts'
import { compileFilter } from './filter/compile.ts'
import { createParameters, type Parameters } from './filter/parameters.ts'
import { parseFilter } from './filter/parse.ts'
import type { Rule } from './filter/rule.ts'
import { type InstanceEvent, insertInstanceEvents } from './instance-log.ts'
import { writableTenants } from './inventory-deps.ts'
import {
  BadCondition,
  businessColumns,
  compileOldCondition,
  compileSort,
  compileTimeCondition,
  isBadPattern,
} from './list-conditions.ts'
import { nextCursor, readLoosePage } from './list-page.ts'
import { visibleTenant } from './list-tenant.ts'

type Members = Readonly<Record<string, unknown>>

/** Creates a business from a client's row and returns the whole row (container API reference 10.2). 1199010, 1199011, 1199014. */
export async function createBusiness(db: Database, caller: Caller, row: Members): Promise<Members> {
  const input = accepted(checkNewBusiness(row))
  const created = await withNameConflict(input.bk_biz_name, () =>
    inTransaction(db, (tx) => addBusiness(tx, caller, input, 'client')),
  )
  return businessView(created)
}

/**
 * The id of the business with this name, which is made when there is none: for the quick start and for clusters that are
 * registered under a business. Two callers at once get the same id.
 */
export async function ensureBusiness(db: Database, caller: Caller, name: string): Promise<number> {
  const existing = await findBusinessByName(db, name)
  if (existing !== undefined) return existing.id
  const input = accepted(checkNewBusiness({ bk_biz_name: name, bk_biz_maintainer: caller.user }))
  try {
    return (await inTransaction(db, (tx) => addBusiness(tx, caller, input, 'client'))).id
  } catch (error) {
    const winner = error instanceof UniqueViolation ? await findBusinessByName(db, name) : undefined
    if (winner === undefined) throw error
    return winner.id
  }
}

async function addBusiness(
  tx: Transaction,
  caller: Caller,
  input: BusinessInput,
  origin: 'client' | 'sync',
): Promise<BusinessRow> {
  const row = await insertBusiness(tx, caller.tenant, caller.user, input, origin)
  await insertInstanceEvents(tx, [eventOf('create', row)])
  return row
}

/** Changes the given attributes of one business. 1199019, 1199011, 1199014. */
export async function updateBusiness(db: Database, caller: Caller, id: number, row: Members): Promise<void> {
  const input = accepted(checkBusinessUpdate(row))
  await withNameConflict(input.bk_biz_name, () =>
    inTransaction(db, async (tx) => {
      await lockOne(tx, id, caller)
      await insertInstanceEvents(tx, [eventOf('update', await updateBusinessRow(tx, id, caller.user, input))])
    }),
  )
}

/**
 * Archives a business (`disabled`: 1199019, 1101087 with hosts, 1101128 with clusters or namespaces; it gets a name of
 * its own) or takes it back (`enable`, with a new name where one is given). Another flag: 1199011.
 */
export async function setBusinessStatus(
  db: Database,
  caller: Caller,
  id: number,
  flag: string,
  newName?: unknown,
): Promise<void> {
  if (flag !== 'disabled' && flag !== 'enable') throw cmdbErrors.invalid('flag')
  const name = flag === 'enable' ? wantedName(newName) : undefined
  await withNameConflict(name, () =>
    inTransaction(db, async (tx) => {
      const business = await lockOne(tx, id, caller)
      if (flag === 'enable')
        return log(tx, await updateBusinessRow(tx, id, caller.user, { ...named(name), bk_data_status: flag }))
      if (await businessesHaveHosts(tx, [id])) throw cmdbErrors.other(1101087)
      if (await businessHasClusters(tx, id)) throw cmdbErrors.other(1101128)
      // Archived twice, it keeps the name that it got the first time.
      const kept = business.bk_data_status === 'disabled' ? business.bk_biz_name : await freeName(tx, business)
      return log(tx, await updateBusinessRow(tx, id, caller.user, { ...named(kept), bk_data_status: flag }))
    }),
  )
}

const log = (tx: Transaction, row: BusinessRow) => insertInstanceEvents(tx, [eventOf('update', row)])
const named = (name: string | undefined) => (name === undefined ? {} : { bk_biz_name: name })

function wantedName(given: unknown): string | undefined {
  if (given === undefined || given === null) return undefined
  const input = accepted(checkBusinessUpdate({ bk_biz_name: given }))
  return input.bk_biz_name
}

async function freeName(tx: Transaction, business: BusinessRow): Promise<string> {
  for (let attempt = 0; ; attempt += 1) {
    const name = archivedName(business.bk_biz_name, attempt)
    if (!(await isBusinessNameTaken(tx, name, business.id))) return name
  }
}

/** Deletes archived businesses, 1 to 20. 1199011, 1199035, 1101112 (not archived), 1101030 (has hosts). Unknown ids are ignored. */
export async function deleteBusinesses(db: Database, caller: Caller, ids: readonly number[]): Promise<void> {
  if (ids.length === 0) throw cmdbErrors.invalid('bk_biz_id')
  if (ids.length > 20) throw cmdbErrors.tooMany('update', 20)
  await inTransaction(db, async (tx) => {
    const rows = await lockBusinesses(tx, ids, writableTenants(caller))
    if (rows.some((row) => row.bk_data_status !== 'disabled')) throw cmdbErrors.other(1101112)
    const known = rows.map((row) => row.id)
    if (await businessesHaveHosts(tx, known)) throw cmdbErrors.other(1101030)
    await deleteBusinessRows(tx, known)
    await insertInstanceEvents(
      tx,
      rows.map((row) => eventOf('delete', row)),
    )
  })
}

/**
 * Finds businesses by the old `condition` or by a rule (container API reference 10.2). Archived ones show only when the
 * condition speaks of bk_data_status. `count` is the total, whatever the page.
 */
export async function searchBusinesses(
  db: Queryable,
  caller: Caller,
  body: SearchBusinessBody,
): Promise<{ readonly count: number; readonly info: readonly Members[]; readonly next_cursor?: string }> {
  if (body.condition != null && body.biz_property_filter != null) throw cmdbErrors.mismatch('biz_property_filter')
  const parameters = createParameters()
  const where = searchConditions(body, caller, parameters).join(' and ')
  const page = readLoosePage(body.page, 'biz')
  const isCursor = page.kind === 'cursor'
  const after = isCursor ? `where b.id > ${parameters.add(page.after, 'bigint')}` : ''
  const order = isCursor ? 'b.id' : compileSort(page.sort, businessColumns, 'b.id')
  const paging = `offset ${parameters.add(isCursor ? 0 : page.start, 'bigint')}
    limit ${parameters.add(page.limit ?? null, 'bigint')}`
  try {
    const rows = await db.query<BusinessRow & { total: number }>(
      `with found as materialized (select b.* from business b where ${where})
       select ${businessSelectList}, t.total from (select count(*) as total from found) t left join lateral (
         select * from found b ${after} order by ${order} ${paging}) b on true`,
      parameters.values,
    )
    const total = rows[0]?.total ?? 0
    // A page beyond the end is one row of nulls beside the total.
    const found = rows.filter((row) => row.id !== null)
    const info = found.map((row) => businessView(row, body.fields ?? []))
    if (!isCursor) return { count: total, info }
    return { count: total, info, next_cursor: nextCursor(page.list, page.limit, found.length, found.at(-1)?.id ?? 0) }
  } catch (error) {
    if (isBadPattern(error)) throw cmdbErrors.mismatch('condition')
    throw error
  }
}

function searchConditions(body: SearchBusinessBody, caller: Caller, parameters: Parameters): string[] {
  const { condition } = body
  const conditions = [visibleTenant('b.bk_supplier_account', caller, parameters)]
  const rule = businessFilter(body.biz_property_filter)
  const asksForStatus =
    (condition != null && Object.hasOwn(condition, 'bk_data_status')) ||
    (rule !== undefined && mentions(rule, 'bk_data_status'))
  if (!asksForStatus) conditions.push(`b.bk_data_status is distinct from 'disabled'`)
  try {
    if (condition != null) {
      // Whatever it says of `default`, the resource pool is never found.
      const { default: _pool, ...rest } = condition
      conditions.push(compileOldCondition(rest, businessColumns, parameters))
    }
    if (body.time_condition != null)
      conditions.push(compileTimeCondition(body.time_condition, businessColumns, parameters))
  } catch (error) {
    if (error instanceof BadCondition) throw cmdbErrors.mismatch(error.message)
    throw error
  }
  if (rule !== undefined) conditions.push(compileFilter(rule, businessColumns, parameters))
  return conditions
}

function businessFilter(filter: unknown): Rule | undefined {
  if (filter === undefined || filter === null) return undefined
  const parsed = parseFilter(filter, { dialect: 'older', fields: 'any', maxDepth: 3, maxRules: 20 })
  if (parsed.ok) return parsed.rule
  if (parsed.reason === 'shape')
    throw cmdbErrors.undecodable([{ path: 'biz_property_filter', message: 'must be a rule' }])
  throw cmdbErrors.mismatch(`biz.property.${parsed.path}`, [
    { path: `biz_property_filter.${parsed.path}`, message: parsed.message },
  ])
}

function mentions(rule: Rule, field: string): boolean {
  if (rule.kind === 'and' || rule.kind === 'or') return rule.rules.some((one) => mentions(one, field))
  return 'field' in rule && rule.field === field
}

function accepted(checked: CheckedBusiness): BusinessInput {
  if (checked.ok) return checked.input
  throw checked.reason === 'unset' ? cmdbErrors.unset(checked.text) : cmdbErrors.invalid(checked.text)
}

async function lockOne(tx: Transaction, id: number, caller: Caller): Promise<BusinessRow> {
  const [row] = await lockBusinesses(tx, [id], writableTenants(caller))
  if (row === undefined) throw cmdbErrors.notFound()
  return row
}

async function withNameConflict<T>(name: string | undefined, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof UniqueViolation && error.constraint === 'business_name_key')
      throw cmdbErrors.duplicate(
        ` bk_biz_name: ${JSON.stringify(name ?? '')} `,
        [{ path: 'bk_biz_name', message: 'this name is taken' }],
        error,
      )
    throw error
  }
}

const eventOf = (type: InstanceEvent['type'], row: BusinessRow): InstanceEvent => ({
  resource: 'biz',
  type,
  object_id: row.id,
  biz_id: row.id,
  tenant: row.bk_supplier_account,
  detail: businessView(row),
})
