import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Autoscaling } from '../src/pools/autoscaling.ts'
import type { PodView } from '../src/pools/plan-types.ts'
import type { Refill } from '../src/pools/pod-index.ts'
import type { Pool, PoolStatus } from '../src/pools/pool.ts'
import type { PoolScene, PoolScenes } from '../src/pools/pool-scenes.ts'
import { countSurplus, createScaler } from '../src/scaling/scaler.ts'
import { sweepScaling } from '../src/scaling/scaling-sweep.ts'
import { acquireLease, LeaseLost } from '../src/store/lease.ts'
import { createLogger } from '../src/telemetry/logger.ts'
import { createMetrics, type Metrics } from '../src/telemetry/metrics.ts'
import { useDatabase } from './support/database.ts'

/** The scaler with pools of the test's making: what it counts comes from the database, whose clock only the tests move. */
const t = useDatabase()
const start = '2027-01-04T07:59:30Z'
beforeAll(() =>
  t.db.query(`create or replace function instance_now() returns timestamptz language sql stable as
    $$ select '${start}'::timestamptz + coalesce((select shift from instance_clock where id), interval '0') $$`),
)

const pod = (uid: string, change: Partial<PodView> = {}): PodView => ({
  uid,
  name: uid,
  ownerKind: 'Deployment',
  ownerUid: 'd',
  createdAt: 0,
  isReady: true,
  isDeleting: false,
  isFinished: false,
  isBusy: false,
  trouble: undefined,
  ...change,
})

type Given = {
  readonly autoscaling: Autoscaling | null
  readonly size?: number
  readonly maxSize?: number
  readonly scalable?: boolean
  readonly status?: PoolStatus
  readonly draining?: boolean
  readonly pods?: readonly PodView[]
}

const uidOf = (id: number) => `00000000-0000-0000-0000-${String(id).padStart(12, '0')}`

/** Pools by number, and what the scaler told of them. */
const given = new Map<number, Given>()
let wanted: Map<number, number | undefined>
let shrunk: Map<number, number>
let refills: Refill[]
let metrics: Metrics
const pools: PoolScenes = {
  scenes: () =>
    [...given].map(
      ([
        seq,
        { autoscaling, size = 2, maxSize = 50, scalable = true, status = 4, draining = false, pods = [] },
      ]): PoolScene => ({
        pool: {
          seq,
          uid: uidOf(seq),
          id: `p${seq}`,
          scalable,
          status,
          draining,
          spec: { size, maxSize, autoscaling } as Pool['spec'],
        } as Pool,
        pods,
        creating: 0,
      }),
    ),
  want: (uid, count) => wanted.set(Number(uid.slice(-12)), count),
  shrink: (uid, count) => shrunk.set(Number(uid.slice(-12)), count),
  takeRefills: () => refills.splice(0),
}

function scaler(change: { readonly pools?: PoolScenes; readonly lease?: Awaited<ReturnType<typeof lease>> } = {}) {
  return createScaler({
    db: t.db,
    lease: undefined,
    pools,
    logger: createLogger({ level: 'silent' }),
    metrics,
    tuning: { commitMs: 0 },
    ...change,
  })
}

const lease = () => acquireLease(t.db, 'scaler', crypto.randomUUID(), 60, { force: true })

/** Moves the database's clock on. */
const pass = (seconds: number) =>
  t.db.query(
    `insert into instance_clock (shift) values (make_interval(secs => $1))
     on conflict (id) do update set shift = instance_clock.shift + excluded.shift`,
    [seconds],
  )

let made = 0
/** Instances of a pool, claimed now. */
async function claim(poolId: number, count: number, change: { readonly shared?: boolean; readonly pod?: string } = {}) {
  const ids = Array.from({ length: count }, () => {
    made += 1
    return `i${made}`
  })
  await t.db.query(
    `insert into instance (id, pool_id, pool_uid, pool_name, schedule_policy, pod_uid, pod_name, namespace, warm)
     select id, $2, $3, $4, $5, coalesce($6, 'pod-' || id), 'n', 'ns', true from unnest($1::text[]) id`,
    [ids, poolId, uidOf(poolId), `p${poolId}`, change.shared === true ? 'shared' : 'exclusive', change.pod ?? null],
  )
  return ids
}

const release = (ids: readonly string[]) =>
  t.db.query(
    `with gone as (delete from instance where id = any($1::text[]) returning *)
     insert into instance_past select g.*, instance_now(), 'released' from gone g`,
    [ids],
  )

