import type { ServerResponse } from 'node:http'
import type { RingEntry } from '../store/event-ring.ts'
import { apiVersionOf, kinds } from '../store/kinds.ts'
import type { MemoryStore } from '../store/object-store.ts'
import { StatusError } from '../store/status-error.ts'
import type { Kind, StoredObject } from '../store/types.ts'
import { emptyMembers } from './empty-members.ts'
import { statusJson } from './status.ts'

/** What one watcher wants to see. */
export type WatchOptions = {
  readonly kind: Kind
  readonly namespace: string | undefined
  /** Selectors; namespace is checked apart. */
  readonly selects: (object: StoredObject) => boolean
  /** Whether `selects` looks at anything; an unselective watch needs no look at the object before. */
  readonly selective: boolean
  /** Events after this version; undefined begins with the present objects. */
  readonly after: number | undefined
  readonly bookmarks: boolean
  /** End the initial objects with an annotated bookmark. */
  readonly bookmarkInitialEnd: boolean
  readonly timeoutMs: number
  /** The form of an object in an event. */
  readonly form: (object: StoredObject) => string
}

export type HubOptions = {
  /** Milliseconds between bookmarks. */
  readonly bookmarkIntervalMs: number
  /** A watcher that leaves more than this many bytes unread is closed. */
  readonly slowWatcherBytes: number
}

/** Milliseconds until events that could not be kept are tried again. */
const RETRY_MS = 100

type Watcher = {
  readonly options: WatchOptions
  readonly response: ServerResponse
  readonly end: () => void
  /** How much the first write was: a client that is still reading it is not slow. */
  readonly initialLength: number
  sawInitialBookmark: boolean
}

/**
 * Feeds every watch. Events gather during a turn of the event loop and go out together: one write per watcher, after
 * the journal has them.
 */
export class WatchHub {
  readonly #store: MemoryStore
  readonly #options: HubOptions
  readonly #watchers = new Map<string, Set<Watcher>>()
  readonly #pending = new Map<string, RingEntry[]>()
  readonly #unsubscribe: (() => void)[] = []
  readonly #timer: NodeJS.Timeout
  #scheduled = false

