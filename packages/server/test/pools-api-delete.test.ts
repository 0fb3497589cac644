import { beforeEach, describe, expect, test } from 'vitest'
import { path, resources, usePoolsApi } from './support/pools-api.ts'

const api = usePoolsApi()
const tail = '. check input parameters'
const done = { code: 0, message: '', result: null }

beforeEach(async () => {
  await api.clear()
  await api.create({
    pools: ['a', 'b', 'c'].map((id) => ({ id, resources, group: id === 'c' ? 'other' : 'group' })),
  })
})

const remove = (query: string, body?: unknown) => api.send('DELETE', `${path}${query}`, body)
const deleted = async () =>
  (await api.query('?limit=1000')).result.pools?.filter((pool) => pool.status === 6).map((pool) => pool.id)
const logged = async () => (await api.db.query(`select count(*) as n from event where type <> 'create'`))[0]?.n

describe('200', () => {
  test.each([
    ['?id=a', ['a']],
    ['?group=group', ['b', 'a']],
    ['?id=a&group=group', ['a']],
    ['?id=a&id=c', ['a']],
    ['?group=group&id=', ['b', 'a']],
    ['?i%64=a', ['a']],
  ])('%s', async (query, expected) => {
    const answer = await remove(query)
    expect(answer.status).toBe(200)
    expect(answer.json).toEqual(done)
    expect(await deleted()).toEqual(expected)
    expect(await logged()).toBe(expected.length)
  })

  test.each([0, 1, 2, 3, 4, 5])('from status %d', async (status) => {
    await api.setStatus(status)
    expect((await remove('?id=a')).json).toEqual(done)
    expect(await deleted()).toEqual(['a'])
  })

  test('again while it is being deleted: accepted, nothing new is written', async () => {
    await remove('?id=a')
    const before = await api.db.query('select version from pool order by id')
    expect((await remove('?id=a')).json).toEqual(done)
    expect(await api.db.query('select version from pool order by id')).toEqual(before)
    expect(await logged()).toBe(1)
    expect((await remove('?group=group')).json).toEqual(done)
    expect(await deleted()).toEqual(['b', 'a'])
    expect(await logged()).toBe(2)
  })

  test('a body is ignored, whatever it is', async () => {
    expect((await remove('?id=a', '{broken')).json).toEqual(done)
  })

  test('a group of 300 at once', async () => {
    await api.create({ pools: Array.from({ length: 300 }, (_, i) => ({ id: `g-${i}`, resources, group: 'big' })) })
    expect((await remove('?group=big')).json).toEqual(done)
    expect(await deleted()).toHaveLength(300)
  })

  test('many at once, with overlapping groups and ids', async () => {
    const answers = await Promise.all(
      ['?group=group', '?id=b', '?id=a', '?group=group', '?id=b&group=group'].map((query) => remove(query)),
    )
    expect(answers.map((answer) => answer.status)).toEqual([200, 200, 200, 200, 200])
    expect(await deleted()).toEqual(['b', 'a'])
    expect(await logged()).toBe(2)
  })
})

describe('400', () => {
  test.each(['', '?id=', '?id=&group=', '?ID=a', '?id=&id=a'])('neither id nor group: %s', async (query) => {
    const answer = await remove(query)
    expect(answer.status).toBe(400)
    expect(answer.json).toEqual({ code: 4104, message: `id and group cannot be empty at the same time${tail}` })
    expect(await deleted()).toEqual([])
  })

  test.each(['?id=%zz&group=group', '?group=group&x=%', '?id=a&group=%ff', '?%zz=1&id=a'])(
    'broken percent-encoding deletes nothing: %s',
    async (query) => {
      const answer = await remove(query)
      expect(answer.status).toBe(400)
      expect(answer.json).toMatchObject({ code: 4104 })
      expect(await deleted()).toEqual([])
      expect(await logged()).toBe(0)
    },
  )
})

describe('404', () => {
  test.each(['?id=none', '?group=none', '?id=c&group=group', '?id=A', '?id=%00', '?id=a;group=group', '?id=a%20'])(
    '%s',
    async (query) => {
      const answer = await remove(query)
      expect(answer.status).toBe(404)
      expect(answer.json).toEqual({ code: 4120, message: `pool does not exist or has been deleted${tail}` })
      expect(await deleted()).toEqual([])
    },
  )
})
