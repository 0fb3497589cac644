import { setTimeout as delay } from 'node:timers/promises'
import type { Database } from './database.ts'
import { acquireLease, type Lease, releaseLease } from './lease.ts'

export type LeaderOptions = {
  readonly name: string
  /** Unique to this process; a restarted process is another holder, so its epoch is a new one. */
  readonly holder: string
  /** How long the lease lasts without a renewal; renewed every third of it. */
  readonly seconds: number
  /** Nobody else can be alive (the database is this process's own): do not wait for a dead holder's lease to lapse. */
  readonly alone?: boolean
  readonly onError?: (error: unknown) => void
}

const releaseMs = 5_000

/**
 * Runs `work` whenever this process holds the lease, until `signal` aborts. `work` gets a signal of its own that aborts
 * when the lease is lost or cannot be renewed in time; only when it has returned is the lease sought again (or given up).
 */
export async function runWhileLeading(
  db: Database,
  options: LeaderOptions,
  work: (lease: Lease, signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const pause = (ms: number) => delay(ms, undefined, { signal }).catch(() => {})
  const renewEveryMs = (options.seconds * 1000) / 3
  let force = options.alone === true
  while (!signal.aborted) {
    const lease = await acquireLease(db, options.name, options.holder, options.seconds, { force }).catch((error) => {
      options.onError?.(error)
      return undefined
    })
    if (lease === undefined) {
      await pause(renewEveryMs)
      continue
    }
    force = false
    const stop = new AbortController()
    const abort = () => stop.abort(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort)
    const working = work(lease, stop.signal)
      .catch((error) => {
        if (!stop.signal.aborted) options.onError?.(error)
      })
      .finally(() => stop.abort())
    await keepRenewing(db, lease, options, stop)
    await working
    signal.removeEventListener('abort', abort)
    // A database that does not answer must not hold up the end of the process: the lease lapses by itself.
    await Promise.race([releaseLease(db, lease).catch(options.onError), delay(releaseMs, undefined, { ref: false })])
    // Work that ended by itself (a failure) gets a moment before it is tried again.
    if (!signal.aborted) await pause(Math.min(1_000, renewEveryMs))
  }
}

async function keepRenewing(db: Database, lease: Lease, options: LeaderOptions, stop: AbortController): Promise<void> {
  const termMs = options.seconds * 1000
  let heldUntil = performance.now() + termMs
  while (!stop.signal.aborted) {
    await delay(termMs / 3, undefined, { signal: stop.signal }).catch(() => {})
    if (stop.signal.aborted) return
    const askedAt = performance.now()
    // A renewal that hangs must not keep us leading past the term.
    const renewed = await Promise.race([
      acquireLease(db, lease.name, lease.holder, options.seconds).catch((error) => {
        options.onError?.(error)
        return 'failed' as const
      }),
      delay(Math.max(1, heldUntil - askedAt), 'failed' as const, { signal: stop.signal, ref: false }).catch(
        () => 'failed' as const,
      ),
    ])
    if (renewed === undefined || (renewed !== 'failed' && renewed.epoch !== lease.epoch))
      stop.abort(new Error(`the lease ${lease.name} went to another holder`))
    else if (renewed !== 'failed') heldUntil = askedAt + termMs
    else if (performance.now() >= heldUntil) stop.abort(new Error(`the lease ${lease.name} could not be renewed`))
  }
}