const wait = (
  id: string,
  poolIds: readonly number[],
  change: { readonly count?: number; readonly shared?: boolean } = {},
) =>
  t.db.query(
    `with w as (insert into waiter (id, replica, schedule_policy, count, deadline)
       values ($1, gen_random_uuid(), $3, $4, instance_now() + interval '2 minutes') returning *)
     insert into line (pool_id, waiter_id, seq, priority, replica, deadline)
       select p, w.id, w.seq, 0, w.replica, w.deadline from w, unnest($2::bigint[]) p`,
    [id, poolIds, change.shared === true ? 'shared' : 'exclusive', change.count ?? 1],
  )

const decisions = (poolId: number) =>
  t.db.query<{ wanted_before: number | null; wanted: number; decided_by: string; inputs: Record<string, unknown> }>(
    'select wanted_before, wanted, decided_by, inputs from autoscale_decision where pool_name = $1 order by id',
    [`p${poolId}`],
  )
const wantedOf = async (poolId: number) => (await decisions(poolId)).map((decision) => decision.wanted)

beforeEach(() => {
  given.clear()
  wanted = new Map()
  shrunk = new Map()
  refills = []
  metrics = createMetrics()
})
afterEach(() =>
  t.db.query(`truncate instance, instance_past, shared_pod, line, waiter, autoscale_state, autoscale_decision,
    autoscale_claims, autoscale_cursor, instance_clock`),
)

describe('a buffer', () => {
  test('follows what is held and what waits, and every change is stored with its inputs', async () => {
    const { tick } = scaler()
    given.set(1, { autoscaling: { buffer: 5 } })
    await tick()
    expect(wanted.get(1)).toBe(5)
    const ids = await claim(1, 4)
    await tick()
    expect(wanted.get(1)).toBe(9)
    await wait('w1', [1])
    await tick()
    expect(wanted.get(1)).toBe(10)
    await release(ids)
    await t.db.query('truncate line, waiter')
    await tick()
    await tick()
    expect(wanted.get(1)).toBe(5)
    expect(await decisions(1)).toEqual([
      {
        wanted_before: null,
        wanted: 5,
        decided_by: 'buffer',
        inputs: {
          size: 2,
          max_size: 50,
          autoscaling: { buffer: 5 },
          held: 0,
          waiting: 0,
          asks: { size: 2, buffer: 5 },
        },
      },
      expect.objectContaining({ wanted_before: 5, wanted: 9, inputs: expect.objectContaining({ held: 4 }) }),
      expect.objectContaining({
        wanted_before: 9,
        wanted: 10,
        inputs: expect.objectContaining({ held: 4, waiting: 1 }),
      }),
      expect.objectContaining({ wanted_before: 10, wanted: 5, inputs: expect.objectContaining({ held: 0 }) }),
    ])
  })

  test('counts a shared pod once, whatever is on it, also when nothing is', async () => {
    given.set(1, { autoscaling: { buffer: 1 }, size: 0 })
    await t.db.query(
      `insert into shared_pod (pod_uid, pool_id, pod_name, namespace, cpu_millis, memory_bytes, instances)
       values ('s1', 1, 's1', 'ns', 0, 0, 3), ('s2', 1, 's2', 'ns', 0, 0, 0), ('s3', 2, 's3', 'ns', 0, 0, 5)`,
    )
    await claim(1, 3, { shared: true, pod: 's1' })
    await claim(1, 2)
    await scaler().tick()
    expect((await decisions(1))[0]).toMatchObject({ wanted: 5, inputs: { held: 4 } })
  })

  test('counts a request in several lines once over all of them, a batch as its pods, sharers as one', async () => {
    for (const id of [1, 2, 3]) given.set(id, { autoscaling: { buffer: 0 }, size: 0 })
    await wait('everywhere', [1, 2])
    await wait('batch', [1], { count: 7 })
    await wait('sharer', [3], { shared: true })
    await wait('another', [3], { shared: true })
    await scaler().tick()
    expect([wanted.get(1), wanted.get(2), wanted.get(3)]).toEqual([8, 1, 1])
    await pass(121)
    await scaler().tick()
    expect([wanted.get(1), wanted.get(2), wanted.get(3)]).toEqual([0, 0, 0])
  })
})

test('a schedule counts by the moved clock', async () => {
  given.set(1, {
    autoscaling: {
      schedule: [
        { cron: '0 8 * * *', size: 30 },
        { cron: '0 20 * * *', size: 4 },
      ],
    },
  })
  const { tick } = scaler()
  await tick()
  expect(wanted.get(1)).toBe(4)
  await pass(30)
  await tick()
  expect(wanted.get(1)).toBe(30)
  await pass(12 * 3_600 - 1)
  await tick()
  expect(wanted.get(1)).toBe(30)
  await pass(1)
  await tick()
  expect(wanted.get(1)).toBe(4)
  expect((await decisions(1)).at(1)?.inputs).toMatchObject({
    scheduled: { size: 30, cron: '0 8 * * *', since: '2027-01-04T08:00:00.000Z' },
  })
})

