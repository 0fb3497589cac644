import { beforeEach, describe, expect, test } from 'vitest'
import { sweepPoolEvents } from '../src/pools/pool-events.ts'
import { addPoolEvents, getPoolById, removePools } from '../src/pools/pool-store.ts'
import { path, resources, usePoolsApi } from './support/pools-api.ts'

const api = usePoolsApi()
let uid: string

const say = (message: string, type: 'Normal' | 'Warning' = 'Normal') => ({ type, reason: 'Said', message })

beforeEach(async () => {
  await api.clear()
  await api.create({ pools: [{ id: 'a', resources }] })
  uid = (await getPoolById(api.db, 'a'))?.uid ?? ''
})

const events = async (id: string, query = '') => {
  const answer = await api.send('GET', `/v1/pools/${id}/events${query}`)
  expect(answer.status).toBe(200)
  return answer.json as { events: { id: number; message: string; count: number; reason: string }[]; next_after: number }
}
const messages = async (query = '') => (await events('a', query)).events.map((event) => event.message)

describe('200', () => {
  test('what the API did, in order, newest last', async () => {
    await api.setStatus(4)
    await api.send('PUT', `${path}/a`, { size: 2 })
    await api.send('DELETE', `${path}?id=a`)
    const answer = await events('a')
    expect(answer.events).toEqual(
      ['Declared', 'UpdateAccepted', 'DeletionAccepted'].map((reason) => ({
        id: expect.any(Number),
        pool_uid: uid,
        at: expect.stringMatching(/^\d{4}-.*Z$/),
        last_at: expect.stringMatching(/^\d{4}-.*Z$/),
        count: 1,
        type: 'Normal',
        reason,
        message: expect.any(String),
      })),
    )
    expect(answer.next_after).toBe(answer.events[2]?.id)
  })

  test('repeats in a row are counted, in one write and over several', async () => {
    await addPoolEvents(api.db, undefined, uid, [say('one'), say('two', 'Warning')])
    await addPoolEvents(api.db, undefined, uid, [say('two', 'Warning'), say('three')])
    await addPoolEvents(api.db, undefined, uid, [say('three')])
    await addPoolEvents(api.db, undefined, uid, [say('three')])
    const [, ...said] = (await events('a')).events
    expect(said.map((event) => [event.message, event.count])).toEqual([
      ['one', 1],
      ['two', 2],
      ['three', 3],
    ])
  })

  test('pages: the newest without a cursor, onwards with one', async () => {
    await addPoolEvents(
      api.db,
      undefined,
      uid,
      ['1', '2', '3', '4'].map((text) => say(text)),
    )
    expect(await messages('?limit=2')).toEqual(['3', '4'])
    expect((await messages('?after=0&limit=3')).slice(1)).toEqual(['1', '2'])
    const first = await events('a', '?after=0&limit=3')
    expect(await messages(`?after=${first.next_after}`)).toEqual(['3', '4'])
    const { next_after } = await events('a')
    expect(await events('a', `?after=${next_after}`)).toEqual({ events: [], next_after })
  })

  test('they outlive the pool, and a pool under the same id goes on after them', async () => {
    await api.send('DELETE', `${path}?id=a`)
    const version = (await getPoolById(api.db, 'a'))?.version ?? 0
    expect(await removePools(api.db, undefined, [{ uid, version, events: [say('gone')] }])).toEqual([uid])
    expect((await messages()).at(-1)).toBe('gone')
    const { next_after } = await events('a')
    expect(await events('a', `?after=${next_after}`)).toEqual({ events: [], next_after })
    await api.create({ pools: [{ id: 'a', resources }] })
    expect((await events('a')).events.map((event) => event.reason)).toEqual([
      'Declared',
      'DeletionAccepted',
      'Said',
      'Declared',
    ])
  })

  test('old ones are swept, a bounded number at a time', async () => {
    await addPoolEvents(
      api.db,
      undefined,
      uid,
      ['1', '2', '3'].map((text) => say(text)),
    )
    await api.db.query(`update pool_event set last_at = now() - interval '8 days' where message <> '3'`)
    expect(await sweepPoolEvents(api.db, 7 * 86_400, 2)).toBe(2)
    expect(await sweepPoolEvents(api.db, 7 * 86_400, 2)).toBe(1)
    expect(await messages()).toEqual(['3'])
    await api.db.query('delete from pool_event')
    expect(await messages()).toEqual([])
  })
})

describe('400', () => {
  test.each(['?limit=0', '?limit=1001', '?limit=x', '?after=-1', '?after=1.5', '?after=9007199254740993'])(
    '%s',
    async (query) => {
      const answer = await api.send('GET', `/v1/pools/a/events${query}`)
      expect(answer.status).toBe(400)
      expect(answer.type).toContain('application/problem+json')
      expect(answer.json).toMatchObject({ title: 'Bad Request', status: 400 })
    },
  )
})

describe('404', () => {
  test.each(['none', 'A', '%00', 'none?after=0'])('%s', async (id) => {
    const [name, query] = id.split('?')
    const answer = await api.send('GET', `/v1/pools/${name}/events${query === undefined ? '' : `?${query}`}`)
    expect(answer.status).toBe(404)
    expect(answer.json).toMatchObject({ title: 'Not Found', detail: 'no pool has or had this id' })
  })
})
