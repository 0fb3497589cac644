import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { TLSSocket } from 'node:tls'

/** One request as it arrived, with its whole body. */
export type ScriptedRequest = {
  readonly method: string
  /** Without the query. */
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  readonly headers: IncomingMessage['headers']
  readonly body: unknown
  /** The connection that it came on: 1 for the server's first. */
  readonly connection: number
  /** CN of the client certificate, where one was sent. */
  readonly clientName: string | undefined
}

export type ScriptedServer = {
  readonly url: string
  readonly port: number
  /** All requests so far, in the order of their arrival. */
  readonly requests: readonly ScriptedRequest[]
  /** Sockets that are open now. */
  readonly openConnections: number
  close(): Promise<void>
}

/** Answers one request; `index` counts the requests from 0. */
export type Script = (request: ScriptedRequest, response: ServerResponse, index: number) => void

/** An HTTP server on loopback that does what a test says, broken things too. */
export async function startScriptedServer(script: Script, tls?: ServerOptions): Promise<ScriptedServer> {
  const requests: ScriptedRequest[] = []
  const sockets = new Map<unknown, number>()
  let open = 0
  const listener = async (incoming: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk as Buffer)
    const text = Buffer.concat(chunks).toString('utf8')
    const url = new URL(incoming.url ?? '/', 'http://localhost')
    const request: ScriptedRequest = {
      method: incoming.method ?? '',
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers: incoming.headers,
      body: text === '' ? undefined : JSON.parse(text),
      connection: sockets.get(incoming.socket) ?? 0,
      clientName: tls && textOf((incoming.socket as TLSSocket).getPeerCertificate().subject?.CN),
    }
    requests.push(request)
    script(request, response, requests.length - 1)
  }
  const server: Server = tls ? createTlsServer(tls, listener) : createServer(listener)
  server.on(tls ? 'secureConnection' : 'connection', (socket) => {
    sockets.set(socket, sockets.size + 1)
    open += 1
    socket.on('close', () => {
      open -= 1
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    port,
    requests,
    get openConnections() {
      return open
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function textOf(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value
}

export function sendJson(response: ServerResponse, code: number, body: unknown, headers: Record<string, string> = {}) {
  response.writeHead(code, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

/** A refusal in the API server's form. */
export function sendStatus(
  response: ServerResponse,
  code: number,
  reason: string,
  message: string,
  headers: Record<string, string> = {},
) {
  sendJson(response, code, { kind: 'Status', apiVersion: 'v1', status: 'Failure', message, reason, code }, headers)
}

/** Opens a watch's answer and sends the given events; it stays open. */
export function startWatch(response: ServerResponse, ...events: readonly unknown[]): ServerResponse {
  response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders()
  for (const event of events) response.write(`${JSON.stringify(event)}\n`)
  return response
}

/** Waits until the condition holds; fails with `what` after thirty seconds. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const endsAt = performance.now() + 30_000
  while (!condition()) {
    if (performance.now() > endsAt) throw new Error(`waited in vain until ${what}`)
    await delay(5)
  }
}