  constructor(store: MemoryStore, options: HubOptions) {
    this.#store = store
    this.#options = options
    for (const { plural } of kinds) {
      this.#watchers.set(plural, new Set())
      this.#unsubscribe.push(
        store.subscribe(plural, (event) => {
          if (this.#watchers.get(plural)?.size === 0) return
          const revision = Number(event.object.metadata.resourceVersion)
          const queue = this.#pending.get(plural)
          if (queue === undefined) this.#pending.set(plural, [{ revision, key: '', event }])
          else queue.push({ revision, key: '', event })
          this.#schedule()
        }),
      )
    }
    this.#timer = setInterval(() => {
      if (!this.#scheduled) this.#bookmarkAll()
    }, options.bookmarkIntervalMs)
    this.#timer.unref()
  }

  /** How many watches are open, of one kind or of all. */
  count(plural?: string): number {
    let sum = 0
    for (const [of, watchers] of this.#watchers) if (plural === undefined || of === plural) sum += watchers.size
    return sum
  }

  /** Answers a watch request and keeps feeding it. */
  watch(response: ServerResponse, options: WatchOptions): void {
    this.pump()
    this.#store.flush()
    const { plural } = options.kind
    const start = this.#initialLines(options)
    if (start instanceof StatusError) {
      this.refuse(response, start)
      return
    }
    response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-cache, private' })
    response.flushHeaders()
    const watcher: Watcher = {
      options,
      response,
      end: () => close(true),
      initialLength: start.length,
      sawInitialBookmark: false,
    }
    const watchers = this.#watchers.get(plural) as Set<Watcher>
    const close = (orderly: boolean) => {
      clearTimeout(timer)
      if (!watchers.delete(watcher)) return
      if (!orderly || response.destroyed) return
      response.end(options.bookmarks ? this.#bookmark(watcher) : undefined)
    }
    const timer = setTimeout(() => {
      this.pump()
      close(true)
    }, options.timeoutMs)
    timer.unref()
    response.on('close', () => close(false))
    watchers.add(watcher)
    if (start !== '') response.write(start)
    if (options.bookmarkInitialEnd) response.write(this.#bookmark(watcher))
  }

  /** Answers a watch request with an error in the stream, as the API server refuses a version that is too old. */
  refuse(response: ServerResponse, error: StatusError): void {
    response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-cache, private' })
    response.end(`{"type":"ERROR","object":${statusJson(error)}}\n`)
  }

  /** Sends what has gathered now, instead of at the end of the turn. */
  pump(): void {
    if (this.#pending.size === 0) return
    this.#store.flush()
    for (const [plural, entries] of this.#pending) {
      this.#pending.delete(plural)
      for (const watcher of this.#watchers.get(plural) ?? []) this.#send(watcher, entries)
    }
  }

  /** Cuts the open watches, of one kind or of all, without a last word. */
  drop(plural?: string): void {
    for (const [of, watchers] of this.#watchers) {
      if (plural !== undefined && of !== plural) continue
      for (const { response } of [...watchers]) response.destroy()
    }
  }

  /** Ends every watch in order. */
  close(): void {
    clearInterval(this.#timer)
    for (const stop of this.#unsubscribe) stop()
    this.pump()
    for (const watchers of this.#watchers.values()) for (const watcher of [...watchers]) watcher.end()
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => this.#pumpSafely())
  }

  /** Nobody hears of a write that cannot be kept; it is tried again. */
  #pumpSafely(): void {
    try {
      this.#scheduled = false
      this.pump()
    } catch {
      this.#scheduled = true
      setTimeout(() => this.#pumpSafely(), RETRY_MS).unref()
    }
  }

  #initialLines(options: WatchOptions): string | StatusError {
    const { kind, namespace, after } = options
    if (after === undefined) {
      const present = this.#store.list(kind.plural, namespace).filter((object) => options.selects(object))
      return present.map((object) => this.#line('ADDED', object, options)).join('')
    }
    const entries = this.#store.eventsSince(kind.plural, after)
    if (entries !== 'expired') return this.#linesFor(options, entries)
    const oldest = this.#store.compactedRevision(kind.plural)
    return new StatusError(410, 'Expired', `too old resource version: ${after} (${oldest})`)
  }

  #send(watcher: Watcher, entries: readonly RingEntry[]): void {
    const { response, options } = watcher
    if (response.destroyed) return
    const lines = this.#linesFor(options, entries)
    if (lines === '') return
    response.write(lines)
    if (response.writableLength > this.#options.slowWatcherBytes + watcher.initialLength) response.destroy()
  }

  #linesFor(options: WatchOptions, entries: readonly RingEntry[]): string {
    let lines = ''
    for (const { event, revision } of entries) {
      if (options.after !== undefined && revision <= options.after) continue
      const { object, before, type } = event
      if (options.namespace !== undefined && object.metadata.namespace !== options.namespace) continue
      if (!options.selective) {
        lines += this.#line(type, object, options)
        continue
      }
      const is = type !== 'DELETED' && options.selects(object)
      const was = before !== undefined && options.selects(before)
      if (is) lines += this.#line(was ? 'MODIFIED' : 'ADDED', object, options)
      // An object that left the selection is shown as it was when it was still in it.
      else if (was) lines += this.#line('DELETED', type === 'DELETED' ? object : asOf(before, object), options)
    }
    return lines
  }

  #line(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: StoredObject, options: WatchOptions): string {
    return `{"type":"${type}","object":${options.form(object)}}\n`
  }

  #bookmark(watcher: Watcher): string {
    const { options } = watcher
    const annotated = options.after === undefined && !watcher.sawInitialBookmark
    watcher.sawInitialBookmark = true
    const object = {
      kind: options.kind.kind,
      apiVersion: apiVersionOf(options.kind),
      metadata: {
        resourceVersion: String(this.#store.revision),
        ...(annotated ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {}),
      },
      ...emptyMembers[options.kind.plural],
    } as unknown as StoredObject
    return `{"type":"BOOKMARK","object":${options.form(object)}}\n`
  }

  #bookmarkAll(): void {
    this.pump()
    for (const watchers of this.#watchers.values()) {
      for (const watcher of watchers) {
        if (watcher.options.bookmarks && !watcher.response.destroyed) watcher.response.write(this.#bookmark(watcher))
      }
    }
  }
}

function asOf(before: StoredObject, now: StoredObject): StoredObject {
  return { ...before, metadata: { ...before.metadata, resourceVersion: now.metadata.resourceVersion } }
}
