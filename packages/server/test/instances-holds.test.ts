import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { readClaim } from '../src/instances/claim-body.ts'
import { createInstanceService, type InstanceService } from '../src/instances/instance-service.ts'
import { createPodHolds } from '../src/instances/pod-holds.ts'
import type { PodHolds, ReadyPod } from '../src/pools/pod-holds.ts'
import { acquireLease, LeaseLost } from '../src/store/lease.ts'
import { inTransaction } from '../src/store/transaction.ts'
import { useDatabase } from './support/database.ts'
import { clearInstances, insertPool, moveClock } from './support/instance-rows.ts'
import { until } from './support/replicas.ts'

/** What the pool controller tells of pods, and how that meets claims and releases. */
const t = useDatabase({ max: 10 })
let service: InstanceService
let holds: PodHolds
const matched: number[][] = []
const lost: number[] = []
beforeAll(() => {
  service = createInstanceService({ db: t.db })
  holds = createPodHolds({
    db: t.db,
    lease: undefined,
    match: (pools) => void matched.push([...pools]),
    onLost: (count) => void lost.push(count),
  })
})
afterAll(() => service?.stop())
afterEach(async () => {
  matched.length = 0
  lost.length = 0
  await clearInstances(t.db)
})

const pod = (poolId: number, name: string, more: Partial<ReadyPod> = {}): ReadyPod => ({
  poolId,
  uid: `uid-${name}`,
  name,
  namespace: 'default',
  ip: '10.1.0.1',
  node: 'node-1',
  hostIp: '10.0.0.1',
  cpuMillis: 1000,
  memoryBytes: 2 ** 30,
  idleSeconds: null,
  isMarked: false,
  ...more,
})
const named = (...names: string[]) => names.map((name) => ({ uid: `uid-${name}`, name, namespace: 'default' }))
const ready = (...pods: ReadyPod[]) => holds.tell(pods.map((pod) => ({ kind: 'ready', pod })))
const tell = (kind: 'unready' | 'ended' | 'gone', name: string) => holds.tell([{ kind, uid: `uid-${name}` }])

async function column(sql: string): Promise<unknown[]> {
  const rows = await t.db.query<Record<string, unknown>>(sql)
  return rows.map((row) => Object.values(row)[0])
}
const readyNames = () => column('select pod_name from ready order by seq')
const retiredNames = () => column(`select pod_name || ' ' || reason from retired order by pod_name`)

async function claim(pool: string, more: object = {}) {
  const outcome = await service.claim(readClaim({ pool, timeout_ms: 0, ...more }, service.newId))
  if (outcome.kind !== 'bound') throw new Error(JSON.stringify(outcome))
  return outcome.instances[0] as (typeof outcome.instances)[number]
}
const shared = { schedule_policy: 'shared', resources: { requests: { cpu: '100m' } } }

