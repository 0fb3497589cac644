import { setTimeout as delay } from 'node:timers/promises'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { Pool } from '../src/pools/pool.ts'
import { type ChangedPools, createPoolChanges } from '../src/pools/pool-changes.ts'
import {
  getPoolById,
  getPoolByUid,
  getPoolsByUid,
  listPools,
  listPoolsByStatus,
  removePool,
  removePools,
  writeObserved,
  writeObservedMany,
} from '../src/pools/pool-store.ts'
import { acquireLease, LeaseLost, releaseLease } from '../src/store/lease.ts'
import { path, resources, usePoolsApi } from './support/pools-api.ts'

const api = usePoolsApi()
const event = { type: 'Normal', reason: 'Did', message: 'it' } as const

beforeEach(async () => {
  await api.clear()
  await api.create({ pools: ['a', 'b', 'c'].map((id) => ({ id, resources, size: 1 })) })
})

const get = async (id: string): Promise<Pool> => {
  const pool = await getPoolById(api.db, id)
  if (pool === undefined) throw new Error(`no pool ${id}`)
  return pool
}
const count = async (table: string) => (await api.db.query(`select count(*) as n from ${table}`))[0]?.n

describe('what the controller reads', () => {
  test('all, by status, by uid, by id', async () => {
    await api.setStatus(4, 'b')
    const ids = (pools: Pool[]) => pools.map((pool) => pool.id)
    expect(ids(await listPools(api.db))).toEqual(['a', 'b', 'c'])
    expect(ids(await listPoolsByStatus(api.db, [0]))).toEqual(['a', 'c'])
    expect(ids(await listPoolsByStatus(api.db, []))).toEqual([])
    const { uid } = await get('c')
    const unknown = '00000000-0000-4000-8000-000000000000'
    expect(ids(await getPoolsByUid(api.db, [uid, unknown]))).toEqual(['c'])
    expect(await getPoolByUid(api.db, uid)).toMatchObject({ id: 'c', spec: { size: 1, maxSize: 1 }, version: 1 })
    expect(await getPoolByUid(api.db, unknown)).toBeUndefined()
  })
})

describe('what the controller writes', () => {
  test('only the members that it gives, and the version grows', async () => {
    const { uid } = await get('a')
    const first = await writeObserved(api.db, undefined, { uid, version: 1, status: 1, word: 'Creating' })
    expect(first).toMatchObject({ status: 1, word: 'Creating', notes: [], readyCount: 0, observed: {}, version: 2 })
    const second = await writeObserved(api.db, undefined, {
      uid,
      version: 2,
      notes: ['b', 'a'],
      readyCount: 3,
      observed: { since: 5 },
    })
    expect(second).toMatchObject({
      status: 1,
      word: 'Creating',
      notes: ['b', 'a'],
      readyCount: 3,
      observed: { since: 5 },
    })
    const third = await writeObserved(api.db, undefined, { uid, version: 3, notes: [], word: '' })
    expect(third).toMatchObject({ status: 1, word: '', notes: [], readyCount: 3, observed: { since: 5 } })
    expect((await api.query('?id=a')).result.pools?.[0]).toMatchObject({ msg: '', ready_count: 3, status: 1 })
  })

  test('nothing when the pool has another version, or is gone', async () => {
    const { uid } = await get('a')
    expect(await writeObserved(api.db, undefined, { uid, version: 2, status: 4, events: [event] })).toBeUndefined()
    await api.db.query(`delete from pool where name = 'a'`)
    expect(await writeObserved(api.db, undefined, { uid, version: 1, status: 4, events: [event] })).toBeUndefined()
    expect(await count('pool_event')).toBe(3)
    expect(await count('event')).toBe(3)
  })

  test('of two writers of one version one wins', async () => {
    const { uid } = await get('a')
    const written = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        writeObserved(api.db, undefined, { uid, version: 1, readyCount: i, events: [event] }),
      ),
    )
    expect(written.filter((pool) => pool !== undefined)).toHaveLength(1)
    expect(await get('a')).toMatchObject({ version: 2, readyCount: written.findIndex((pool) => pool !== undefined) })
  })

  test('a deletion that came first wins, and status 6 is not left', async () => {
    const before = await get('a')
    await api.send('DELETE', `${path}?id=a`)
    expect(await writeObserved(api.db, undefined, { uid: before.uid, version: 1, status: 4 })).toBeUndefined()
    const { uid, version } = await get('a')
    expect(await writeObserved(api.db, undefined, { uid, version, status: 5 })).toBeUndefined()
    expect(await writeObserved(api.db, undefined, { uid, version, word: 'Delete Deployment Failed' })).toMatchObject({
      status: 6,
    })
  })

  test('many at once: the good ones are written in one go, each with its story and its row in the log', async () => {
    const pools = await listPools(api.db)
    const written = await writeObservedMany(
      api.db,
      undefined,
      pools.map((pool) => ({
        uid: pool.uid,
        version: pool.id === 'b' ? 7 : pool.version,
        status: 4,
        word: 'Running',
        readyCount: 1,
        events: [event, { ...event, message: pool.id }],
      })),
    )
    expect(written.map((pool) => [pool.id, pool.status])).toEqual([
      ['a', 4],
      ['c', 4],
    ])
    const log = await api.db.query(
      `select object_id, detail ->> 'id' as id, detail ->> 'msg' as msg from event where type = 'update' order by seq`,
    )
    expect(log).toEqual(
      ['a', 'c'].map((id) => ({ object_id: pools.find((pool) => pool.id === id)?.seq, id, msg: 'Running' })),
    )
    const story = await api.db.query(`select pool_name, message from pool_event where reason = 'Did' order by id`)
    expect(story.map((line) => `${line.pool_name} ${line.message}`)).toEqual(['a it', 'a a', 'c it', 'c c'])
    expect(await writeObservedMany(api.db, undefined, [])).toEqual([])
  })

  test('what is only remembered is not told to watchers', async () => {
    const { uid } = await get('a')
    await writeObserved(api.db, undefined, { uid, version: 1, observed: { x: 1 } })
    expect(await count('event')).toBe(3)
  })

  test('an old lease holder writes nothing', async () => {
    const lease = await acquireLease(api.db, 'pools', 'one', 60)
    if (lease === undefined) throw new Error('no lease')
    const { uid } = await get('a')
    expect(await writeObserved(api.db, lease, { uid, version: 1, readyCount: 1 })).toBeDefined()
    await releaseLease(api.db, lease)
    await acquireLease(api.db, 'pools', 'two', 60)
    await expect(writeObserved(api.db, lease, { uid, version: 2, readyCount: 2 })).rejects.toBeInstanceOf(LeaseLost)
    await expect(removePool(api.db, lease, uid, 2)).rejects.toBeInstanceOf(LeaseLost)
    expect(await get('a')).toMatchObject({ readyCount: 1 })
  })

  test('a pool is removed only in status 6 and in the version that was looked at', async () => {
    const { uid } = await get('a')
    expect(await removePool(api.db, undefined, uid, 1)).toBe(false)
    await api.send('DELETE', `${path}?id=a`)
    expect(await removePool(api.db, undefined, uid, 1)).toBe(false)
    expect(await removePool(api.db, undefined, uid, 2, [event])).toBe(true)
    expect(await removePool(api.db, undefined, uid, 2)).toBe(false)
    expect(await removePools(api.db, undefined, [])).toEqual([])
    const log = await api.db.query('select type, detail from event order by seq desc limit 1')
    expect(log[0]).toMatchObject({ type: 'delete', detail: { id: 'a', status: 6 } })
    const history = await api.db.query(
      `select row ->> 'status' as status from history where collection = 'pool' order by valid_to`,
    )
    expect(history.map((row) => row.status)).toEqual(['0', '6'])
  })
})

