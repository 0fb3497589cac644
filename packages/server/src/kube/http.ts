import type { Dispatcher } from 'undici'
import { backoffMs } from './backoff.ts'
import { describeFailure, KubeConnectionError, mayRepeat } from './connection-error.ts'
import { type Connections, createConnections } from './connections.ts'
import { createCredentialSource } from './credential-source.ts'
import { type Deadline, orAborted, withDeadline } from './deadline.ts'
import type { KubeConfig } from './kube-config.ts'
import { KubeConfigError } from './kube-config-error.ts'
import { errorFromAnswer, parseRetryAfter } from './status.ts'
import { type CallOptions, KubeError } from './types.ts'

export type KubeVerb = 'get' | 'list' | 'watch' | 'create' | 'patch' | 'apply' | 'delete'

/** One request that was sent, for metrics: repeats count one by one, a watch counts when it is answered. */
export type RequestRecord = {
  readonly verb: KubeVerb
  /** Plural of the kind, `pods`; `raw` for a plain path. */
  readonly resource: string
  /** HTTP status; 0 when no answer came. */
  readonly code: number
  /** Until the head of the answer was there. */
  readonly seconds: number
}

export type HttpOptions = {
  /** Connections for calls, and so how many calls run at once; the rest wait for one. Default 32. Each watch has one of its own beside them. */
  readonly connections?: number
  readonly userAgent?: string
  /** Called after each request; must not throw. */
  readonly onRequest?: (record: RequestRecord) => void
  /** In [0, 1). */
  readonly random?: () => number
}

export type HttpRequest = {
  readonly verb: KubeVerb
  readonly resource: string
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly query?: Readonly<Record<string, string | undefined>>
  readonly body?: unknown
  readonly contentType?: string
  /** Ask for no more of the object than its metadata; an older server answers with all of it. */
  readonly brief?: boolean
}

export type KubeHttp = {
  /** Sends a request and gives the decoded answer. KubeError for a refusal, KubeConnectionError when no answer came. */
  call(request: HttpRequest, options?: CallOptions): Promise<unknown>
  /** Opens a stream; its chunks end with the answer and throw when it breaks or nothing comes for `idleTimeoutMs`. */
  open(
    request: HttpRequest,
    options: { readonly signal: AbortSignal; readonly idleTimeoutMs: number },
  ): Promise<AsyncIterable<Uint8Array>>
  /** The error to throw for a stream of `open` that failed. */
  streamError(request: HttpRequest, error: unknown, signal: AbortSignal): unknown
  /** Breaks the watches, waits for the calls that run (each has its deadline), refuses new ones. */
  close(): Promise<void>
}

const defaultTimeoutMs = 30_000
/** Between tries of one call; a call makes at most `maxTries` after broken connections. */
const retryBackoff = { baseMs: 100, maxMs: 5_000 }
const maxTries = 5

/** What a watch may be behind before the server has to wait: it takes what came in some milliseconds at a time. */
const watchBytes = 4 * 1024 * 1024

const metadataOnly = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json'

