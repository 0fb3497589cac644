import type { V1Pod, V1ReplicaSet } from '@kubernetes/client-node'
import {
  createReflector,
  identityOf,
  type KubeClient,
  type KubeObject,
  type ReflectorOptions,
  type Resource,
  resources,
  withoutManagedFields,
} from './kube/index.ts'
import { poolUidOfPod, poolUidOfReplicaSet } from './pools/observed.ts'

export type Reflectors = ReturnType<typeof createReflectors>

/**
 * One reflector per kind feeds everything. Of pods and ReplicaSets there may be tens of thousands: those that no pool owns are
 * told whole and then kept as little more than their names (docs/adr/0007).
 */
export function createReflectors(
  kube: KubeClient,
  onError: (resource: Resource) => NonNullable<ReflectorOptions<KubeObject>['onError']>,
) {
  const reflect = <T extends KubeObject>(resource: Resource<T>, keep?: (object: T) => T) =>
    createReflector(kube, resource, {
      transform: withoutManagedFields,
      onError: onError(resource),
      ...(keep === undefined ? {} : { keep }),
    })
  return {
    namespaces: reflect(resources.namespaces),
    nodes: reflect(resources.nodes),
    deployments: reflect(resources.deployments),
    replicaSets: reflect(resources.replicaSets, keptReplicaSet),
    horizontalPodAutoscalers: reflect(resources.horizontalPodAutoscalers),
    pods: reflect(resources.pods, keptPod),
  }
}

/** Pools look at the pods that they made; sync takes what it needs of the others when it is told. */
function keptPod(pod: V1Pod): V1Pod {
  return poolUidOfPod(pod) === undefined ? (identityOf(pod) as V1Pod) : pod
}

/** Of the others sync asks whom they belong to. */
function keptReplicaSet(replicaSet: V1ReplicaSet): V1ReplicaSet {
  if (poolUidOfReplicaSet(replicaSet) !== undefined) return replicaSet
  const { metadata } = identityOf(replicaSet)
  return { metadata: { ...metadata, ownerReferences: replicaSet.metadata?.ownerReferences ?? [] } } as V1ReplicaSet
}
