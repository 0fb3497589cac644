import { randomUUID } from 'node:crypto'
import { beforeEach, describe, expect, test } from 'vitest'
import type { ClaimOutcome } from '../src/instances/instance.ts'
import { matchSimple } from '../src/instances/line-match.ts'
import { inTransaction } from '../src/store/transaction.ts'
import { useDatabase } from './support/database.ts'
import { clearInstances, insertPool, insertReady, moveClock } from './support/instance-rows.ts'
import { bound, until, untilWaiting, useReplicas } from './support/replicas.ts'

const t = useDatabase({ max: 10 })
const start = useReplicas(() => t.db)
beforeEach(() => clearInstances(t.db))

/** Claims one after the other, so that their order in line is known; what each comes to, in the order in which they came. */
async function lineUp(claims: readonly (() => Promise<ClaimOutcome>)[]) {
  const served: number[] = []
  const outcomes: Promise<ClaimOutcome>[] = []
  for (const [i, claim] of claims.entries()) {
    outcomes.push(
      claim().then((outcome) => {
        if (outcome.kind === 'bound') served.push(i)
        return outcome
      }),
    )
    await untilWaiting(t.db, i + 1)
  }
  return { served, outcomes }
}

describe('the line', () => {
  test('a claim waits for a pod, and is served as soon as one is ready', async () => {
    const pool = await insertPool(t.db, 'p')
    const replica = start()
    const claim = replica.claim({ pool: 'p' })
    await untilWaiting(t.db, 1)
    const [uid] = await insertReady(t.db, pool, 1)
    replica.service.match([pool])
    const [instance] = bound(await claim)
    expect(instance).toMatchObject({ podUid: uid, isWarm: false, pool: 'p' })
    expect(await t.db.query('select 1 from line union all select 1 from waiter')).toEqual([])
    expect(replica.errors).toEqual([])
  })

  test('nobody calls match: the sweep finds the pod', async () => {
    const pool = await insertPool(t.db, 'p')
    const replica = start()
    const claim = replica.claim({ pool: 'p' })
    await untilWaiting(t.db, 1)
    await insertReady(t.db, pool, 1)
    bound(await claim)
  })

  test('by priority, then first come first served, across replicas; whoever matches', async () => {
    const pool = await insertPool(t.db, 'p')
    const [a, b] = [start(), start()]
    const { served, outcomes } = await lineUp([
      () => a.claim({ pool: 'p' }),
      () => b.claim({ pool: 'p' }),
      () => b.claim({ pool: 'p', priority: 1 }),
      () => a.claim({ pool: 'p', priority: -1 }),
      () => a.claim({ pool: 'p' }),
    ])
    const order = [2, 0, 1, 4, 3]
    for (const [i, expected] of order.entries()) {
      await insertReady(t.db, pool, 1)
      ;(i % 2 === 0 ? a : b).service.match([pool])
      await outcomes[expected]
      await untilWaiting(t.db, order.length - i - 1)
    }
    expect(served).toEqual(order)
  })

  test('a new claim never overtakes the line, not even with a pod that is ready', async () => {
    const pool = await insertPool(t.db, 'p')
    const replica = start()
    const { outcomes } = await lineUp([() => replica.claim({ pool: 'p' })])
    await insertReady(t.db, pool, 1)
    // Not told of the pod yet.
    expect(await replica.claim({ pool: 'p', timeout_ms: 0 })).toMatchObject({ refusal: { kind: 'timeout' } })
    replica.service.match([pool])
    bound((await outcomes[0]) as ClaimOutcome)
  })

  test('many waiters of two replicas and many pods at once: each its own', async () => {
    const pool = await insertPool(t.db, 'p', { size: 300 })
    const [a, b] = [start(), start()]
    const claims = Array.from({ length: 300 }, (_, i) => (i % 2 === 0 ? a : b).claim({ pool: 'p' }))
    await untilWaiting(t.db, 300)
    await insertReady(t.db, pool, 300)
    a.service.match([pool])
    b.service.match([pool])
    const instances = (await Promise.all(claims)).flatMap(bound)
    expect(new Set(instances.map(({ podUid }) => podUid)).size).toBe(300)
  })
})

