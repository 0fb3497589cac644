import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'
import type { Database } from '../store/database.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { lookBeyond, lookLimit, oldestWriter, readBounds, readRange } from './event-store.ts'
import { advance, type Horizon } from './horizon.ts'
import { OwnConnection } from './own-connection.ts'
import { RecentEvents } from './recent-events.ts'

export type EventReaderOptions = {
  readonly db: Database
  /** Names this process: it does not hear its own wake-ups. */
  readonly origin: string
  readonly logger: Logger
  readonly metrics: Metrics
}

const channel = 'podyard_event'
const notify = { name: 'event-notify', text: `select pg_notify('${channel}', $1)` }

/** How long wake-ups for the other processes are gathered. */
const gatherMs = 15
/** Between looks: at a missing number, while somebody follows, while nobody does. */
const standingMs = 10
const longStandingMs = 50
const followedMs = 100
const idleMs = 1000
/** What is read ahead is kept for as long as somebody asked within this time. */
const wantedMs = 30_000
/** What standing this long means: a transaction somewhere holds up every watcher. */
const alarmMs = 2_000

const recentLimits = { events: 10_000, bytes: 16 * 1024 * 1024 }

/**
 * The one reader of the event log in this process: finds out how far the log is final (`horizon.ts`), keeps the last
 * events for those who follow closely, and tells the other processes when this one has written.
 */
export class EventReader {
  readonly recent = new RecentEvents(0, recentLimits)
  readonly #options: EventReaderOptions
  readonly #listeners = new Set<() => void>()
  readonly #standing
  readonly #seen
  #horizon: Horizon | undefined
  #wantedAt = Number.NEGATIVE_INFINITY
  #lookedAt = Number.NEGATIVE_INFINITY
  #standingSince: number | undefined
  #alarmed = false
  #nudged = false
  #wakeUp: () => void = () => {}
  #gathering: NodeJS.Timeout | undefined
  #tellOthers = false

