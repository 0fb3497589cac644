import { setTimeout as delay } from 'node:timers/promises'
import type { WatchBody, WatchData, WatchedEvent } from '@podyard/contract'
import { cmdbErrors } from '../errors.ts'
import { type Caller, readableTenants } from '../http/caller.ts'
import { type EventFilter, type LoggedEvent, matches } from './event.ts'
import { type EventLog, EventsGone } from './event-log.ts'
import { decodeCursor, encodeCursor, noEventCursor } from './watch-cursor.ts'
import { parseWatch, type Watch } from './watch-rules.ts'

export type WatchDeps = {
  readonly log: EventLog
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** How far back `bk_start_from` may lie. */
  readonly retentionDays: number
  /** How long a watch with a cursor waits for an event; 20 s, as clients expect it. */
  readonly waitMs?: number
  /** How long a refusal takes: clients that watch in a loop would storm. 500 ms as the original. */
  readonly refusalMs?: number
}

export type WatchCall = { readonly caller: Caller; readonly resource: string; readonly gone: AbortSignal }

/** Events of one answer; from a time on one more. */
const answerEvents = 200
/** Watches that wait in one process. Each holds a request and a few hundred bytes. */
const waitingLimit = 5_000

/** resource_watch (container API reference 6). */
export function createWatchService(deps: WatchDeps): (call: WatchCall, body: WatchBody) => Promise<WatchData> {
  const { log, waitMs = 20_000, refusalMs = 500 } = deps
  let waiting = 0

  async function watch(call: WatchCall, body: WatchBody): Promise<WatchData> {
    const asked = parseWatch(call.resource, body)
    if (waiting >= waitingLimit) throw cmdbErrors.busy(1)
    waiting += 1
    try {
      // The clock starts here: a reader that stands, or a log that is long, must not hold the answer for longer.
      const deadline = AbortSignal.timeout(waitMs)
      const signal = AbortSignal.any([call.gone, deadline])
      const chain: EventFilter = { resources: [asked.resource], tenants: readableTenants(call.caller) }
      if (asked.from.kind === 'cursor') return await fromCursor(asked, chain, asked.from.cursor, signal)
      if (asked.from.kind === 'time') return await fromTime(asked, chain, asked.from.seconds, signal)
      return newestOrNone(asked, await newest(chain, signal))
    } finally {
      waiting -= 1
    }
  }

  async function newest(chain: EventFilter, signal: AbortSignal): Promise<LoggedEvent | undefined> {
    return (await log.movedBeyond(-1, signal)) ? log.newest(chain) : undefined
  }

  async function fromTime(asked: Watch, chain: EventFilter, seconds: number, signal: AbortSignal): Promise<WatchData> {
    const now = deps.now() / 1000
    if (seconds > now || seconds < now - deps.retentionDays * 86_400) throw cmdbErrors.mismatch('bk_start_from')
    const last = await newest(chain, signal)
    if (last === undefined || Math.floor(last.at.getTime() / 1000) <= seconds) return newestOrNone(asked, last)
    const start = await log.startOf(new Date((seconds + 1) * 1000))
    if (start === undefined) return newestOrNone(asked, last)
    const found = await scan(asked, chain, start, answerEvents + 1, signal)
    return found.answer ?? nothingUpTo(asked, found.position)
  }

  async function fromCursor(asked: Watch, chain: EventFilter, cursor: string, signal: AbortSignal): Promise<WatchData> {
    const start = decodeCursor(asked.resource, cursor)
    if (start === undefined) throw cmdbErrors.cursorGone()
    await log.requireKept(start)
    let after = start
    do {
      const found = await scan(asked, chain, after, answerEvents, signal)
      if (found.answer !== undefined) return found.answer
      after = found.position
    } while (await log.movedBeyond(after, signal))
    return after > start ? nothingUpTo(asked, after) : nothing(asked, cursor)
  }

  /** Matching events beyond `after`, and how far was looked without finding one. */
  async function scan(asked: Watch, chain: EventFilter, after: number, limit: number, signal: AbortSignal) {
    const filter = filterOf(asked, chain)
    let position = after
    do {
      const page = await log.read(filter, position, limit)
      if (page.events.length > 0) return { answer: told(asked, page.events), position: page.position }
      if (page.position === position) break
      position = page.position
    } while (!signal.aborted)
    return { answer: undefined, position }
  }

  const nothingUpTo = (asked: Watch, seq: number) =>
    nothing(asked, encodeCursor(asked.resource, { seq, type: 'update', at: new Date(deps.now()), key: '' }))

  return async (call, body) => {
    try {
      return await watch(call, body)
    } catch (error) {
      await delay(refusalMs, undefined, { signal: call.gone }).catch(() => {})
      throw error instanceof EventsGone ? cmdbErrors.cursorGone() : error
    }
  }
}

const filterOf = (asked: Watch, chain: EventFilter): EventFilter => ({
  ...chain,
  ...(asked.subResource === undefined ? {} : { subResource: asked.subResource }),
  ...(asked.types === undefined ? {} : { types: asked.types }),
})

function newestOrNone(asked: Watch, newest: LoggedEvent | undefined): WatchData {
  if (newest === undefined || !matches(filterOf(asked, { resources: [asked.resource] }), newest))
    return nothing(asked, noEventCursor)
  return told(asked, [newest])
}

const told = (asked: Watch, events: readonly LoggedEvent[]): WatchData => ({
  bk_watched: true,
  bk_events: events.map((event) => view(asked, event)),
})

const nothing = (asked: Watch, cursor: string): WatchData => ({
  bk_watched: false,
  bk_events: [{ bk_cursor: cursor, bk_resource: asked.resource, bk_event_type: '', bk_detail: null }],
})

function view(asked: Watch, event: LoggedEvent): WatchedEvent {
  const whole = JSON.parse(event.detail) as Record<string, unknown>
  const { fields } = asked
  return {
    bk_cursor: encodeCursor(asked.resource, {
      seq: event.seq,
      type: event.type,
      at: event.at,
      key: event.subResource === '' ? '' : `${event.subResource}:${event.objectId}`,
    }),
    bk_resource: asked.resource,
    bk_event_type: event.type,
    bk_detail:
      fields === undefined
        ? whole
        : Object.fromEntries(Object.entries(whole).filter(([name]) => fields.includes(name))),
  }
}
