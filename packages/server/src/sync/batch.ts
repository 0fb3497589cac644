import type { V1ReplicaSet } from '@kubernetes/client-node'
import type { PodFacts } from '../inventory/cluster-facts.ts'
import { type SyncedCluster, workloadKeyText } from '../inventory/cluster-stored.ts'
import type { ClusterChanges } from '../inventory/cluster-sync.ts'
import type { Reflector } from '../kube/index.ts'
import { type DirtyParents, type ParentReflectors, parentChanges } from './dirty-parents.ts'
import { bareWorkload, type ControllerLookup, deploymentFacts, workloadOf } from './mapping.ts'
import { type PodBacklog, readingOf, type WaitingPod } from './pod-backlog.ts'

/** Pods to a transaction: about 30 ms of work, so that a change behind a large backlog is not late by seconds. */
export const podsPerBatch = 200

/** The next transaction's work. */
export type Batch = {
  readonly changes: ClusterChanges
  /** The pods in it, by uid. */
  readonly pods: ReadonlyMap<string, WaitingPod>
  readonly isEmpty: boolean
  /** Whether pods wait whose content is not at hand, as far as the batch looked. */
  readonly hasUnread: boolean
}

export type BatchSources = {
  readonly reflectors: ParentReflectors & { readonly replicaSets: Reflector<V1ReplicaSet> }
  readonly stored: SyncedCluster
  readonly dirty: DirtyParents
  readonly backlog: PodBacklog
  /** Made before the other namespaces. */
  readonly firstNamespace?: string | undefined
}

/**
 * All parents that are dirty, and as many pods as one transaction takes. Pods whose node or namespace is not known yet stay
 * in the backlog, as do those that have to be read again. Takes nothing out, but for pods that came and went unseen.
 */
export function nextBatch({ reflectors, stored, dirty, backlog, firstNamespace }: BatchSources): Batch {
  const parents = parentChanges(reflectors, stored, dirty, firstNamespace)
  const names = (objects: readonly { readonly name: string }[]) => new Set(objects.map(({ name }) => name))
  const [namespaces, nodes] = [names(parents.namespaces.upsert), names(parents.nodes.upsert)]
  const workloads = new Map(parents.workloads.upsert.map((workload) => [workloadKeyText(workload), workload]))
  const lookup = controllerLookup(reflectors.replicaSets)
  const upsert: PodFacts[] = []
  const remove: string[] = []
  let hasUnread = false
  const pods = new Map<string, WaitingPod>()
  for (const [uid, pod] of backlog.waiting()) {
    if (pods.size >= podsPerBatch) break
    if (pod.kind === 'unread') {
      hasUnread = true
      continue
    }
    if (pod.kind === 'gone') {
      if (stored.pods.has(uid)) {
        remove.push(uid)
        pods.set(uid, pod)
      } else backlog.removed(uid)
      continue
    }
    const isKnown =
      (stored.namespaces.has(pod.namespace) || namespaces.has(pod.namespace)) &&
      (stored.nodes.has(pod.node) || nodes.has(pod.node))
    if (!isKnown) continue
    const { owner, ...own } = readingOf(uid, pod)
    const workload = workloadOf({ ...own, owner }, lookup)
    const key = workloadKeyText(workload)
    if (!stored.workloads.has(key) && !workloads.has(key)) {
      const deployment =
        workload.kind === 'deployment' ? reflectors.deployments.get(workload.namespace, workload.name) : undefined
      workloads.set(key, deployment === undefined ? bareWorkload(workload) : deploymentFacts(deployment))
    }
    upsert.push({ ...own, workload })
    pods.set(uid, pod)
  }
  const changes = {
    ...parents,
    workloads: { upsert: [...workloads.values()], remove: parents.workloads.remove },
    pods: { upsert, remove },
  }
  const isEmpty = Object.values(changes).every((kind) => kind.upsert.length + kind.remove.length === 0)
  return { changes, pods, isEmpty, hasUnread }
}

/** ReplicaSets are all that is watched between a pod and its workload. */
function controllerLookup(replicaSets: Reflector<V1ReplicaSet>): ControllerLookup {
  return (namespace, owner) => {
    const replicaSet = owner.kind === 'ReplicaSet' ? replicaSets.get(namespace, owner.name) : undefined
    if (replicaSet === undefined) return undefined
    return replicaSet.metadata?.ownerReferences?.find((reference) => reference.controller === true) ?? null
  }
}
