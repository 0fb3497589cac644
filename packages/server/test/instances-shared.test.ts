/** Shared instances by resources, and batches. */
import { beforeEach, describe, expect, test } from 'vitest'
import type { Instance } from '../src/instances/instance.ts'
import { useDatabase } from './support/database.ts'
import { clearInstances, insertPool, insertReady, moveClock } from './support/instance-rows.ts'
import { bound, type Replica, untilWaiting, useReplicas } from './support/replicas.ts'

const t = useDatabase({ max: 10 })
const start = useReplicas(() => t.db)
beforeEach(() => clearInstances(t.db))

const share = (cpu: string, memory = '0') => ({
  pool: 'p',
  schedule_policy: 'shared',
  resources: { requests: { cpu, memory } },
})
const podOf = (instance: Instance | undefined) => instance?.podUid
const claimOne = async (replica: Replica, body: object) => bound(await replica.claim(body))[0] as Instance

/** What is used of each shared pod, by what its instances ask for: must always be what the row says. */
async function usage() {
  return t.db.query(`select s.cpu_millis_used::int as row_says, s.instances,
      coalesce(sum(i.cpu_millis), 0)::int as held, count(i.id) as holders
    from shared_pod s left join instance i on i.pod_uid = s.pod_uid
    group by s.pod_uid, s.cpu_millis_used, s.instances order by 1`)
}

describe('shared instances', () => {
  test('fill the fullest pod that fits, then a fresh one', async () => {
    const pool = await insertPool(t.db, 'p')
    await insertReady(t.db, pool, 2, { cpuMillis: 1000 })
    const replica = start()
    const a = await claimOne(replica, share('600m'))
    const b = await claimOne(replica, share('500m'))
    const c = await claimOne(replica, share('300m'))
    const d = await claimOne(replica, share('400m'))
    expect(podOf(b)).not.toBe(podOf(a))
    // 400m are left on the first, 500m on the second: the fuller one.
    expect(podOf(c)).toBe(podOf(a))
    expect(podOf(d)).toBe(podOf(b))
    expect(a).toMatchObject({ policy: 'shared', cpuMillis: 600, memoryBytes: 0, isWarm: true })
    expect(await replica.claim({ ...share('200m'), timeout_ms: 0 })).toMatchObject({ refusal: { kind: 'timeout' } })
    expect(await usage()).toEqual([
      { row_says: 900, instances: 2, held: 900, holders: 2 },
      { row_says: 900, instances: 2, held: 900, holders: 2 },
    ])
  })

  test('memory counts as well, and a share that was given back is had by the next', async () => {
    const pool = await insertPool(t.db, 'p')
    await insertReady(t.db, pool, 1, { cpuMillis: 1000, memoryBytes: 2 ** 30 })
    const replica = start()
    const a = await claimOne(replica, share('100m', '700Mi'))
    expect(await replica.claim({ ...share('100m', '400Mi'), timeout_ms: 0 })).toMatchObject({ kind: 'refused' })
    await claimOne(replica, share('100m', '300Mi'))
    await replica.service.release(a.id)
    expect(podOf(await claimOne(replica, share('100m', '400Mi')))).toBe(podOf(a))
  })

  test('many at once, through two processes: nothing is given twice', async () => {
    const pool = await insertPool(t.db, 'p')
    await insertReady(t.db, pool, 10, { cpuMillis: 1000 })
    const [a, b] = [start(), start()]
    const outcomes = await Promise.all(
      Array.from({ length: 120 }, (_, i) => (i % 2 === 0 ? a : b).claim({ ...share('100m'), timeout_ms: 2_000 })),
    )
    expect(outcomes.filter(({ kind }) => kind === 'bound')).toHaveLength(100)
    expect(await usage()).toEqual(
      Array.from({ length: 10 }, () => ({ row_says: 1000, instances: 10, held: 1000, holders: 10 })),
    )
  })

  test('what fits no pod is refused at once', async () => {
    await insertPool(t.db, 'p', { requests: { cpu: '1', memory: '1Gi' } })
    const replica = start()
    expect(await replica.claim(share('1001m'))).toMatchObject({ refusal: { kind: 'never' } })
    expect(await replica.claim(share('1', '2Gi'))).toMatchObject({ refusal: { kind: 'never' } })
  })

  test('one that waits is served by a share that comes free, before later ones, though an exclusive one waits ahead', async () => {
    const pool = await insertPool(t.db, 'p')
    await insertReady(t.db, pool, 1, { cpuMillis: 1000 })
    const replica = start()
    const holder = await claimOne(replica, share('1'))
    const exclusive = replica.claim({ pool: 'p' })
    await untilWaiting(t.db, 1)
    const big = replica.claim(share('800m'))
    await untilWaiting(t.db, 2)
    const small = replica.claim(share('100m'))
    await untilWaiting(t.db, 3)
    await replica.service.release(holder.id)
    expect(bound(await big)[0]?.podUid).toBe(holder.podUid)
    expect(bound(await small)[0]?.podUid).toBe(holder.podUid)
    await untilWaiting(t.db, 1)
    // A ready pod goes to whoever is first.
    const [uid] = await insertReady(t.db, pool, 1)
    replica.service.match([pool])
    expect(bound(await exclusive)[0]?.podUid).toBe(uid)
  })

  test('at the head of the line one takes a fresh pod before the exclusive one behind it', async () => {
    const pool = await insertPool(t.db, 'p')
    const replica = start()
    const first = replica.claim(share('500m'))
    await untilWaiting(t.db, 1)
    const second = replica.claim({ pool: 'p' })
    await untilWaiting(t.db, 2)
    const [uid] = await insertReady(t.db, pool, 1)
    replica.service.match([pool])
    expect(bound(await first)[0]).toMatchObject({ podUid: uid, isWarm: false })
    const [other] = await insertReady(t.db, pool, 1)
    replica.service.match([pool])
    expect(bound(await second)[0]?.podUid).toBe(other)
  })

  test('a pod that may take no more takes no more', async () => {
    const pool = await insertPool(t.db, 'p')
    await insertReady(t.db, pool, 1)
    const replica = start()
    await claimOne(replica, share('100m'))
    await t.db.query('update shared_pod set eligible = false')
    expect(await replica.claim({ ...share('100m'), timeout_ms: 0 })).toMatchObject({ refusal: { kind: 'timeout' } })
  })
})

