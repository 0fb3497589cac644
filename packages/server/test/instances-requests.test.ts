/** Idempotency by request id, and ids of the caller's choice: twice, in parallel, and through two processes. */
import { beforeEach, describe, expect, test } from 'vitest'
import { useDatabase } from './support/database.ts'
import { clearInstances, insertPool, insertReady, moveClock } from './support/instance-rows.ts'
import { bound, until, untilWaiting, useReplicas } from './support/replicas.ts'

const t = useDatabase({ max: 10 })
const start = useReplicas(() => t.db)
beforeEach(() => clearInstances(t.db))

const count = async (table: string) => (await t.db.query<{ n: number }>(`select count(*) as n from ${table}`))[0]?.n

describe('a request id', () => {
  test('gets the same instance again, in its present state, from every process', async () => {
    const pool = await insertPool(t.db, 'p')
    await insertReady(t.db, pool, 3)
    const [a, b] = [start(), start()]
    const body = { pool: 'p', request_id: 'r', tenant: 't' }
    const first = await a.claim(body)
    const [instance] = bound(first)
    expect(first).toMatchObject({ isRepeat: false })
    for (const replica of [a, b]) {
      const repeat = await replica.claim(body)
      expect(repeat).toMatchObject({ isRepeat: true })
      expect(bound(repeat)[0]).toMatchObject({ id: instance?.id, state: 'running', podUid: instance?.podUid })
    }
    await a.service.release(instance?.id ?? '')
    expect(bound(await b.claim(body))[0]).toMatchObject({ id: instance?.id, state: 'released' })
    expect(await count('ready')).toBe(2)
  })

  test('in parallel, through two processes: one instance each, and one pod', async () => {
    const pool = await insertPool(t.db, 'p', { size: 200 })
    await insertReady(t.db, pool, 200)
    const [a, b] = [start(), start()]
    const ids = Array.from({ length: 50 }, (_, i) => `r${i}`)
    const outcomes = await Promise.all(
      ids.flatMap((id) =>
        [a, b, a, b].map(async (replica) => [id, bound(await replica.claim({ pool: 'p', request_id: id }))] as const),
      ),
    )
    for (const id of ids) {
      const instances = outcomes.filter(([of]) => of === id).flatMap(([, bound]) => bound.map((one) => one.id))
      expect(instances).toHaveLength(4)
      expect(new Set(instances).size).toBe(1)
    }
    expect(await count('ready')).toBe(150)
    expect(await count('instance')).toBe(50)
  })

  test('with another body is refused, and takes nothing', async () => {
    const pool = await insertPool(t.db, 'p')
    await insertReady(t.db, pool, 2)
    const replica = start()
    await replica.claim({ pool: 'p', request_id: 'r', labels: { a: '1', b: '2' } })
    expect(await replica.claim({ pool: 'p', request_id: 'r' })).toMatchObject({ refusal: { kind: 'other body' } })
    // The same, written differently.
    bound(await replica.claim({ labels: { b: '2', a: '1' }, request_id: 'r', priority: 0, pool: 'p', unknown: 1 }))
    expect(await count('ready')).toBe(1)
  })

  test('that still waits is joined, here and through another process; they end alike', async () => {
    const pool = await insertPool(t.db, 'p')
    const [a, b] = [start(), start()]
    const body = { pool: 'p', request_id: 'r' }
    const claims = [a.claim(body)]
    await untilWaiting(t.db, 1)
    claims.push(a.claim(body), b.claim(body))
    expect(await a.claim({ ...body, tenant: 'x' })).toMatchObject({ refusal: { kind: 'other body' } })
    await insertReady(t.db, pool, 2)
    b.service.match([pool])
    const instances = (await Promise.all(claims)).flatMap(bound)
    expect(instances).toHaveLength(3)
    expect(new Set(instances.map(({ id }) => id)).size).toBe(1)
    expect(await count('ready')).toBe(1)
  })

  test('whose first is refused is free: joined ones are refused as well, later ones claim anew', async () => {
    const pool = await insertPool(t.db, 'p')
    const [a, b] = [start(), start()]
    const body = { pool: 'p', request_id: 'r' }
    const claims = [a.claim(body)]
    await untilWaiting(t.db, 1)
    claims.push(a.claim(body))
    await moveClock(t.db, 120)
    for (const outcome of await Promise.all(claims)) expect(outcome).toMatchObject({ refusal: { kind: 'timeout' } })
    await insertReady(t.db, pool, 1)
    bound(await b.claim({ ...body, tenant: 'another body, now' }))
  })

  test('of a batch stands for all of it', async () => {
    const pool = await insertPool(t.db, 'p')
    await insertReady(t.db, pool, 5)
    const replica = start()
    const body = { pool: 'p', request_id: 'r', count: 3 }
    const first = bound(await replica.claim(body)).map(({ id }) => id)
    expect(bound(await replica.claim(body)).map(({ id }) => id)).toEqual(first)
    expect(new Set(first).size).toBe(3)
    expect(await count('ready')).toBe(2)
  })

  test('with a chosen id is repeated like any other: while it waits, when it is bound, when it has ended', async () => {
    const pool = await insertPool(t.db, 'p')
    const [a, b] = [start(), start()]
    const body = { pool: 'p', request_id: 'r', id: 'mine' }
    const claims = [a.claim(body)]
    await untilWaiting(t.db, 1)
    claims.push(a.claim(body), b.claim(body))
    expect(await b.claim({ ...body, tenant: 'x' })).toMatchObject({ refusal: { kind: 'other body' } })
    await insertReady(t.db, pool, 2)
    b.service.match([pool])
    for (const outcome of await Promise.all(claims)) expect(bound(outcome)).toMatchObject([{ id: 'mine' }])
    expect(await b.claim(body)).toMatchObject({ isRepeat: true, instances: [{ id: 'mine', state: 'running' }] })
    expect(await a.claim({ ...body, tenant: 'x' })).toMatchObject({ refusal: { kind: 'other body' } })
    await a.service.release('mine')
    expect(await a.claim(body)).toMatchObject({ isRepeat: true, instances: [{ id: 'mine', state: 'released' }] })
    // The id stays taken for whoever comes with another request.
    expect(await a.claim({ ...body, request_id: 'other' })).toMatchObject({ refusal: { kind: 'taken' } })
    expect(await count('ready')).toBe(1)
  })

  test('is forgotten after its time', async () => {
    const pool = await insertPool(t.db, 'p')
    await insertReady(t.db, pool, 2)
    const replica = start({ settings: { requestSeconds: 3_600 } })
    const body = { pool: 'p', request_id: 'r' }
    const [first] = bound(await replica.claim(body))
    await moveClock(t.db, 3_599 - 60)
    expect(bound(await replica.claim(body))[0]?.id).toBe(first?.id)
    await moveClock(t.db, 61)
    expect(bound(await replica.claim(body))[0]?.id).not.toBe(first?.id)
  })

  test('behind which there is nothing changes hands, whatever the body', async () => {
    const pool = await insertPool(t.db, 'p')
    await insertReady(t.db, pool, 1)
    await t.db.query(
      `insert into request (request_id, body_hash, instance_id, count, expires_at)
        values ('r', 'other', 'nobody', 1, now() + interval '1 hour')`,
    )
    bound(await start().claim({ pool: 'p', request_id: 'r' }))
  })
})