describe('pods that are ready', () => {
  test('can be had, in the order in which they were told; whoever waits for their pool is served', async () => {
    const pool = await insertPool(t.db, 'p')
    await ready(pod(pool, 'b'), pod(pool, 'a'))
    expect(await readyNames()).toEqual(['b', 'a'])
    expect(matched).toEqual([[pool]])
    expect((await claim('p')).podName).toBe('b')
  })

  test('are told twice without an effect', async () => {
    const pool = await insertPool(t.db, 'p')
    await ready(pod(pool, 'a'))
    await ready(pod(pool, 'a'))
    expect(await readyNames()).toEqual(['a'])
  })

  test('stay out while they are held, shared, or retired', async () => {
    const pool = await insertPool(t.db, 'p')
    await ready(pod(pool, 'held'))
    const instance = await claim('p')
    await ready(pod(pool, 'held'), pod(pool, 'shared'))
    expect(await readyNames()).toEqual(['shared'])
    await claim('p', shared)
    await ready(pod(pool, 'shared'))
    expect(await readyNames()).toEqual([])
    await service.release(instance.id)
    await ready(pod(pool, 'held'))
    expect(await readyNames()).toEqual([])
    expect(await retiredNames()).toEqual(['held released'])
  })

  test('stay out while they bear the marks of an instance that nobody knows', async () => {
    const pool = await insertPool(t.db, 'p')
    await ready(pod(pool, 'a', { isMarked: true }))
    expect(await readyNames()).toEqual([])
  })

  test.each([
    ['is drained', 'update pool set draining = true'],
    ['failed', 'update pool set status = 5'],
    ['is being deleted', 'update pool set status = 6'],
    ['is gone', 'delete from pool'],
  ])('stay out when their pool %s', async (_, sql) => {
    const pool = await insertPool(t.db, 'p')
    await t.db.query(sql)
    await ready(pod(pool, 'a'))
    expect(await readyNames()).toEqual([])
  })

  test('are not put in between a drain and its closing, whichever is first', async () => {
    const pool = await insertPool(t.db, 'p')
    const names = Array.from({ length: 40 }, (_, i) => `n${i}`)
    const drain = async () => {
      await t.db.query('update pool set draining = true')
      await holds.close([pool], 'drained')
    }
    await Promise.all([...names.map((name) => ready(pod(pool, name))), drain()])
    expect(await readyNames()).toEqual([])
  })

  test('that are told while they are claimed are never handed out twice', async () => {
    const pool = await insertPool(t.db, 'p')
    const names = Array.from({ length: 60 }, (_, i) => `n${i}`)
    await ready(...names.map((name) => pod(pool, name)))
    const claims = Array.from({ length: 60 }, () => claim('p'))
    const again = createPodHolds({ db: t.db, lease: undefined, match: () => {} })
    for (let i = 0; i < 10; i += 1) await again.tell(names.map((name) => ({ kind: 'ready', pod: pod(pool, name) })))
    const instances = await Promise.all(claims)
    expect(new Set(instances.map((instance) => instance.podName)).size).toBe(60)
    expect(await readyNames()).toEqual([])
  })
})

describe('pods that are not ready any more', () => {
  test('cannot be had, and can be again', async () => {
    const pool = await insertPool(t.db, 'p')
    await ready(pod(pool, 'a'))
    await tell('unready', 'a')
    expect(await readyNames()).toEqual([])
    await ready(pod(pool, 'a'))
    expect(await readyNames()).toEqual(['a'])
  })

  test('are shared by nobody else, even when a claim makes them shared at that moment', async () => {
    const pool = await insertPool(t.db, 'p')
    await ready(pod(pool, 'a'))
    let told: Promise<void> | undefined
    await inTransaction(t.db, async (tx) => {
      await tx.query('delete from ready')
      await tx.query(
        `insert into shared_pod (pod_uid, pool_id, pod_name, namespace, cpu_millis, memory_bytes)
          values ('uid-a', $1, 'a', 'default', 1000, 1000)`,
        [pool],
      )
      told = tell('unready', 'a')
      await until(
        () =>
          t.db.query(`select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`),
        (waiting) => waiting.length > 0,
      )
    })
    await told
    expect(await column('select eligible from shared_pod')).toEqual([false])
  })

  test('are shared by nobody else; what is on them stays', async () => {
    const pool = await insertPool(t.db, 'p')
    await ready(pod(pool, 'a'))
    const instance = await claim('p', shared)
    await tell('unready', 'a')
    await expect(claim('p', shared)).rejects.toThrow()
    expect((await service.get(instance.id))?.state).toBe('running')
    await ready(pod(pool, 'a'))
    expect((await claim('p', shared)).podName).toBe('a')
  })
})

