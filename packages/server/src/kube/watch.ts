import { sleep } from './deadline.ts'
import type { HttpRequest, KubeHttp } from './http.ts'
import { createLineSplitter } from './lines.ts'
import { collectionPath } from './paths.ts'
import { createSpecSharing } from './shared-specs.ts'
import { errorFromStatus } from './status.ts'
import { KubeError, type KubeObject, type Resource, resources, type WatchEvent, type WatchOptions } from './types.ts'

const defaultIdleTimeoutMs = 90_000
/**
 * Where events come thicker than this, what comes in the next moments is read together: each read of its own is a wake-up
 * of this process and half a dozen turns through sockets and streams. One event alone waits for nothing.
 */
const thickMs = 100
const restMs = 20
/**
 * How long the server keeps one watch: this and up to as much again, so that many watches do not end together, and so
 * that a load balancer's limit on old connections is seldom met.
 */
const serverTimeoutSeconds = 300

/**
 * Watches from a version on, on a connection of its own. Ends normally when the server ends the stream. Throws KubeError
 * for a refusal and for an ERROR event (410: list again), KubeConnectionError when the connection breaks or falls
 * silent, the signal's reason when it aborts.
 */
export async function* watchObjects<T extends KubeObject>(
  http: KubeHttp,
  resource: Resource<T>,
  options: WatchOptions,
  random: () => number = Math.random,
): AsyncGenerator<WatchEvent<T>> {
  const { signal } = options
  const request: HttpRequest = {
    verb: 'watch',
    resource: resource.plural,
    method: 'GET',
    path: collectionPath(resource, options.namespace),
    query: {
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion: options.resourceVersion,
      timeoutSeconds: String(Math.round(serverTimeoutSeconds * (1 + random()))),
      labelSelector: options.labelSelector,
      fieldSelector: options.fieldSelector,
    },
  }
  const stream = await http.open(request, { signal, idleTimeoutMs: options.idleTimeoutMs ?? defaultIdleTimeoutMs })
  const splitter = createLineSplitter()
  const parse =
    resource.plural === resources.pods.plural ? createSpecSharing() : (line: string): unknown => JSON.parse(line)
  const chunks = stream[Symbol.asyncIterator]()
  let takenAt = -Infinity
  let isThick = false
  try {
    for (;;) {
      if (isThick) await sleep(restMs, signal)
      const chunk = await chunks.next().catch((error: unknown) => {
        throw http.streamError(request, error, signal)
      })
      // A proxy may end a broken stream as if it were whole; what was cut off comes again on the next watch.
      if (chunk.done) return
      const now = performance.now()
      isThick = now - takenAt < thickMs
      takenAt = now
      for (const line of splitter.push(chunk.value)) {
        signal.throwIfAborted()
        const event = toWatchEvent<T>(parseLine(line, parse))
        if (event !== undefined) yield event
      }
    }
  } finally {
    // Frees the connection when the consumer stops early.
    await chunks.return?.()
  }
}

/**
 * Leaves `metadata.managedFields` out before anything is parsed: a third of a typical object that nobody here reads. API
 * servers write them as the last member of metadata; written otherwise they stay. The texts that are looked for cannot be
 * inside a string, where quotes are escaped, and managed fields hold no other list.
 */
export function withoutManagedFieldsText(line: string): string {
  const from = line.indexOf(',"managedFields":[{')
  if (from < 0) return line
  const end = line.indexOf(']},"', from)
  const next = line.indexOf('],"', from)
  return end < 0 || (next >= 0 && next < end) ? line : line.slice(0, from) + line.slice(end + 1)
}

function parseLine(line: string, parse: (line: string) => unknown): RawEvent {
  try {
    return parse(withoutManagedFieldsText(line)) as RawEvent
  } catch {
    throw new Error('the watch sent a line that is not JSON')
  }
}

type RawEvent = { readonly type?: unknown; readonly object?: KubeObject }

/** Undefined for an event type that we do not know: servers may add some. */
function toWatchEvent<T extends KubeObject>(event: RawEvent): WatchEvent<T> | undefined {
  switch (event.type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      return { type: event.type, object: event.object as T }
    case 'BOOKMARK':
      return { type: 'BOOKMARK', resourceVersion: event.object?.metadata?.resourceVersion ?? '' }
    case 'ERROR':
      throw (
        errorFromStatus(event.object) ??
        new KubeError({ code: 500, reason: '', message: 'the watch ended with an error of unknown form' })
      )
    default:
      return undefined
  }
}
