import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A request on its way to the API server. */
export type ProxiedRequest = { readonly method: string; readonly path: string; readonly isWatch: boolean }

/** What is answered in the server's stead; undefined lets the request pass. */
export type Refusal = { readonly code: number; readonly reason: string; readonly message: string }

export type ApiProxy = {
  readonly url: string
  /** Every request since the start, in order, watches included. */
  readonly requests: ProxiedRequest[]
  /** Requests that are at the server at this moment, watches not counted, and the most there ever were. */
  readonly underWay: { now: number; most: number }
  /** Asked for each request. */
  refuse: (request: ProxiedRequest) => Refusal | undefined
  stop(): Promise<void>
}

/** Stands before a simulated API server (plain HTTP): counts what arrives, and refuses what a test wants refused. */
export async function startApiProxy(target: string): Promise<ApiProxy> {
  const agent = new Agent({ keepAlive: true })
  const server = createServer(handle)
  const proxy = {
    url: '',
    requests: [] as ProxiedRequest[],
    underWay: { now: 0, most: 0 },
    refuse: (() => undefined) as ApiProxy['refuse'],
    async stop() {
      server.closeAllConnections()
      agent.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }

  function handle(incoming: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(incoming.url ?? '/', target)
    const seen = { method: incoming.method ?? '', path: pathname, isWatch: searchParams.get('watch') === 'true' }
    proxy.requests.push(seen)
    if (!seen.isWatch) {
      proxy.underWay.now += 1
      proxy.underWay.most = Math.max(proxy.underWay.most, proxy.underWay.now)
      response.on('close', () => {
        proxy.underWay.now -= 1
      })
    }
    const refusal = proxy.refuse(seen)
    if (refusal !== undefined) {
      incoming.resume()
      const status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', ...refusal }
      response.writeHead(refusal.code, { 'content-type': 'application/json' }).end(JSON.stringify(status))
      return
    }
    const outgoing = request(new URL(incoming.url ?? '/', target), {
      method: seen.method,
      headers: incoming.headers,
      agent: seen.isWatch ? false : agent,
    })
    outgoing.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      response.flushHeaders()
      answer.pipe(response)
      answer.on('error', () => response.destroy())
    })
    outgoing.on('error', () => response.destroy())
    response.on('close', () => outgoing.destroy())
    incoming.pipe(outgoing)
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  proxy.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return proxy
}
