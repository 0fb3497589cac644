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

/** A row on its way into the table; nothing is in both halves. */
export type PlacedRow = {
  /** What the request says, in its stored form. */
  readonly own: View
  /** What the row has from its parents; rows of the same parents share the object. */
  readonly derived: object
}

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
   * The rows in the order of the request once every relation holds; else throws the refusal. Tables that were not read
   * are not looked at.
   */
  readonly place: (parents: ParentRows) => readonly PlacedRow[]
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
    const first = found.first_id
    let placed = batch.place(found)
    if (!(await insertAtOnce(context, batch, found, placed)))
      placed = await inTransaction(db, async (tx) => {
        const rows = batch.place(await readParents(tx, batch.level.lock, context, batch))
        await insertRows(tx, context, batch, rows, first)
        return rows
      })
    const ids = placed.map((_, i) => first + i)
    return options.full ? { ids, info: viewsOf(context, placed, first) } : { ids }
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

/** What every new row of a call has. */
const commonOf = ({ deps, caller }: Context) => ({
  bk_supplier_account: caller.tenant,
  ...creationStamps(deps, caller),
})

/** The new rows as the wire shows them. */
function viewsOf(context: Context, placed: readonly PlacedRow[], firstId: number): View[] {
  const common = commonOf(context)
  return placed.map(({ own, derived }, i) => ({ id: firstId + i, ...derived, ...common, ...own }))
}

/**
 * The text of `viewsOf`. What rows share is written out once: it is half of the text, and a batch of 100 nodes takes a
 * millisecond less of the one thread that all requests share.
 */
function viewsText(context: Context, placed: readonly PlacedRow[], firstId: number): string {
  const common = commonOf(context)
  const shared = new Map<object, string>()
  let text = ''
  let id = firstId
  for (const { own, derived } of placed) {
    let theirs = shared.get(derived)
    if (theirs === undefined) {
      theirs = JSON.stringify({ ...derived, ...common }).slice(1, -1)
      shared.set(derived, theirs)
    }
    const members = JSON.stringify(own)
    text += `${text === '' ? '' : ','}{"id":${id++},${theirs}${members === '{}' ? '}' : `,${members.slice(1)}`}`
  }
  return `[${text}]`
}

function insertRows(db: Queryable, context: Context, batch: Batch, placed: readonly PlacedRow[], firstId: number) {
  return db.run(batch.level.insert, [viewsText(context, placed, firstId), context.origin, batch.kind])
}

/** False, with nothing written, when a parent is not as it should be, or after a deadlock. */
async function insertAtOnce(
  context: Context,
  batch: Batch,
  found: ParentRows,
  placed: readonly PlacedRow[],
): Promise<boolean> {
  const { level, kind, bizId } = batch
  const business = level.parents.some((table) => table.onlyBusiness) ? [readableTenants(context.caller), bizId] : []
  const seen = level.parents.flatMap(({ as, onlyBusiness }, i): readonly unknown[] => {
    const rows = found[as] ?? []
    return onlyBusiness ? [batch.parentIds[i]] : [rows.map((row) => row.id), rows.map((row) => row.version)]
  })
  try {
    const values = [viewsText(context, placed, found.first_id), context.origin, kind, ...business, ...seen]
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
    await insertRows(tx, context, batch, fresh, firstId)
  }
  await insertInventoryEvents(
    tx,
    changed.map((row) => toInventoryEvent(`kube_${level.object}`, 'update', kind === '' ? row : { ...row, kind })),
  )

  const ids = stored.map((row) => Number(row?.id ?? 0))
  let next = 0
  stored.forEach((row, i) => {
    if (row === undefined) ids[i] = firstId + next++
  })
  const created = fresh.map((_, i) => firstId + i)
  const kept = stored.flatMap((row) => (row === undefined ? [] : [Number(row.id)]))
  const lists = { ids, created, updated: mode === 'update' ? kept : [], skipped: mode === 'skip' ? kept : [] }
  if (!full) return lists
  const now = new Map([...stored, ...changed].flatMap((row) => (row === undefined ? [] : [[Number(row.id), row]])))
  const views = new Map(viewsOf(context, fresh, firstId).map((view) => [view.id, view]))
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
  placed: readonly PlacedRow[],
  stored: readonly (Row | undefined)[],
): Promise<Row[]> {
  const changes = placed.flatMap(({ own }, i) => (stored[i] === undefined ? [] : [{ ...own, id: stored[i].id }]))
  if (changes.length === 0) return Promise.resolve([])
  const seconds = Math.floor(deps.now() / 1000)
  const values = [JSON.stringify(changes), caller.user, seconds]
  return tx.run<Row>(level.updateDiffering, kind === '' ? values : [...values, kind])
}