describe('the deadline', () => {
  test('is 120 s after the claim came, by the clock of the database', async () => {
    await insertPool(t.db, 'p', { size: 2, maxSize: 3 })
    const replica = start()
    const claim = replica.claim({ pool: 'p', request_id: 'r' })
    await untilWaiting(t.db, 1)
    expect(await t.db.query('select extract(epoch from deadline - arrived_at)::int as seconds from waiter')).toEqual([
      { seconds: 120 },
    ])
    await moveClock(t.db, 60)
    await replica.service.sweep()
    await untilWaiting(t.db, 1)
    await moveClock(t.db, 60)
    await replica.service.sweep()
    expect(await claim).toEqual({
      kind: 'refused',
      refusal: { kind: 'timeout', reason: 'the pool p is scaling: none of its pods is ready, 0 of 3 are in use' },
    })
    // The request id is free again.
    expect(await t.db.query('select 1 from request union all select 1 from line')).toEqual([])
  })

  test('a short one ends without anybody sweeping by hand', async () => {
    await insertPool(t.db, 'p', { size: 0 })
    const replica = start()
    expect(await replica.claim({ pool: 'p', timeout_ms: 30 })).toMatchObject({
      refusal: { kind: 'timeout', reason: expect.stringContaining('full') },
    })
  })

  test('0: answered at once', async () => {
    await insertPool(t.db, 'p')
    expect(await start().claim({ pool: 'p', timeout_ms: 0 })).toMatchObject({ refusal: { kind: 'timeout' } })
    expect(await t.db.query('select 1 from waiter')).toEqual([])
  })
})

describe('a client that goes away', () => {
  test('leaves the line and loses nothing', async () => {
    const pool = await insertPool(t.db, 'p')
    const replica = start()
    const gone = new AbortController()
    const { outcomes } = await lineUp([
      () => replica.claim({ pool: 'p' }, gone.signal),
      () => replica.claim({ pool: 'p' }),
    ])
    gone.abort()
    expect(await outcomes[0]).toMatchObject({ refusal: { kind: 'left' } })
    await insertReady(t.db, pool, 1)
    replica.service.match([pool])
    bound((await outcomes[1]) as ClaimOutcome)
    expect(await t.db.query('select 1 from retired')).toEqual([])
  })

  test.each([
    ['without a request id, what was bound meanwhile is released', {}, 0],
    ['with a request id, it is kept for the repeat', { request_id: 'r' }, 1],
  ])('%s', async (_, extra, alive) => {
    const pool = await insertPool(t.db, 'p')
    const replica = start()
    const gone = new AbortController()
    const claim = replica.claim({ pool: 'p', ...extra }, gone.signal)
    await untilWaiting(t.db, 1)
    // Bound by another process, in a transaction that is not over when the client leaves.
    await inTransaction(t.db, async (tx) => {
      await insertReady(tx, pool, 1)
      expect((await matchSimple(tx, pool, randomUUID())).bound).toHaveLength(1)
      gone.abort()
      await until(
        () =>
          t.db.query(`select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`),
        (blocked) => blocked.length > 0,
      )
    })
    expect(await claim).toMatchObject({ refusal: { kind: 'left' } })
    const ended = await t.db.query('select reason from instance_past')
    if (alive === 0) expect(ended).toEqual([{ reason: 'the client had left' }])
    else expect(bound(await replica.claim({ pool: 'p', ...extra }))[0]?.state).toBe('running')
    expect((await t.db.query('select 1 from instance')).length).toBe(alive)
  })
})

describe('a dead replica', () => {
  test('its waiters block nobody, and are swept away', async () => {
    const pool = await insertPool(t.db, 'p')
    const [a, b] = [start(), start()]
    const lost = a.claim({ pool: 'p', request_id: 'r' })
    lost.catch(() => {})
    await untilWaiting(t.db, 1)
    a.kill()
    await t.db.query(`update replica set seen_at = seen_at - interval '1 minute' where id = $1`, [a.id])
    await insertReady(t.db, pool, 1)
    // The warm path, past the dead.
    const [instance] = bound(await b.claim({ pool: 'p' }))
    expect(instance?.isWarm).toBe(true)
    await untilWaiting(t.db, 0)
    // The request id of the dead is taken over.
    await insertReady(t.db, pool, 1)
    bound(await b.claim({ pool: 'p', request_id: 'r' }))
  })
})

