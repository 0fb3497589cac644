import pg from 'pg'
import { createKubeClient, type KubeClient } from '../../src/kube/index.ts'
import { type Database, openDatabase } from '../../src/store/database.ts'

/**
 * A process that can be killed at any of its calls, as seen by what it calls: the database (every connection that is made
 * from `db`, those of its siblings included) and the cluster. At its death all its connections break; of what is under way
 * it never learns the outcome, and nothing more goes out.
 */
export type MortalProcess = {
  readonly db: Database
  readonly kube: KubeClient
  readonly isDead: boolean
  /** Resolves at the death. */
  readonly death: Promise<void>
  /** Dies at the n-th call from now on; that call itself is sent or not. */
  dieAfter(calls: number, isLastSent: boolean): void
  /** The database's processes that work for it, or did: what a dead one sent may still be carried out. */
  readonly backends: ReadonlySet<number>
  /** Closes what is open. */
  close(): Promise<void>
}

class Killed extends Error {
  override readonly name = 'Killed'
}

type Life = ReturnType<typeof createLife>

function createLife() {
  const { promise: death, resolve } = Promise.withResolvers<void>()
  const sockets = new Set<{ destroy(): void }>()
  const backends = new Set<number>()
  let callsLeft = Number.POSITIVE_INFINITY
  let isLastSent = false
  let isDead = false
  function die(): void {
    isDead = true
    for (const socket of sockets) socket.destroy()
    resolve()
  }
  return {
    death,
    sockets,
    backends,
    get isDead() {
      return isDead
    },
    dieAfter(calls: number, sent: boolean): void {
      callsLeft = calls
      isLastSent = sent
    },
    /** Sends a call, unless this is the end. */
    send<T>(call: () => T): T {
      callsLeft -= 1
      const isLast = !isDead && callsLeft <= 0
      if (isLast && !isLastSent) die()
      const answer = call()
      if (isLast && isLastSent) die()
      return answer
    },
  }
}

/** What a connection pool makes its connections with: the queries of a dead process fail, for their socket is closed. */
function mortalConnection(life: Life) {
  type Connection = pg.Client & {
    readonly processID: number | null
    readonly connection: { readonly stream: { destroy(): void } }
  }
  return function connection(config: pg.ClientConfig) {
    const client = new pg.Client(config) as Connection
    const { stream } = client.connection
    life.sockets.add(stream)
    client.once('end', () => life.sockets.delete(stream))
    const query = client.query.bind(client) as (...given: unknown[]) => unknown
    const connect = client.connect.bind(client) as (...given: unknown[]) => unknown
    return Object.assign(client, {
      query(...given: unknown[]) {
        if (client.processID !== null) life.backends.add(client.processID)
        return life.send(() => query(...given))
      },
      connect(told: (error: Error) => void) {
        if (life.isDead) process.nextTick(told, new Killed())
        else connect(told)
      },
    })
  } as unknown as new () => pg.ClientBase
}

function mortalKube(kube: KubeClient, life: Life): KubeClient {
  async function call<T>(work: () => Promise<T>): Promise<T> {
    const answer = await life.send(async () => {
      if (life.isDead) throw new Killed()
      return work()
    })
    if (life.isDead) throw new Killed()
    return answer
  }
  return {
    ...kube,
    get: (...given) => call(() => kube.get(...given)),
    list: (...given) => call(() => kube.list(...given)),
    create: (...given) => call(() => kube.create(...given)),
    patch: (...given) => call(() => kube.patch(...given)),
    apply: (...given) => call(() => kube.apply(...given)),
    delete: (...given) => call(() => kube.delete(...given)),
  }
}

export function createMortalProcess(options: {
  readonly connection: {
    readonly host: string
    readonly port: number
    readonly database: string
    readonly user: string
  }
  /** Address of the cluster. */
  readonly server: string
}): MortalProcess {
  const life = createLife()
  const connection = { ...options.connection, Client: mortalConnection(life) }
  const db = openDatabase({ connection, max: 8 })
  const kube = createKubeClient({ server: options.server, namespace: 'default' })
  return {
    db,
    kube: mortalKube(kube, life),
    get isDead() {
      return life.isDead
    },
    death: life.death,
    dieAfter: life.dieAfter,
    backends: life.backends,
    async close() {
      await Promise.all([db.close(), kube.close()])
    },
  }
}
