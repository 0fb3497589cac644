/**
 * What the controller of pools tells and asks about who may have which pod. The tables behind it are those of instances;
 * `instances/pod-holds.ts` implements this, so that pools need not know instances.
 *
 * Presence in the table `ready` is eligibility: a claim takes the row away, and so does whoever wants a pod gone. A pod
 * that was taken away by a release or as a victim is *retired*, by uid, and is never handed out again.
 *
 * All but `close` is the controller's alone: fenced by its lease (LeaseLost), and one call at a time.
 */
export type PodHolds = {
  /** What became of many pods, each named at most once. Those that are retired or held stay out whatever is told. */
  tell(states: readonly PodState[]): Promise<void>
  /** At most `limit` pods with a uid above `after`, in the order of uids: all that any table knows and that are not known to be gone. */
  known(after: string, limit: number): Promise<readonly KnownPod[]>
  /**
   * Retires those of these pods of one pool that nobody holds, so that no claim can have them. The others are held, or are
   * being claimed at this moment.
   */
  retire(
    poolId: number,
    pods: readonly PodName[],
    reason: RetiredReason,
  ): Promise<{ readonly retired: readonly string[]; readonly held: readonly string[] }>
  /**
   * Lets nobody have or share a pod any more of those of these pools that are drained or being deleted: those that are
   * ready or idle are retired. Any replica may call it.
   */
  close(poolIds: readonly number[], reason: RetiredReason): Promise<void>
  /** The pods of a pool that run an instance now, one entry per instance. */
  heldIn(poolId: number): Promise<readonly HeldPod[]>
  /** Retires at most `limit` pods that have been idle for too long; `nextMs`: until the next one is due, undefined when none is. */
  recycle(limit: number): Promise<{ readonly retired: number; readonly nextMs: number | undefined }>
  /** Pods that are retired and not seen gone, with a number above `after`, in order. */
  retiredAfter(after: number, limit: number): Promise<readonly RetiredPod[]>
  /** Forgets retired pods that have been gone for so many seconds. */
  forgetRetired(olderThanSeconds: number): Promise<void>
  /**
   * Retires at most `limit` pods of a pool that were shared, have nobody on them and are not kept for a tenant: they serve no
   * exclusive instance any more, and a fresh pod does. How many there were.
   */
  makeRoom(poolId: number, limit: number): Promise<number>
  /** The requests in each pool's line, by pool. */
  waiting(): Promise<ReadonlyMap<number, Waiting>>
  /** Takes at most `limit` of a pool's wanted steps, for good; how many there were. */
  takeSteps(poolId: number, limit: number): Promise<number>
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
  /** Bears the marks of an instance: only one that is shared can be had. */
  readonly isMarked: boolean
}

export type PodState =
  /** Ready, on a node that takes pods, of a pool that hands out. */
  | { readonly kind: 'ready'; readonly pod: ReadyPod }
  /** May not be handed out now. */
  | { readonly kind: 'unready'; readonly uid: string }
  /** Its containers ended for good: what ran on it is lost, and the pod is retired if anything did. */
  | { readonly kind: 'ended'; readonly uid: string }
  /** Is not there any more: what ran on it is lost. */
  | { readonly kind: 'gone'; readonly uid: string }

export type KnownPod = PodName & {
  readonly poolId: number
  /** `ready`: may be had; `shared`: has been shared, may take more if `isEligible`; `held`: runs an exclusive instance. */
  readonly as: 'ready' | 'shared' | 'held' | 'retired'
  readonly isEligible: boolean
}

export type Waiting = {
  readonly requests: number
  /** Those of them that still want a scale-up step. */
  readonly steps: number
  /** Pods that `makeRoom` could take. */
  readonly idleShared: number
}

export type HeldPod = PodName & { readonly instanceId: string; readonly isExclusive: boolean }

export type RetiredPod = PodName & {
  /** Its place in the order of retirements. */
  readonly no: number
  readonly poolId: number
  readonly reason: string
}

/**
 * Why the controller retires a pod; releases have reasons of their own. `room`: see `makeRoom`; `ownerless`: its Deployment is gone; `orphaned`: it
 * bears the marks of an instance that nobody knows.
 */
export type RetiredReason =
  | 'shrunk'
  | 'unwanted'
  | 'room'
  | 'stuck'
  | 'drained'
  | 'deleted'
  | 'finished'
  | 'ownerless'
  | 'orphaned'
