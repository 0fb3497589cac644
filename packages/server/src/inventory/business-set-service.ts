import type { CreateBusinessSetBody, DeleteBusinessSetsBody, UpdateBusinessSetsBody } from '@podyard/contract'
import { cmdbErrors } from '../errors.ts'
import type { Caller } from '../http/caller.ts'
import { type Database, UniqueViolation } from '../store/database.ts'
import { inTransaction } from '../store/transaction.ts'
import {
  type BusinessSetInput,
  type BusinessSetRow,
  type BusinessSetScope,
  builtInSet,
  businessSetView,
  checkScope,
  checkSetAttributes,
} from './business-set.ts'
import {
  deleteBusinessSetRows,
  insertBusinessSet,
  lockBusinessSets,
  updateBusinessSetRows,
} from './business-set-store.ts'
import { type InstanceEvent, insertInstanceEvents } from './instance-log.ts'
import { writableTenants } from './inventory-deps.ts'

/** create_business_set (container API reference 10.7); returns the id. 1199006 for what is missing, 1199011, 1101118. */
export async function createBusinessSet(db: Database, caller: Caller, body: CreateBusinessSetBody): Promise<number> {
  if (body.bk_biz_set_attr == null) throw cmdbErrors.mismatch('bk_biz_set_attr')
  if (body.bk_scope == null) throw cmdbErrors.mismatch('bk_scope')
  const name = body.bk_biz_set_attr.bk_biz_set_name
  if (name === undefined || name === null || name === '') throw cmdbErrors.mismatch('bk_biz_set_name')
  const input = attributesOf(body.bk_biz_set_attr)
  const scope = scopeOf(body.bk_scope)
  return withNameConflict(() =>
    inTransaction(db, async (tx) => {
      const row = await insertBusinessSet(tx, caller.tenant, caller.user, input, scope)
      await insertInstanceEvents(tx, [eventOf('create', row)])
      return row.id
    }),
  )
}

/**
 * batch_update_business_set. 1199010 without ids or data, 1199006 for a name or a scope of several, 1199019 when none of
 * the ids exists, 1101116 for the built-in set's scope, 1199011, 1101118.
 */
export async function updateBusinessSets(db: Database, caller: Caller, body: UpdateBusinessSetsBody): Promise<null> {
  const ids = body.bk_biz_set_ids ?? []
  if (ids.length === 0) throw cmdbErrors.unset('bk_biz_set_ids')
  if (body.data == null) throw cmdbErrors.unset('data')
  const input = attributesOf(body.data.bk_biz_set_attr ?? {})
  const scope = body.data.bk_scope == null ? undefined : scopeOf(body.data.bk_scope)
  if (ids.length > 1 && input.bk_biz_set_name !== undefined) throw cmdbErrors.mismatch('bk_biz_set_name')
  if (ids.length > 1 && scope !== undefined) throw cmdbErrors.mismatch('bk_scope')
  await withNameConflict(() =>
    inTransaction(db, async (tx) => {
      const found = await lockBusinessSets(tx, ids, writableTenants(caller))
      if (found.length === 0) throw cmdbErrors.notFound()
      if (scope !== undefined && found.some((row) => row.id === builtInSet)) throw cmdbErrors.other(1101116)
      const rows = await updateBusinessSetRows(
        tx,
        found.map((row) => row.id),
        caller.user,
        input,
        scope,
      )
      await insertInstanceEvents(
        tx,
        rows.map((row) => eventOf('update', row)),
      )
    }),
  )
  return null
}

const maxDeletes = 100

/** batch_delete_business_set: 1 to 100; unknown ids are ignored. 1199010, 1199035, 1101115 for the built-in one. */
export async function deleteBusinessSets(db: Database, caller: Caller, body: DeleteBusinessSetsBody): Promise<null> {
  const ids = body.bk_biz_set_ids ?? []
  if (ids.length === 0) throw cmdbErrors.unset('bk_biz_set_ids')
  if (ids.length > maxDeletes) throw cmdbErrors.tooMany('bk_biz_set_ids', maxDeletes)
  if (ids.includes(builtInSet)) throw cmdbErrors.other(1101115)
  await inTransaction(db, async (tx) => {
    const found = await lockBusinessSets(tx, ids, writableTenants(caller))
    await deleteBusinessSetRows(
      tx,
      found.map((row) => row.id),
    )
    await insertInstanceEvents(
      tx,
      found.map((row) => eventOf('delete', row)),
    )
  })
  return null
}

function attributesOf(row: Readonly<Record<string, unknown>>): BusinessSetInput {
  const checked = checkSetAttributes(row)
  if (!checked.ok) throw cmdbErrors.invalid(checked.problem)
  return checked.input
}

function scopeOf(given: unknown): BusinessSetScope {
  const checked = checkScope(given)
  if (!checked.ok) throw cmdbErrors.mismatch('bk_scope', [{ path: 'bk_scope', message: checked.problem }])
  return checked.scope
}

async function withNameConflict<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof UniqueViolation && error.constraint === 'business_set_name_key')
      throw cmdbErrors.other(1101118, [], { cause: error })
    throw error
  }
}

const eventOf = (type: InstanceEvent['type'], row: BusinessSetRow): InstanceEvent => ({
  resource: 'biz_set',
  type,
  object_id: row.id,
  biz_id: 0,
  tenant: row.bk_supplier_account,
  detail: businessSetView(row),
})
