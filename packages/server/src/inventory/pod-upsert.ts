import { type CreatedIds, NewContainer, NewPod } from '@podyard/contract'
import { cmdbErrors } from '../errors.ts'
import { type Database, type Statement, type Transaction, UniqueViolation } from '../store/database.ts'
import { inTransaction } from '../store/transaction.ts'
import { containerCandidates, duplicatePods, podCandidates, refuseDoubles } from './duplicates.ts'
import { insertInventoryEvents, toInventoryEvent } from './inventory-log.ts'
import { isWritable } from './list-tenant.ts'
import { newPodViews, type PodBatch, readPodParents } from './pod-batch.ts'
import {
  existingPods,
  lockExistingPods,
  readPodRows,
  replaceContainers,
  type StoredPod,
  updateDifferingPods,
} from './pod-change-statements.ts'
import { lockNodes, markNodesWithoutPods } from './pod-delete-statements.ts'
import { type PlacedPod, placePods } from './pod-rules.ts'
import { insertPods, lockPodParents, lockPodWorkloads, markNodesWithPods } from './pod-statements.ts'
import { memberForms } from './stored-form.ts'
import { editable } from './update-statements.ts'
import { podView, type Row } from './views.ts'

type Mode = 'update' | 'skip'

/** How often a batch is tried again because others made, or moved, its pods between the look and the locks. */
const attempts = 5

/** Pods are about to leave nodes that the transaction does not hold; it has to take them before the pods. */
class NodesToLeave extends Error {
  readonly ids: readonly number[]
  constructor(ids: readonly number[]) {
    super(`pods leave the nodes ${ids.join(', ')}`)
    this.ids = ids
  }
}

/**
 * batch_create_kube_pod with `on_duplicate`: pods whose workload has one of their name keep their ids. `update` makes them
 * what the request says: given members replace the stored ones, a pod may be on another node, its containers become
 * those that were sent, matched by `container_uid` (a pod without `containers` keeps its own). A pod that is so already
 * is not written. `skip` leaves pods that exist as they are.
 *
 * Locks are taken from the top down (workloads, nodes, pods), as everywhere: two writers never wait crosswise.
 */
export async function upsertPods(db: Database, batch: PodBatch, mode: Mode, full: boolean): Promise<CreatedIds> {
  refuseDoubles(podCandidates(batch.items))
  refuseDoubles(containerCandidates(batch.items))
  const leaving = new Set<number>()
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await inTransaction(db, (tx) => upsertOnce(tx, batch, mode, full, leaving))
    } catch (error) {
      if (error instanceof NodesToLeave && attempt < attempts) for (const id of error.ids) leaving.add(id)
      else if (!(error instanceof UniqueViolation)) throw error
      else if (attempt >= attempts) throw await duplicatePods(db, batch.items, error)
    }
  }
}

async function upsertOnce(
  tx: Transaction,
  batch: PodBatch,
  mode: Mode,
  full: boolean,
  leaving: ReadonlySet<number>,
): Promise<CreatedIds> {
  const { items, references, caller, stamps } = batch
  if (leaving.size > 0) {
    await tx.run(lockPodWorkloads, [references.kinds, references.workloadIds])
    await tx.run(lockNodes, [[...new Set([...references.nodeIds, ...leaving])]])
  }
  const parents = await readPodParents(tx, lockPodParents, batch)
  const placed = placePods(items, parents)
  const skipped = mode === 'skip' ? await storedPods(tx, existingPods, batch) : []
  const nodes = new Set(placed.flatMap(({ node }, i) => (skipped[i] === undefined && !node.has_pod ? [node.id] : [])))
  const marked =
    nodes.size === 0 ? [] : await tx.run<Row>(markNodesWithPods, [[...nodes], caller.user, stamps.last_time])
  const stored = mode === 'skip' ? skipped : await storedPods(tx, lockExistingPods, batch)
  const left = placed.flatMap(({ node }, i) => {
    const from = stored[i]?.bk_node_id
    return mode === 'skip' || from === undefined || from === node.id ? [] : [from]
  })
  if (left.some((id) => !leaving.has(id))) throw new NodesToLeave(left)

  const changed = mode === 'skip' ? [] : await changePods(tx, batch, placed, stored)
  const fresh = placed.filter((_, i) => stored[i] === undefined)
  const firstId = await insertFresh(tx, batch, fresh)
  const emptied =
    left.length === 0 ? [] : await tx.run<Row>(markNodesWithoutPods, [left, caller.user, stamps.last_time])
  const rows = changed.length === 0 ? [] : await tx.run<Row>(readPodRows, [changed])
  await insertInventoryEvents(tx, [
    ...rows.map((row) => toInventoryEvent('kube_pod', 'update', row)),
    ...[...marked, ...emptied].map((row) => toInventoryEvent('kube_node', 'update', row)),
  ])

  let next = firstId
  const ids = placed.map((_, i) => stored[i]?.id ?? next++)
  const kept = stored.flatMap((pod) => (pod === undefined ? [] : [pod.id]))
  const lists = {
    ids,
    created: ids.filter((_, i) => stored[i] === undefined),
    updated: mode === 'update' ? kept : [],
    skipped: mode === 'skip' ? kept : [],
  }
  if (!full) return lists
  const views = new Map((await tx.run<Row>(readPodRows, [ids])).map((row) => [Number(row.id), podView(row)]))
  // One that was skipped and deleted by somebody else meanwhile is not there any more.
  return { ...lists, info: ids.map((id) => views.get(id) ?? {}) }
}

