import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { ClaimStage } from './claims-stage.ts'
import { until } from './claims-stage.ts'

/** Pools whose pods are rows that the bench writes: as if a cluster made pods ready as fast as they are taken. */
export type Stock = {
  readonly pools: readonly string[]
  /** Adds ready pods until each of the pools has so many. */
  fill(pools: readonly string[], depth: number): Promise<void>
  /** Takes away what there is, and makes so many. */
  exactly(pool: string, depth: number): Promise<void>
  /** Fills every 10 ms (100 ms where there are many pools) what was taken, until the function that it returns is called. */
  keepFull(pools: readonly string[], depth: number): () => Promise<void>
  stop(): Promise<void>
}

const add = `insert into ready (pool_id, pod_uid, pod_name, namespace, ip, node, host_ip, cpu_millis, memory_bytes)
  select p.id, gen_random_uuid()::text, 'function-agent-' || p.name || '-' || left(gen_random_uuid()::text, 8), 'default',
    '10.1.' || i % 250 || '.' || i % 200, 'node-' || i % 3, '192.0.2.' || i % 3, 2000, 4294967296
  from pool p
  cross join lateral generate_series(1, $2::bigint - (select count(*) from ready r where r.pool_id = p.id)) i
  where p.name = any($1)`

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

  const fill = async (wanted: readonly string[], depth: number) => void (await sql.query(add, [wanted, depth]))
  const running = new Set<() => Promise<void>>()
  return {
    pools,
    fill,
    async exactly(pool, depth) {
      await sql.query('delete from ready where pool_id = (select id from pool where name = $1)', [pool])
      await fill([pool], depth)
      if (depth > 10_000) await sql.query('analyze ready')
    },
    keepFull(wanted, depth) {
      const stopping = new AbortController()
      const work = (async () => {
        // Counting a deep stock costs more than refilling it: what was taken is counted instead.
        let known = await taken(stage)
        await fill(wanted, depth)
        while (!stopping.signal.aborted) {
          await delay(wanted.length > 1 ? 100 : 10)
          if (depth <= 3_000) await fill(wanted, depth)
          else {
            const now = await taken(stage)
            if (now > known) await sql.query(more, [wanted[0], now - known])
            known = now
          }
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

const more = add
  .replace('$2::bigint - (select count(*) from ready r where r.pool_id = p.id)', '$2::bigint')
  .replace('p.name = any($1)', 'p.name = $1')

/** How many instances there have ever been: their numbers come from one sequence. */
async function taken({ sql }: ClaimStage): Promise<number> {
  const { rows } = await sql.query<{ n: string }>(`select last_value as n from instance_no_seq`)
  return Number(rows[0]?.n ?? 0)
}
