import type { PoolClient } from 'pg'
import type { KubeClient } from '../../src/kube/index.ts'
import type { Database } from '../../src/store/database.ts'

/**
 * A process that is killed at its n-th call to the outside, as seen by what it calls: from then on nothing more goes
 * out, and of what is under way it never learns the outcome. The n-th call itself was carried out or not, by chance.
 */
export type Mortal = {
  readonly kube: KubeClient
  readonly db: Database
  readonly isDead: boolean
  /** Resolves at the death. */
  readonly death: Promise<void>
  /** Resolves when what was under way at the death has arrived: no process starts faster than that. */
  arrived(): Promise<void>
}

class Killed extends Error {
  override readonly name = 'Killed'
}

export function mortal(kube: KubeClient, db: Database, diesAt: number, dieAfterwards: boolean): Mortal {
  const { promise: death, resolve: die } = Promise.withResolvers<void>()
  const underWay = new Set<Promise<unknown>>()
  let calls = 0
  let isDead = false

  async function call<T>(work: () => Promise<T>): Promise<T> {
    calls += 1
    const isLast = calls >= diesAt
    if (isDead || (isLast && !dieAfterwards)) {
      kill()
      throw new Killed()
    }
    const working = work()
    underWay.add(working)
    if (isLast) kill()
    try {
      const result = await working
      if (isDead) throw new Killed()
      return result
    } finally {
      underWay.delete(working)
    }
  }

  function kill(): void {
    isDead = true
    die()
  }

  const mortalClient = (client: PoolClient): PoolClient =>
    new Proxy(client, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target)
        if (typeof value !== 'function') return value
        if (name === 'query') return (...args: unknown[]) => call(() => value.apply(target, args))
        return value.bind(target)
      },
    })

  /** Not counted as a call: what would be lost is only the connection, and the pool wants that back. */
  async function connect(): Promise<PoolClient> {
    if (isDead) throw new Killed()
    return mortalClient(await db.pool.connect())
  }

  return {
    kube: {
      ...kube,
      create: (...args) => call(() => kube.create(...args)),
      patch: (...args) => call(() => kube.patch(...args)),
      delete: (...args) => call(() => kube.delete(...args)),
      get: (...args) => call(() => kube.get(...args)),
    },
    db: {
      ...db,
      run: (...args) => call(() => db.run(...args)) as never,
      query: (...args) => call(() => db.query(...args)) as never,
      pool: new Proxy(db.pool, {
        get(target, name) {
          if (name === 'connect') return connect
          const value: unknown = Reflect.get(target, name, target)
          return typeof value === 'function' ? value.bind(target) : value
        },
      }),
    },
    get isDead() {
      return isDead
    },
    death,
    async arrived() {
      while (underWay.size > 0) await Promise.allSettled(underWay)
    },
  }
}