describe('pods that ended or are gone', () => {
  test.each(['exclusive', 'shared'])(
    'take their %s instances with them: state lost, an event, the ledger',
    async (policy) => {
      const pool = await insertPool(t.db, 'p')
      await ready(pod(pool, 'a'))
      const instance = await claim('p', policy === 'shared' ? shared : {})
      await tell('gone', 'a')
      expect(await service.get(instance.id)).toMatchObject({ state: 'lost', reason: 'its pod is gone' })
      expect(lost).toEqual([1])
      expect(await column('select id from instance')).toEqual([])
      expect(await column('select pod_uid from shared_pod')).toEqual([])
      const [event] = await t.db.query(
        `select type, object_id, detail ->> 'state' as state from event where resource = 'instance' order by seq desc limit 1`,
      )
      expect(event).toEqual({ type: 'delete', object_id: instance.no, state: 'lost' })
      expect(await column('select pod_uid from retired where gone_at is null')).toEqual([])
      // Released meanwhile by its client: it was lost before.
      expect(await service.release(instance.id)).toMatchObject({ state: 'lost' })
    },
  )

  test.each(['exclusive', 'shared'])(
    'that only ended are to be deleted when an %s instance was there',
    async (policy) => {
      const pool = await insertPool(t.db, 'p')
      await ready(pod(pool, 'a'), pod(pool, 'idle'))
      const instance = await claim('p', policy === 'shared' ? shared : {})
      await tell('ended', 'a')
      await tell('ended', 'idle')
      expect(await service.get(instance.id)).toMatchObject({ state: 'lost', reason: 'its pod ended' })
      expect(await retiredNames()).toEqual(['a lost'])
      expect((await holds.retiredAfter(0, 10)).map(({ name }) => name)).toEqual(['a'])
    },
  )

  test('are retired no more, once they are gone', async () => {
    const pool = await insertPool(t.db, 'p')
    await ready(pod(pool, 'a'))
    const instance = await claim('p')
    await service.release(instance.id)
    expect(await holds.known('', 10)).toMatchObject([{ uid: 'uid-a', as: 'retired' }])
    await tell('gone', 'a')
    expect(await holds.known('', 10)).toEqual([])
    expect(await holds.retiredAfter(0, 10)).toEqual([])
    // A late event of a watch calls it ready.
    await ready(pod(pool, 'a'))
    expect(await readyNames()).toEqual([])
    await holds.forgetRetired(6_000)
    expect(await retiredNames()).toEqual(['a released'])
    await moveClock(t.db, 6_001)
    await holds.forgetRetired(6_000)
    expect(await retiredNames()).toEqual([])
  })

  test('while they are being claimed leave no instance behind', async () => {
    const pool = await insertPool(t.db, 'p')
    const names = Array.from({ length: 40 }, (_, i) => `n${i}`)
    await ready(...names.map((name) => pod(pool, name)))
    const claims = names.map(() => claim('p').catch(() => undefined))
    await holds.tell(names.map((name) => ({ kind: 'gone', uid: `uid-${name}` })))
    await Promise.all(claims)
    expect(await column('select id from instance')).toEqual([])
    expect(await readyNames()).toEqual([])
  })
})

