/** How long one batch may keep the event loop, so that requests are answered in between. */
const BATCH_MS = 8
const FIRST_RETRY_MS = 5
const LONGEST_RETRY_MS = 30_000

export type QueueOptions = {
  readonly name: string
  /** Brings one key into order. Throwing means: again later. */
  readonly sync: (key: string) => void
  readonly log: (line: string) => void
}

/** Keys to look at, each once however often it is added, worked off in batches between other events. */
export class WorkQueue {
  readonly #options: QueueOptions
  readonly #pending = new Set<string>()
  readonly #timers = new Map<string, { readonly due: number; readonly timer: NodeJS.Timeout }>()
  readonly #failures = new Map<string, number>()
  #immediate: NodeJS.Immediate | undefined
  #stopped = false

  constructor(options: QueueOptions) {
    this.#options = options
  }

  add(key: string): void {
    if (this.#stopped) return
    this.#pending.add(key)
    this.#immediate ??= setImmediate(this.#run)
  }

  /** Adds the key after some time; the earlier of two times counts. */
  addAfter(key: string, delayMs: number): void {
    if (delayMs <= 0) {
      this.add(key)
      return
    }
    if (this.#stopped) return
    const due = performance.now() + delayMs
    const known = this.#timers.get(key)
    if (known !== undefined) {
      if (known.due <= due) return
      clearTimeout(known.timer)
    }
    const timer = setTimeout(() => {
      this.#timers.delete(key)
      this.add(key)
    }, delayMs)
    this.#timers.set(key, { due, timer })
  }

  /** Adds the key with a delay that doubles with every call until `forget`. */
  retry(key: string): void {
    const failures = this.#failures.get(key) ?? 0
    this.#failures.set(key, failures + 1)
    this.addAfter(key, Math.min(FIRST_RETRY_MS * 2 ** failures, LONGEST_RETRY_MS))
  }

  forget(key: string): void {
    this.#failures.delete(key)
  }

  stop(): void {
    this.#stopped = true
    for (const { timer } of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
    this.#pending.clear()
    if (this.#immediate !== undefined) clearImmediate(this.#immediate)
    this.#immediate = undefined
  }

  readonly #run = (): void => {
    this.#immediate = undefined
    const end = performance.now() + BATCH_MS
    for (const key of this.#pending) {
      this.#pending.delete(key)
      try {
        this.#options.sync(key)
      } catch (error) {
        this.#options.log(`${this.#options.name}: ${key}: ${error instanceof Error ? error.message : String(error)}`)
        this.retry(key)
      }
      if (performance.now() > end) break
    }
    if (this.#pending.size > 0 && !this.#stopped) this.#immediate ??= setImmediate(this.#run)
  }
}
