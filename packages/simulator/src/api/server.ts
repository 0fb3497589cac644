import { timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { faultStatus } from '../faults.ts'
import { StatusError } from '../store/status-error.ts'
import type { Api } from './context.ts'
import { type PlainAnswer, plainAnswer } from './plain-paths.ts'
import { answerResource } from './resource.ts'
import { parsePath } from './route.ts'
import { internalError, statusJson, unauthorized } from './status.ts'

export type ServerOptions = {
  readonly host: string
  readonly port: number
  /** The bearer token that every request must carry; none when absent. */
  readonly token?: string | undefined
  /** Called with what went wrong inside; the client only hears that something did. */
  readonly onDefect: (error: unknown) => void
}

export type ApiServer = { readonly url: string; stop(): Promise<void> }

/** Go's limit: long selectors and continue tokens travel in the request line. */
const MAX_HEADER_BYTES = 1024 * 1024

/** Serves the REST API. */
export async function serveApi(api: Api, options: ServerOptions): Promise<ApiServer> {
  const server = createServer(
    { keepAliveTimeout: 60_000, requestTimeout: 0, maxHeaderSize: MAX_HEADER_BYTES },
    (request, response) => {
      void handle(api, options, request, response)
    },
  )
  await listen(server, options)
  const { address, port } = server.address() as AddressInfo
  const host = address.includes(':') ? `[${address}]` : address
  return {
    url: `http://${host}:${port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeIdleConnections()
        // Ended watches leave their connections idle a moment later; nobody is owed more than that moment.
        setTimeout(() => server.closeAllConnections(), 250).unref()
      }),
  }
}

function listen(server: Server, { host, port }: ServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

async function handle(
  api: Api,
  options: ServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  // A client that goes away in the middle of an answer is no defect.
  response.on('error', () => {})
  try {
    if (options.token !== undefined && !carries(request, options.token)) throw unauthorized()
    await route(api, request, response)
  } catch (error) {
    if (response.headersSent || response.destroyed) {
      response.destroy()
      if (!isAbort(error)) options.onDefect(error)
      return
    }
    if (isAbort(error)) {
      response.destroy()
      return
    }
    if (!(error instanceof StatusError)) options.onDefect(error)
    respondStatus(api, response, error instanceof StatusError ? error : internalError('the simulator failed'))
  }
}

async function route(api: Api, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = request.url?.startsWith('/') === true ? request.url : '/'
  const url = new URL(`http://simulator${path}`)
  const plain = plainAnswer(request, url)
  const target = plain === undefined ? parsePath(url.pathname) : 'unknown-path'
  if (target !== 'unknown-path') {
    await answerResource(api, target, url, request, response)
    return
  }
  if (answerFault(api, request, response, url)) return
  const { type, body, headers } = plain ?? notServed
  response.writeHead(plain === undefined ? 404 : 200, {
    'content-type': type,
    'cache-control': 'no-cache, private',
    ...headers,
  })
  response.end(body)
}

const notServed: PlainAnswer = {
  type: 'text/plain; charset=utf-8',
  body: '404 page not found\n',
  headers: { 'x-content-type-options': 'nosniff' },
}

function answerFault(api: Api, request: IncomingMessage, response: ServerResponse, url: URL): boolean {
  const fault = api.faults.take({
    method: request.method ?? 'GET',
    path: url.pathname,
    plural: '',
    namespace: undefined,
    name: undefined,
    watch: false,
  })
  if (fault === undefined) return false
  const status = faultStatus(fault)
  if (status === 'drop') response.destroy()
  else respondStatus(api, response, status)
  return true
}

function respondStatus(api: Api, response: ServerResponse, error: StatusError): void {
  const { retryAfterSeconds, plain } = error.extras
  try {
    api.store.flush()
  } catch {
    // The answer is a refusal anyway; the write that could not be kept is tried again with the next one.
  }
  response.writeHead(error.code, {
    ...(plain === true
      ? { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' }
      : { 'content-type': 'application/json' }),
    'cache-control': 'no-cache, private',
    ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }),
  })
  response.end(plain === true ? `${error.message}\n` : statusJson(error))
}

function carries(request: IncomingMessage, token: string): boolean {
  const sent = Buffer.from(request.headers.authorization ?? '')
  const wanted = Buffer.from(`Bearer ${token}`)
  return sent.length === wanted.length && timingSafeEqual(sent, wanted)
}

/** The client went away in the middle of its request or of the answer. */
function isAbort(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false
  return error.code === 'ECONNRESET' || error.code === 'ABORT_ERR' || error.code === 'ERR_STREAM_PREMATURE_CLOSE'
}
