/**
 * What the controller of pools tells and asks about who may have which pod. The tables behind it are those of instances;
 * `instances/pod-holds-store.ts` implements this, so that pools need not know instances.
 *
 * Presence in the table `ready` is eligibility: a claim takes the row away, and so does whoever wants a pod gone. A pod
 * that was taken away by a release or as a victim is *retired*, by uid, and is never handed out again.
 */
export type PodHolds = {
  /** Many pods in one transaction, each at most once. Those that are retired or held stay out whatever is told. */
  tell(states: readonly PodState[]): Promise<void>
  /** Every pod that any of the tables knows and that is not known to be gone; one consistent view. */
  known(): Promise<readonly KnownPod[]>
  /**
   * Picks victims among these pods of one pool, in order, at most `count`: of those that nobody holds. They are retired,
   * so no claim can have them; those that are held are named.
   */
  retire(order: {
    readonly poolId: number
    readonly pods: readonly PodName[]
    readonly count: number
    readonly reason: RetiredReason
  }): Promise<{ readonly retired: readonly string[]; readonly held: readonly string[] }>
  /** Retires every idle pod of these pools that is ready, and lets nobody share the others any more. Not fenced: any replica may. */
  close(poolIds: readonly number[], reason: RetiredReason): Promise<void>
  /** The pods of a pool that run an instance now. */
  heldIn(poolId: number): Promise<readonly HeldPod[]>
  /** Retires what has been idle for too long; `nextMs` until the next one may be due, undefined when none is in sight. */
  recycle(limit: number): Promise<{ readonly retired: number; readonly nextMs: number | undefined }>
  /** The pods that are retired and not seen gone, longest first. */
  retired(): Promise<readonly RetiredPod[]>
  /** How many requests in each pool's line still want a scale-up step, by pool. */
  stepsWanted(): Promise<ReadonlyMap<number, number>>
  /** Takes at most `limit` of a pool's wanted steps, for good; how many were there, and how many requests wait in its line. */
  takeSteps(poolId: number, limit: number): Promise<{ readonly taken: number; readonly waiting: number }>
  /** Live instances with a number above `after` that are older than `seconds`, in order: those whose pod should bear its mark by now. */
  instancesAfter(after: number, seconds: number, limit: number): Promise<readonly HeldPod[]>
}

export type PodName = { readonly uid: string; readonly name: string; readonly namespace: string }

/** A pod as it can be handed out. */
export type ReadyPod = PodName & {
  /** The pool's number (`Pool.seq`). */
  readonly poolId: number
  readonly ip: string
  readonly node: string
  readonly hostIp: string
  /** What it has for shared instances: the requests of its runtime container. */
  readonly cpuMillis: number
  readonly memoryBytes: number
  /** After how many seconds without an instance it is recycled; -1: never, null: not configured (pool API reference 5.3). */
  readonly idleSeconds: number | null
}

export type PodState =
  /** Ready, on a node that takes pods, of a pool that hands out. */
  | { readonly kind: 'ready'; readonly pod: ReadyPod }
  /** May not be handed out now. */
  | { readonly kind: 'unready'; readonly uid: string }
  /** Ended, or is not there any more: what ran on it is lost. */
  | { readonly kind: 'gone'; readonly uid: string }

export type KnownPod = PodName & {
  readonly poolId: number
  /** `ready`: may be had; `shared`: has been shared, may take more if `isEligible`; `held`: runs an exclusive instance. */
  readonly as: 'ready' | 'shared' | 'held' | 'retired'
  readonly isEligible: boolean
}

export type HeldPod = PodName & {
  readonly instanceId: string
  /** The instance's number, see `instancesAfter`. */
  readonly no: number
  readonly poolId: number
  readonly isExclusive: boolean
  readonly labels: Readonly<Record<string, string>> | null
}

export type RetiredPod = PodName & { readonly poolId: number; readonly reason: string }

/** Why a pod was retired by the controller; releases have reasons of their own. */
export type RetiredReason = 'recycled' | 'shrunk' | 'drained' | 'deleted' | 'lost' | 'orphaned'
