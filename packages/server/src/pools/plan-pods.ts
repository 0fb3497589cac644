import type { DeleteReason, PodView, PoolAction, PoolDesired, PoolObserved } from './plan-types.ts'
import { mayTry, waits } from './plan-write.ts'
import { poolStatus } from './pool.ts'

/** Which pods are made and which are taken away. Pure. */

/**
 * Undefined: somebody else's business. An autoscaler sets replicas, but a change of the pool sets them once. Never fewer
 * than pods are in use: a ReplicaSet would take those.
 */
export function wantedReplicas(desired: PoolDesired, observed: PoolObserved): number | undefined {
  if (desired.scalable) return 0
  const busy = observed.pods.filter((pod) => pod.isBusy && !pod.isDeleting).length
  if (desired.draining) return busy
  const isAutoscaled = observed.hpaWanted.kind === 'wanted'
  return !isAutoscaled || desired.status === poolStatus.update ? Math.max(desired.spec.size, busy) : undefined
}

/** Pods that a scalable pool has at least: its size, or what autoscaling wants beyond it. */
export function keptPods({ size, maxSize }: PoolDesired['spec'], wanted: number | undefined): number {
  return Math.min(maxSize, Math.max(size, wanted ?? 0))
}

/**
 * The pods of a scalable pool: as many as are kept at least, one more for each step that a request takes, idle ones away
 * above `max_size`. Those that instances have to themselves count (pool API reference 5.1).
 */
export function planPods(desired: PoolDesired, observed: PoolObserved, now: number): PoolAction[] {
  const { maxSize } = desired.spec
  const kept = keptPods(desired.spec, observed.wanted)
  const actions: PoolAction[] = []
  // Those of a ReplicaSet go by themselves: somebody had given the Deployment replicas.
  const own = observed.pods.filter((pod) => (pod.ownerKind === 'Deployment' || pod.isDetached) && !pod.isDeleting)
  const living = own.filter((pod) => !pod.isFinished)
  const finished = own.filter((pod) => pod.isFinished && !pod.isBusy)
  if (mayTry(observed.failures.delete, now)) {
    if (finished.length > 0) actions.push(deletePods(observed, finished, 'finished'))
    const strays = observed.strays.filter((pod) => !pod.isDeleting && !pod.isBusy)
    if (strays.length > 0) actions.push(deletePods(observed, strays, 'deployment is gone'))
    const above = living.length + observed.creating - maxSize
    if (desired.draining || above > 0) {
      const idle = takeable(living)
      const leaving = desired.draining ? idle : idle.slice(0, above)
      if (leaving.length > 0)
        actions.push(deletePods(observed, leaving, desired.draining ? 'drained' : 'above max_size'))
    } else {
      const stuck = living.filter((pod) => stuckAt(pod) <= now)
      // Those that requests asked for go by their own idle time.
      const beyond = Math.min(observed.surplus ?? 0, living.length + observed.creating - kept)
      const unwanted = beyond > 0 ? takeable(living.filter((pod) => pod.isOnDemand !== true)).slice(0, beyond) : []
      if (stuck.length > 0) actions.push(deletePods(observed, stuck, 'never ready'))
      else if (unwanted.length > 0) actions.push(deletePods(observed, unwanted, 'not wanted'))
    }
  }
  if (desired.draining) return actions
  const trial = onTrial(observed, living, now)
  const current = living.length + observed.creating
  // One on trial that has just ended is still there: how long the next one waits is known when it has been retired.
  const mayCreate =
    trial === undefined ? observed.mayCreate : Math.min(observed.mayCreate, 1 - current - finished.length)
  const missing = Math.max(0, kept - current)
  if (mayTry(observed.failures.pods, now) && mayTry(observed.failures.start, now)) {
    const reserved = Math.min(missing, mayCreate)
    if (reserved > 0) actions.push({ kind: 'create-pods', count: reserved, isReserved: true })
    const { steps = 0, owed = 0 } = observed
    const room = Math.max(0, maxSize - current - missing)
    const onDemand = Math.min(owed, room, mayCreate - reserved)
    if (onDemand > 0) actions.push({ kind: 'create-pods', count: onDemand, isReserved: false })
    // Taken when it can be made: a request that came while the pool was full still has its step when there is room.
    if (steps > 0 && room > owed) actions.push({ kind: 'take-steps', limit: Math.min(steps, room - owed) })
    actions.push(...makeRoom(observed, steps - Math.max(0, room - owed), now))
  }
  const nextStuck = living.reduce(
    (least, pod) => (stuckAt(pod) > now ? Math.min(least, stuckAt(pod)) : least),
    Infinity,
  )
  return [...actions, ...waits(now, trial, { retryAt: nextStuck })]
}

