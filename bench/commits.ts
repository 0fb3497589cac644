import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import type { Timed } from './claims-load.ts'

/**
 * What the smallest durable commit takes while a load runs: one connection, 50 a second, each due whether or not those
 * before it are done. Some file systems hold every commit up for 10 to 50 ms whenever they write their own journal, which no
 * server on top of them can answer faster than.
 */
export type Commits = {
  /** Those that were due then. */
  between(from: number, to: number): readonly Timed[]
  stop(): Promise<void>
}

const everyMs = 20

export async function startCommits(connection: pg.ClientConfig): Promise<Commits> {
  const client = new pg.Client(connection)
  client.on('error', () => {})
  await client.connect()
  const commits: Timed[] = []
  let isStopped = false
  const run = (async () => {
    for (let at = performance.now(); !isStopped; at += everyMs) {
      const early = at - performance.now()
      if (early > 0) await delay(early)
      await client.query(`select pg_logical_emit_message(true, 'bench', '')`)
      commits.push({ at, ms: performance.now() - at })
    }
  })()
  return {
    between: (from, to) => commits.filter(({ at }) => at >= from && at <= to),
    async stop() {
      isStopped = true
      await run.catch(() => {})
      await client.end()
    },
  }
}