describe('demand', () => {
  const demand = { window_seconds: 60 }
  const refill = (seconds: number, id = 1) => refills.push({ poolUid: uidOf(id), milliseconds: seconds * 1_000 })

  test('is the rate of claims times the measured refill; released instances count as well', async () => {
    given.set(1, { autoscaling: { demand }, size: 0 })
    given.set(2, { autoscaling: { demand }, size: 0 })
    const { tick } = scaler()
    await tick()
    refill(6)
    refill(6, 2)
    await pass(30)
    await release(await claim(1, 20))
    await claim(2, 5)
    await pass(30)
    await tick()
    // 20 claims and 5 in 60 s, at 6 s each
    expect((await decisions(1)).at(-1)).toMatchObject({
      wanted: 2,
      decided_by: 'demand',
      inputs: { claims: { count: 20, seconds: 60 }, refill_seconds: 6, held: 0 },
    })
    expect((await decisions(2)).at(-1)).toMatchObject({ wanted: 6, inputs: { claims: { count: 5 }, held: 5 } })
    await pass(61)
    await tick()
    expect(wanted.get(1)).toBe(0)
  })

  test('goes on in another replica, and misses no claim of the time between', async () => {
    given.set(1, { autoscaling: { demand }, size: 0 })
    const first = scaler()
    await first.tick()
    refill(10)
    await first.tick()
    await pass(20)
    await release(await claim(1, 6))
    // Nobody looks for a while; then another one does, who has measured nothing.
    await pass(20)
    await release(await claim(1, 6))
    await pass(20)
    const second = scaler()
    await second.tick()
    expect(wanted.get(1)).toBe(2)
    expect((await decisions(1)).at(-1)?.inputs).toMatchObject({
      claims: { count: 12, seconds: 60 },
      refill_seconds: 10,
    })
  })

  test('says nothing before it has counted for ten seconds and measured a refill', async () => {
    given.set(1, { autoscaling: { demand }, size: 0 })
    const { tick } = scaler()
    refill(10)
    await tick()
    await release(await claim(1, 30))
    await pass(9)
    await tick()
    expect(wanted.get(1)).toBe(0)
    await pass(1)
    await tick()
    expect((await decisions(1)).at(-1)).toMatchObject({ wanted: 30, inputs: { claims: { count: 30, seconds: 10 } } })
  })

  test('is not counted while no pool asks for it', async () => {
    given.set(1, { autoscaling: { demand }, size: 0 })
    const { tick } = scaler()
    await tick()
    given.set(1, { autoscaling: { buffer: 1 }, size: 0 })
    await tick()
    await release(await claim(1, 30))
    expect(await t.db.query('select from autoscale_cursor')).toEqual([])
    given.set(1, { autoscaling: { demand }, size: 0 })
    await tick()
    refill(10)
    await pass(10)
    await claim(1, 1)
    await tick()
    expect((await decisions(1)).at(-1)?.inputs).toMatchObject({ claims: { count: 1, seconds: 10 } })
  })

  test('of many claims at once is counted in steps', async () => {
    given.set(1, { autoscaling: { demand }, size: 0, maxSize: 1_000_000 })
    const { tick } = scaler()
    await tick()
    // Numbers that rolled back transactions drew count for nothing.
    await t.db.query(`select setval('instance_no_seq', (select last_value + 450000 from instance_no_seq))`)
    await claim(1, 3)
    for (let i = 0; i < 4; i += 1) await tick()
    expect(await t.db.query('select sum(claims) as n from autoscale_claims')).toEqual([{ n: '3' }])
  })
})

describe('which pools', () => {
  test('fixed ones, and ones that are new, failed, draining or going, are left alone', async () => {
    const autoscaling = { buffer: 5 }
    given.set(1, { autoscaling, scalable: false })
    given.set(2, { autoscaling, status: 0 })
    given.set(3, { autoscaling, status: 5 })
    given.set(4, { autoscaling, status: 6 })
    given.set(5, { autoscaling: null })
    given.set(6, { autoscaling, draining: true })
    await scaler().tick()
    expect(wanted).toEqual(new Map())
    expect(await t.db.query('select from autoscale_decision')).toEqual([])
  })

  test('one that is gone is forgotten, its decisions are not', async () => {
    given.set(1, { autoscaling: { buffer: 5 } })
    const { tick } = scaler()
    await tick()
    given.clear()
    await tick()
    expect(await t.db.query('select from autoscale_state')).toEqual([])
    expect(await wantedOf(1)).toEqual([5])
  })

  test('nothing is decided while the cluster is not known', async () => {
    await scaler({ pools: { ...pools, scenes: () => undefined } }).tick()
    expect(wanted).toEqual(new Map())
  })
})