  constructor(options: EventReaderOptions) {
    this.#options = options
    this.#standing = options.metrics.gauge(
      'podyard_event_reader_standing_seconds',
      'How long the reader of the event log has been waiting for a transaction that drew a number and has not ended; alarm above 2',
    )
    this.#seen = options.metrics.gauge('podyard_event_reader_position', 'Number up to which the event log is final')
  }

  /** Up to where the log is final; undefined until that is known. */
  get position(): number | undefined {
    return this.#horizon?.position
  }

  /** Calls back after every move, and when the reading ends. Returns how to stop it. */
  onMoved(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Somebody follows: keep what comes in memory, and look more often. */
  want(): void {
    const isNew = !this.#isWanted()
    this.#wantedAt = performance.now()
    if (isNew) this.#nudge()
  }

  /**
   * This process has committed events: look at once if somebody here follows, and tell the others within 15 ms. Never
   * throws.
   */
  wake(): void {
    if (this.#isFollowed()) this.#nudge()
    this.#gathering ??= setTimeout(() => {
      this.#gathering = undefined
      this.#tellOthers = true
      this.#nudge()
    }, gatherMs).unref()
  }

  /** Reads until the signal aborts. Holds one connection, and comes back when that breaks. */
  async run(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; failures += 1) {
      try {
        await this.#options.db.withConnection((connection) =>
          this.#session(connection, signal, () => {
            failures = 0
          }),
        )
      } catch (error) {
        if (!signal.aborted) this.#options.logger.warn({ err: error }, 'the event log could not be read; trying again')
      }
      const wait = Math.min(5_000, 50 * 2 ** Math.min(failures, 10)) * (0.5 + Math.random() / 2)
      if (!signal.aborted) await delay(wait, undefined, { signal }).catch(() => {})
    }
    clearTimeout(this.#gathering)
    this.#tell()
  }

  /** Ends by throwing only: a connection that listens must not go back to the pool. */
  async #session(connection: pg.PoolClient, signal: AbortSignal, onRead: () => void): Promise<never> {
    const own = new OwnConnection(connection, () => this.#nudge())
    const abort = () => own.fail(new Error('aborted'))
    signal.addEventListener('abort', abort)
    if (signal.aborted) abort()
    connection.on('notification', (note) => {
      if (note.payload !== this.#options.origin) this.#nudge()
    })
    try {
      await own.query(`listen ${channel}`)
      await this.#forgetWhatWasLost(own)
      await this.#begin(own)
      for (;;) {
        if (this.#tellOthers) {
          this.#tellOthers = false
          await own.run(notify, [this.#options.origin])
        }
        const restMs = this.#lookedAt + this.#interval() - performance.now()
        // The telling of others alone: a look for nobody would cost as much as the claim that woke it.
        if (restMs > 0 && !this.#isFollowed()) {
          await this.#pause(restMs)
          continue
        }
        this.#lookedAt = performance.now()
        const more = await this.#look(own)
        onRead()
        if (!more) await this.#pause(this.#interval())
      }
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }

  /** A database that was restored, or whose standby took over, may give numbers anew that this process has passed. */
  async #forgetWhatWasLost(own: OwnConnection): Promise<void> {
    if (this.#horizon === undefined || (await readBounds(own)).drawn >= this.#horizon.position) return
    this.#options.logger.error(
      { position: this.#horizon.position },
      'the event log ends before what was read already: the database was set back. Watchers begin anew',
    )
    this.#horizon = undefined
  }

  /** Where to begin: at the highest number there is, once nobody can add below it any more. */
  async #begin(own: OwnConnection): Promise<void> {
    let first: { readonly last: number; readonly nextXid: number } | undefined
    while (this.#horizon === undefined) {
      const look = await lookBeyond(own, Number.MAX_SAFE_INTEGER)
      first ??= look
      if (look.xmin >= first.nextXid) {
        this.#horizon = { position: first.last, marks: [] }
        this.recent.restart(first.last)
        this.#stands(false)
        return this.#tell()
      }
      this.#stands(true)
      await this.#pause(standingMs)
    }
  }

  /** Moves the horizon; whether there is more to see at once. */
  async #look(own: OwnConnection): Promise<boolean> {
    const before = this.#horizon as Horizon
    const look = await lookBeyond(own, before.position)
    const after = advance(before, look)
    const moved = after.position > before.position
    if (moved && this.#isWanted()) this.recent.add(await readRange(own, before.position, after.position))
    this.#horizon = after
    if (moved && !this.#isWanted()) this.recent.restart(after.position)
    if (moved) this.#standingSince = undefined
    this.#stands(look.seqs.length > 0 && after.marks.length > 0)
    if (moved) {
      this.#seen.set(after.position)
      this.#tell()
    }
    return moved && look.seqs.length === lookLimit
  }

  #isWanted(): boolean {
    return performance.now() - this.#wantedAt < wantedMs
  }

  /** Somebody asked lately, or waits at this moment, maybe since long. */
  #isFollowed(): boolean {
    return this.#isWanted() || this.#listeners.size > 0
  }

  #interval(): number {
    if (this.#standingSince !== undefined)
      return performance.now() - this.#standingSince < 1000 ? standingMs : longStandingMs
    return this.#isWanted() ? followedMs : idleMs
  }

  #stands(now: boolean): void {
    if (!now) {
      this.#standingSince = undefined
      this.#alarmed = false
      this.#standing.set(0)
      return
    }
    this.#standingSince ??= performance.now()
    const ms = performance.now() - this.#standingSince
    this.#standing.set(ms / 1000)
    if (ms < alarmMs || this.#alarmed) return
    this.#alarmed = true
    void oldestWriter(this.#options.db).then(
      (holder) =>
        this.#options.logger.warn(
          { holder },
          'no event can be passed on until an open transaction ends: somebody draws event numbers early, or writes for long',
        ),
      () => {},
    )
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener()
  }

  #nudge(): void {
    this.#nudged = true
    this.#wakeUp()
  }

  async #pause(ms: number): Promise<void> {
    if (!this.#nudged) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, ms)
      this.#wakeUp = resolve
      await promise
      clearTimeout(timer)
      this.#wakeUp = () => {}
    }
    this.#nudged = false
  }
}
