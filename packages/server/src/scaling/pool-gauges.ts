import { setTimeout as delay } from 'node:timers/promises'
import type { PoolScenes } from '../pools/pool-scenes.ts'
import type { Database, Queryable } from '../store/database.ts'
import { boundedLabels } from '../telemetry/bounded-labels.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'

export type PoolGaugesDeps = {
  readonly db: Database
  readonly pools: Pick<PoolScenes, 'scenes'>
  readonly logger: Logger
  readonly metrics: Metrics
  /** Milliseconds between two counts at least. */
  readonly everyMs?: number
}

/** Counting may take this part of the time at most: with 100,000 pods it is done less often. */
const busyPart = 0.02

/**
 * How many pods of each pool are ready, claimed, pending and recycled, and how long its line is: counted now and then by
 * the process that leads, so a scrape costs nothing. The 500 oldest pools have series of their own, the others one together.
 */
export function createPoolGauges({ db, pools, logger, metrics, everyMs = 5_000 }: PoolGaugesDeps) {
  const pods = metrics.gauge(
    'podyard_pool_pods',
    'Pods of a pool: ready to be claimed; claimed; pending, on their way to be ready; recycled, on their way out',
    ['pool', 'state'],
  )
  const line = metrics.gauge('podyard_pool_line', "Requests that wait in a pool's line", ['pool'])

  /** One count; resolves to the milliseconds that it took. */
  async function tick(): Promise<number> {
    const scenes = pools.scenes()
    if (scenes === undefined) return 0
    const startedAt = performance.now()
    const counts = await countPods(db)
    const label = boundedLabels()
    pods.reset()
    line.reset()
    for (const { pool, pods: seen, creating } of scenes) {
      const name = label(pool.id)
      const count = counts.get(pool.seq)
      const pending = seen.filter((pod) => !pod.isReady && !pod.isDeleting && !pod.isFinished && !pod.isBusy).length
      pods.inc({ pool: name, state: 'ready' }, count?.ready ?? 0)
      pods.inc({ pool: name, state: 'claimed' }, count?.claimed ?? 0)
      pods.inc({ pool: name, state: 'pending' }, pending + creating)
      pods.inc({ pool: name, state: 'recycled' }, count?.recycled ?? 0)
      line.inc({ pool: name }, count?.waiting ?? 0)
    }
    return performance.now() - startedAt
  }

  /** Counts until the signal aborts. */
  async function run(signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) {
        const tookMs = await tick().catch((error: unknown) => {
          if (!signal.aborted) logger.warn({ err: error }, 'pods could not be counted; trying again')
          return 0
        })
        await delay(Math.max(everyMs, tookMs / busyPart), undefined, { signal }).catch(() => {})
      }
    } finally {
      // Whoever leads next shows them.
      pods.reset()
      line.reset()
    }
  }

  return { run, tick }
}

type PodCounts = {
  readonly ready: number
  readonly claimed: number
  readonly recycled: number
  readonly waiting: number
}

// Each table is read by an index on the pool alone. A pod that is shared has a row of its own and any number of instances.
const selectCounts = {
  name: 'pool-gauges',
  text: `select pool_id, sum(ready)::bigint as ready, sum(claimed)::bigint as claimed, sum(recycled)::bigint as recycled,
      sum(waiting)::bigint as waiting
    from (
      select pool_id, count(*) as ready, 0 as claimed, 0 as recycled, 0 as waiting from ready group by pool_id
      union all
      select pool_id, 0, count(*), 0, 0 from instance group by pool_id
      union all
      select pool_id, 0, count(*) filter (where instances > 0) - coalesce(sum(instances), 0), 0, 0 from shared_pod group by pool_id
      union all
      select pool_id, 0, 0, count(*), 0 from retired where gone_at is null group by pool_id
      union all
      select pool_id, 0, 0, 0, count(*) from line where deadline > (select instance_now()) group by pool_id
    ) counts group by pool_id`,
}

async function countPods(db: Queryable): Promise<ReadonlyMap<number, PodCounts>> {
  const rows = await db.run<{ [K in keyof PodCounts]: number | string } & { pool_id: number }>(selectCounts)
  return new Map(
    rows.map(({ pool_id, ready, claimed, recycled, waiting }) => [
      pool_id,
      { ready: Number(ready), claimed: Number(claimed), recycled: Number(recycled), waiting: Number(waiting) },
    ]),
  )
}
