import type { Condition, Deployment, DeploymentStatus, ReplicaSet } from '../validation/kube-types.ts'
import { conditionOf } from './pod-state.ts'
import { rollingBounds } from './rollout-plan.ts'

/** The status of a Deployment. Pure; after the deployment controller's calculateStatus and syncRolloutStatus. */

export type StatusInput = {
  readonly deployment: Deployment
  readonly sets: readonly ReplicaSet[]
  readonly newSet: ReplicaSet | undefined
  readonly now: Date
  /** Conditions that this pass has set already (paused, resumed, new set). */
  readonly conditions: readonly Condition[]
}

const total = (sets: readonly ReplicaSet[], count: (status: NonNullable<ReplicaSet['status']>) => number | undefined) =>
  sets.reduce((sum, { status }) => sum + (status === undefined ? 0 : (count(status) ?? 0)), 0)

const timeOf = (now: Date) => `${now.toISOString().slice(0, 19)}Z`

/** Sets one condition: nothing changes while status and reason stay, the transition time while the status does. */
export function setCondition(
  conditions: readonly Condition[],
  type: string,
  status: 'True' | 'False' | 'Unknown',
  reason: string,
  message: string,
  now: Date,
): readonly Condition[] {
  const known = conditionOf(conditions, type)
  if (known?.status === status && known.reason === reason) return conditions
  const time = timeOf(now)
  const transition = known?.status === status ? (known.lastTransitionTime ?? time) : time
  const others = conditions.filter((condition) => condition.type !== type)
  return [...others, { type, status, lastUpdateTime: time, lastTransitionTime: transition, reason, message }]
}

