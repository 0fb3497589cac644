import { type Backoff, backoffMs } from '../kube/backoff.ts'
import { KubeError } from '../kube/types.ts'
import type { Failure } from './plan-types.ts'

/** `attempts`: how often in a row. */
export type RetriedFailure = Failure & { readonly attempts: number }

/**
 * 4xx that say nothing about the request itself: unauthorized (a token expires), forbidden (a quota is full, a role is
 * missing, an API server has only just started: all of it changes without the pool), timeout, conflict, too many.
 */
const passing = new Set([401, 403, 408, 409, 425, 429])

/** The cluster refuses this for what it is: sending it again cannot help. */
export function isFinal(error: unknown): boolean {
  return error instanceof KubeError && error.code >= 400 && error.code < 500 && !passing.has(error.code)
}

/** Whether it was carried out is not known: no answer came, or the server failed on the way. */
export function isUnknown(error: unknown): boolean {
  return !(error instanceof KubeError) || error.code >= 500
}

/** Between tries of a step that fails. */
export const defaultRetry: Backoff = { baseMs: 500, maxMs: 60_000 }
/**
 * Tries of failing steps per second, over all pools, when they have been failing for a while. With the 60 s above it
 * begins to stretch the waits at 3,000 pools.
 */
const retriesPerSecond = 50
/** A server that asks for more is asked again after as much. */
const maxPauseMs = 60_000
/** A message is shown in the pool's `msg`. */
const maxMessage = 1_000

/**
 * What is remembered of a step that failed: the cluster's own words, and when to try again. Pure.
 *
 * @param attempts how often in a row it has failed before
 * @param random in [0, 1)
 * @param failing how many steps of all pools fail at present: together they must not ask too often
 */
export function toFailure(
  error: unknown,
  attempts: number,
  nowMs: number,
  random: number,
  retry: Backoff = defaultRetry,
  failing = 0,
): RetriedFailure {
  // Half of it is fixed: what the cluster refuses for what it is must not be sent again at once, and however the dice
  // fall, a step that keeps failing is tried at most twice per `maxMs`.
  const half = Math.max(backoffMs(retry, attempts, 1), (failing * 1000) / retriesPerSecond) / 2
  const waitMs = Math.max(half + half * random, pauseMsOf(error))
  return {
    code: error instanceof KubeError ? error.code : undefined,
    message: cleanText(error instanceof Error ? error.message : String(error)),
    isFinal: isFinal(error),
    retryAt: nowMs + waitMs,
    waitMs,
    attempts: attempts + 1,
  }
}

/** How long the server asked to be left alone, in milliseconds; 0 when it did not. */
export function pauseMsOf(error: unknown): number {
  return error instanceof KubeError ? Math.min(maxPauseMs, (error.retryAfterSeconds ?? 0) * 1000) : 0
}

/** What the database can store, and a reader can read: no NUL, no half characters, not without end. */
export function cleanText(text: string): string {
  return text.replaceAll('\0', '').toWellFormed().slice(0, maxMessage).toWellFormed()
}