/**
 * A fixed pool, whose pods Kubernetes replaces: whoever waits without a pod on its way gets one that was shared before,
 * made anew.
 */
export function planRoom(desired: PoolDesired, observed: PoolObserved, now: number): PoolAction[] {
  const replicas = observed.deployment?.replicas ?? 0
  const ready = observed.pods.filter((pod) => pod.isReady).length
  return desired.draining ? [] : makeRoom(observed, (observed.waiting ?? 0) - Math.max(0, replicas - ready), now)
}

/** @param unserved requests in line that no pod is on its way for */
function makeRoom({ idleShared = 0, failures }: PoolObserved, unserved: number, now: number): PoolAction[] {
  const limit = Math.min(idleShared, unserved)
  return limit > 0 && mayTry(failures.delete, now) ? [{ kind: 'make-room', limit }] : []
}

/** Milliseconds that a pod has which was made for a request (pool API reference 5.2). */
const readyWithinMs = 300_000

/** When a pod is given up that takes a place of the pool without ever having been of use. */
function stuckAt(pod: PodView): number {
  const isHoped = pod.isOnDemand === true && !pod.isReady && pod.hasBeenReady !== true && !pod.isBusy
  return isHoped ? pod.createdAt + readyWithinMs : Infinity
}

/**
 * Where pods ended before they were of use, one shows whether that is still so, for as long as the pool had to wait for
 * it, before the others are made. Undefined when none has to; `retryAt` is when the one will have shown it.
 */
function onTrial(
  observed: PoolObserved,
  living: readonly PodView[],
  now: number,
): { readonly retryAt: number } | undefined {
  const { start } = observed.failures
  if (start === undefined) return undefined
  const provenAt = living.filter((pod) => pod.isReady).map((pod) => (pod.readySince ?? -Infinity) + (start.waitMs ?? 0))
  const retryAt = Math.min(...provenAt)
  return retryAt <= now ? undefined : { retryAt }
}

/** After a refusal one shows whether deletions are possible again. */
export function deletePods(observed: PoolObserved, pods: readonly PodView[], reason: DeleteReason): PoolAction {
  return { kind: 'delete-pods', pods: observed.failures.delete === undefined ? pods : pods.slice(0, 1), reason }
}

/** Pods that may be taken away, those that are missed least first: not ready ones, then the newest. */
function takeable(pods: readonly PodView[]): PodView[] {
  return pods
    .filter((pod) => !pod.isDeleting && !pod.isBusy)
    .sort((a, b) => Number(a.isReady) - Number(b.isReady) || b.createdAt - a.createdAt || (a.name < b.name ? -1 : 1))
}

/** Which pods of a ReplicaSet go when it has so many replicas: as many as there are too many, those that leave already first. */
export function chooseVictims(observed: PoolObserved, replicas: number) {
  const leaving = observed.pods.filter((pod) => pod.isRetired)
  const active = observed.pods.filter((pod) => !pod.isDeleting).length + leaving.length
  return { leaving, victims: takeable(observed.pods).slice(0, Math.max(0, active - replicas - leaving.length)) }
}
