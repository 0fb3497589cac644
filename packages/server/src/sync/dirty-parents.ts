import type { V1Deployment, V1Namespace, V1Node } from '@kubernetes/client-node'
import type { WorkloadFacts, WorkloadKey } from '../inventory/cluster-facts.ts'
import { type SyncedCluster, workloadKeyText } from '../inventory/cluster-stored.ts'
import type { ClusterChanges } from '../inventory/cluster-sync.ts'
import type { Change, KubeObject, Reflector } from '../kube/index.ts'
import { deploymentFacts, namespaceFacts, nodeFacts } from './mapping.ts'

export type ParentReflectors = {
  readonly namespaces: Reflector<V1Namespace>
  readonly nodes: Reflector<V1Node>
  readonly deployments: Reflector<V1Deployment>
}

/** The namespaces, nodes and Deployments that the inventory may not have as they are. */
export type DirtyParents = {
  readonly namespaces: Set<string>
  readonly nodes: Set<string>
  /** By `workloadKeyText`. */
  readonly workloads: Map<string, Place>
}

export type Place = { readonly namespace: string; readonly name: string }

export function noParents(): DirtyParents {
  return { namespaces: new Set(), nodes: new Set(), workloads: new Map() }
}

/** Moves everything from one to the other. */
export function moveParents(from: DirtyParents, to: DirtyParents): void {
  for (const name of from.namespaces) to.namespaces.add(name)
  for (const name of from.nodes) to.nodes.add(name)
  for (const [key, place] of from.workloads) to.workloads.set(key, place)
  from.namespaces.clear()
  from.nodes.clear()
  from.workloads.clear()
}

/** Marks what the reflectors tell until it is stopped; `wake` is called for each mark. */
export function followParents(reflectors: ParentReflectors, dirty: DirtyParents, wake: () => void): () => void {
  const mark =
    <T extends KubeObject>(set: Set<string>, facts: (object: T) => object) =>
    (change: Change<T>) => {
      if (isSameFor(change, facts)) return
      const name = (change.after ?? change.before)?.metadata?.name
      if (name !== undefined) set.add(name)
      wake()
    }
  const stops = [
    reflectors.namespaces.subscribe(mark(dirty.namespaces, namespaceFacts)),
    reflectors.nodes.subscribe(mark(dirty.nodes, nodeFacts)),
    reflectors.deployments.subscribe((change) => {
      const object = change.after ?? change.before
      if (object === undefined || isSameFor(change, deploymentFacts)) return
      markDeployment(dirty, placeOf(object))
      wake()
    }),
  ]
  return () => {
    for (const stop of stops) stop()
  }
}

/**
 * Whether nothing changed that the inventory keeps: heartbeats of nodes and the progress of Deployments are most of what is
 * told about them, and must not cost a transaction each.
 */
function isSameFor<T extends KubeObject>({ before, after }: Change<T>, facts: (object: T) => object): boolean {
  return before !== undefined && after !== undefined && JSON.stringify(facts(before)) === JSON.stringify(facts(after))
}

/** Everything that the cluster holds and everything that is stored. */
export function markAllParents(reflectors: ParentReflectors, stored: SyncedCluster, dirty: DirtyParents): void {
  for (const namespace of reflectors.namespaces.values()) dirty.namespaces.add(namespace.metadata?.name ?? '')
  for (const name of stored.namespaces.keys()) dirty.namespaces.add(name)
  for (const node of reflectors.nodes.values()) dirty.nodes.add(node.metadata?.name ?? '')
  for (const name of stored.nodes.keys()) dirty.nodes.add(name)
  for (const deployment of reflectors.deployments.values()) markDeployment(dirty, placeOf(deployment))
  for (const key of stored.workloads.values()) if (key.kind === 'deployment') markDeployment(dirty, key)
}

function markDeployment(dirty: DirtyParents, { namespace, name }: Place): void {
  dirty.workloads.set(workloadKeyText({ kind: 'deployment', namespace, name }), { namespace, name })
}

function placeOf(object: KubeObject): Place {
  return { namespace: object.metadata?.namespace ?? '', name: object.metadata?.name ?? '' }
}

/** @param firstNamespace comes before the others, so that an empty inventory gives it the first ids */
export function parentChanges(
  reflectors: ParentReflectors,
  stored: SyncedCluster,
  dirty: DirtyParents,
  firstNamespace: string | undefined,
): Pick<ClusterChanges, 'namespaces' | 'nodes' | 'workloads'> {
  const namespaces = { upsert: [] as ReturnType<typeof namespaceFacts>[], remove: [] as string[] }
  for (const name of inOrder(dirty.namespaces, firstNamespace)) {
    const namespace = reflectors.namespaces.get(undefined, name)
    if (namespace !== undefined) namespaces.upsert.push(namespaceFacts(namespace))
    else if (stored.namespaces.get(name)?.synced === true) namespaces.remove.push(name)
  }
  const nodes = { upsert: [] as ReturnType<typeof nodeFacts>[], remove: [] as string[] }
  for (const name of inOrder(dirty.nodes)) {
    const node = reflectors.nodes.get(undefined, name)
    if (node !== undefined) nodes.upsert.push(nodeFacts(node))
    else if (stored.nodes.get(name)?.synced === true) nodes.remove.push(name)
  }
  const workloads = { upsert: [] as WorkloadFacts[], remove: [] as WorkloadKey[] }
  const rank = (place: Place) => `${place.namespace === firstNamespace ? '' : place.namespace}/${place.name}`
  for (const { namespace, name } of [...dirty.workloads.values()].sort((a, b) => order(rank(a), rank(b)))) {
    const key = { kind: 'deployment', namespace, name }
    const deployment = reflectors.deployments.get(namespace, name)
    if (deployment !== undefined) workloads.upsert.push(deploymentFacts(deployment))
    else if (stored.workloads.get(workloadKeyText(key))?.synced === true) workloads.remove.push(key)
  }
  return { namespaces, nodes, workloads }
}

function inOrder(names: Iterable<string>, firstName?: string): string[] {
  return [...names].sort((a, b) => (a === firstName ? -1 : b === firstName ? 1 : order(a, b)))
}

const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)
