import type { V1Deployment, V1Pod, V1ReplicaSet, V2HorizontalPodAutoscaler } from '@kubernetes/client-node'
import { managedByLabel, managedByValue, onDemandAnnotation, poolUidAnnotation } from './names.ts'
import type { PodView } from './plan-types.ts'
import { deletionCostOf, isDetached, isMarked } from './pod-facts.ts'

/** What the plan needs to know of objects, read out of them once, when they change. Pure. */

export function isOurs(object: V1Deployment | V2HorizontalPodAutoscaler, poolUid: string): boolean {
  return object.metadata?.annotations?.[poolUidAnnotation] === poolUid
}

/** The pool that a pod says it belongs to; undefined for pods that Podyard did not make. */
export function poolUidOfPod(pod: V1Pod): string | undefined {
  const { labels, annotations } = pod.metadata ?? {}
  return labels?.[managedByLabel] === managedByValue ? annotations?.[poolUidAnnotation] : undefined
}

/** The pool whose Deployment made this ReplicaSet. */
export function poolUidOfReplicaSet(replicaSet: V1ReplicaSet): string | undefined {
  return replicaSet.spec?.template?.metadata?.annotations?.[poolUidAnnotation]
}

export function toPodView(pod: V1Pod): PodView {
  const { metadata, status } = pod
  const owner = metadata?.ownerReferences?.find((reference) => reference.controller === true)
  const phase = status?.phase ?? 'Pending'
  const isDeleting = metadata?.deletionTimestamp !== undefined
  const isReady =
    phase === 'Running' &&
    !isDeleting &&
    status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') === true
  return {
    uid: metadata?.uid ?? '',
    name: metadata?.name ?? '',
    ownerKind: owner?.kind ?? '',
    ownerUid: owner?.uid ?? '',
    createdAt: toMillis(metadata?.creationTimestamp),
    isReady,
    isDeleting,
    isPending: phase === 'Pending',
    failing: isDeleting ? undefined : podFailure(pod),
    isOnDemand: metadata?.annotations?.[onDemandAnnotation] === 'true',
    isFinished: phase === 'Failed' || phase === 'Succeeded',
    isBusy: isMarked(pod),
    isDetached: isDetached(pod),
    deletionCost: deletionCostOf(pod),
    trouble: isReady || isDeleting ? undefined : podTrouble(pod),
  }
}

/** What containers wait for that does not pass by itself, or not soon. */
const failingWaits = new Set([
  'CrashLoopBackOff',
  'ImagePullBackOff',
  'InvalidImageName',
  'ErrImageNeverPull',
  'CreateContainerConfigError',
  'CreateContainerError',
])

/** In one word why a pod cannot be of use as it is; undefined while it can be, or may yet be. */
export function podFailure({ status }: V1Pod): string | undefined {
  if (status?.phase === 'Failed' || status?.phase === 'Unknown') return status.phase
  for (const container of [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]) {
    const { reason = '' } = container.state?.waiting ?? {}
    if (failingWaits.has(reason)) return reason
  }
  return undefined
}

/** What a container goes through on its way to running. */
const usualWaits = new Set(['ContainerCreating', 'PodInitializing', ''])

/** Why a pod does not start, in the cluster's own words; undefined while it is only on its way. */
export function podTrouble(pod: V1Pod): string | undefined {
  const { status } = pod
  const scheduled = status?.conditions?.find((condition) => condition.type === 'PodScheduled')
  if (scheduled?.status === 'False') return scheduled.message ?? scheduled.reason
  for (const container of [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]) {
    const { reason = '', message } = container.state?.waiting ?? {}
    if (!usualWaits.has(reason)) return sayReason(reason, message)
  }
  if (status?.phase === 'Failed') return sayReason(status.reason ?? 'Failed', status.message)
  return undefined
}

/** Why the Deployment's pods cannot be made (quota, a missing RuntimeClass, ...). */
export function replicaTrouble(object: V1Deployment | V1ReplicaSet): string | undefined {
  const failure = object.status?.conditions?.find((c) => c.type === 'ReplicaFailure' && c.status === 'True')
  return failure === undefined ? undefined : (failure.message ?? failure.reason)
}

function sayReason(reason: string, message: string | undefined): string {
  return message === undefined || message === '' ? reason : `${reason}: ${message}`
}

/** Objects come from JSON: times are text there, whatever their type says. */
function toMillis(time: Date | string | undefined): number {
  return time === undefined ? 0 : new Date(time).getTime()
}
