import { type AddressInfo, createServer, connect as openSocket, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/** A network between a client and a server (Kubernetes, PostgreSQL) that can be bad. Bytes are not looked at, so TLS goes through. */
export type TcpProxy = {
  readonly port: number
  /** Milliseconds that every piece is held up, in both directions. */
  delayMs: number
  /** Breaks every connection that is open. */
  drop(): void
  /**
   * From now on nothing goes through and nothing is answered; connections are accepted (as by a firewall that swallows
   * packets). Those that are open stay dead after `heal`: nobody tells them.
   */
  partition(): void
  heal(): void
  /** Connections that were opened so far. */
  readonly opened: number
  stop(): Promise<void>
}

export async function startTcpProxy(
  target: { readonly host: string; readonly port: number } | { readonly path: string },
): Promise<TcpProxy> {
  const pairs = new Set<Pair>()
  type Pair = { readonly client: Socket; readonly upstream: Socket; isDead: boolean }
  let isPartitioned = false
  const server = createServer((client) => {
    proxy.opened += 1
    const upstream = openSocket(target)
    const pair: Pair = { client, upstream, isDead: isPartitioned }
    pairs.add(pair)
    pipe(pair, client, upstream)
    pipe(pair, upstream, client)
  })

  function pipe(pair: Pair, from: Socket, to: Socket): void {
    const end = () => {
      // A dead connection's end is not heard either.
      if (pair.isDead) return
      pairs.delete(pair)
      to.destroy()
    }
    from.on('error', end)
    from.on('close', end)
    void (async () => {
      for await (const piece of from) {
        if (pair.isDead) continue
        if (proxy.delayMs > 0) await delay(proxy.delayMs)
        if (pair.isDead || to.destroyed) continue
        if (!to.write(piece as Buffer)) await new Promise((resolve) => to.once('drain', resolve).once('close', resolve))
      }
    })().catch(() => {})
  }

  const proxy = {
    port: 0,
    delayMs: 0,
    opened: 0,
    drop() {
      for (const { client, upstream } of pairs) {
        client.destroy()
        upstream.destroy()
      }
    },
    partition() {
      isPartitioned = true
      for (const pair of pairs) pair.isDead = true
    },
    heal() {
      isPartitioned = false
    },
    async stop() {
      isPartitioned = false
      proxy.drop()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  proxy.port = (server.address() as AddressInfo).port
  return proxy
}
