import type { CreatedIds } from '@podyard/contract'
import { cmdbErrors } from '../errors.ts'
import type { Caller } from '../http/caller.ts'
import {
  type Queryable,
  type Statement,
  type Transaction,
  TransactionRace,
  UniqueViolation,
} from '../store/database.ts'
import { inTransaction } from '../store/transaction.ts'
import type { BatchLevel } from './batch-level.ts'
import type { BatchOptions } from './batch-options.ts'
import { type Candidate, duplicateError, refuseDoubles } from './duplicates.ts'
import { creationStamps, type InventoryDeps, type Origin, readableTenants } from './inventory-deps.ts'
import { insertInventoryEvents, toInventoryEvent } from './inventory-log.ts'
import { isWritable } from './list-tenant.ts'
import type { ParentRows } from './parent-statements.ts'
import { type Row, type View, viewOf } from './views.ts'

/** A checked request to create rows of one level: nodes, namespaces, or workloads of one kind. */
export type Batch = {
  readonly level: BatchLevel
  /** The workloads' kind, '' elsewhere. */
  readonly kind: string
  readonly sequence: string
  /** The ids that the rows name, by parent table. */
  readonly parentIds: readonly (readonly number[])[]
  /** The business that the request names. */
  readonly bizId: number
  /** How many rows it has. */
  readonly size: number
  /**
   * The rows in the order of the request, without id and stamps, once every relation holds; else throws the refusal.
   * Tables that were not read are not looked at. Each call makes new rows.
   */
  readonly place: (parents: ParentRows) => View[]
  /** The unique keys of the rows. */
  readonly candidates: () => readonly Candidate[]
  /** Throws when a row that exists already is not the caller's business to touch; undefined where there is none. */
  readonly mayTouch?: (existing: readonly (Row | undefined)[], parents: ParentRows) => void
}

type Context = { readonly deps: InventoryDeps; readonly caller: Caller; readonly origin: Origin }

/**
 * Creates a batch, all or none. Two round trips when nothing else changes its parents meanwhile (docs/adr/0006): they are
 * read without locks, and looked at again by the statement that inserts.
 */
export async function createBatch(context: Context, batch: Batch, options: BatchOptions): Promise<CreatedIds> {
  if (options.onDuplicate !== 'refuse') return upsertBatch(context, batch, options.onDuplicate, options.full)
  const { db } = context.deps
  try {
    const found = await readParents(db, batch.level.find, context, batch)
    let views = rowsOf(context, batch.place(found), found.first_id)
    if (!(await insertAtOnce(context, batch, found, views)))
      views = await inTransaction(db, async (tx) => {
        const placed = batch.place(await readParents(tx, batch.level.lock, context, batch))
        const rows = rowsOf(context, placed, found.first_id)
        await insertRows(tx, context, batch, rows)
        return rows
      })
    const ids = views.map((view) => view.id as number)
    return options.full ? { ids, info: views } : { ids }
  } catch (error) {
    if (!(error instanceof UniqueViolation)) throw error
    throw await duplicateError(db, batch.candidates(), batch.level.existing.text, error)
  }
}

async function readParents(
  db: Queryable,
  statement: Statement,
  { caller }: Context,
  batch: Batch,
): Promise<ParentRows> {
  const { level, parentIds } = batch
  const values =
    statement === level.find
      ? [...parentIds.filter((_, i) => !level.parents[i]?.onlyBusiness), batch.size, batch.sequence]
      : parentIds
  const [parents] = await db.run<ParentRows>(statement, [readableTenants(caller), ...values])
  if (parents === undefined) throw new Error(`${statement.name} gave no row`)
  return parents
}

function rowsOf({ deps, caller }: Context, placed: View[], firstId: number): View[] {
  const stamps = creationStamps(deps, caller)
  placed.forEach((view, index) => {
    view.id = firstId + index
    Object.assign(view, stamps)
  })
  return placed
}

const insertRows = (db: Queryable, { origin }: Context, { level, kind }: Batch, views: readonly View[]) =>
  db.run(level.insert, [JSON.stringify(views), origin, kind])

/** False, with nothing written, when a parent is not as it should be, or after a deadlock. */
async function insertAtOnce(
  context: Context,
  batch: Batch,
  found: ParentRows,
  views: readonly View[],
): Promise<boolean> {
  const { level, kind, bizId } = batch
  const business = level.parents.some((table) => table.onlyBusiness) ? [readableTenants(context.caller), bizId] : []
  const seen = level.parents.flatMap(({ as, onlyBusiness }, i): readonly unknown[] => {
    const rows = found[as] ?? []
    return onlyBusiness ? [batch.parentIds[i]] : [rows.map((row) => row.id), rows.map((row) => row.version)]
  })
  try {
    const values = [JSON.stringify(views), context.origin, kind, ...business, ...seen]
    const [done] = await context.deps.db.run<{ ok: boolean }>(level.insertIfUnchanged, values)
    return done?.ok === true
  } catch (error) {
    if (error instanceof TransactionRace) return false
    throw error
  }
}

