import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { ClaimBody } from './claims-load.ts'
import type { ClaimStage } from './claims-stage.ts'
import { until } from './claims-stage.ts'

/** Pools whose pods are rows that the bench writes: as if a cluster made pods ready as fast as they are taken. */
export type Stock = {
  readonly pools: readonly string[]
  /** Adds ready pods until each of the pools has so many. */
  fill(pools: readonly string[], depth: number): Promise<void>
  /** Takes away what there is, and makes so many. */
  exactly(pool: string, depth: number): Promise<void>
  /** An exclusive claim on the pool; what it takes is made anew by `keepFull`. */
  claimOn(pool: string): ClaimBody
  /** Makes anew every 10 ms what was claimed, until the function that it returns is called. */
  keepFull(pools: readonly string[], depth: number): () => Promise<void>
  stop(): Promise<void>
}

const columns = '(pool_id, pod_uid, pod_name, namespace, ip, node, host_ip, cpu_millis, memory_bytes)'
const values = `p.id, gen_random_uuid()::text, 'function-agent-' || p.name || '-' || left(gen_random_uuid()::text, 8), 'default',
  '10.1.' || i % 250 || '.' || i % 200, 'node-' || i % 3, '192.0.2.' || i % 3, 2000, 4294967296`
const upTo = `insert into ready ${columns} select ${values} from pool p
  cross join lateral generate_series(1, $2::bigint - (select count(*) from ready r where r.pool_id = p.id)) i
  where p.name = any($1)`
const more = {
  name: 'stock-more',
  text: `insert into ready ${columns} select ${values}
    from unnest($1::text[], $2::int[]) w(name, n) join pool p using (name) cross join lateral generate_series(1, w.n) i`,
}

export async function startStock(stage: ClaimStage, count: number): Promise<Stock> {
  const { sql, http } = stage
  const pools = Array.from({ length: count }, (_, i) => `stock-${i}-${randomUUID().slice(0, 8)}`)
  const { status, text } = await http.send('POST', '/serverless/v1/podpools', {
    pools: pools.map((id) => ({
      id,
      size: 100_000,
      image: 'runtime-manager:v1',
      resources: { requests: { cpu: '2', memory: '4Gi' }, limits: { cpu: '2', memory: '4Gi' } },
    })),
  })
  if (status !== 200) throw new Error(`the pools were refused: ${status} ${text}`)
  // The controller, which the bench stands in for, would have said so.
  await sql.query(`update pool set status = 4, msg_word = 'Running', version = version + 1, valid_from = now()`)
  await until('the server knows the pools', async () => {
    const answer = await http.send('GET', '/serverless/v1/podpools?limit=1')
    return answer.status === 200
  })

  const fill = async (wanted: readonly string[], depth: number) => void (await sql.query(upTo, [wanted, depth]))
  const claimed = new Map<string, number>()
  const running = new Set<() => Promise<void>>()
  return {
    pools,
    fill,
    async exactly(pool, depth) {
      await sql.query('delete from ready where pool_id = (select id from pool where name = $1)', [pool])
      await fill([pool], depth)
      if (depth > 10_000) await sql.query('analyze ready')
    },
    claimOn(pool) {
      claimed.set(pool, (claimed.get(pool) ?? 0) + 1)
      return { pool }
    },
    keepFull(wanted, depth) {
      const stopping = new AbortController()
      const work = (async () => {
        await fill(wanted, depth)
        claimed.clear()
        while (!stopping.signal.aborted) {
          await delay(10)
          const taken = [...claimed]
          claimed.clear()
          // Counting what is there would cost more than making it.
          if (taken.length > 0)
            await sql.query({ ...more, values: [taken.map(([pool]) => pool), taken.map(([, count]) => count)] })
        }
      })()
      const stop = async () => {
        stopping.abort()
        await work
        running.delete(stop)
      }
      running.add(stop)
      return stop
    },
    async stop() {
      for (const end of running) await end()
    },
  }
}