/** The pods that exist, at the index of their item. */
async function storedPods(
  tx: Transaction,
  statement: Statement,
  { items, caller }: PodBatch,
): Promise<(StoredPod | undefined)[]> {
  const candidates = podCandidates(items)
  const stored: (StoredPod | undefined)[] = items.map(() => undefined)
  const keys = JSON.stringify(candidates.map((candidate, ord) => ({ ord, ...candidate.stored })))
  for (const pod of await tx.run<StoredPod>(statement, [keys])) stored[pod.ord] = pod
  // Those of another tenant are taken, but not there for the caller.
  const foreign = candidates.filter((_, i) => stored[i] && !isWritable(stored[i].bk_supplier_account, caller))
  if (foreign[0] !== undefined)
    throw cmdbErrors.duplicate(
      foreign[0].key,
      foreign.map(({ path }) => ({ path, message: 'exists already' })),
    )
  return stored
}

const podForms = memberForms(NewPod, editable.pod)
const containerForms = memberForms(NewContainer)

/** Gives stored pods what the request says; answers with the ids of those that changed. */
async function changePods(
  tx: Transaction,
  { caller, stamps, origin }: PodBatch,
  placed: readonly PlacedPod[],
  stored: readonly (StoredPod | undefined)[],
): Promise<number[]> {
  const changes: object[] = []
  const containers: object[] = []
  const replaced: number[] = []
  placed.forEach(({ item, node }, i) => {
    const id = stored[i]?.id
    if (id === undefined) return
    const { operator, ...members } = podForms(item.pod)
    const given = (operator as readonly unknown[] | undefined)?.length ? { operator } : {}
    changes.push({ id, ...members, ...given, bk_host_id: item.hostId, bk_node_id: node.id, node_name: node.name })
    if ((item.pod.containers ?? undefined) === undefined) return
    replaced.push(id)
    for (const container of item.containers)
      containers.push({ ord: containers.length, bk_pod_id: id, ...containerForms(container) })
  })
  if (changes.length === 0) return []
  const by = [caller.user, stamps.last_time]
  const touched =
    replaced.length === 0
      ? []
      : await tx.run<{ bk_pod_id: number }>(replaceContainers, [JSON.stringify(containers), ...by, replaced, origin])
  const values = [JSON.stringify(changes), ...by, touched.map((row) => row.bk_pod_id)]
  return (await tx.run<{ id: number }>(updateDifferingPods, values)).map((row) => row.id)
}

const drawPodIds: Statement = {
  name: 'inventory-draw-pod-ids',
  text: `select draw_ids('pod_id_seq', $1::int) as pod, draw_ids('container_id_seq', $2::int) as container`,
}

/** Inserts the pods that are not stored yet, and tells of them; answers with the first one's id. */
async function insertFresh(tx: Transaction, batch: PodBatch, fresh: readonly PlacedPod[]): Promise<number> {
  if (fresh.length === 0) return 0
  const containers = fresh.reduce((sum, { item }) => sum + item.containers.length, 0)
  const [drawn] = await tx.run<{ pod: number; container: number | null }>(drawPodIds, [fresh.length, containers])
  const ids = { pod: drawn?.pod ?? 0, container: drawn?.container ?? 0 }
  await tx.run(insertPods, [JSON.stringify(newPodViews(batch, fresh, ids)), batch.origin])
  return ids.pod
}