describe('victims', () => {
  test('are retired when they are ready or cannot be had; what is held is named', async () => {
    const pool = await insertPool(t.db, 'p')
    await ready(pod(pool, 'held'))
    await claim('p')
    await ready(pod(pool, 'shared'))
    const instance = await claim('p', shared)
    await ready(pod(pool, 'idle'))
    const answer = await holds.retire(pool, named('held', 'shared', 'starting', 'idle'), 'shrunk')
    expect(answer.held.toSorted()).toEqual(['uid-held', 'uid-shared'])
    expect(answer.retired.toSorted()).toEqual(['uid-idle', 'uid-starting'])
    expect(await retiredNames()).toEqual(['idle shrunk', 'starting shrunk'])
    expect(await readyNames()).toEqual([])
    await service.release(instance.id)
    expect((await holds.retire(pool, named('shared'), 'shrunk')).retired).toEqual(['uid-shared'])
  })

  test('are never claimed at the same time', async () => {
    const pool = await insertPool(t.db, 'p')
    const names = Array.from({ length: 50 }, (_, i) => `n${i}`)
    await ready(...names.map((name) => pod(pool, name)))
    const claims = names.slice(0, 25).map(() => claim('p'))
    const { retired } = await holds.retire(pool, named(...names.slice(10)), 'shrunk')
    const results = await Promise.allSettled(claims)
    const held = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value.podUid] : []))
    expect(new Set([...held, ...retired]).size).toBe(held.length + retired.length)
    expect(held.length + retired.length + (await readyNames()).length).toBe(50)
  })

  test('of a pool that is closed are all that is idle', async () => {
    const pool = await insertPool(t.db, 'p')
    const other = await insertPool(t.db, 'other')
    await ready(pod(pool, 'held'))
    await claim('p')
    await ready(pod(pool, 'shared'))
    const instance = await claim('p', shared)
    await ready(pod(pool, 'idle'), pod(other, 'other'))
    // Late: the drain has ended by then, or never was.
    await holds.close([pool], 'drained')
    expect(await readyNames()).toEqual(['idle', 'other'])
    await t.db.query('update pool set draining = true where id = $1', [pool])
    await holds.close([pool], 'drained')
    expect(await readyNames()).toEqual(['other'])
    expect(await retiredNames()).toEqual(['idle drained'])
    expect((await holds.heldIn(pool)).map(({ name, isExclusive }) => [name, isExclusive]).toSorted()).toEqual([
      ['held', true],
      ['shared', false],
    ])
    await service.release(instance.id)
    await holds.close([pool], 'drained')
    expect(await retiredNames()).toEqual(['idle drained', 'shared drained'])
  })
})

describe('pods that are idle for too long', () => {
  const recycled = async () => (await holds.recycle(100)).retired

  // Real time passes as well, on a busy machine more than a few seconds of it: so these are thousands.
  test('go at the second, not before', async () => {
    const pool = await insertPool(t.db, 'p')
    await ready(pod(pool, 'a', { idleSeconds: 10_000 }))
    expect(await column('select extract(epoch from recycle_at - ready_at)::int from ready')).toEqual([10_000])
    await moveClock(t.db, 9_000)
    const { retired, nextMs } = await holds.recycle(100)
    expect(retired).toBe(0)
    expect(nextMs).toBeGreaterThan(0)
    expect(nextMs).toBeLessThanOrEqual(1_000_000)
    await moveClock(t.db, 1_000)
    expect(await recycled()).toBe(1)
    expect(await readyNames()).toEqual([])
    expect(await retiredNames()).toEqual(['a recycled'])
    expect(await holds.recycle(100)).toEqual({ retired: 0, nextMs: undefined })
  })

  test.each([
    ['unlimited', -1],
    ['not configured', null],
  ])('never go when the label says %s', async (_, idleSeconds) => {
    const pool = await insertPool(t.db, 'p')
    await ready(pod(pool, 'a', { idleSeconds }))
    await moveClock(t.db, 10_000_000)
    expect(await holds.recycle(100)).toEqual({ retired: 0, nextMs: undefined })
    expect(await readyNames()).toEqual(['a'])
  })

  test('do not count while they are held, and count anew when a shared one is idle again', async () => {
    const pool = await insertPool(t.db, 'p')
    await ready(pod(pool, 'held', { idleSeconds: 10_000 }))
    await claim('p')
    await ready(pod(pool, 'shared', { idleSeconds: 10_000 }))
    const instance = await claim('p', shared)
    await moveClock(t.db, 100_000)
    expect(await recycled()).toBe(0)
    await service.release(instance.id)
    await moveClock(t.db, 9_000)
    expect(await recycled()).toBe(0)
    expect((await claim('p', shared)).podName).toBe('shared')
    await moveClock(t.db, 100_000)
    expect(await recycled()).toBe(0)
  })

  test('a shared one goes at its second', async () => {
    const pool = await insertPool(t.db, 'p')
    await ready(pod(pool, 'shared', { idleSeconds: 10_000 }))
    const instance = await claim('p', shared)
    await service.release(instance.id)
    await moveClock(t.db, 10_000)
    expect(await recycled()).toBe(1)
    expect(await retiredNames()).toEqual(['shared recycled'])
  })

  test('are never claimed at the same time', async () => {
    const pool = await insertPool(t.db, 'p')
    const names = Array.from({ length: 50 }, (_, i) => `n${i}`)
    await ready(...names.map((name) => pod(pool, name, { idleSeconds: 1 })))
    await moveClock(t.db, 1)
    const claims = names.map(() => claim('p'))
    const retired = await recycled()
    const results = await Promise.allSettled(claims)
    expect(results.filter((result) => result.status === 'fulfilled').length + retired).toBe(50)
  })
})

