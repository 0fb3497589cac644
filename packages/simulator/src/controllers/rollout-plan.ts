import type { DeploymentSpec } from '../validation/kube-types.ts'

/** How a Deployment divides its replicas over its ReplicaSets. Pure; after the deployment controller's rolling.go. */

/** One ReplicaSet as planning sees it. */
export type PlannedSet = {
  readonly name: string
  readonly replicas: number
  readonly available: number
  /** Milliseconds. */
  readonly created: number
  /** What the annotations say the Deployment wanted when the set was last scaled. */
  readonly desiredThen?: number
  readonly maxThen?: number
}

export type RolloutState = {
  readonly replicas: number
  readonly strategy: DeploymentSpec['strategy']
  readonly newSet: PlannedSet | undefined
  readonly oldSets: readonly PlannedSet[]
  /** Replicas in the Deployment's status, when a set's annotation is lost. */
  readonly statusReplicas: number
}

export type Scaling = { readonly name: string; readonly replicas: number }

function scaled(value: number | string | undefined, total: number, up: boolean): number {
  if (value === undefined) return 0
  if (typeof value === 'number') return value
  const share = (Number.parseInt(value, 10) * total) / 100
  return up ? Math.ceil(share) : Math.floor(share)
}

/** Pods over and below the wanted number that a rolling update may have; never both zero. */
export function rollingBounds(
  strategy: DeploymentSpec['strategy'],
  replicas: number,
): { readonly maxSurge: number; readonly maxUnavailable: number } {
  if (strategy?.type !== 'RollingUpdate') return { maxSurge: 0, maxUnavailable: 0 }
  const maxSurge = scaled(strategy.rollingUpdate?.maxSurge, replicas, true)
  const unavailable = scaled(strategy.rollingUpdate?.maxUnavailable, replicas, false)
  const maxUnavailable = maxSurge === 0 && unavailable === 0 ? 1 : unavailable
  return { maxSurge, maxUnavailable: Math.min(maxUnavailable, replicas) }
}

const sum = (sets: readonly PlannedSet[], member: 'replicas' | 'available') =>
  sets.reduce((total, set) => total + set[member], 0)

/** The size that a new ReplicaSet may have now. */
export function newSetReplicas(state: RolloutState, current: number): number {
  if (state.strategy?.type !== 'RollingUpdate') return state.replicas
  const { maxSurge } = rollingBounds(state.strategy, state.replicas)
  const total = sum(state.oldSets, 'replicas') + current
  const most = state.replicas + maxSurge
  if (total >= most) return current
  return current + Math.min(most - total, state.replicas - current)
}

const active = (sets: readonly PlannedSet[]) => sets.filter((set) => set.replicas > 0)
const oldestFirst = (sets: readonly PlannedSet[]) =>
  sets.toSorted((a, b) => a.created - b.created || (a.name < b.name ? -1 : 1))

/** The next steps of a rolling update: up first, and only when that is done down. Empty when nothing is to do now. */
export function planRolling(state: RolloutState): readonly Scaling[] {
  const { newSet, replicas } = state
  if (newSet === undefined) return []
  if (newSet.replicas !== replicas) {
    const size = newSet.replicas > replicas ? replicas : newSetReplicas(state, newSet.replicas)
    if (size !== newSet.replicas) return [{ name: newSet.name, replicas: size }]
  }
  return planOldDown(state, newSet)
}

function planOldDown(state: RolloutState, newSet: PlannedSet): readonly Scaling[] {
  const old = active(state.oldSets)
  if (old.length === 0) return []
  const { maxUnavailable } = rollingBounds(state.strategy, state.replicas)
  const minAvailable = state.replicas - maxUnavailable
  const total = sum(old, 'replicas') + newSet.replicas
  const mostDown = total - minAvailable - (newSet.replicas - newSet.available)
  if (mostDown <= 0) return []
  const sizes = new Map(old.map((set) => [set.name, set.replicas]))
  let unhealthy = 0
  for (const set of oldestFirst(old)) {
    if (unhealthy >= mostDown) break
    const down = Math.min(mostDown - unhealthy, set.replicas - set.available)
    if (down <= 0) continue
    sizes.set(set.name, set.replicas - down)
    unhealthy += down
  }
  let spare = sum(old, 'available') + newSet.available - minAvailable
  for (const set of oldestFirst(old)) {
    if (spare <= 0) break
    const size = sizes.get(set.name) ?? 0
    const down = Math.min(size, spare)
    sizes.set(set.name, size - down)
    spare -= down
  }
  return old.flatMap(({ name, replicas }) => {
    const size = sizes.get(name) ?? replicas
    return size === replicas ? [] : [{ name, replicas: size }]
  })
}

/** Whether the Deployment was scaled since its sets were: then sets are resized before any rollout goes on. */
export function isScaling(state: RolloutState): boolean {
  const sets = active([...state.oldSets, ...(state.newSet === undefined ? [] : [state.newSet])])
  return sets.some((set) => set.desiredThen !== undefined && set.desiredThen !== state.replicas)
}

/** Resizes the sets to a changed number of replicas: one set takes all, several take their share. */
export function planScaling(state: RolloutState): readonly Scaling[] {
  const { newSet, replicas } = state
  const all = newSet === undefined ? state.oldSets : [...state.oldSets, newSet]
  const running = active(all)
  if (running.length <= 1) {
    const only = running[0] ?? newSet ?? oldestFirst(all).at(-1)
    return only === undefined || only.replicas === replicas ? [] : [{ name: only.name, replicas }]
  }
  const saturated =
    newSet !== undefined &&
    newSet.replicas === replicas &&
    newSet.desiredThen === replicas &&
    newSet.available === replicas
  if (saturated) return active(state.oldSets).map(({ name }) => ({ name, replicas: 0 }))
  return state.strategy?.type === 'RollingUpdate' ? planShares(state, running) : []
}

function planShares(state: RolloutState, running: readonly PlannedSet[]): readonly Scaling[] {
  const { maxSurge } = rollingBounds(state.strategy, state.replicas)
  const allowed = state.replicas > 0 ? state.replicas + maxSurge : 0
  const toAdd = allowed - sum(running, 'replicas')
  const bySize = running.toSorted(
    (a, b) => b.replicas - a.replicas || (toAdd > 0 ? b.created - a.created : a.created - b.created),
  )
  let added = 0
  const sizes = bySize.map((set) => {
    if (toAdd === 0) return { name: set.name, replicas: set.replicas }
    const share = shareOf(set, state, allowed)
    const rest = toAdd - added
    const proportion = toAdd > 0 ? Math.min(share, rest) : Math.max(share, rest)
    added += proportion
    return { name: set.name, replicas: set.replicas + proportion }
  })
  // What rounding left goes to the largest.
  return sizes.map((size, index) =>
    index === 0 ? { name: size.name, replicas: Math.max(0, size.replicas + toAdd - added) } : size,
  )
}

function shareOf(set: PlannedSet, state: RolloutState, allowed: number): number {
  if (state.replicas === 0) return -set.replicas
  const before = set.maxThen === undefined || set.maxThen === 0 ? state.statusReplicas : set.maxThen
  if (before === 0) return 0
  return Math.round((set.replicas * allowed) / before) - set.replicas
}
