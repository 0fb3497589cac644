/** Lets one loop sleep until something happens. */
export type WakeUp = {
  wake(): void
  /** Resolves a moment after the next `wake`, after `atMostMs`, or when the signal aborts. */
  sleep(signal: AbortSignal, atMostMs: number): Promise<void>
}

/** @param gatherMs how long after a `wake` the loop sleeps on, so that a burst is one piece of work */
export function createWakeUp(gatherMs: number): WakeUp {
  let wake: (() => void) | undefined
  return {
    wake: () => wake?.(),
    sleep: (signal, atMostMs) =>
      new Promise((resolve) => {
        const done = () => {
          clearTimeout(timer)
          signal.removeEventListener('abort', done)
          wake = undefined
          resolve()
        }
        let timer = setTimeout(done, Math.min(atMostMs, 2 ** 31 - 1))
        signal.addEventListener('abort', done, { once: true })
        if (signal.aborted) done()
        else
          wake = () => {
            wake = undefined
            clearTimeout(timer)
            timer = setTimeout(done, gatherMs)
          }
      }),
  }
}