describe('room for whoever waits', () => {
  const makeRoom = (pool: number) => holds.makeRoom(pool, 5)

  test.each([
    ['without an idle time', null],
    ['before its idle time', 10_000],
    ['never recycled', -1],
  ])('is made of pods that were shared and that nobody is on: %s', async (_, idleSeconds) => {
    const pool = await insertPool(t.db, 'p')
    await ready(pod(pool, 'a', { idleSeconds }))
    const instance = await claim('p', shared)
    await t.db.query(
      `insert into line (pool_id, waiter_id, seq, priority, replica, deadline)
        values ($1, 'w', 1, 0, gen_random_uuid(), instance_now() + interval '1 minute')`,
      [pool],
    )
    const counted = async () => (await holds.waiting()).get(pool)?.idleShared
    expect([await counted(), await makeRoom(pool)]).toEqual([0, 0])
    await service.release(instance.id)
    expect([await counted(), await makeRoom(pool), await counted()]).toEqual([1, 1, 0])
    expect(await retiredNames()).toEqual(['a room'])
  })

  test('takes no more than it is told to, those first that go soonest, and of no other pool', async () => {
    const pool = await insertPool(t.db, 'p')
    const other = await insertPool(t.db, 'q')
    for (const [id, name, idleSeconds] of [
      [pool, 'late', null],
      [pool, 'soon', 100],
      [other, 'other', null],
    ] as const) {
      await ready(pod(id, name, { idleSeconds }))
      await claim(id === pool ? 'p' : 'q', { ...shared, resources: { requests: { cpu: '1' } } })
    }
    for (const id of (await column('select id from instance')) as string[]) await service.release(id)
    expect(await holds.makeRoom(pool, 1)).toBe(1)
    expect(await retiredNames()).toEqual(['soon room'])
  })

  test('leaves a pod to the tenant that may come back', async () => {
    const apart = createInstanceService({ db: t.db, settings: { tenantAffinity: true, tenantReuseSeconds: 5_000 } })
    const pool = await insertPool(t.db, 'p')
    await ready(pod(pool, 'a'))
    const instance = await apart.claim(readClaim({ pool: 'p', tenant: 'ann', timeout_ms: 0, ...shared }, service.newId))
    if (instance.kind !== 'bound') throw new Error(instance.kind)
    for (const { id } of instance.instances) await apart.release(id)
    expect(await makeRoom(pool)).toBe(0)
    apart.stop()
  })
})

describe("a tenant's pods", () => {
  const keepFor = (seconds: number) =>
    createInstanceService({ db: t.db, settings: { tenantAffinity: true, tenantReuseSeconds: seconds } })

  test.each([
    ['-1: anybody may use it', -1, null, 0, [], ['other a']],
    ['0: it goes at once', 0, null, 0, ['a tenant'], []],
    ['5,000: it goes after 5,000 s', 5_000, null, 5_000, ['a tenant'], []],
    ['5,000: it stays before', 5_000, null, 4_000, [], []],
    ['5,000, but the idle time has priority', 5_000, 20_000, 19_000, [], []],
    ['5,000, and recycled at the idle time', 5_000, 20_000, 20_000, ['a recycled'], []],
    ['5,000, and never when the label says unlimited', 5_000, -1, 1_000_000, [], []],
  ])('%s', async (_, window, idleSeconds, after, retired, other) => {
    const tenants = keepFor(window)
    try {
      const pool = await insertPool(t.db, 'p')
      await ready(pod(pool, 'a', { idleSeconds }))
      const take = async (tenant: string) => {
        const outcome = await tenants.claim(readClaim({ pool: 'p', timeout_ms: 0, tenant, ...shared }, tenants.newId))
        return outcome.kind === 'bound' ? outcome.instances[0] : undefined
      }
      const instance = await take('one')
      expect(await take('two')).toBeUndefined()
      await tenants.release(instance?.id ?? '')
      await moveClock(t.db, after)
      await holds.recycle(100)
      expect(await retiredNames()).toEqual(retired)
      const next = await take('two')
      expect(next === undefined ? [] : [`other ${next.podName}`]).toEqual(other)
    } finally {
      await tenants.stop()
    }
  })
})

