import { afterEach, describe, expect, test } from 'vitest'
import { createPodHolds } from '../src/instances/pod-holds.ts'
import type { PodHolds } from '../src/pools/pod-holds.ts'
import { useDatabase } from './support/database.ts'
import { clearInstances, insertPool, insertReady, moveClock } from './support/instance-rows.ts'
import { type Replica, until as untilSo, untilWaiting, useReplicas } from './support/replicas.ts'

/** What becomes of instances that are to be replaced when they are lost. */
const t = useDatabase({ max: 10 })
const startReplica = useReplicas(() => t.db)
afterEach(() => clearInstances(t.db))

const holdsOf = (...replicas: Replica[]): PodHolds =>
  createPodHolds({
    db: t.db,
    lease: undefined,
    match: () => {},
    onLost: (count) => {
      for (const { service } of replicas) service.onLost(count)
    },
  })

async function claim(replica: Replica, body: object): Promise<string[]> {
  const outcome = await replica.claim({ timeout_ms: 0, ...body })
  if (outcome.kind !== 'bound') throw new Error(JSON.stringify(outcome))
  return outcome.instances.map(({ podUid }) => podUid)
}

const until = (ask: () => Promise<boolean>) => untilSo(ask, (isSo) => isSo)

type Row = {
  id: string
  pod_uid: string
  labels: object | null
  tenant: string
  priority: number
  lease_seconds: number
}
const living = () =>
  t.db.query<Row>('select id, pod_uid, labels, tenant, priority, lease_seconds from instance order by id')
const wishes = async () => {
  const rows = await t.db.query<{ id: string }>('select instance_id as id from replacement order by 1')
  return rows.map(({ id }) => id)
}
const untilLiving = (...ids: string[]) =>
  until(async () => (await living()).map(({ id }) => id).join(' ') === ids.join(' '))

describe('an instance that is to be replaced', () => {
  test('is claimed anew under the next id with all that it had, whenever it is lost', async () => {
    const replica = startReplica()
    const holds = holdsOf(replica)
    await insertReady(t.db, await insertPool(t.db, 'p'), 3)
    const same = { labels: { a: 'b' }, tenant: 'ann', priority: 3, lease_seconds: 60 }
    const seen = await claim(replica, { pool: 'p', id: 'x', replace_lost: true, ...same })
    for (const next of ['x:2', 'x:3']) {
      await holds.tell([{ kind: 'gone', uid: seen.at(-1) ?? '' }])
      await untilLiving(next)
      const [row] = await living()
      expect(row).toMatchObject({ id: next, ...same })
      expect(seen).not.toContain(row?.pod_uid)
      seen.push(row?.pod_uid ?? '')
      await until(async () => (await wishes()).join() === next)
    }
    expect(await replica.service.get('x')).toMatchObject({ state: 'lost', reason: 'its pod is gone' })
  })

  test('waits in line for its pod', async () => {
    const replica = startReplica()
    const pool = await insertPool(t.db, 'p')
    const [uid = ''] = await insertReady(t.db, pool, 1)
    await claim(replica, { pool: 'p', id: 'x', replace_lost: true })
    await holdsOf(replica).tell([{ kind: 'ended', uid }])
    await untilWaiting(t.db, 1)
    await insertReady(t.db, pool, 1)
    replica.service.match([pool])
    await untilLiving('x:2')
  })

  test('is replaced once, however many processes see that it is lost', async () => {
    const replicas = [startReplica(), startReplica(), startReplica()] as const
    const [uid = ''] = await insertReady(t.db, await insertPool(t.db, 'p'), 5)
    await claim(replicas[0], { pool: 'p', id: 'x', replace_lost: true })
    await holdsOf(...replicas).tell([{ kind: 'gone', uid }])
    await until(async () => (await wishes()).join() === 'x:2')
    await untilLiving('x:2')
    const [count] = await t.db.query<{ n: number }>('select count(*)::int as n from ready')
    expect(count?.n).toBe(3)
    expect(replicas.flatMap(({ errors }) => errors)).toEqual([])
  })

  test('is seen by the sweep when nobody told of it', async () => {
    const replica = startReplica()
    const holds = createPodHolds({ db: t.db, lease: undefined, match: () => {} })
    const [uid = ''] = await insertReady(t.db, await insertPool(t.db, 'p'), 2)
    await claim(replica, { pool: 'p', id: 'x', replace_lost: true })
    await holds.tell([{ kind: 'gone', uid }])
    await untilLiving('x:2')
  })

  test('may be one of a batch, and shared', async () => {
    const replica = startReplica()
    await insertReady(t.db, await insertPool(t.db, 'p'), 4)
    const shared = { schedule_policy: 'shared', resources: { requests: { cpu: '600m', memory: '1Mi' } } }
    const [first = ''] = await claim(replica, { pool: 'p', count: 2, replace_lost: true, ...shared })
    const before = await living()
    await holdsOf(replica).tell([{ kind: 'gone', uid: first }])
    const lost = before.find(({ pod_uid }) => pod_uid === first)?.id ?? ''
    await untilLiving(...[...before.map(({ id }) => (id === lost ? `${id}:2` : id))].sort())
    const [row] = await t.db.query('select cpu_millis, memory_bytes, schedule_policy from instance where id = $1', [
      `${lost}:2`,
    ])
    expect(row).toEqual({ cpu_millis: 600, memory_bytes: 2 ** 20, schedule_policy: 'shared' })
  })

  test('gets another id when somebody has chosen that', async () => {
    const replica = startReplica()
    const [uid = ''] = await insertReady(t.db, await insertPool(t.db, 'p'), 3)
    await claim(replica, { pool: 'p', id: 'x', replace_lost: true })
    await claim(replica, { pool: 'p', id: 'x:2' })
    await holdsOf(replica).tell([{ kind: 'gone', uid }])
    await until(async () => (await living()).length === 2)
    expect((await living()).map(({ id }) => id)).toContain('x:2')
  })
})

