import type { Pool, PoolEventDraft, PoolStatus } from './pool.ts'

/** What `planPool` is told, and what it answers. Times are milliseconds since the epoch. */

/** A pod of the pool, as far as the plan cares. */
export type PodView = {
  readonly uid: string
  readonly name: string
  /** Its controller; empty without one. */
  readonly ownerKind: string
  readonly ownerUid: string
  readonly createdAt: number
  /** Ready condition true, phase Running, not being deleted. */
  readonly isReady: boolean
  /** Since when it has been seen ready without a break; undefined: from before anybody looked. */
  readonly readySince?: number | undefined
  /** As far as it was watched. */
  readonly hasBeenReady?: boolean
  readonly isDeleting: boolean
  /** Phase Pending. */
  readonly isPending?: boolean
  /** In one word why it cannot be of use as it is: phase Failed or Unknown, or what its containers wait for. */
  readonly failing?: string | undefined
  /** Made by a request's scale-up step beyond what the pool keeps: its idle time alone decides when it goes. */
  readonly isOnDemand?: boolean
  /** Phase Failed or Succeeded: it will never be ready again. */
  readonly isFinished: boolean
  /** Runs an instance, as far as is known: whoever takes pods away asks the tables. */
  readonly isBusy: boolean
  /** Left its Deployment for an exclusive instance. */
  readonly isDetached?: boolean
  /** Retired, but nobody has told the cluster yet; `isDeleting` is true as well. */
  readonly isRetired?: boolean
  /** How its ReplicaSet ranks it as a victim. */
  readonly deletionCost?: number
  /** Why it does not start, in the cluster's words. */
  readonly trouble: string | undefined
}

export type DeploymentView = {
  readonly uid: string
  /** Carries this pool's uid. */
  readonly isOurs: boolean
  /** Made by this process: the story tells it already. */
  readonly isMadeHere: boolean
  readonly isDeleting: boolean
  readonly replicas: number
  /** Fields of ours that somebody changed. */
  readonly drift: readonly string[]
  /** Why its pods cannot be made, in the cluster's words. */
  readonly trouble: string | undefined
}

export type HpaView = {
  readonly isOurs: boolean
  readonly isDeleting: boolean
  /** Fields that differ from what the pool wants, edited or updated. */
  readonly drift: readonly string[]
}

/** The last try of a step failed. */
export type Failure = {
  /** HTTP status of the cluster's answer; undefined when there was none. */
  readonly code: number | undefined
  /** The cluster's own words. */
  readonly message: string
  /** Trying the same again cannot help. */
  readonly isFinal: boolean
  /** When to try again. */
  readonly retryAt: number
  /** How long that was to wait, in milliseconds. */
  readonly waitMs?: number
}

/**
 * The steps whose failures are remembered until they succeed or the pool is changed. Two are none of the cluster's
 * refusals: `start`, pods that end before they were of use; `restore`, what somebody changes back again and again.
 */
export type Step = 'hpa' | 'deployment' | 'pods' | 'delete' | 'start' | 'restore'

export type PoolObserved = {
  /** The object of the pool's name, whoever made it. */
  readonly deployment: DeploymentView | undefined
  readonly hpa: HpaView | undefined
  /** What the pool's text asks for. */
  readonly hpaWanted: { readonly kind: 'none' | 'wanted' } | { readonly kind: 'invalid'; readonly reason: string }
  /**
   * Pods whose controller is the pool's Deployment, or a ReplicaSet of it; those of a scalable pool also while an instance
   * has them to itself.
   */
  readonly pods: readonly PodView[]
  /** Pods of a fixed pool that instances have to themselves: none of its size. */
  readonly detached?: number
  /** Pods that Podyard made for this pool and whose Deployment is gone. */
  readonly strays: readonly PodView[]
  /** Pods that are being created and are not in `pods` yet, those with an unknown outcome included. */
  readonly creating: number
  /** How many more creations may be begun now. */
  readonly mayCreate: number
  /** Scale-up steps that requests in line want. */
  readonly steps?: number
  /** Requests in line. */
  readonly waiting?: number
  /** Pods that only shared instances can have, with none on them, while requests wait. */
  readonly idleShared?: number
  /** Steps that were taken and whose pods are not made yet. */
  readonly owed?: number
  /** Nobody can get a pod any more, and what exclusive instances have survives the Deployment. False: that is to be made so. */
  readonly isClosed?: boolean
  /** Pods that autoscaling wants, in use or idle; undefined: nothing beyond the pool's size. */
  readonly wanted?: number | undefined
  /** Pods that are kept without being wanted any more, to be taken away now. */
  readonly surplus?: number
  /** What of the pool's declaration has no effect, and why. */
  readonly fieldNotes: readonly string[]
  readonly failures: Readonly<Partial<Record<Step, Failure>>>
}

/** What the controller remembers in the pool's row. */
export type PoolMemory = {
  /** The Deployment that was made for the pool, while it exists. */
  readonly deploymentUid?: string
  /** Since when fewer pods are ready than there should be (ISO 8601). */
  readonly belowSince?: string
  /** That lasts longer than the pool's threshold, and was said. */
  readonly isDegraded?: boolean
}

export type PoolDesired = Pick<
  Pool,
  'id' | 'uid' | 'spec' | 'scalable' | 'draining' | 'status' | 'word' | 'notes' | 'readyCount' | 'observed'
>

/** What is to be written to the pool's row; members that stay are left out. */
export type StatusWrite = {
  readonly status?: PoolStatus
  readonly word?: string
  readonly notes?: readonly string[]
  readonly readyCount?: number
  readonly observed?: PoolMemory
  readonly events?: readonly PoolEventDraft[]
}

export type DeleteReason =
  | 'above max_size'
  | 'not wanted'
  | 'never ready'
  | 'drained'
  | 'finished'
  | 'deployment is gone'

export type PoolAction =
  | { readonly kind: 'create-hpa' }
  | { readonly kind: 'patch-hpa'; readonly fields: readonly string[] }
  | { readonly kind: 'delete-hpa' }
  | { readonly kind: 'create-deployment' }
  /** Restores what somebody edited. */
  | { readonly kind: 'restore-deployment'; readonly fields: readonly string[] }
  /**
   * Retires the victims (those that are held stay, and replicas with them), ranks them and those that are leaving already
   * as the first to go and what is held as the last, then sets replicas.
   */
  | {
      readonly kind: 'scale-deployment'
      readonly from: number
      readonly to: number
      readonly victims: readonly PodView[]
      readonly leaving: readonly PodView[]
    }
  | { readonly kind: 'delete-deployment' }
  | { readonly kind: 'create-pods'; readonly count: number; readonly isReserved: boolean }
  /** Takes steps that requests want, for good. */
  | { readonly kind: 'take-steps'; readonly limit: number }
  /** Retires pods that only shared instances can have and that nobody is on: fresh ones take their places. */
  | { readonly kind: 'make-room'; readonly limit: number }
  /** Nobody gets a pod any more; what exclusive instances have leaves the Deployment. */
  | { readonly kind: 'close-pool' }
  /** Retires those that nobody holds, and deletes them. */
  | { readonly kind: 'delete-pods'; readonly pods: readonly PodView[]; readonly reason: DeleteReason }
  | { readonly kind: 'write-status'; readonly write: StatusWrite }
  | { readonly kind: 'remove-pool' }
  | { readonly kind: 'wait-until'; readonly time: number }