describe('pods that are not wanted any more', () => {
  const idle = (count: number) => Array.from({ length: count }, (_, i) => pod(`idle${i}`))

  test('are taken away after five minutes, also when another replica takes over meanwhile', async () => {
    given.set(1, { autoscaling: { buffer: 12 }, pods: idle(12) })
    const first = scaler()
    await first.tick()
    given.set(1, { autoscaling: { buffer: 3 }, pods: idle(12) })
    await first.tick()
    expect(wanted.get(1)).toBe(3)
    await pass(200)
    await first.tick()
    given.set(1, { autoscaling: { buffer: 3 }, pods: idle(10) })
    const second = scaler()
    await second.tick()
    await pass(99)
    await second.tick()
    expect(shrunk.get(1)).toBeUndefined()
    await pass(1)
    await second.tick()
    expect(shrunk.get(1)).toBe(7)
  })

  test('stay when they are wanted again in time', async () => {
    given.set(1, { autoscaling: { buffer: 12 }, pods: idle(12) })
    const { tick } = scaler()
    for (const buffer of [12, 3, 12, 3]) {
      given.set(1, { autoscaling: { buffer }, pods: idle(12) })
      await tick()
      await pass(299)
      await tick()
    }
    expect(shrunk).toEqual(new Map())
  })

  test('go when autoscaling is taken back; then the pool is like any other', async () => {
    given.set(1, { autoscaling: { buffer: 12 }, pods: idle(12) })
    const { tick } = scaler()
    await tick()
    given.set(1, { autoscaling: null, pods: idle(12) })
    await tick()
    expect(wanted.get(1)).toBe(2)
    await pass(300)
    await tick()
    expect(shrunk.get(1)).toBe(10)
    expect(wanted.get(1)).toBeUndefined()
    shrunk.clear()
    await pass(300)
    await tick()
    expect(shrunk).toEqual(new Map())
    expect(await wantedOf(1)).toEqual([12, 2])
    expect((await decisions(1)).at(-1)).toMatchObject({ decided_by: 'size', inputs: { autoscaling: null } })
  })

  test('are none of those in use, on their way out, or asked for by a request', () => {
    const scene = (pods: readonly PodView[], creating = 0) => ({ pool: {} as Pool, pods, creating }) satisfies PoolScene
    const busy = pod('busy', { isBusy: true })
    const asked = pod('asked', { isOnDemand: true })
    expect(countSurplus(scene(idle(5)), 3)).toBe(2)
    expect(countSurplus(scene(idle(5), 2), 3)).toBe(4)
    expect(countSurplus(scene([busy, busy, busy, ...idle(1)]), 1)).toBe(1)
    expect(countSurplus(scene([asked, asked, ...idle(3)]), 3)).toBe(0)
    expect(countSurplus(scene([{ ...asked, isBusy: true }, ...idle(3)]), 3)).toBe(1)
    expect(countSurplus(scene([pod('a', { isDeleting: true }), pod('b', { isFinished: true }), ...idle(1)]), 1)).toBe(0)
    expect(countSurplus(scene(idle(1)), 3)).toBe(-2)
  })
})

test('one that lost the lease decides nothing', async () => {
  given.set(1, { autoscaling: { buffer: 5 } })
  const old = scaler({ lease: await lease() })
  const young = scaler({ lease: await lease() })
  await expect(old.tick()).rejects.toThrow(LeaseLost)
  await expect(old.run(new AbortController().signal)).rejects.toThrow(LeaseLost)
  expect(wanted).toEqual(new Map())
  await young.tick()
  expect(await wantedOf(1)).toEqual([5])
})

test('decisions go by age, counts when no window reaches them', async () => {
  given.set(1, { autoscaling: { buffer: 5, demand: { window_seconds: 10 } } })
  const { tick } = scaler()
  await tick()
  await claim(1, 1)
  await tick()
  await pass(7 * 86_400 + 1)
  await claim(1, 1)
  await tick()
  expect(await sweepScaling(t.db, 7)).toBe(2)
  expect(await wantedOf(1)).toEqual([7])
  expect(await t.db.query('select sum(claims) as n from autoscale_claims')).toEqual([{ n: '1' }])
})

test('decisions are counted by the part that made them, refills by how long they took', async () => {
  given.set(1, { autoscaling: { buffer: 5 } })
  refills.push({ poolUid: uidOf(1), milliseconds: 1_500 })
  await scaler().tick()
  const text = await metrics.registry.metrics()
  expect(text).toContain('podyard_autoscale_decisions_total{by="buffer"} 1')
  expect(text).toContain('podyard_pool_refill_seconds_bucket{le="1"} 0')
  expect(text).toContain('podyard_pool_refill_seconds_bucket{le="2"} 1')
})