describe('an idle shared pod', () => {
  const left = () =>
    t.db.query(`select tenant, instances,
    extract(epoch from recycle_at - instance_now())::int as seconds from shared_pod`)

  test('is recycled after its idle time, unless somebody comes', async () => {
    const pool = await insertPool(t.db, 'p')
    await insertReady(t.db, pool, 1, { idleSeconds: 30 })
    const replica = start()
    const a = await claimOne(replica, share('100m'))
    const b = await claimOne(replica, share('100m'))
    await replica.service.release(a.id)
    expect(await left()).toEqual([{ tenant: '', instances: 1, seconds: null }])
    await replica.service.release(b.id)
    const [idle] = await left()
    expect(idle).toMatchObject({ instances: 0 })
    expect(idle?.seconds).toBeGreaterThan(0)
    expect(idle?.seconds).toBeLessThanOrEqual(30)
    await claimOne(replica, share('100m'))
    expect(await left()).toEqual([{ tenant: '', instances: 1, seconds: null }])
  })

  test.each([
    [-1, 'anybody may have it', [{ tenant: '', instances: 0, seconds: null }]],
    [0, 'it is deleted at once', []],
    [3_600, 'its tenant may come back', [{ tenant: 'a', instances: 0, seconds: expect.any(Number) }]],
  ])('with tenants apart and a window of %s: %s', async (tenantReuseSeconds, _, expected) => {
    const pool = await insertPool(t.db, 'p')
    await insertReady(t.db, pool, 1)
    const announced: string[] = []
    const replica = start({
      settings: { tenantAffinity: true, tenantReuseSeconds },
      announceWork: (work) => announced.push(work),
    })
    const a = await claimOne(replica, { ...share('100m'), tenant: 'a' })
    await replica.service.release(a.id)
    expect(await left()).toEqual(expected)
    const retired = await t.db.query('select pod_uid, reason from retired')
    expect(retired).toEqual(tenantReuseSeconds === 0 ? [{ pod_uid: a.podUid, reason: 'tenant' }] : [])
    expect(announced).toEqual(tenantReuseSeconds === 0 ? ['retired'] : [])
    const other = await replica.claim({ ...share('100m'), tenant: 'b', timeout_ms: 0 })
    expect(other.kind).toBe(tenantReuseSeconds === -1 ? 'bound' : 'refused')
  })

  test('with tenants apart nobody shares with another, and each with itself', async () => {
    const pool = await insertPool(t.db, 'p')
    await insertReady(t.db, pool, 3)
    const replica = start({ settings: { tenantAffinity: true } })
    const pods = new Map<string, Set<string>>()
    for (const tenant of ['a', 'b', '', 'a', 'b', '']) {
      const { podUid } = await claimOne(replica, { ...share('100m'), tenant })
      pods.set(tenant, new Set([...(pods.get(tenant) ?? []), podUid]))
    }
    expect([...pods.values()].map((uids) => uids.size)).toEqual([1, 1, 1])
    expect(new Set([...pods.values()].flatMap((uids) => [...uids])).size).toBe(3)
  })
})

