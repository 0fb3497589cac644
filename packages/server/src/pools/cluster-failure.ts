import { type Backoff, backoffMs } from '../kube/backoff.ts'
import { KubeError } from '../kube/types.ts'
import type { Failure } from './plan-types.ts'

/** 4xx that say nothing about the request itself: unauthorized (a token expires), timeout, conflict, too many. */
const passing = new Set([401, 408, 409, 425, 429])

/** The cluster refuses this for what it is: sending it again cannot help. */
export function isFinal(error: unknown): boolean {
  return error instanceof KubeError && error.code >= 400 && error.code < 500 && !passing.has(error.code)
}

/** Whether it was carried out is not known: no answer came, or the server failed on the way. */
export function isUnknown(error: unknown): boolean {
  return !(error instanceof KubeError) || error.code >= 500
}

const backoff: Backoff = { baseMs: 500, maxMs: 60_000 }
/** A message is shown in the pool's `msg`. */
const maxMessage = 1_000

/**
 * What is remembered of a step that failed: the cluster's own words, and when to try again. Pure.
 *
 * @param attempts how often in a row it has failed before
 * @param random in [0, 1)
 */
export function toFailure(
  error: unknown,
  attempts: number,
  nowMs: number,
  random: number,
): Failure & { readonly attempts: number } {
  const askedMs = error instanceof KubeError ? (error.retryAfterSeconds ?? 0) * 1000 : 0
  // Half of it is fixed: what the cluster refuses for what it is must not be sent again at once.
  const waitMs = backoff.baseMs / 2 + backoffMs(backoff, attempts, random)
  return {
    code: error instanceof KubeError ? error.code : undefined,
    message: cleanText(error instanceof Error ? error.message : String(error)),
    isFinal: isFinal(error),
    retryAt: nowMs + Math.max(waitMs, askedMs),
    attempts: attempts + 1,
  }
}

/** What the database can store, and a reader can read: no NUL, no half characters, not without end. */
export function cleanText(text: string): string {
  return text.replaceAll('\0', '').toWellFormed().slice(0, maxMessage).toWellFormed()
}