describe('pools that close while somebody waits', () => {
  test.each([
    ['draining', 'update pool set draining = true', 'the pool p is being drained'],
    ['failed', `update pool set status = 5, msg_word = 'deploy failed'`, 'the pool p has failed: deploy failed'],
    ['deleted', 'update pool set status = 6', 'the pool p is being deleted'],
  ])('%s: answered at once, with the reason', async (_, sql, reason) => {
    await insertPool(t.db, 'p')
    const replica = start()
    const claim = replica.claim({ pool: 'p' })
    await untilWaiting(t.db, 1)
    await t.db.query(sql)
    expect(await claim).toEqual({ kind: 'refused', refusal: { kind: 'closed', reason } })
  })
})

describe('one scale-up step', () => {
  test('is wanted by a request that names a pool that can grow, and by no other', async () => {
    await insertPool(t.db, 'p', { group: 'g', size: 1, maxSize: 3 })
    await insertPool(t.db, 'q', { group: 'g', size: 1 })
    const announced: string[] = []
    const replica = start({ announceWork: (work) => announced.push(work) })
    const gone = new AbortController()
    const claims = [{ pool: 'p' }, { pool: 'q' }, { group: 'g' }].map((body) => replica.claim(body, gone.signal))
    await untilWaiting(t.db, 3)
    const steps = await t.db.query(
      'select p.name, l.wants_step from line l join pool p on p.id = l.pool_id order by l.wants_step desc, p.name',
    )
    expect(steps).toEqual([
      { name: 'p', wants_step: true },
      { name: 'p', wants_step: false },
      { name: 'q', wants_step: false },
      { name: 'q', wants_step: false },
    ])
    expect(announced).toEqual(['steps'])
    gone.abort()
    await Promise.all(claims)
  })
})

describe('groups and labels', () => {
  test('one waiter with a place in each pool is served once', async () => {
    const [p, q] = [await insertPool(t.db, 'p', { group: 'g' }), await insertPool(t.db, 'q', { group: 'g' })]
    const replica = start()
    const claim = replica.claim({ group: 'g' })
    await untilWaiting(t.db, 1)
    expect(await t.db.query('select count(*) as n from line')).toEqual([{ n: 2 }])
    await insertReady(t.db, p, 1)
    await insertReady(t.db, q, 1)
    replica.service.match([p, q])
    bound(await claim)
    expect(await t.db.query('select count(*) as n from ready')).toEqual([{ n: 1 }])
    expect(await t.db.query('select 1 from line')).toEqual([])
    await until(
      async () => (await t.db.query('select 1 from instance')).length,
      (n) => n === 1,
    )
  })

  test('label keys are a choice in their order; the group is a key; a pool without any is not taken', async () => {
    const [p, q, r] = [
      await insertPool(t.db, 'p', { labels: { gpu: 'yes' } }),
      await insertPool(t.db, 'q', { labels: { cpu: 'yes' } }),
      await insertPool(t.db, 'r', { group: 'named' }),
    ]
    const replica = start()
    for (const id of [p, q, r]) await insertReady(t.db, id, 2)
    const pools: (string | undefined)[] = []
    for (const keys of [['cpu', 'gpu'], ['gpu'], ['named'], ['gpu', 'cpu'], ['gpu', 'cpu']])
      pools.push(bound(await replica.claim({ pool_labels: keys }))[0]?.pool)
    expect(pools).toEqual(['q', 'p', 'r', 'p', 'q'])
    expect(await replica.claim({ pool_labels: ['gpu'], timeout_ms: 0 })).toMatchObject({ refusal: { kind: 'timeout' } })
    expect(await replica.claim({ pool_labels: ['none'] })).toMatchObject({ refusal: { kind: 'unknown' } })
    expect(bound(await replica.claim({ pool_labels: ['gpu', 'unUseAntiOtherLabels'] }))[0]?.pool).toBe('r')
  })
})
