import type { Autoscaling } from './autoscaling.ts'

/**
 * What a pool is, and the few rules that everybody needs. Pure.
 *
 * Sizes are pods, times are seconds. Empty text means "not given", `null` an object that was not given.
 */

/** Text by text; `null` in Pool and PoolSpec: not given. */
export type TextMap = Readonly<Record<string, string>>

/** Everything that a client declares about a pool: the members of the API's PoolInfo but `id`. */
export type PoolSpec = {
  /** `default` when not given; also a label key and value on the pods. */
  readonly group: string
  /** Pods of a fixed pool, fewest pods of a scalable one. */
  readonly size: number
  /** Equal to `size` in a fixed pool. */
  readonly maxSize: number
  readonly reuse: boolean
  /** Image of the container `runtime-manager`; empty: the template's. */
  readonly image: string
  /** Image of the init container `function-agent-init`; empty: the template's. */
  readonly initImage: string
  readonly labels: TextMap | null
  readonly environment: TextMap | null
  readonly resources: PoolResources
  readonly nodeSelector: TextMap | null
  /** JSON array as text, as sent; so are the four below. */
  readonly volumes: string
  readonly volumeMounts: string
  /** JSON object as text. */
  readonly affinities: string
  readonly tolerations: string
  readonly topologySpreadConstraints: string
  /** JSON object as text: an autoscaling/v2 spec without `scaleTargetRef`. */
  readonly horizontalPodAutoscalerSpec: string
  readonly runtimeClassName: string
  /** Seconds; 0: the default, see `pendingThresholdSeconds`. */
  readonly podPendingDurationThreshold: number
  /** Seconds; -1: never recycled, 0: not configured. */
  readonly idleRecycleTime: { readonly reserved: number; readonly scaled: number }
  /** null: not given. Without effect on a fixed pool. */
  readonly autoscaling: Autoscaling | null
}

export type PoolResources = { readonly requests: TextMap; readonly limits: TextMap }

/** Pool API reference 1.7. */
export const poolStatus = {
  new: 0,
  creating: 1,
  update: 2,
  updating: 3,
  running: 4,
  failed: 5,
  /** Terminal: a pool in it can only be removed. */
  deleted: 6,
} as const
export type PoolStatus = (typeof poolStatus)[keyof typeof poolStatus]

export type Pool = {
  /** The row's uuid; objects on Kubernetes carry it. A pool made anew under an old id has another. */
  readonly uid: string
  /** The id of the API. */
  readonly id: string
  /** Grows with each pool made: the order of lists, and the pool's number in the event log and in history. */
  readonly seq: number
  readonly spec: PoolSpec
  /** Hands out nothing new, and gives up its idle pods; what is held stays until it is released. */
  readonly draining: boolean
  /** `maxSize > size` when the pool was made; never changes. */
  readonly scalable: boolean
  readonly status: PoolStatus
  /** The original's word for where the pool stands (`Running`); empty before the controller saw the pool. */
  readonly word: string
  /** What Podyard adds to the word, in order. */
  readonly notes: readonly string[]
  /** Ready pods that the pool still owns. */
  readonly readyCount: number
  /** What the controller remembers about the pool, in a form of its own. */
  readonly observed: Readonly<Record<string, unknown>>
  /** Grows with each write; writes name the version that they change. */
  readonly version: number
  readonly createdAt: Date
  readonly updatedAt: Date
}

/** The text of `msg`: the original's word alone when there is nothing to add, else `; ` and each note after it. */
export function statusMessage(word: string, notes: readonly string[]): string {
  return [word, ...notes].filter((part) => part !== '').join('; ')
}

/** Whether its pods may be had: it is neither drained, nor failed, nor on its way out. */
export function handsOut(pool: Pick<Pool, 'status' | 'draining'>): boolean {
  return !pool.draining && pool.status !== poolStatus.failed && pool.status !== poolStatus.deleted
}

/** Seconds that a pod may be pending before the pool says so. */
export function pendingThresholdSeconds(spec: Pick<PoolSpec, 'podPendingDurationThreshold'>): number {
  return spec.podPendingDurationThreshold > 0 ? spec.podPendingDurationThreshold : 120
}

/** One line of a pool's story, as somebody writes it. `Warning`: an operator may have to act. */
export type PoolEventDraft = {
  readonly type: 'Normal' | 'Warning'
  /** One word in CamelCase, such as `DeploymentCreated`. */
  readonly reason: string
  readonly message: string
}

/** One line of a pool's story, as stored. Repeats of the newest line are counted in it. */
export type PoolEvent = PoolEventDraft & {
  readonly seq: number
  readonly poolUid: string
  readonly poolId: string
  readonly at: Date
  readonly lastAt: Date
  readonly count: number
}