export function isComplete(deployment: Deployment, status: DeploymentStatus | undefined): boolean {
  const wanted = deployment.spec.replicas ?? 1
  return (
    (status?.updatedReplicas ?? 0) === wanted &&
    (status?.replicas ?? 0) === wanted &&
    (status?.availableReplicas ?? 0) === wanted &&
    (status?.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
  )
}

/** Counts and the Available condition. */
export function countStatus({ deployment, sets, newSet, now, conditions }: StatusInput): DeploymentStatus {
  const wanted = deployment.spec.replicas ?? 1
  const available = total(sets, (status) => status.availableReplicas)
  const replicas = total(sets, (status) => status.replicas)
  const ready = total(sets, (status) => status.readyReplicas)
  const updated = newSet?.status?.replicas ?? 0
  const spec = sets.reduce((sum, set) => sum + (set.spec.replicas ?? 1), 0)
  const unavailable = Math.max(0, spec - available)
  const enough = available >= wanted - rollingBounds(deployment.spec.strategy, wanted).maxUnavailable
  const next = enough
    ? setCondition(
        conditions,
        'Available',
        'True',
        'MinimumReplicasAvailable',
        'Deployment has minimum availability.',
        now,
      )
    : setCondition(
        conditions,
        'Available',
        'False',
        'MinimumReplicasUnavailable',
        'Deployment does not have minimum availability.',
        now,
      )
  const collisions = deployment.status?.collisionCount
  return {
    observedGeneration: deployment.metadata.generation ?? 0,
    ...positive('replicas', replicas),
    ...positive('updatedReplicas', updated),
    ...positive('readyReplicas', ready),
    ...positive('availableReplicas', available),
    ...positive('unavailableReplicas', unavailable),
    terminatingReplicas: total(sets, (status) => status.terminatingReplicas),
    conditions: next,
    ...(collisions === undefined ? {} : { collisionCount: collisions }),
  }
}

function positive<Name extends string>(name: Name, value: number): { [N in Name]?: number } {
  return (value === 0 ? {} : { [name]: value }) as { [N in Name]?: number }
}

function hasProgressed(before: DeploymentStatus, after: DeploymentStatus): boolean {
  const old = (status: DeploymentStatus) => (status.replicas ?? 0) - (status.updatedReplicas ?? 0)
  return (
    (after.updatedReplicas ?? 0) > (before.updatedReplicas ?? 0) ||
    old(after) < old(before) ||
    (after.readyReplicas ?? 0) > (before.readyReplicas ?? 0) ||
    (after.availableReplicas ?? 0) > (before.availableReplicas ?? 0)
  )
}

const NO_DEADLINE = 2147483647

/** When the rollout counts as stuck, in milliseconds; undefined while it cannot. */
export function stuckAt(deployment: Deployment, conditions: readonly Condition[]): number | undefined {
  const progressing = conditionOf(conditions, 'Progressing')
  const deadline = deployment.spec.progressDeadlineSeconds ?? NO_DEADLINE
  if (progressing === undefined || deadline === NO_DEADLINE) return undefined
  if (progressing.reason === 'NewReplicaSetAvailable' || progressing.reason === 'ProgressDeadlineExceeded') {
    return undefined
  }
  return Date.parse(progressing.lastUpdateTime ?? '') + deadline * 1000
}

/** Counts, conditions of progress, and the failure of the sets. */
export function rolloutStatus(input: StatusInput): DeploymentStatus {
  const { deployment, newSet, now } = input
  const counted = countStatus(input)
  const known = input.conditions
  const before = deployment.status ?? {}
  const progressing = conditionOf(known, 'Progressing')
  const settled =
    (counted.replicas ?? 0) === (counted.updatedReplicas ?? 0) && progressing?.reason === 'NewReplicaSetAvailable'
  const named =
    newSet === undefined ? `Deployment "${deployment.metadata.name}"` : `ReplicaSet "${newSet.metadata.name}"`
  let conditions = counted.conditions ?? []
  if (!settled) {
    if (isComplete(deployment, counted)) {
      const text = `${named} has successfully progressed.`
      conditions = setCondition(conditions, 'Progressing', 'True', 'NewReplicaSetAvailable', text, now)
    } else if (hasProgressed(before, counted)) {
      const time = timeOf(now)
      const transition = progressing?.status === 'True' ? (progressing.lastTransitionTime ?? time) : time
      conditions = [
        ...conditions.filter(({ type }) => type !== 'Progressing'),
        {
          type: 'Progressing',
          status: 'True',
          lastUpdateTime: time,
          lastTransitionTime: transition,
          reason: 'ReplicaSetUpdated',
          message: `${named} is progressing.`,
        },
      ]
    } else {
      const stuck = stuckAt(deployment, conditions)
      if (stuck !== undefined && stuck < now.getTime()) {
        const text = `${named} has timed out progressing.`
        conditions = setCondition(conditions, 'Progressing', 'False', 'ProgressDeadlineExceeded', text, now)
      }
    }
  }
  return { ...counted, conditions: withFailure(conditions, input) }
}

function withFailure(conditions: readonly Condition[], { sets, newSet, now }: StatusInput): readonly Condition[] {
  const of = (set: ReplicaSet | undefined) => conditionOf(set?.status?.conditions, 'ReplicaFailure')
  const failure = of(newSet) ?? sets.map(of).find((condition) => condition !== undefined)
  if (failure === undefined) return conditions.filter(({ type }) => type !== 'ReplicaFailure')
  const { reason = '', message = '' } = failure
  return setCondition(conditions, 'ReplicaFailure', 'True', reason, message, now)
}

/** Tells that a Deployment is paused, or resumed after that. */
export function pauseConditions(
  deployment: Deployment,
  conditions: readonly Condition[],
  now: Date,
): readonly Condition[] {
  const { paused, progressDeadlineSeconds } = deployment.spec
  const reason = conditionOf(conditions, 'Progressing')?.reason
  if (progressDeadlineSeconds === undefined || reason === 'ProgressDeadlineExceeded') return conditions
  if (paused === true && reason !== 'DeploymentPaused') {
    return setCondition(conditions, 'Progressing', 'Unknown', 'DeploymentPaused', 'Deployment is paused', now)
  }
  if (paused !== true && reason === 'DeploymentPaused') {
    return setCondition(conditions, 'Progressing', 'Unknown', 'DeploymentResumed', 'Deployment is resumed', now)
  }
  return conditions
}
