import { type Backoff, backoffMs } from './backoff.ts'
import { sleep as sleepFor } from './deadline.ts'
import { isExpired, isTooLargeVersion } from './status.ts'
import {
  type Change,
  type KubeClient,
  KubeError,
  type KubeObject,
  type Reflector,
  type Resource,
  type WatchEvent,
} from './types.ts'

/** Where a reflector's trouble came from: the server (it goes on by itself), or a listener (a defect). */
export type ReflectorTrouble = 'list' | 'watch' | 'listener'

export type ReflectorOptions<T extends KubeObject> = {
  /** All namespaces when absent. */
  readonly namespace?: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
  readonly pageSize?: number
  /** What is told of each object. Name, namespace, uid and resourceVersion must stay. */
  readonly transform?: (object: T) => T
  /**
   * What is kept of each object once it was told, for kinds of which there are many: `get`, `values` and the `before` of a
   * change have no more than that. Name, namespace, uid and resourceVersion must stay. Default: all that is told.
   */
  readonly keep?: (object: T) => T
  /** Told about every failure; the reflector goes on whatever happens here. */
  readonly onError?: (error: unknown, trouble: ReflectorTrouble) => void
  /** Milliseconds for one whole list. Default 120,000. */
  readonly listTimeoutMs?: number
  /** See `WatchOptions`. */
  readonly idleTimeoutMs?: number
  /** Waits after failures. Default from 200 ms on, doubled up to 30 s, full jitter. */
  readonly backoff?: Backoff
  /** In [0, 1). */
  readonly random?: () => number
  /** Milliseconds since the epoch. */
  readonly now?: () => number
  /** Waits; rejects when the signal aborts. Another one in tests only. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>
}

const defaultListTimeoutMs = 120_000
const defaultBackoff: Backoff = { baseMs: 200, maxMs: 30_000 }
/** A watch that ends at once with nothing said must not be opened again at once: some proxies do that for ever. */
const shortWatchMs = 1_000
/** After as many refused watches in a row the version itself is in doubt (a server made anew): list again. */
const maxRefusedWatches = 5
/** Refusals that say nothing about the version; listing again would only add to the server's load. */
const unrelatedCodes = new Set([401, 403, 429, 503])

/** Makes a reflector; it does nothing until `run`. */
export function createReflector<T extends KubeObject>(
  client: KubeClient,
  resource: Resource<T>,
  options: ReflectorOptions<T> = {},
): Reflector<T> {
  const objects = new Map<string, T>()
  const listeners = new Set<(change: Change<T>) => void>()
  const { promise: synced, resolve: resolveSynced, reject: rejectSynced } = Promise.withResolvers<void>()
  // Whoever awaits it still sees the rejection; that nobody does is no reason to end the process.
  synced.catch(() => {})
  const now = options.now ?? Date.now
  const random = options.random ?? Math.random
  const sleep = options.sleep ?? sleepFor
  const transform = options.transform ?? ((object: T) => object)
  const keep = options.keep ?? ((object: T) => object)
  let isSynced = false
  let isStarted = false
  let lastHeardAt: number | undefined

  function report(error: unknown, trouble: ReflectorTrouble): void {
    try {
      options.onError?.(error, trouble)
    } catch {
      // There is nobody left to tell.
    }
  }

  function tell(change: Change<T>): void {
    for (const listener of listeners) {
      try {
        // A listener that returns a promise against its type must not end the process by an unhandled rejection.
        const returned: unknown = listener(change)
        if (returned instanceof Promise) returned.catch((error: unknown) => report(error, 'listener'))
      } catch (error) {
        report(error, 'listener')
      }
    }
  }

  /**
   * Tells the difference that an object makes, and gives what is kept of it. Another uid under a known name is another
   * object: one went, one came.
   */
  function put(object: T): T {
    const key = keyOf(object)
    let before = objects.get(key)
    if (before !== undefined && before.metadata?.uid !== object.metadata?.uid) {
      remove(key)
      before = undefined
    }
    if (before !== undefined && before.metadata?.resourceVersion === object.metadata?.resourceVersion) return before
    const kept = keep(object)
    objects.set(key, kept)
    tell({ before, after: object })
    return kept
  }

  function remove(key: string): void {
    const before = objects.get(key)
    if (before === undefined) return
    objects.delete(key)
    tell({ before, after: undefined })
  }

  /**
   * Lists everything, tells the differences, and gives the version to watch from. What a page shows is told as it comes, so
   * that no more than a page of whole objects is ever held; what is gone is known at the end.
   */
  async function relist(signal: AbortSignal): Promise<string> {
    const list = await client.list(resource, {
      ...selection(),
      ...(options.pageSize === undefined ? {} : { pageSize: options.pageSize }),
      timeoutMs: options.listTimeoutMs ?? defaultListTimeoutMs,
      transform: (object) => put(transform(object as T)),
      signal,
    })
    lastHeardAt = now()
    const listed = new Set<KubeObject>(list.items)
    for (const [key, object] of objects) if (!listed.has(object)) remove(key)
    if (!isSynced) {
      isSynced = true
      resolveSynced()
    }
    return list.resourceVersion
  }

  /** Applies one event and gives the version to go on from. */
  function apply(event: WatchEvent<T>, version: string): string {
    if (event.type === 'BOOKMARK') return event.resourceVersion || version
    if (event.type === 'DELETED') remove(keyOf(event.object))
    else put(transform(event.object))
    return event.object.metadata?.resourceVersion ?? version
  }

  function selection() {
    const { namespace, labelSelector, fieldSelector } = options
    return {
      ...(namespace === undefined ? {} : { namespace }),
      ...(labelSelector === undefined ? {} : { labelSelector }),
      ...(fieldSelector === undefined ? {} : { fieldSelector }),
    }
  }

  async function listAndWatch(signal: AbortSignal): Promise<void> {
    const backoff = options.backoff ?? defaultBackoff
    let version: string | undefined
    let failures = 0
    let refusedWatches = 0
    while (!signal.aborted) {
      let isBarren = true
      try {
        version ??= await relist(signal)
        const startedMs = performance.now()
        const watched = client.watch(resource, {
          ...selection(),
          resourceVersion: version,
          signal,
          ...(options.idleTimeoutMs === undefined ? {} : { idleTimeoutMs: options.idleTimeoutMs }),
        })
        for await (const event of watched) {
          lastHeardAt = now()
          isBarren = false
          failures = 0
          refusedWatches = 0
          version = apply(event, version)
          // What the server said before the stop still counts; what comes after it does not.
          if (signal.aborted) return
        }
        if (!isBarren || performance.now() - startedMs >= shortWatchMs) failures = 0
        else await sleep(backoffMs(backoff, failures++, random()), signal)
      } catch (error) {
        if (signal.aborted) return
        report(error, version === undefined ? 'list' : 'watch')
        if (version !== undefined && error instanceof KubeError && !unrelatedCodes.has(error.code)) refusedWatches += 1
        if (isExpired(error) || isTooLargeVersion(error) || refusedWatches >= maxRefusedWatches) {
          version = undefined
          refusedWatches = 0
        }
        const askedMs = error instanceof KubeError ? (error.retryAfterSeconds ?? 0) * 1000 : 0
        await sleep(Math.min(askedMs, backoff.maxMs) + backoffMs(backoff, failures++, random()), signal)
      }
    }
  }

  return {
    resource,
    get: (namespace, name) => objects.get(`${namespace ?? ''}/${name}`),
    values: () => objects.values(),
    get size() {
      return objects.size
    },
    synced,
    get isSynced() {
      return isSynced
    },
    subscribe(listener) {
      // A wrapper of its own, so that one function may be subscribed twice and each stop ends its own.
      const own = (change: Change<T>) => listener(change)
      listeners.add(own)
      return () => listeners.delete(own)
    },
    get lastHeardAt() {
      return lastHeardAt
    },
    async run(signal) {
      if (isStarted) throw new Error(`the reflector of ${resource.plural} has been run already`)
      isStarted = true
      try {
        await listAndWatch(signal)
      } catch (error) {
        // Waits are the only thing left that throws, and only for the signal.
        if (!signal.aborted) throw error
      } finally {
        if (!isSynced) rejectSynced(new Error(`the reflector of ${resource.plural} was stopped before its first list`))
      }
    },
  }
}

function keyOf(object: KubeObject): string {
  return `${object.metadata?.namespace ?? ''}/${object.metadata?.name ?? ''}`
}

/** Drops `metadata.managedFields`, a third of a typical object that nobody here reads. For `ReflectorOptions.transform`. */
export function withoutManagedFields<T extends KubeObject>(object: T): T {
  if (object.metadata?.managedFields === undefined) return object
  const { managedFields: _, ...metadata } = object.metadata
  return { ...object, metadata }
}

/** Name, namespace, uid and version: the least that a reflector has to keep. For `ReflectorOptions.keep`. */
export function identityOf(object: KubeObject): KubeObject {
  const { namespace, name, uid, resourceVersion } = object.metadata ?? {}
  // The same members in the same order for every object: they share their shape in memory.
  return { metadata: { namespace, name, uid, resourceVersion } as NonNullable<KubeObject['metadata']> }
}
