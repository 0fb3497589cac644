import type { CreatedIds, CreatePodsBody } from '@podyard/contract'
import { cmdbErrors } from '../errors.ts'
import type { Caller } from '../http/caller.ts'
import { type Database, TransactionRace, UniqueViolation } from '../store/database.ts'
import { inTransaction } from '../store/transaction.ts'
import { batchOptions } from './batch-options.ts'
import { duplicatePods } from './duplicates.ts'
import { creationStamps, type InventoryDeps, type Origin } from './inventory-deps.ts'
import { insertInventoryEvents, toInventoryEvent } from './inventory-log.ts'
import {
  type FirstIds,
  type FoundParents,
  newPodViews,
  type PodBatch,
  readPodParents,
  referencesOf,
} from './pod-batch.ts'
import { placePods, readPods } from './pod-rules.ts'
import {
  findPodParents,
  insertPods,
  insertPodsIfUnchanged,
  lockPodParents,
  markNodesWithPods,
} from './pod-statements.ts'
import { upsertPods } from './pod-upsert.ts'
import type { Row } from './views.ts'

/**
 * batch_create_kube_pod (container API reference 4.7): up to 200 pods with their containers, all or none, in a fixed
 * number of statements. The ids of new pods are consecutive, in the order of the request.
 */
export async function createPods(
  deps: InventoryDeps,
  caller: Caller,
  body: CreatePodsBody,
  origin: Origin = 'client',
): Promise<CreatedIds> {
  const items = readPods(body)
  const { onDuplicate, full } = batchOptions(body)
  if (items.length === 0) throw cmdbErrors.untyped('no pods need created')
  const batch: PodBatch = {
    items,
    references: referencesOf(items),
    origin,
    caller,
    stamps: creationStamps(deps, caller),
  }
  if (onDuplicate !== 'refuse') return upsertPods(deps.db, batch, onDuplicate, full)
  try {
    const found = await readPodParents(deps.db, findPodParents, batch)
    const first = { pod: found.first_pod, container: found.first_container ?? 0 }
    const views = (await insertAtOnce(deps.db, batch, found, first)) ?? (await insertUnderLocks(deps.db, batch, first))
    const ids = items.map((_, index) => first.pod + index)
    return full ? { ids, info: views } : { ids }
  } catch (error) {
    if (error instanceof UniqueViolation) throw await duplicatePods(deps.db, items, error)
    throw error
  }
}

/**
 * The quick way: what was found without locks is looked at again by the statement that inserts. Undefined, with nothing
 * written, when a node gets its first pod, when a parent has changed since, or after a deadlock: then `insertUnderLocks`
 * decides.
 */
async function insertAtOnce(
  db: Database,
  batch: PodBatch,
  found: FoundParents,
  first: FirstIds,
): Promise<object[] | undefined> {
  const placed = placePods(batch.items, found)
  if (found.nodes.some((node) => !node.has_pod)) return undefined
  const views = newPodViews(batch, placed, first)
  try {
    const [done] = await db.run<{ ok: boolean }>(insertPodsIfUnchanged, [
      JSON.stringify(views),
      batch.origin,
      found.workloads.map((w) => w.kind),
      found.workloads.map((w) => w.id),
      found.workloads.map((w) => w.version),
      found.nodes.map((n) => n.id),
      found.nodes.map((n) => n.version),
    ])
    return done?.ok === true ? views : undefined
  } catch (error) {
    if (error instanceof TransactionRace) return undefined
    throw error
  }
}

/** The sure way: one transaction that holds the parents, marks the nodes, inserts, and tells of the nodes. */
function insertUnderLocks(db: Database, batch: PodBatch, first: FirstIds): Promise<object[]> {
  return inTransaction(db, async (tx) => {
    const parents = await readPodParents(tx, lockPodParents, batch)
    const placed = placePods(batch.items, parents)
    const unmarked = parents.nodes.filter((node) => !node.has_pod).map((node) => node.id)
    const marked =
      unmarked.length === 0
        ? []
        : await tx.run<Row>(markNodesWithPods, [unmarked, batch.caller.user, batch.stamps.last_time])
    const views = newPodViews(batch, placed, first)
    await tx.run(insertPods, [JSON.stringify(views), batch.origin])
    await insertInventoryEvents(
      tx,
      marked.map((row) => toInventoryEvent('kube_node', 'update', row)),
    )
    return views
  })
}
