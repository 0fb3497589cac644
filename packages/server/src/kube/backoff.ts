/** How long to wait before the next try. */
export type Backoff = { readonly baseMs: number; readonly maxMs: number }

/**
 * Exponential backoff with full jitter: anything between 0 and `min(maxMs, baseMs * 2^attempt)`. Full jitter spreads
 * many clients that lost the same server over the whole span, where "half fixed, half random" keeps them in waves.
 *
 * @param attempt 0 for the first wait after a success
 * @param random a number in [0, 1)
 * @returns milliseconds
 */
export function backoffMs(backoff: Backoff, attempt: number, random: number): number {
  // 2^30 is beyond every sensible maxMs; without the bound a large attempt gives Infinity * 0 = NaN.
  const ceiling = Math.min(backoff.maxMs, backoff.baseMs * 2 ** Math.min(attempt, 30))
  return random * ceiling
}
