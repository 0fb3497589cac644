import { setTimeout as delay } from 'node:timers/promises'

/** The time that one call has, whatever happens inside it. */
export type Deadline = {
  /** Aborts at the deadline, and when the caller's own signal does (with its reason). */
  readonly signal: AbortSignal
  readonly timedOut: boolean
  remainingMs(): number
  /** Waits; rejects with the signal's reason when it aborts meanwhile. */
  sleep(ms: number): Promise<void>
}

/**
 * Runs `work` with a deadline. Leaves nothing behind on the caller's signal, which may live as long as the process
 * (AbortSignal.any would keep a reference per call until its next collection).
 */
export async function withDeadline<T>(
  timeoutMs: number,
  callersSignal: AbortSignal | undefined,
  work: (deadline: Deadline) => Promise<T>,
): Promise<T> {
  callersSignal?.throwIfAborted()
  const controller = new AbortController()
  const endsAtMs = performance.now() + timeoutMs
  let timedOut = false
  const timer = setTimeout(() => {
    timedOut = true
    controller.abort(new Error(`no answer within ${timeoutMs} ms`))
  }, timeoutMs)
  const forward = () => controller.abort(callersSignal?.reason)
  callersSignal?.addEventListener('abort', forward, { once: true })
  try {
    return await work({
      signal: controller.signal,
      get timedOut() {
        return timedOut
      },
      remainingMs: () => endsAtMs - performance.now(),
      sleep: (ms) => sleep(ms, controller.signal),
    })
  } finally {
    clearTimeout(timer)
    callersSignal?.removeEventListener('abort', forward)
  }
}

/** Waits; rejects with the signal's reason when it aborts meanwhile. */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch((error: unknown) => {
    throw signal.aborted ? signal.reason : error
  })
}

/**
 * The promise's outcome, or the signal's reason as soon as it aborts. undici settles an aborted request only once it
 * has a connection, which may be ten seconds away when a host drops packets.
 */
export async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return await new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
