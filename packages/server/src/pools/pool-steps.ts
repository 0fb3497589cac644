import type { V1Deployment, V2HorizontalPodAutoscaler } from '@kubernetes/client-node'
import type { Backoff } from '../kube/backoff.ts'
import type { KubeClient } from '../kube/types.ts'
import { toFailure } from './cluster-failure.ts'
import type { Limiter } from './limiter.ts'
import type { Step } from './plan-types.ts'
import type { PodIndex } from './pod-index.ts'
import type { PoolEntry } from './pool-entry.ts'
import type { PoolMetrics } from './pool-metrics.ts'

export type PoolStepsOptions = {
  readonly kube: KubeClient
  readonly namespace: string
  readonly index: PodIndex
  /** Bounds the writes to the cluster, over all pools. */
  readonly limit: Limiter
  readonly metrics: PoolMetrics
  /** Between tries of a step that fails. */
  readonly retry: Backoff
  /** How many steps of all pools fail at present. */
  readonly failing: () => number
  readonly now: () => number
  readonly random: () => number
  /** Ends the calls, a moment after the controller was told to stop. */
  readonly signal: AbortSignal
  /** The pool's Deployment as it is known now. */
  readonly deploymentOf: (entry: PoolEntry) => V1Deployment | undefined
  readonly hpaOf: (entry: PoolEntry) => V2HorizontalPodAutoscaler | undefined
  /** Something happened in the background: look at the pool again. */
  readonly wake: (poolUid: string) => void
}

/** What every write to the cluster shares: its bound, its deadline, and what becomes of a failure. */
export type PoolSteps = PoolStepsOptions & {
  readonly callOptions: { readonly signal: AbortSignal; readonly timeoutMs: number }
  /** Remembers a failure; the next plan says what follows from it. */
  failed(entry: Failing, step: Step, error: unknown): void
  /** Pods of a scalable pool that ended before they were of use: the next ones wait, longer each time. */
  lost(entry: Failing, why: string): void
  /** Somebody's edit was taken back: the next one is left longer. */
  restored(entry: Failing, what: string): void
  /** False when it failed, which is remembered then; what the step failed with before is forgotten otherwise. */
  attempt(entry: Failing, step: Step, work: () => Promise<unknown>): Promise<boolean>
}

/** What failures are remembered in: a pool's entry, or what stands for one. */
export type Failing = Pick<PoolEntry, 'failures'>

const callTimeoutMs = 15_000

export function createPoolSteps(options: PoolStepsOptions): PoolSteps {
  const { signal, now } = options

  function failed(entry: Failing, step: Step, error: unknown): void {
    if (signal.aborted) return
    options.metrics.refusals.inc({ step })
    remember(entry, step, error)
  }

  function remember(entry: Failing, step: Step, error: unknown): void {
    const known = entry.failures.get(step)
    // What was sent together and is refused together counts as one failure.
    const attempts = known === undefined ? 0 : known.retryAt > now() ? known.attempts - 1 : known.attempts
    entry.failures.set(step, toFailure(error, attempts, now(), options.random(), options.retry, options.failing()))
  }

  return {
    ...options,
    lost(entry, why) {
      options.metrics.lost.inc()
      remember(entry, 'start', new Error(why))
    },
    restored(entry, what) {
      const { attempts = 0 } = entry.failures.get('restore') ?? {}
      remember(entry, 'restore', new Error(attempts < 3 ? '' : `somebody changes ${what} again and again`))
    },
    callOptions: { signal, timeoutMs: callTimeoutMs },
    failed,
    async attempt(entry, step, work) {
      try {
        await options.limit(work)
        entry.failures.delete(step)
        return true
      } catch (error) {
        failed(entry, step, error)
        return false
      }
    },
  }
}
