import { type EventFilter, type LoggedEvent, matches } from './event.ts'
import type { EventPage } from './event-store.ts'

export type RecentLimits = { readonly events: number; readonly bytes: number }

/** What a row takes beside its detail, roughly. */
const rowBytes = 200

/**
 * The last settled events in memory, without a hole: whoever follows closely is served from here, whoever is behind reads
 * the table.
 */
export class RecentEvents {
  readonly #limits: RecentLimits
  #events: LoggedEvent[] = []
  #bytes = 0
  #after: number

  constructor(after: number, limits: RecentLimits) {
    this.#after = after
    this.#limits = limits
  }

  /** Everything beyond this number is here. */
  get after(): number {
    return this.#after
  }

  /** Adds what follows. Drops the oldest beyond the limits, an eighth more so that it is rare. */
  add(events: readonly LoggedEvent[]): void {
    for (const event of events) {
      this.#events.push(event)
      this.#bytes += sizeOf(event)
    }
    const { events: most, bytes } = this.#limits
    if (this.#events.length <= most && this.#bytes <= bytes) return
    let gone = 0
    while (gone < this.#events.length && (this.#events.length - gone > most * 0.875 || this.#bytes > bytes * 0.875)) {
      this.#bytes -= sizeOf(this.#events[gone] as LoggedEvent)
      gone += 1
    }
    this.#after = this.#events[gone - 1]?.seq ?? this.#after
    this.#events = this.#events.slice(gone)
  }

  /** Forgets everything: what follows begins after this number. */
  restart(after: number): void {
    this.#events = []
    this.#bytes = 0
    this.#after = after
  }

  /** Matching events beyond `after`, which must not lie below `this.after`, up to `through`. */
  page(filter: EventFilter, after: number, through: number, limit: number): EventPage {
    const found: LoggedEvent[] = []
    for (let index = this.#indexAfter(after); index < this.#events.length; index += 1) {
      const event = this.#events[index] as LoggedEvent
      if (event.seq > through) break
      if (!matches(filter, event)) continue
      found.push(event)
      if (found.length === limit) return { events: found, position: event.seq }
    }
    return { events: found, position: Math.max(after, through) }
  }

  #indexAfter(seq: number): number {
    let low = 0
    let high = this.#events.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#events[middle] as LoggedEvent).seq > seq) high = middle
      else low = middle + 1
    }
    return low
  }
}

const sizeOf = (event: LoggedEvent) => event.detail.length + rowBytes
