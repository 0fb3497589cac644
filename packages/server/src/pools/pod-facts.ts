import type { V1Node, V1Pod } from '@kubernetes/client-node'
import { amount } from '../kube/quantity.ts'
import { idleLabel, instanceAnnotation, labelsAnnotationPrefix, runtimeContainer } from './names.ts'
import type { ReadyPod } from './pod-holds.ts'

/** What of a pod decides who may have it, and what a claim is told about it. Pure. */

/** A pod as it is put among the ready ones; `poolId` is its pool's number. */
export function readyPodOf(pod: V1Pod, poolId: number): ReadyPod {
  const { metadata, spec, status } = pod
  const requests = spec?.containers.find((container) => container.name === runtimeContainer)?.resources?.requests
  return {
    poolId,
    uid: metadata?.uid ?? '',
    name: metadata?.name ?? '',
    namespace: metadata?.namespace ?? '',
    ip: status?.podIP ?? '',
    node: spec?.nodeName ?? '',
    hostIp: status?.hostIP ?? '',
    cpuMillis: whole(amount(requests?.cpu ?? ''), 1000),
    memoryBytes: whole(amount(requests?.memory ?? ''), 1),
    idleSeconds: idleSecondsOf(metadata?.labels?.[idleLabel]),
    isMarked: isMarked(pod),
  }
}

/** Rounded up, as Kubernetes counts requests; what is no quantity offers nothing. */
function whole(value: number | undefined, scale: number): number {
  if (value === undefined || value < 0) return 0
  // 0.29 * 1000 is 290.00000000000006 or so: what lies that near to a whole number is one.
  const rounded = Math.ceil(Number((value * scale).toPrecision(15)))
  return Number.isSafeInteger(rounded) ? rounded : 0
}

/** Some 68 years: what is longer is never recycled in effect, and an interval of the database holds it. */
const longest = 2 ** 31 - 1

/** The label's seconds; -1 for `unlimited`; null for whatever does not configure anything (pool API reference 5.3). */
export function idleSecondsOf(label: string | undefined): number | null {
  if (label === 'unlimited') return -1
  if (label === undefined || !/^\+?[0-9]+$/.test(label)) return null
  const seconds = Number(label)
  return seconds === 0 ? null : Math.min(seconds, longest)
}

const deletionCost = 'controller.kubernetes.io/pod-deletion-cost'

/** Bears what the binding of an instance leaves on a pod (pool API reference 6.2). */
export function isMarked(pod: V1Pod): boolean {
  const { labels = {}, annotations = {} } = pod.metadata ?? {}
  return (
    labels.instanceStatus !== undefined ||
    labels['schedule-policy'] !== undefined ||
    annotations[instanceAnnotation] !== undefined ||
    Object.keys(annotations).some((key) => key.startsWith(labelsAnnotationPrefix)) ||
    isDetached(pod)
  )
}

/** Left its Deployment for an instance: the label that a ReplicaSet selects by is the pod's own name. */
export function isDetached(pod: V1Pod): boolean {
  const { labels = {}, name = '' } = pod.metadata ?? {}
  return labels.app !== undefined && labels.app === ownApp(name)
}

/** The label value by which a pod leaves its Deployment; no longer than values may be. */
export const ownApp = (podName: string) => podName.slice(-63).replace(/^[^a-zA-Z0-9]+/, '')

/** How a ReplicaSet ranks the pod as a victim; 0 when nothing is said. */
export function deletionCostOf(pod: V1Pod): number {
  const cost = Number(pod.metadata?.annotations?.[deletionCost] ?? 0)
  return Number.isSafeInteger(cost) ? cost : 0
}

/** A pod on it may be handed out: the node is Ready and not cordoned. */
export function takesPods(node: V1Node): boolean {
  if (node.spec?.unschedulable === true) return false
  return node.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') === true
}

/**
 * The merge patch by which a pod leaves its Deployment: no ReplicaSet selects it, and no garbage collector takes it when
 * the Deployment goes. The uid makes it fail on another pod of the same name.
 */
export function detachPatch(pod: { readonly uid: string; readonly name: string }): object {
  return { metadata: { uid: pod.uid, ownerReferences: null, labels: { app: ownApp(pod.name) } } }
}

/** The merge patch that ranks a pod among a ReplicaSet's victims: the cheapest go first. */
export function costPatch(uid: string, cost: number): object {
  return { metadata: { uid, annotations: { [deletionCost]: String(cost) } } }
}
