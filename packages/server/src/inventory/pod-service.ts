import type { CreatePodsBody, DeletePodsBody } from '@podyard/contract'
import { cmdbErrors } from '../errors.ts'
import type { Caller } from '../http/caller.ts'
import { type Database, type Queryable, type Statement, TransactionRace, UniqueViolation } from '../store/database.ts'
import { inTransaction } from '../store/transaction.ts'
import { duplicatePods } from './duplicates.ts'
import { creationStamps, type InventoryDeps, type Origin, readableTenants, writableTenants } from './inventory-deps.ts'
import { insertInventoryEvents, toInventoryEvent } from './inventory-log.ts'
import { deletePodRows, type LockedPod, lockNodes, lockPods, markNodesWithoutPods } from './pod-delete-statements.ts'
import {
  type NodeParent,
  type PlacedPod,
  type PodItem,
  type PodParents,
  placePods,
  readPods,
  type WorkloadParent,
} from './pod-rules.ts'
import {
  findPodParents,
  insertPods,
  insertPodsIfUnchanged,
  lockPodParents,
  markNodesWithPods,
} from './pod-statements.ts'
import { podViews, type Stamps } from './pod-views.ts'
import type { Row } from './views.ts'

type Versioned<T> = T & { readonly version: string }
type Parents = Omit<PodParents, 'workloads' | 'nodes'> & {
  readonly first_pod: number
  readonly first_container: number | null
  readonly workloads: readonly Versioned<WorkloadParent>[]
  readonly nodes: readonly Versioned<NodeParent>[]
}

/**
 * batch_create_kube_pod (container API reference 4.7): up to 200 pods with their containers, all or none, in a fixed
 * number of statements. The ids are consecutive, in the order of the request.
 */
export async function createPods(
  deps: InventoryDeps,
  caller: Caller,
  body: CreatePodsBody,
  origin: Origin = 'client',
): Promise<{ readonly ids: number[] }> {
  const items = readPods(body)
  if (items.length === 0) throw cmdbErrors.untyped('no pods need created')
  const batch: Batch = {
    items,
    references: referencesOf(items),
    origin,
    caller,
    stamps: creationStamps(deps, caller),
  }
  try {
    const found = await readParents(deps.db, findPodParents, batch)
    const ids = { pod: found.first_pod, container: found.first_container ?? 0 }
    if (!(await insertAtOnce(deps.db, batch, found, ids))) await insertUnderLocks(deps.db, batch, ids)
    return { ids: items.map((_, index) => ids.pod + index) }
  } catch (error) {
    if (error instanceof UniqueViolation) throw await duplicatePods(deps.db, items, error)
    throw error
  }
}

type Batch = {
  readonly items: readonly PodItem[]
  readonly references: References
  readonly origin: Origin
  readonly caller: Caller
  readonly stamps: Stamps
}

/** The first ids of the new rows: the rest follows without gaps. */
type FirstIds = { readonly pod: number; readonly container: number }

/**
 * The quick way: what was found without locks is looked at again by the statement that inserts. False, with nothing
 * written, when a node gets its first pod, when a parent has changed since, or after a deadlock: then `insertUnderLocks`
 * decides.
 */
async function insertAtOnce(db: Database, batch: Batch, found: Parents, ids: FirstIds): Promise<boolean> {
  const placed = placePods(batch.items, found)
  if (found.nodes.some((node) => !node.has_pod)) return false
  try {
    const [done] = await db.run<{ ok: boolean }>(insertPodsIfUnchanged, [
      viewsText(batch, placed, ids),
      batch.origin,
      found.workloads.map((w) => w.kind),
      found.workloads.map((w) => w.id),
      found.workloads.map((w) => w.version),
      found.nodes.map((n) => n.id),
      found.nodes.map((n) => n.version),
    ])
    return done?.ok === true
  } catch (error) {
    if (error instanceof TransactionRace) return false
    throw error
  }
}

/** The sure way: one transaction that holds the parents, marks the nodes, inserts, and tells of the nodes. */
function insertUnderLocks(db: Database, batch: Batch, ids: FirstIds): Promise<void> {
  return inTransaction(db, async (tx) => {
    const parents = await readParents(tx, lockPodParents, batch)
    const placed = placePods(batch.items, parents)
    const unmarked = parents.nodes.filter((node) => !node.has_pod).map((node) => node.id)
    const marked =
      unmarked.length === 0
        ? []
        : await tx.run<Row>(markNodesWithPods, [unmarked, batch.caller.user, batch.stamps.last_time])
    await tx.run(insertPods, [viewsText(batch, placed, ids), batch.origin])
    await insertInventoryEvents(
      tx,
      marked.map((row) => toInventoryEvent('kube_node', 'update', row)),
    )
  })
}