/** How often a batch is tried again because somebody else made one of its rows between the look and the insert. */
const attempts = 5

/**
 * `on_duplicate`: rows whose key is stored keep their ids. `update` makes them what the request says (given members
 * only); those that are so already are not written. `skip` leaves them.
 */
async function upsertBatch(
  context: Context,
  batch: Batch,
  mode: 'update' | 'skip',
  full: boolean,
): Promise<CreatedIds> {
  refuseDoubles(batch.candidates())
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await inTransaction(context.deps.db, (tx) => upsertOnce(tx, context, batch, mode, full))
    } catch (error) {
      if (!(error instanceof UniqueViolation)) throw error
      if (attempt >= attempts)
        throw await duplicateError(context.deps.db, batch.candidates(), batch.level.existing.text, error)
    }
  }
}

const drawIds: Statement = {
  name: 'inventory-draw-ids',
  text: 'select draw_ids($1::text::regclass, $2::int) as first_id',
}

async function upsertOnce(
  tx: Transaction,
  context: Context,
  batch: Batch,
  mode: 'update' | 'skip',
  full: boolean,
): Promise<CreatedIds> {
  const { level, kind } = batch
  const candidates = batch.candidates()
  const parents = await readParents(tx, level.lock, context, batch)
  const placed = batch.place(parents)
  const stored: (Row | undefined)[] = candidates.map(() => undefined)
  const keys = JSON.stringify(candidates.map((candidate, ord) => ({ ord, ...candidate.stored })))
  for (const row of await tx.run<Row>(mode === 'update' ? level.lockExisting : level.existing, [keys]))
    stored[Number(row.ord)] = row
  refuseForeign(context.caller, candidates, stored)
  batch.mayTouch?.(stored, parents)

  const fresh = placed.filter((_, i) => stored[i] === undefined)
  const changed = mode === 'update' ? await updateRows(tx, context, batch, placed, stored) : []
  let firstId = 0
  if (fresh.length > 0) {
    const [drawn] = await tx.run<{ first_id: number }>(drawIds, [batch.sequence, fresh.length])
    firstId = drawn?.first_id ?? 0
    await insertRows(tx, context, batch, rowsOf(context, fresh, firstId))
  }
  await insertInventoryEvents(
    tx,
    changed.map((row) => toInventoryEvent(`kube_${level.object}`, 'update', kind === '' ? row : { ...row, kind })),
  )

  const made = rowsOf(context, fresh, firstId)
  const ids = stored.map((row) => Number(row?.id ?? 0))
  let next = 0
  stored.forEach((row, i) => {
    if (row === undefined) ids[i] = firstId + next++
  })
  const created = made.map((view) => view.id as number)
  const kept = stored.flatMap((row) => (row === undefined ? [] : [Number(row.id)]))
  const lists = { ids, created, updated: mode === 'update' ? kept : [], skipped: mode === 'skip' ? kept : [] }
  if (!full) return lists
  const now = new Map([...stored, ...changed].flatMap((row) => (row === undefined ? [] : [[Number(row.id), row]])))
  const views = new Map(made.map((view) => [view.id, view]))
  return { ...lists, info: ids.map((id) => views.get(id) ?? viewOf(level.object, now.get(id) ?? {})) }
}

/** Rows of another tenant are taken, but not there for the caller. */
function refuseForeign(caller: Caller, candidates: readonly Candidate[], stored: readonly (Row | undefined)[]): void {
  const foreign = candidates.filter((_, i) => {
    const row = stored[i]
    return row !== undefined && !isWritable(String(row.bk_supplier_account), caller)
  })
  if (foreign[0] !== undefined)
    throw cmdbErrors.duplicate(
      foreign[0].key,
      foreign.map(({ path }) => ({ path, message: 'exists already' })),
    )
}

function updateRows(
  tx: Transaction,
  { deps, caller }: Context,
  { level, kind }: Batch,
  placed: readonly View[],
  stored: readonly (Row | undefined)[],
): Promise<Row[]> {
  const changes = placed.flatMap((view, i) => (stored[i] === undefined ? [] : [{ ...view, id: stored[i].id }]))
  if (changes.length === 0) return Promise.resolve([])
  const seconds = Math.floor(deps.now() / 1000)
  const values = [JSON.stringify(changes), caller.user, seconds]
  return tx.run<Row>(level.updateDiffering, kind === '' ? values : [...values, kind])
}
