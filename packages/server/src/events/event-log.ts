import type { Database } from '../store/database.ts'
import type { EventFilter, LoggedEvent } from './event.ts'
import { EventReader, type EventReaderOptions } from './event-reader.ts'
import { type EventPage, firstEventFrom, readBounds, readNewest, readOne, readPage } from './event-store.ts'

export type { EventPage } from './event-store.ts'

/** What was asked for has been swept: begin anew from what is there. */
export class EventsGone extends Error {
  override readonly name = 'EventsGone'
}

/**
 * The event log as watchers see it: every committed event once, in the order of `seq`, none missing. Events that were
 * committed below one that has been passed on are impossible: nothing is passed on before that is settled.
 */
export type EventLog = {
  /** Reads the log until the signal aborts; whoever follows then ends. Never rejects: a broken database is waited for. */
  run(signal: AbortSignal): Promise<void>
  /**
   * Writers of this process call it after their commit: watchers here look at once, those of other processes within 15 ms.
   * Only a wake-up, never throws; without it an event shows up to 0.1 s later (1 s when nobody has followed for a while).
   */
  wake(): void
  /**
   * The events of these resources that follow `after` (a `seq`; 0: the oldest there is; absent: from now on), as they
   * come, until the signal aborts or the log stops; both end it without an error.
   *
   * A consumer may be as slow as it likes: it is fed from the table then. Throws `EventsGone` when events after `after`
   * may have been swept, and "storage is unavailable" (503) when it has to read the table and the database is away;
   * following again from the last `seq` loses nothing.
   */
  follow(request: FollowRequest): AsyncGenerator<LoggedEvent, void, undefined>
  /** Up to where the log is settled. Waits until that is known; the signal's reason is thrown. */
  position(signal: AbortSignal): Promise<number>
  /** Matching events beyond `after`, ascending: see `EventPage`. */
  read(filter: EventFilter, after: number, limit: number): Promise<EventPage>
  /** Resolves true once the log is settled beyond `after`; false when the signal aborts or the log stops. */
  movedBeyond(after: number, signal: AbortSignal): Promise<boolean>
  /** The newest matching event; undefined when there is none (among the last 200,000, for pods and instances). */
  newest(filter: EventFilter): Promise<LoggedEvent | undefined>
  /** One event; undefined when it was swept, or never was. Also one that is not settled here yet. */
  find(seq: number): Promise<LoggedEvent | undefined>
  /** The `seq` to read after, for everything since a moment (give or take: see `at`); undefined when there is nothing. */
  startOf(moment: Date): Promise<number | undefined>
  /** Throws `EventsGone` unless everything after this number is still there. */
  requireKept(after: number): Promise<void>
}

export type FollowRequest = {
  readonly resources: readonly string[]
  readonly after?: number | undefined
  readonly signal: AbortSignal
}

const followPage = 500

export function createEventLog(options: EventReaderOptions): EventLog {
  const { db } = options
  const reader = new EventReader(options)
  const stopped = new AbortController()

  async function position(signal: AbortSignal): Promise<number> {
    while (reader.position === undefined) {
      signal.throwIfAborted()
      stopped.signal.throwIfAborted()
      await nextMove(reader, [signal, stopped.signal])
    }
    return reader.position
  }

  async function read(filter: EventFilter, after: number, limit: number): Promise<EventPage> {
    reader.want()
    const through = reader.position ?? 0
    if (after >= through) return { events: [], position: after }
    if (after >= reader.recent.after) return reader.recent.page(filter, after, through, limit)
    return readPage(db, filter, { after, through, limit })
  }

  async function movedBeyond(after: number, signal: AbortSignal): Promise<boolean> {
    reader.want()
    while (!signal.aborted && !stopped.signal.aborted) {
      if (reader.position !== undefined && reader.position > after) return true
      await nextMove(reader, [signal, stopped.signal])
    }
    return false
  }

  async function* follow(request: FollowRequest): AsyncGenerator<LoggedEvent, void, undefined> {
    const { signal } = request
    const ended = () => signal.aborted || stopped.signal.aborted
    reader.want()
    if (!(await movedBeyond(-1, signal))) return
    let after = request.after ?? (reader.position as number)
    if (request.after !== undefined) await requireKept(db, request.after)
    while (!ended()) {
      const page = await read({ resources: request.resources }, after, followPage)
      for (const event of page.events) {
        if (ended()) return
        yield event
      }
      after = page.position
      await movedBeyond(after, signal)
    }
  }

  return {
    async run(signal) {
      const stop = () => stopped.abort(signal.reason)
      signal.addEventListener('abort', stop)
      if (signal.aborted) stop()
      await reader.run(signal)
      stop()
    },
    wake: () => reader.wake(),
    follow,
    position,
    read,
    movedBeyond,
    newest: async (filter) => readNewest(db, filter, reader.position ?? 0),
    find: (seq) => readOne(db, seq),
    async startOf(moment) {
      const first = await firstEventFrom(db, moment)
      return first === undefined ? undefined : first - 1
    },
    requireKept: (after) => requireKept(db, after),
  }
}

/** The sweep takes from the old end: nothing beyond `after` is gone as long as the oldest is not beyond the next number. */
async function requireKept(db: Database, after: number): Promise<void> {
  if (after === 0) return
  const { first, drawn } = await readBounds(db)
  if (after <= drawn && (first === 0 ? after === drawn : after >= first - 1)) return
  throw new EventsGone(`events after ${after} may have been swept`)
}

function nextMove(reader: EventReader, signals: readonly AbortSignal[]): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const done = () => resolve()
  const stop = reader.onMoved(done)
  for (const signal of signals) signal.addEventListener('abort', done)
  if (signals.some((signal) => signal.aborted)) resolve()
  return promise.finally(() => {
    stop()
    for (const signal of signals) signal.removeEventListener('abort', done)
  })
}