/** @throws KubeConfigError when the configuration cannot be used (address, certificates) */
export function createHttp(config: KubeConfig, options: HttpOptions = {}): KubeHttp {
  const connections = createConnections(config, options.connections ?? 32)
  const { origin, prefix } = connections
  const random = options.random ?? Math.random
  const credentials = createCredentialSource(config, { nowMs: () => performance.now(), timeMs: () => Date.now() })

  /** One request, and one more when a 401 turns up another credential. */
  async function send(kind: keyof Connections, request: HttpRequest, signal: AbortSignal, idleTimeoutMs: number) {
    for (let renewed = false; ; renewed = true) {
      const credential = await orAborted(credentials.current(), signal)
      const { token } = credential
      const pool = connections.for(credential)[kind]
      const startedMs = performance.now()
      let code = 0
      try {
        const answer = await orAborted(
          pool.request({
            method: request.method,
            path: prefix + request.path + queryText(request.query),
            headers: {
              accept: request.brief === true ? metadataOnly : 'application/json',
              'user-agent': options.userAgent ?? 'podyard',
              ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
              ...(request.body === undefined ? {} : { 'content-type': request.contentType ?? 'application/json' }),
            },
            body: request.body === undefined ? null : JSON.stringify(request.body),
            // Said outright, as undici otherwise gives up the connection after each DELETE that has a body.
            reset: false,
            signal,
            headersTimeout: idleTimeoutMs,
            bodyTimeout: idleTimeoutMs,
            ...(kind === 'watches' ? { highWaterMark: watchBytes } : {}),
          }),
          signal,
        )
        code = answer.statusCode
        if (code !== 401 || renewed || !(await orAborted(credentials.renew(credential), signal))) return answer
        await answer.body.dump()
      } finally {
        const seconds = (performance.now() - startedMs) / 1000
        options.onRequest?.({ verb: request.verb, resource: request.resource, code, seconds })
      }
    }
  }

  function connectionError(request: HttpRequest, what: string, cause?: unknown): KubeConnectionError {
    return new KubeConnectionError(origin, `${request.method} ${request.path}`, what, cause)
  }

  function streamError(request: HttpRequest, error: unknown, signal: AbortSignal): unknown {
    if (signal.aborted) return signal.reason
    if (error instanceof KubeError || error instanceof KubeConfigError) return error
    return connectionError(request, describeFailure(error), error)
  }

  /** Calls and reads again as long as that may help, then throws what the caller shall see. */
  async function exchange(request: HttpRequest, deadline: Deadline): Promise<unknown> {
    for (let tries = 1; ; tries += 1) {
      const jitterMs = backoffMs(retryBackoff, tries - 1, random())
      try {
        // No timeout of undici's: the deadline ends everything.
        const answer = await send('calls', request, deadline.signal, 0)
        const text = await answer.body.text()
        if (isSuccess(answer)) return parseAnswer(text)
        const refusal = refusalOf(answer, text)
        const waitMs = (refusal.retryAfterSeconds ?? 0) * 1000 + jitterMs
        if (!asksToRepeat(refusal) || waitMs >= deadline.remainingMs()) throw refusal
        await deadline.sleep(waitMs)
      } catch (error) {
        if (error instanceof KubeError || error instanceof KubeConfigError || deadline.signal.aborted) throw error
        if (!mayRepeat(error, request.method) || tries >= maxTries || jitterMs >= deadline.remainingMs()) {
          throw connectionError(request, describeFailure(error), error)
        }
        await deadline.sleep(jitterMs)
      }
    }
  }

  return {
    async call(request, { signal, timeoutMs = defaultTimeoutMs } = {}) {
      return await withDeadline(timeoutMs, signal, async (deadline) => {
        try {
          return await exchange(request, deadline)
        } catch (error) {
          if (signal?.aborted) throw signal.reason
          if (deadline.timedOut) throw connectionError(request, `no answer within ${timeoutMs} ms`, error)
          throw error
        }
      })
    },

    async open(request, { signal, idleTimeoutMs }) {
      signal.throwIfAborted()
      let answer: Dispatcher.ResponseData
      let text: string
      try {
        answer = await send('watches', request, signal, idleTimeoutMs)
        if (isSuccess(answer)) return answer.body
        text = await readText(answer.body, 64 * 1024)
      } catch (error) {
        throw streamError(request, error, signal)
      }
      throw refusalOf(answer, text)
    },

    streamError,

    async close() {
      credentials.close()
      await connections.close()
    },
  }
}

function isSuccess(answer: Dispatcher.ResponseData): boolean {
  return answer.statusCode >= 200 && answer.statusCode < 300
}

function refusalOf(answer: Dispatcher.ResponseData, text: string): KubeError {
  const header = answer.headers['retry-after']
  const seconds = parseRetryAfter(Array.isArray(header) ? header[0] : header, Date.now())
  return errorFromAnswer(answer.statusCode, text, seconds)
}

/** The server did not take the request up and says when to come again: true for every method. */
function asksToRepeat(refusal: KubeError): boolean {
  return (refusal.code === 429 || refusal.code === 503) && refusal.retryAfterSeconds !== undefined
}

function parseAnswer(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Without the parser's message, which quotes the text.
    throw new Error('the answer is not JSON')
  }
}

function queryText(query: HttpRequest['query']): string {
  const entries = Object.entries(query ?? {}).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return entries.length === 0 ? '' : `?${new URLSearchParams(entries)}`
}

/** The beginning of a body; the rest is not waited for. */
async function readText(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body) {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes >= maxBytes) break
  }
  return Buffer.concat(chunks).toString('utf8')
}