describe('wake-ups', () => {
  test('in this process and in another replica, with the uids of what changed', async () => {
    const heard: ChangedPools[] = []
    const elsewhere: ChangedPools[] = []
    const stop = api.changes.onPoolsChanged((pools) => heard.push(pools))
    const replica = createPoolChanges(api.db, 'replica')
    replica.onPoolsChanged((pools) => elsewhere.push(pools))
    const abort = new AbortController()
    onTestFinished(() => abort.abort()) // a failed test must not leave a connection behind
    const listening = replica.listen(abort.signal)
    await until(() => elsewhere.includes('all'))
    await api.create({ pools: [{ id: 'd', resources }, { id: '-' }] })
    const { uid } = await get('d')
    expect(heard).toEqual([[uid]])
    // What was announced before may still come in, or together with it.
    await until(() => elsewhere.some((pools) => pools !== 'all' && pools.includes(uid)))
    await api.setStatus(4)
    await api.send('PUT', `${path}/d`, { size: 1 })
    await api.send('DELETE', `${path}?group=default`)
    const all = (await listPools(api.db)).map((pool) => pool.uid)
    expect(heard).toEqual([[uid], [uid], all])
    stop()
    const before = elsewhere.length
    await api.send('DELETE', `${path}?id=d`)
    expect(heard).toHaveLength(3)
    await until(() => elsewhere.slice(before).some((pools) => pools.includes(uid)))
    abort.abort()
    await listening
  })

  test('a refused request wakes nobody', async () => {
    const heard: ChangedPools[] = []
    const stop = api.changes.onPoolsChanged((pools) => heard.push(pools))
    await api.create({ pools: [{ id: 'a', resources }] })
    await api.send('PUT', `${path}/a`, { size: 1 })
    await api.send('DELETE', `${path}?id=none`)
    expect(heard).toEqual([])
    stop()
  })

  test('a replica whose connection breaks listens again, and looks at everything', async () => {
    let looks = 0
    const replica = createPoolChanges(api.db, 'replica')
    replica.onPoolsChanged((pools) => {
      if (pools === 'all') looks += 1
    })
    const abort = new AbortController()
    onTestFinished(() => abort.abort())
    const listening = replica.listen(abort.signal)
    await until(() => looks === 1)
    await api.db.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where query = 'listen podyard_pool' and datname = current_database()`,
    )
    await until(() => looks >= 2)
    abort.abort()
    await listening
  })
})

/** Waits for a condition, a minute at most. */
async function until(condition: () => boolean): Promise<void> {
  const end = Date.now() + 60_000
  while (!condition()) {
    if (Date.now() > end) throw new Error('the condition did not come true')
    await delay(5)
  }
}
