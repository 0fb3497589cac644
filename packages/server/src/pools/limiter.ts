import { setTimeout as delay } from 'node:timers/promises'

/** Runs at most so many at the same time; the others wait in order. */
export type Limiter = <T>(work: () => Promise<T>) => Promise<T>

/**
 * @param pauseAfter milliseconds for which nobody begins anything after this failure: who is asked to come later asks for
 *   everybody. What has begun goes on.
 * @param signal ends a pause
 */
export function createLimiter(
  limit: number,
  pauseAfter: (error: unknown) => number = () => 0,
  signal?: AbortSignal,
): Limiter {
  const waiting: (() => void)[] = []
  let running = 0
  let resumeAt = 0
  return async (work) => {
    if (running >= limit) await new Promise<void>((resolve) => waiting.push(resolve))
    else running += 1
    try {
      // Another failure may put it off meanwhile.
      while (resumeAt > performance.now() && signal?.aborted !== true) await rest(resumeAt - performance.now(), signal)
      return await work()
    } catch (error) {
      resumeAt = Math.max(resumeAt, performance.now() + pauseAfter(error))
      throw error
    } finally {
      // The place goes to the next one without becoming free in between.
      const next = waiting.shift()
      if (next === undefined) running -= 1
      else next()
    }
  }
}

async function rest(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await delay(Math.max(1, ms), undefined, signal === undefined ? {} : { signal }).catch(() => {})
}
