import type { Backoff } from '../kube/backoff.ts'
import { defaultRetry } from './cluster-failure.ts'

export type PoolClock = {
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** In [0, 1). */
  readonly random: () => number
}

export type PoolControllerTuning = {
  /** Writes to the Kubernetes API at the same time. */
  readonly maxWrites: number
  /** Pools worked on at the same time. */
  readonly concurrency: number
  /** Milliseconds between two looks at one pool: a burst of events is one look. */
  readonly restMs: number
  /**
   * The same where nothing was told but how the pods of a fixed pool fare: its Deployment makes them, and all that is left
   * to do is to count them.
   */
  readonly fixedRestMs: number
  /** Milliseconds between two looks at everything. */
  readonly resyncMs: number
  /** What was written to the cluster and has not shown up in a reflector for so many milliseconds is given up. */
  readonly phantomMs: number
  /** Between tries of a step that the cluster refuses. */
  readonly retry: Backoff
  /** Milliseconds that calls which are under way get when the controller has to stop. */
  readonly stopGraceMs: number
}

export const defaultTuning: PoolControllerTuning = {
  maxWrites: 16,
  concurrency: 64,
  restMs: 15,
  fixedRestMs: 100,
  resyncMs: 30_000,
  phantomMs: 30_000,
  retry: defaultRetry,
  stopGraceMs: 1_000,
}
