import type { Pod } from '../validation/kube-types.ts'
import { parseDeletionCost } from '../validation/pod-rules.ts'
import { isReady, readySince } from './pod-state.ts'

/** Which pods a ReplicaSet gives up first. After the controller's ActivePodsWithRanks order. */

const PHASE_RANK: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 }
const COST = 'controller.kubernetes.io/pod-deletion-cost'

function restarts(pod: Pod): number {
  const statuses = pod.status?.containerStatuses ?? []
  return statuses.reduce((most, status) => Math.max(most, status.restartCount), 0)
}

/** The power of two of an age in nanoseconds: the real controller compares times so roughly, to spread the loss. */
function logAge(time: number, now: number): number {
  const age = (now - time) * 1e6
  return age > 0 ? Math.floor(Math.log2(age)) : -1
}

/** Two different times: the younger first; about the same: the uid decides. 0 when the times are the same. */
function compareTimes(a: Ranked, b: Ranked, timeOf: (pod: Pod) => number, now: number): number {
  const left = timeOf(a.pod)
  const right = timeOf(b.pod)
  if (left === right) return 0
  const difference = logAge(left, now) - logAge(right, now)
  if (difference !== 0) return difference
  return a.pod.metadata.uid < b.pod.metadata.uid ? -1 : 1
}

type Ranked = { readonly pod: Pod; readonly rank: number }

function compare(a: Ranked, b: Ranked, now: number): number {
  const assigned = (pod: Pod) => ((pod.spec.nodeName ?? '') === '' ? 0 : 1)
  if (assigned(a.pod) !== assigned(b.pod)) return assigned(a.pod) - assigned(b.pod)
  const phase = (pod: Pod) => PHASE_RANK[pod.status?.phase ?? 'Pending'] ?? 2
  if (phase(a.pod) !== phase(b.pod)) return phase(a.pod) - phase(b.pod)
  const ready = (pod: Pod) => (isReady(pod) ? 1 : 0)
  if (ready(a.pod) !== ready(b.pod)) return ready(a.pod) - ready(b.pod)
  const cost = (pod: Pod) => parseDeletionCost(pod.metadata.annotations?.[COST]) ?? 0
  if (cost(a.pod) !== cost(b.pod)) return cost(a.pod) - cost(b.pod)
  // More of its kind on the same node goes first.
  if (a.rank !== b.rank) return b.rank - a.rank
  if (isReady(a.pod)) {
    const byReady = compareTimes(a, b, (pod) => readySince(pod) ?? now, now)
    if (byReady !== 0) return byReady
  }
  if (restarts(a.pod) !== restarts(b.pod)) return restarts(b.pod) - restarts(a.pod)
  return compareTimes(a, b, (pod) => Date.parse(pod.metadata.creationTimestamp), now)
}

/** The `count` pods to delete, first victim first. `now` in milliseconds. */
export function chooseVictims(pods: readonly Pod[], count: number, now: number): readonly Pod[] {
  const perNode = new Map<string, number>()
  for (const { spec } of pods) perNode.set(spec.nodeName ?? '', (perNode.get(spec.nodeName ?? '') ?? 0) + 1)
  return pods
    .map((pod) => ({ pod, rank: perNode.get(pod.spec.nodeName ?? '') ?? 0 }))
    .toSorted((a, b) => compare(a, b, now))
    .slice(0, count)
    .map(({ pod }) => pod)
}