describe('an id of the caller’s choice', () => {
  test('is the instance’s, and never used again', async () => {
    const pool = await insertPool(t.db, 'p')
    await insertReady(t.db, pool, 3)
    const [a, b] = [start(), start()]
    expect(bound(await a.claim({ pool: 'p', id: 'mine' }))[0]?.id).toBe('mine')
    expect(await b.claim({ pool: 'p', id: 'mine' })).toMatchObject({ refusal: { kind: 'taken' } })
    await a.service.release('mine')
    expect(await b.claim({ pool: 'p', id: 'mine' })).toMatchObject({ refusal: { kind: 'taken' } })
    expect(await count('ready')).toBe(2)
  })

  test('in parallel, through two processes: one wins, no other claim fails with the rest', async () => {
    const pool = await insertPool(t.db, 'p', { size: 100 })
    await insertReady(t.db, pool, 100)
    const [a, b] = [start(), start()]
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, i) => [
        (i % 2 === 0 ? a : b).claim({ pool: 'p', id: 'mine' }),
        (i % 2 === 0 ? a : b).claim({ pool: 'p' }),
      ]).flat(),
    )
    expect(outcomes.filter((outcome) => outcome.kind === 'bound')).toHaveLength(21)
    expect(await count('ready')).toBe(79)
  })

  test('that waits in line is taken as well, and free when that came to nothing', async () => {
    const pool = await insertPool(t.db, 'p')
    const replica = start()
    const waiting = replica.claim({ pool: 'p', id: 'mine' })
    await untilWaiting(t.db, 1)
    expect(await replica.claim({ pool: 'p', id: 'mine' })).toMatchObject({ refusal: { kind: 'taken' } })
    await moveClock(t.db, 120)
    expect(await waiting).toMatchObject({ refusal: { kind: 'timeout' } })
    await insertReady(t.db, pool, 1)
    bound(await replica.claim({ pool: 'p', id: 'mine' }))
    await until(
      () => t.db.query('select 1 from waiter'),
      (rows) => rows.length === 0,
    )
  })
})
