import type { Caller } from '../http/caller.ts'
import type { Queryable, Statement } from '../store/database.ts'
import { type Origin, readableTenants } from './inventory-deps.ts'
import type { NodeParent, PlacedPod, PodItem, PodParents, WorkloadParent } from './pod-rules.ts'
import { findPodParents } from './pod-statements.ts'
import { podViews, type Stamps } from './pod-views.ts'

/** A checked request to create pods. */
export type PodBatch = {
  readonly items: readonly PodItem[]
  readonly references: References
  readonly origin: Origin
  readonly caller: Caller
  readonly stamps: Stamps
}

/** The first ids of new rows: the rest follows without gaps. */
export type FirstIds = { readonly pod: number; readonly container: number }

type Versioned<T> = T & { readonly version: string }
export type FoundParents = Omit<PodParents, 'workloads' | 'nodes'> & {
  readonly first_pod: number
  readonly first_container: number | null
  readonly workloads: readonly Versioned<WorkloadParent>[]
  readonly nodes: readonly Versioned<NodeParent>[]
}

/** What the pods refer to, by one of the statements of `pod-statements.ts`. */
export async function readPodParents(db: Queryable, statement: Statement, batch: PodBatch): Promise<FoundParents> {
  const { items, references, caller } = batch
  const [parents] = await db.run<FoundParents>(statement, [
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

/** The rows of new pods as the wire shows them. */
export function newPodViews({ caller, stamps }: PodBatch, placed: readonly PlacedPod[], ids: FirstIds): object[] {
  return podViews(placed, ids.pod, ids.container, caller.tenant, caller.user, stamps)
}

export type References = ReturnType<typeof referencesOf>

/** Every parent that a batch names, once. */
export function referencesOf(items: readonly PodItem[]) {
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
