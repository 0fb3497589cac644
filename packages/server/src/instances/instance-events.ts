import type { ServerResponse } from 'node:http'
import { setInterval } from 'node:timers'
import { instanceErrors } from '../errors.ts'
import type { LoggedEvent } from '../events/event.ts'
import { type EventLog, EventsGone } from '../events/event-log.ts'

/** What a stream of instances' state changes is about. */
export type StreamFilter = {
  readonly pool?: string | undefined
  readonly group?: string | undefined
  readonly tenant?: string | undefined
  readonly state?: string | undefined
}

export type StreamLog = Pick<EventLog, 'follow' | 'position' | 'requireKept'>

/** So that nobody between takes the connection for dead. */
const aliveMs = 15_000

/**
 * Writes state changes of instances as server-sent events until the client goes away or the log stops. Each event's id is
 * its place in the event log, so a client that comes back with the last one misses nothing and sees nothing twice.
 *
 * @param after the last id that the client has; undefined: from now on
 * @throws 410 when events after it have been swept, before anything was written
 */
export async function streamInstanceEvents(
  log: StreamLog,
  to: {
    readonly raw: ServerResponse
    readonly headers: Readonly<Record<string, string>>
    /** Called before the first byte: from then on the answer is the stream's. */
    readonly begin: () => void
  },
  request: { readonly filter: StreamFilter; readonly after: number | undefined; readonly signal: AbortSignal },
): Promise<void> {
  const { signal } = request
  if (request.after !== undefined) await requireKept(log, request.after)
  const after = request.after ?? (await log.position(signal))
  const { raw } = to
  to.begin()
  raw.writeHead(200, {
    ...to.headers,
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  })
  // An id without data: a client that saw no event yet comes back to here.
  raw.write(`retry: 1000\nid: ${after}\n\n`)
  const alive = setInterval(() => raw.write(': alive\n\n'), aliveMs)
  try {
    for await (const event of log.follow({ resources: ['instance'], after, signal })) {
      const text = toText(event, request.filter)
      if (text !== undefined && !raw.write(text)) await drained(raw, signal)
    }
  } catch (error) {
    // The client was slower than the sweep, or the database is away: it comes back, and is told then.
    if (!signal.aborted && !(error instanceof EventsGone)) throw error
  } finally {
    clearInterval(alive)
    raw.end()
  }
}

async function requireKept(log: StreamLog, after: number): Promise<void> {
  try {
    await log.requireKept(after)
  } catch (error) {
    if (!(error instanceof EventsGone)) throw error
    throw instanceErrors.gone(
      `the events after ${after} may have been swept: list the instances, then follow without Last-Event-ID`,
    )
  }
}

/** The event as a stream has it; undefined when it is not asked for. */
export function toText(event: LoggedEvent, filter: StreamFilter): string | undefined {
  const instance = JSON.parse(event.detail) as { state: string; pool: string; group: string; tenant: string }
  for (const name of ['pool', 'group', 'tenant', 'state'] as const)
    if (filter[name] !== undefined && filter[name] !== instance[name]) return undefined
  return `id: ${event.seq}\nevent: ${instance.state}\ndata: ${JSON.stringify(instance)}\n\n`
}

function drained(raw: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      raw.off('drain', done)
      raw.off('close', done)
      signal.removeEventListener('abort', done)
      resolve()
    }
    raw.on('drain', done)
    raw.on('close', done)
    signal.addEventListener('abort', done)
    if (signal.aborted || raw.destroyed) done()
  })
}