describe('steps that requests want', () => {
  const wait = (poolId: number, id: string, priority = 0, wants = true) =>
    t.db.query(
      `insert into line (pool_id, waiter_id, seq, priority, replica, deadline, wants_step)
        values ($1, $2, nextval('instance_no_seq'), $3, gen_random_uuid(), instance_now() + interval '1 hour', $4)`,
      [poolId, id, priority, wants],
    )

  test('are taken once, first those that are served first', async () => {
    for (const [id, priority] of [
      ['a', 0],
      ['b', 0],
      ['c', 5],
    ] as const)
      await wait(7, id, priority)
    await wait(7, 'd', 9, false)
    await wait(8, 'e')
    expect(await holds.waiting()).toEqual(
      new Map([
        [7, { requests: 4, steps: 3, idleShared: 0 }],
        [8, { requests: 1, steps: 1, idleShared: 0 }],
      ]),
    )
    expect(await holds.takeSteps(7, 2)).toBe(2)
    expect(await column('select waiter_id from line where wants_step order by waiter_id')).toEqual(['b', 'e'])
    expect(await holds.takeSteps(7, 5)).toBe(1)
    expect(await holds.takeSteps(7, 5)).toBe(0)
  })

  test('of requests that waited too long are none', async () => {
    await wait(7, 'a')
    await moveClock(t.db, 3_601)
    expect(await holds.waiting()).toEqual(new Map())
    expect(await holds.takeSteps(7, 5)).toBe(0)
  })
})

test('a controller whose lease went to another one writes nothing', async () => {
  const pool = await insertPool(t.db, 'p')
  const old = await acquireLease(t.db, 'holds', 'a', 60, { force: true })
  await acquireLease(t.db, 'holds', 'b', 60, { force: true })
  const late = createPodHolds({ db: t.db, lease: old, match: () => {} })
  await expect(late.tell([{ kind: 'ready', pod: pod(pool, 'a') }])).rejects.toThrow(LeaseLost)
  await expect(late.retire(pool, named('a'), 'shrunk')).rejects.toThrow(LeaseLost)
  await expect(late.recycle(1)).rejects.toThrow(LeaseLost)
  expect([await readyNames(), await retiredNames()]).toEqual([[], []])
})

test('what is known comes in pages, each pod once', async () => {
  const pool = await insertPool(t.db, 'p')
  await ready(...Array.from({ length: 25 }, (_, i) => pod(pool, `n${String(i).padStart(2, '0')}`)))
  for (let i = 0; i < 5; i += 1) await claim('p')
  const gone = await claim('p')
  await service.release(gone.id)
  const pages: string[] = []
  for (let after = ''; ; ) {
    const rows = await holds.known(after, 4)
    pages.push(...rows.map((row) => `${row.name} ${row.as}`))
    if (rows.length < 4) break
    after = rows.at(-1)?.uid ?? ''
  }
  const as = (i: number) => (i < 5 ? 'held' : i === 5 ? 'retired' : 'ready')
  expect(pages).toEqual(Array.from({ length: 25 }, (_, i) => `n${String(i).padStart(2, '0')} ${as(i)}`))
})
