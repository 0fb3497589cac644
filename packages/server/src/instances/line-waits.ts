import type { Claim, ClaimOutcome, Instance } from './instance.ts'

/**
 * The clients that wait in this process, by waiter. Several may wait for one: repeats of its request id join it. Whether a
 * waiter is in line is the database's to say; this only knows whom to tell.
 */
export type Waits = {
  /** Resolves when the waiter's fate is told. `isOwn`: the waiter is this process's. */
  join(waiterId: string, wait: NewWait): Promise<WaitEnd>
  /** A client leaves; what is left to do when it was the last: see `LastLeft`. */
  tellBound(waiterId: string, instances: readonly Instance[]): void
  tell(waiterId: string, end: Exclude<WaitEnd, { kind: 'bound' }>): void
  tellAll(end: Exclude<WaitEnd, { kind: 'bound' }>): void
  /** Waiters that somebody waits for here. */
  list(): readonly WaitFor[]
  get(waiterId: string): WaitFor | undefined
  /** Milliseconds of performance.now() at which the first own one is due. */
  nextDeadline(): number
}

export type WaitFor = {
  readonly waiterId: string
  readonly claim: Claim
  readonly count: number
  readonly isOwn: boolean
  /** performance.now() of its deadline, by this process's clock: when to look, not what is true. */
  readonly deadlineAt: number
}

export type WaitEnd =
  | { readonly kind: 'bound'; readonly instances: readonly Instance[] }
  | { readonly kind: 'outcome'; readonly outcome: ClaimOutcome }
  /** The waiter is gone and there is no instance: the process that had it died. Claim anew. */
  | { readonly kind: 'again' }
  /** The client left, and nobody else waits for this waiter in this process. */
  | { readonly kind: 'left'; readonly wasLast: boolean }

export type NewWait = Omit<WaitFor, 'waiterId'> & { readonly signal?: AbortSignal | undefined }

type Entry = WaitFor & { readonly listeners: Set<(end: WaitEnd) => void> }

export function createWaits(): Waits {
  const entries = new Map<string, Entry>()

  function end(waiterId: string, how: WaitEnd): void {
    const entry = entries.get(waiterId)
    if (entry === undefined) return
    entries.delete(waiterId)
    for (const listener of entry.listeners) listener(how)
  }

  return {
    join(waiterId, wait) {
      let entry = entries.get(waiterId)
      if (entry === undefined) {
        const { signal: _, ...known } = wait
        entry = { waiterId, ...known, listeners: new Set() }
        entries.set(waiterId, entry)
      }
      const { listeners } = entry
      return new Promise((resolve) => {
        const { signal } = wait
        const listener = (how: WaitEnd) => {
          signal?.removeEventListener('abort', onAbort)
          resolve(how)
        }
        const onAbort = () => {
          listeners.delete(listener)
          const wasLast = listeners.size === 0
          if (wasLast && entries.get(waiterId)?.listeners === listeners) entries.delete(waiterId)
          resolve({ kind: 'left', wasLast })
        }
        listeners.add(listener)
        signal?.addEventListener('abort', onAbort, { once: true })
        if (signal?.aborted) onAbort()
      })
    },
    tellBound: (waiterId, instances) => end(waiterId, { kind: 'bound', instances }),
    tell: end,
    tellAll(how) {
      for (const waiterId of [...entries.keys()]) end(waiterId, how)
    },
    list: () => [...entries.values()],
    get: (waiterId) => entries.get(waiterId),
    nextDeadline: () =>
      Math.min(...[...entries.values()].filter(({ isOwn }) => isOwn).map(({ deadlineAt }) => deadlineAt)),
  }
}
