import { type Backoff, backoffMs } from '../kube/backoff.ts'

/**
 * Work by key: a key that is added again while it waits or runs is worked on once more, not once per add. Each key has a
 * backoff of its own after failures, which nothing overtakes.
 */
export type WorkQueue = {
  /** Soon; at once when the key has rested. */
  add(key: string): void
  /** For news that nobody waits for: at once when the key has rested for `longRestMs`. */
  addLazily(key: string): void
  /** Not before this time (milliseconds since the epoch), and earlier when something else asks for it. */
  addAt(key: string, time: number): void
  /** Nobody works on it, and nothing asks for it now. */
  isAtRest(key: string): boolean
  /** The key is gone: nothing is kept of it. */
  forget(key: string): void
  /** Works until the signal aborts, and resolves when nothing runs any more. */
  run(signal: AbortSignal): Promise<void>
}

export type WorkQueueOptions = {
  /** A rejection puts the key back with backoff. */
  readonly process: (key: string) => Promise<void>
  /** Keys worked on at the same time. */
  readonly concurrency: number
  /**
   * Milliseconds between the end of one run of a key and the start of the next, at least: a burst of events is one run. A
   * run that took long (a large pool, a busy machine) is followed by four times as long a rest, up to ten times this.
   */
  readonly restMs: number
  /** The same where nothing but lazy adds ask for the next run. */
  readonly longRestMs: number
  readonly backoff: Backoff
  readonly onError: (key: string, error: unknown) => void
  /** In [0, 1). */
  readonly random: () => number
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

type Item = {
  isRunning: boolean
  isReady: boolean
  /** When it is wanted next; Infinity: not at all. */
  wantedAt: number
  /** Not before this, whoever asks. */
  restUntil: number
  /** Not before this for who asks lazily. */
  longRestUntil: number
  /** Was asked for lazily since its last run began. */
  isWantedLazily: boolean
  failures: number
  timer: NodeJS.Timeout | undefined
}

export function createWorkQueue(options: WorkQueueOptions): WorkQueue {
  const items = new Map<string, Item>()
  const ready: Set<string> = new Set()
  let isRunning = false
  let running = 0
  let whenIdle: (() => void) | undefined

  function itemOf(key: string): Item {
    let item = items.get(key)
    if (item === undefined) {
      item = {
        isRunning: false,
        isReady: false,
        wantedAt: Infinity,
        restUntil: 0,
        longRestUntil: 0,
        isWantedLazily: false,
        failures: 0,
        timer: undefined,
      }
      items.set(key, item)
    }
    return item
  }

  function want(key: string, time: number): void {
    const item = itemOf(key)
    if (time >= item.wantedAt) return
    item.wantedAt = time
    if (!item.isRunning) schedule(key, item)
  }

  function schedule(key: string, item: Item): void {
    clearTimeout(item.timer)
    item.timer = undefined
    if (item.isReady || item.wantedAt === Infinity) return
    const waitMs = Math.max(item.wantedAt, item.restUntil) - options.now()
    if (waitMs > 0) {
      // A day is as far as a timer is trusted; the look then finds nothing to do and waits on.
      item.timer = setTimeout(() => schedule(key, item), Math.min(waitMs, 86_400_000))
      return
    }
    item.isReady = true
    ready.add(key)
    dispatch()
  }

  function dispatch(): void {
    while (isRunning && running < options.concurrency) {
      const { value: key, done } = ready.values().next()
      if (done === true) return
      ready.delete(key)
      const item = items.get(key)
      if (item !== undefined) void work(key, item)
    }
  }

  async function work(key: string, item: Item): Promise<void> {
    item.isReady = false
    item.isRunning = true
    item.wantedAt = Infinity
    item.isWantedLazily = false
    running += 1
    const startedAt = options.now()
    try {
      await options.process(key)
      item.failures = 0
      const now = options.now()
      item.restUntil = now + Math.min(10 * options.restMs, Math.max(options.restMs, 4 * (now - startedAt)))
      item.longRestUntil = now + options.longRestMs
    } catch (error) {
      options.onError(key, error)
      const waitMs = backoffMs(options.backoff, item.failures, options.random()) + options.backoff.baseMs
      item.failures += 1
      item.restUntil = options.now() + waitMs
      item.wantedAt = options.now()
    }
    item.isRunning = false
    running -= 1
    if (item.isWantedLazily) item.wantedAt = Math.min(item.wantedAt, item.longRestUntil)
    if (items.get(key) === item) {
      if (isRunning) schedule(key, item)
    } else clearTimeout(item.timer)
    if (isRunning) dispatch()
    else if (running === 0) whenIdle?.()
  }

  return {
    add: (key) => want(key, options.now()),
    addAt: want,
    addLazily(key) {
      const item = itemOf(key)
      item.isWantedLazily = true
      want(key, item.isRunning ? Infinity : Math.max(options.now(), item.longRestUntil))
    },
    isAtRest(key) {
      const item = items.get(key)
      return item === undefined || (!item.isRunning && !item.isWantedLazily && item.wantedAt > options.now())
    },
    forget(key) {
      clearTimeout(items.get(key)?.timer)
      items.delete(key)
      ready.delete(key)
    },
    async run(signal) {
      if (signal.aborted) return
      isRunning = true
      dispatch()
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
      isRunning = false
      for (const item of items.values()) clearTimeout(item.timer)
      if (running > 0) await new Promise<void>((resolve) => (whenIdle = resolve))
    },
  }
}