describe('batches', () => {
  test('all or none, at once', async () => {
    const pool = await insertPool(t.db, 'p')
    await insertReady(t.db, pool, 5)
    const replica = start()
    expect(await replica.claim({ pool: 'p', count: 6 })).toMatchObject({ refusal: { kind: 'timeout' } })
    expect(await t.db.query('select count(*) as n from ready')).toEqual([{ n: 5 }])
    const instances = bound(await replica.claim({ pool: 'p', count: 5 }))
    expect(new Set(instances.map(podOf)).size).toBe(5)
    expect(instances.map(({ id }) => id)).toEqual(
      instances.map((_, i) => (i === 0 ? instances[0]?.id : `${instances[0]?.id}-${i + 1}`)),
    )
  })

  test('more than the pool can ever have', async () => {
    await insertPool(t.db, 'p', { size: 2, maxSize: 4 })
    expect(await start().claim({ pool: 'p', count: 5 })).toMatchObject({ refusal: { kind: 'never' } })
  })

  test('with a timeout it keeps its place, and those behind it wait', async () => {
    const pool = await insertPool(t.db, 'p')
    await insertReady(t.db, pool, 2)
    const [a, b] = [start(), start()]
    const batch = a.claim({ pool: 'p', count: 3, timeout_ms: 60_000 })
    await untilWaiting(t.db, 1)
    const single = b.claim({ pool: 'p' })
    await untilWaiting(t.db, 2)
    expect(await t.db.query('select count(*) as n from ready')).toEqual([{ n: 2 }])
    await insertReady(t.db, pool, 1)
    b.service.match([pool])
    expect(bound(await batch)).toHaveLength(3)
    await untilWaiting(t.db, 1)
    await insertReady(t.db, pool, 1)
    a.service.match([pool])
    bound(await single)
  })

  test('ends with its deadline, and those behind it are served', async () => {
    const pool = await insertPool(t.db, 'p')
    await insertReady(t.db, pool, 1)
    const replica = start()
    const batch = replica.claim({ pool: 'p', count: 2, timeout_ms: 60_000 })
    await untilWaiting(t.db, 1)
    const single = replica.claim({ pool: 'p' })
    await untilWaiting(t.db, 2)
    await moveClock(t.db, 60)
    expect(await batch).toMatchObject({ refusal: { kind: 'timeout' } })
    bound(await single)
  })

  test('of a group takes from several pools, also out of the line', async () => {
    const [p, q] = [await insertPool(t.db, 'p', { group: 'g' }), await insertPool(t.db, 'q', { group: 'g' })]
    await insertReady(t.db, p, 2)
    await insertReady(t.db, q, 2)
    const replica = start()
    expect(new Set(bound(await replica.claim({ group: 'g', count: 3 })).map(({ pool }) => pool)).size).toBe(2)
    const waiting = replica.claim({ group: 'g', count: 2, timeout_ms: 60_000 })
    await untilWaiting(t.db, 1)
    const emptier = (
      await t.db.query<{ id: number }>(
        'select id from pool p where not exists (select 1 from ready r where r.pool_id = p.id)',
      )
    )[0]?.id as number
    await insertReady(t.db, emptier, 1)
    replica.service.match([emptier])
    expect(new Set(bound(await waiting).map(({ pool }) => pool)).size).toBe(2)
  })

  test('of shared instances', async () => {
    const pool = await insertPool(t.db, 'p')
    await insertReady(t.db, pool, 2, { cpuMillis: 1000 })
    const replica = start()
    const instances = bound(await replica.claim({ ...share('400m'), count: 4 }))
    expect(new Set(instances.map(podOf)).size).toBe(2)
    expect(await replica.claim({ ...share('200m'), count: 3 })).toMatchObject({ refusal: { kind: 'timeout' } })
    expect(bound(await replica.claim({ ...share('200m'), count: 2 }))).toHaveLength(2)
    expect(await usage()).toEqual([
      { row_says: 1000, instances: 3, held: 1000, holders: 3 },
      { row_says: 1000, instances: 3, held: 1000, holders: 3 },
    ])
  })
})
