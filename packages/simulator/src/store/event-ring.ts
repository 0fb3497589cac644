import type { StoreEvent } from './types.ts'

export type RingEntry = {
  readonly revision: number
  /** The object's key in its kind: `namespace/name`, or the name. */
  readonly key: string
  readonly event: StoreEvent
}

/** The latest events of one kind, so that a watch can resume and a list can be continued at an older revision. */
export class EventRing {
  readonly #capacity: number
  #entries: RingEntry[] = []
  #head = 0
  #compacted = 0

  constructor(capacity: number) {
    this.#capacity = Math.max(1, capacity)
  }

  /** Events up to and including this revision are gone: only what comes after a version at or above it is known. */
  get compacted(): number {
    return this.#compacted
  }

  get size(): number {
    return this.#entries.length - this.#head
  }

  push(entry: RingEntry): void {
    this.#entries.push(entry)
    while (this.size > this.#capacity) this.#dropFirst()
  }

  /** Forgets the events up to and including `revision`. */
  compact(revision: number): void {
    while (this.size > 0 && (this.#entries[this.#head]?.revision ?? 0) <= revision) this.#dropFirst()
    this.#compacted = Math.max(this.#compacted, revision)
  }

  /** The events after `revision`, oldest first; undefined when some of them are gone. */
  since(revision: number): readonly RingEntry[] | undefined {
    if (revision < this.#compacted) return undefined
    let low = this.#head
    let high = this.#entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#entries[middle]?.revision ?? 0) <= revision) low = middle + 1
      else high = middle
    }
    return this.#entries.slice(low)
  }

  #dropFirst(): void {
    this.#compacted = this.#entries[this.#head]?.revision ?? this.#compacted
    this.#head += 1
    // Moving the rest down once per thousand drops keeps a push cheap without holding dropped objects for long.
    if (this.#head >= 1024 || this.#head === this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head)
      this.#head = 0
    }
  }
}