test('whoever does not want it, or was released, is not replaced', async () => {
  const replica = startReplica()
  const holds = holdsOf(replica)
  const pool = await insertPool(t.db, 'p')
  const [plain = '', released = '', wanted = ''] = await insertReady(t.db, pool, 5)
  await claim(replica, { pool: 'p', id: 'plain', replace_lost: false })
  await claim(replica, { pool: 'p', id: 'released', replace_lost: true })
  await claim(replica, { pool: 'p', id: 'wanted', replace_lost: true })
  await replica.service.release('released')
  await holds.tell([plain, released, wanted].map((uid) => ({ kind: 'gone', uid })))
  await untilLiving('wanted:2')
})

test('one that cannot be replaced is given up', async () => {
  const replica = startReplica()
  const pool = await insertPool(t.db, 'p')
  const [uid = ''] = await insertReady(t.db, pool, 1)
  await claim(replica, { pool: 'p', id: 'x', replace_lost: true })
  await t.db.query('update pool set draining = true, valid_from = now()')
  await holdsOf(replica).tell([{ kind: 'gone', uid }])
  await until(async () => (await wishes()).length === 0)
  expect(await living()).toEqual([])
})

test('a claim that gets nothing, or is a repeat, leaves no wish; others are swept when they are of no use', async () => {
  const replica = startReplica()
  await insertReady(t.db, await insertPool(t.db, 'p'), 1)
  const body = { pool: 'p', request_id: 'r', timeout_ms: 0, replace_lost: true }
  const first = await replica.claim(body)
  const again = await replica.claim(body)
  expect([first.kind, again.kind]).toEqual(['bound', 'bound'])
  expect((await replica.claim({ ...body, request_id: 'other' })).kind).toBe('refused')
  const [{ id = '' } = {}] = await living()
  expect(await wishes()).toEqual([id])
  await moveClock(t.db, 7_201)
  for (let second = 0; second < 60; second += 1) await replica.service.sweep()
  expect(await wishes()).toEqual([id])
  await replica.service.release(id)
  for (let second = 0; second < 60; second += 1) await replica.service.sweep()
  expect(await wishes()).toEqual([])
})

test('the wish of a client that went away stays until it is swept: something may have been bound', async () => {
  const replica = startReplica()
  await insertPool(t.db, 'p')
  const client = new AbortController()
  const left = replica.claim({ pool: 'p', id: 'x', replace_lost: true, timeout_ms: 60_000 }, client.signal)
  await untilWaiting(t.db, 1)
  client.abort()
  expect(await left).toMatchObject({ kind: 'refused', refusal: { kind: 'left' } })
  expect(await wishes()).toEqual(['x'])
  await moveClock(t.db, 7_201)
  for (let second = 0; second < 60; second += 1) await replica.service.sweep()
  expect(await wishes()).toEqual([])
})

test('the wish is true or false', async () => {
  const replica = startReplica()
  await insertPool(t.db, 'p')
  await expect(async () => replica.claim({ pool: 'p', replace_lost: 'yes' })).rejects.toThrow(
    'replace_lost must be true or false',
  )
})