async function readParents(
  db: Queryable,
  statement: Statement,
  { items, references, caller }: Batch,
): Promise<Parents> {
  const [parents] = await db.run<Parents>(statement, [
    references.kinds,
    references.workloadIds,
    references.nodeIds,
    references.namespaceIds,
    readableTenants(caller),
    ...(statement === findPodParents ? [items.length, references.containers] : []),
  ])
  if (parents === undefined) throw new Error(`${statement.name} gave no row`)
  return parents
}

function viewsText({ caller, stamps }: Batch, placed: readonly PlacedPod[], ids: FirstIds): string {
  const views = podViews(placed, ids.pod, ids.container, caller.tenant, caller.user, stamps)
  return JSON.stringify(views)
}

type References = ReturnType<typeof referencesOf>

/** Every parent that a batch names, once. */
function referencesOf(items: readonly PodItem[]) {
  const workloads = new Map<string, PodItem>()
  const nodeIds = new Set<number>()
  const namespaceIds = new Set<number>()
  let containers = 0
  for (const item of items) {
    workloads.set(`${item.kind} ${item.workloadId}`, item)
    nodeIds.add(item.nodeId)
    namespaceIds.add(item.namespaceId)
    containers += item.containers.length
  }
  const named = [...workloads.values()]
  return {
    kinds: named.map((item) => item.kind),
    workloadIds: named.map((item) => item.workloadId),
    nodeIds: [...nodeIds],
    namespaceIds: [...namespaceIds],
    containers,
  }
}

/** Ids of one call at most (container API reference 4.8). */
const maxDeletes = 200

/**
 * batch_delete_kube_pod (container API reference 4.8): the pods with their containers; nodes that lose their last pod
 * lose `has_pod`. Unknown ids are ignored.
 */
export async function deletePods(deps: InventoryDeps, caller: Caller, body: DeletePodsBody): Promise<null> {
  const wanted = readDeletes(body)
  const seconds = Math.floor(deps.now() / 1000)
  await inTransaction(deps.db, async (tx) => {
    const found = await tx.run<LockedPod>(lockPods, [wanted.map((w) => w.id), writableTenants(caller)])
    const byId = new Map(found.map((pod) => [pod.id, pod]))
    const foreign = wanted.filter(({ id, bizId }) => {
      const pod = byId.get(id)
      return pod !== undefined && pod.bk_biz_id !== bizId && pod.platform !== bizId
    })
    if (foreign.length > 0)
      throw cmdbErrors.mismatch(
        'bk_biz_id',
        foreign.map(({ path, bizId }) => ({ path, message: `the pod does not belong to business ${bizId}` })),
      )
    if (found.length === 0) return
    // The nodes before the pods: a creator that holds its nodes must find the pods' names still taken, not wait for us.
    const nodeIds = [...new Set(found.map((pod) => pod.bk_node_id))]
    await tx.run(lockNodes, [nodeIds])
    const deleted = await tx.run<Row>(deletePodRows, [found.map((pod) => pod.id)])
    const emptied = await tx.run<Row>(markNodesWithoutPods, [nodeIds, caller.user, seconds])
    await insertInventoryEvents(tx, [
      ...deleted.map((row) => toInventoryEvent('kube_pod', 'delete', row)),
      ...emptied.map((row) => toInventoryEvent('kube_node', 'update', row)),
    ])
  })
  return null
}

type WantedDelete = { readonly id: number; readonly bizId: number; readonly path: string }

function readDeletes(body: DeletePodsBody): WantedDelete[] {
  const data = body?.data ?? []
  if (data.length === 0) throw cmdbErrors.unset('data')
  if (data.length > maxDeletes) throw cmdbErrors.tooMany('data', maxDeletes)
  const wanted: WantedDelete[] = []
  data.forEach((element, i) => {
    const bizId = element?.bk_biz_id ?? 0
    if (bizId === 0) throw cmdbErrors.unset('bk_biz_id', [{ path: `data[${i}].bk_biz_id`, message: 'is required' }])
    const ids = element?.ids ?? []
    if (ids.length === 0) throw cmdbErrors.unset('ids', [{ path: `data[${i}].ids`, message: 'is required' }])
    ids.forEach((id, j) => {
      wanted.push({ id: id ?? 0, bizId, path: `data[${i}].ids[${j}]` })
    })
  })
  if (wanted.length > maxDeletes) throw cmdbErrors.tooMany('pods', maxDeletes)
  return wanted
}
