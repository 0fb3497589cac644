import type { Condition, Pod } from '../validation/kube-types.ts'

/** What controllers read from a pod's status. */

export function conditionOf(conditions: readonly Condition[] | undefined, type: string): Condition | undefined {
  return conditions?.find((condition) => condition.type === type)
}

export function isReady(pod: Pod): boolean {
  return conditionOf(pod.status?.conditions, 'Ready')?.status === 'True'
}

export function isTerminating(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp !== undefined
}

export function isFinished(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'
}

/** Counts towards a ReplicaSet's replicas. */
export function isActive(pod: Pod): boolean {
  return !isFinished(pod) && !isTerminating(pod)
}

/** When the pod became Ready, in milliseconds; undefined when it is not. */
export function readySince(pod: Pod): number | undefined {
  const ready = conditionOf(pod.status?.conditions, 'Ready')
  return ready?.status === 'True' ? Date.parse(ready.lastTransitionTime ?? '') || 0 : undefined
}

/** Ready for at least so long. */
export function isAvailable(pod: Pod, minReadySeconds: number, now: number): boolean {
  const since = readySince(pod)
  return since !== undefined && (minReadySeconds === 0 || since + minReadySeconds * 1000 <= now)
}

/** The list with one condition set: its transition time stays while its status does. */
export function withCondition(
  conditions: readonly Condition[] | undefined,
  condition: Condition & { readonly lastTransitionTime: string },
): readonly Condition[] {
  const known = conditionOf(conditions, condition.type)
  const time =
    known?.status === condition.status
      ? (known.lastTransitionTime ?? condition.lastTransitionTime)
      : condition.lastTransitionTime
  const next = { ...condition, lastTransitionTime: time }
  if (known === undefined) return [...(conditions ?? []), next]
  return (conditions ?? []).map((other) => (other === known ? next : other))
}
