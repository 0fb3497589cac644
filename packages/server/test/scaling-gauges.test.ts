import { beforeEach, expect, test } from 'vitest'
import type { PodView } from '../src/pools/plan-types.ts'
import type { Pool } from '../src/pools/pool.ts'
import type { PoolScene } from '../src/pools/pool-scenes.ts'
import { createPoolGauges } from '../src/scaling/pool-gauges.ts'
import { createLogger } from '../src/telemetry/logger.ts'
import { createMetrics, type Metrics } from '../src/telemetry/metrics.ts'
import { useDatabase } from './support/database.ts'

const t = useDatabase()
let metrics: Metrics
let scenes: readonly PoolScene[] | undefined

const pod = (change: Partial<PodView>): PodView => ({
  uid: 'u',
  name: 'n',
  ownerKind: '',
  ownerUid: '',
  createdAt: 0,
  isReady: false,
  isDeleting: false,
  isFinished: false,
  isBusy: false,
  trouble: undefined,
  ...change,
})
const scene = (seq: number, pods: readonly PodView[] = [], creating = 0): PoolScene => ({
  pool: { seq, id: `p${seq}` } as Pool,
  pods,
  creating,
})
const gauges = () =>
  createPoolGauges({ db: t.db, pools: { scenes: () => scenes }, logger: createLogger({ level: 'silent' }), metrics })
const shown = async (name = 'podyard_pool_') =>
  (await metrics.registry.metrics()).split('\n').filter((line) => line.startsWith(name))

beforeEach(async () => {
  metrics = createMetrics()
  await t.db.query('truncate ready, instance, shared_pod, retired, line')
})

test('pods by what they are, and the line, of each pool', async () => {
  await t.db.query(`insert into ready (pool_id, pod_uid, pod_name, namespace)
    select 1, 'r' || n, 'n', 'ns' from generate_series(1, 3) n`)
  const instances = (count: number, policy: string, podUid: string) =>
    t.db.query(
      `insert into instance (id, pool_id, pool_uid, pool_name, schedule_policy, pod_uid, pod_name, namespace, warm)
       select $2 || n, 1, gen_random_uuid(), 'p1', $2, $3 || case when $2 = 'exclusive' then n::text else '' end, 'n', 'ns', true
       from generate_series(1, $1::int) n`,
      [count, policy, podUid],
    )
  await instances(2, 'exclusive', 'e')
  await instances(5, 'shared', 's1')
  // One with five instances, one that is idle again.
  await t.db.query(`insert into shared_pod (pod_uid, pool_id, pod_name, namespace, cpu_millis, memory_bytes, instances)
    values ('s1', 1, 'n', 'ns', 0, 0, 5), ('s2', 1, 'n', 'ns', 0, 0, 0)`)
  await t.db.query(`insert into retired (pod_uid, pool_id, pod_name, namespace, reason, gone_at)
    values ('a', 1, 'n', 'ns', 'released', null), ('b', 1, 'n', 'ns', 'released', now())`)
  await t.db.query(`insert into line (pool_id, waiter_id, seq, priority, replica, deadline)
    select 1, n::text, n, 0, gen_random_uuid(), instance_now() + make_interval(mins => n) from generate_series(-1, 4) n`)
  scenes = [
    scene(
      1,
      [pod({}), pod({ isReady: true }), pod({ isDeleting: true }), pod({ isFinished: true }), pod({ isBusy: true })],
      2,
    ),
    scene(2),
  ]
  await gauges().tick()
  expect(await shown()).toEqual([
    'podyard_pool_pods{pool="p1",state="ready"} 3',
    'podyard_pool_pods{pool="p1",state="claimed"} 3',
    'podyard_pool_pods{pool="p1",state="pending"} 3',
    'podyard_pool_pods{pool="p1",state="recycled"} 1',
    ...['ready', 'claimed', 'pending', 'recycled'].map((state) => `podyard_pool_pods{pool="p2",state="${state}"} 0`),
    'podyard_pool_line{pool="p1"} 4',
    'podyard_pool_line{pool="p2"} 0',
  ])
})

test('500 pools have series of their own, the others are summed up', async () => {
  await t.db.query(`insert into ready (pool_id, pod_uid, pod_name, namespace)
    select n, 'r' || n, 'n', 'ns' from generate_series(1, 502) n`)
  scenes = Array.from({ length: 502 }, (_, i) => scene(i + 1))
  await gauges().tick()
  const lines = await shown('podyard_pool_pods{')
  expect(lines).toHaveLength(501 * 4)
  expect(lines).toContain('podyard_pool_pods{pool="_other",state="ready"} 2')
})

test('a pool that is gone has no series; neither has one that does not lead any more', async () => {
  scenes = [scene(1), scene(2)]
  const counted = gauges()
  await counted.tick()
  scenes = [scene(2)]
  await counted.tick()
  expect((await shown()).join()).not.toContain('p1')
  scenes = undefined
  await counted.tick()
  expect((await shown()).length).toBeGreaterThan(0)
  const stopped = new AbortController()
  stopped.abort()
  await counted.run(stopped.signal)
  expect(await shown()).toEqual([])
})
