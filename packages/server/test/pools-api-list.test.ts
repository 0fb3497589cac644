import { beforeAll, describe, expect, test } from 'vitest'
import { path, resources, usePoolsApi } from './support/pools-api.ts'

const api = usePoolsApi()

/** Made in this order: p-0 ... p-24, the odd ones in the group `odd`. */
beforeAll(async () => {
  await api.create({
    pools: Array.from({ length: 25 }, (_, i) => ({ id: `p-${i}`, resources, group: i % 2 === 1 ? 'odd' : '' })),
  })
})

const ids = async (query: string) => (await api.query(query)).result.pools?.map((pool) => pool.id) ?? null
const newest = (from: number, to: number) => Array.from({ length: from - to + 1 }, (_, i) => `p-${from - i}`)

describe('200', () => {
  test.each([
    ['', newest(24, 15)],
    ['?limit=&offset=', newest(24, 15)],
    ['?offset=0', newest(24, 15)],
    ['?offset=1', newest(24, 15)],
    ['?offset=2', newest(14, 5)],
    ['?offset=3', newest(4, 0)],
    ['?offset=4', []],
    ['?limit=3&offset=2', newest(21, 19)],
    ['?limit=%2B3', newest(24, 22)],
    ['?limit=0003', newest(24, 22)],
    [`?limit=${'0'.repeat(5_000)}3`, newest(24, 22)],
    ['?limit=1000', newest(24, 0)],
    ['?limit=9223372036854775807', newest(24, 0)],
    ['?limit=9223372036854775807&offset=9223372036854775807', []],
    ['?limit=9223372036854775807&offset=2', []],
  ])('page %s', async (query, expected) => {
    const { code, result } = await api.query(query)
    expect(code).toBe(0)
    expect(result.count).toBe(25)
    expect(result.pools?.map((pool) => pool.id)).toEqual(expected)
  })

  test.each(['?limit=0', '?limit=-1', '?offset=-1', '?limit=-9223372036854775808'])(
    'a page that cannot be: %s',
    async (query) => {
      expect((await api.query(query)).result).toEqual({ count: 0, pools: null })
    },
  )

  test.each([
    ['?id=p-3', 1, ['p-3']],
    ['?id=p-3&group=odd', 1, ['p-3']],
    ['?id=p-4&group=odd', 0, []],
    ['?id=P-3', 0, []],
    ['?id=p-', 0, []],
    ['?id=p%2D3', 1, ['p-3']],
    ['?id=%00', 0, []],
    ['?id=%F0%9F%90%99', 0, []],
    ['?group=odd&limit=2', 12, ['p-23', 'p-21']],
    ['?group=default&limit=1', 13, ['p-24']],
    ['?group=odd&group=default&limit=1', 12, ['p-23']],
    ['?ID=p-3&limit=1', 25, ['p-24']],
    ['?id=&limit=1', 25, ['p-24']],
    ['?id&limit=1', 25, ['p-24']],
    ['?&&id=p-3&x=1;2', 1, ['p-3']],
    ['?i%64=p-3', 1, ['p-3']],
  ])('filter %s', async (query, count, expected) => {
    const { result } = await api.query(query)
    expect(result.count).toBe(count)
    expect(result.pools?.map((pool) => pool.id)).toEqual(expected)
  })

  test('the order stays when a pool is written', async () => {
    await api.setStatus(4, 'p-7')
    await api.send('PUT', `${path}/p-7`, { size: 1 })
    expect(await ids('?offset=2')).toEqual(newest(14, 5))
  })

  test('failed pools and those being deleted are listed like any other', async () => {
    await api.setStatus(5, 'p-1')
    await api.setStatus(6, 'p-2')
    const { result } = await api.query('?limit=30')
    expect(result.pools?.filter((pool) => pool.id === 'p-1' || pool.id === 'p-2').map((pool) => pool.status)).toEqual([
      6, 5,
    ])
  })

  test('msg is the word, then each note', async () => {
    await api.db.query(
      `update pool set msg_word = 'Running', msg_notes = '{one,two}', valid_from = now() where name = 'p-9'`,
    )
    await api.db.query(`update pool set msg_word = 'Running', valid_from = now() where name = 'p-10'`)
    expect((await api.query('?id=p-9')).result.pools?.[0]?.msg).toBe('Running; one; two')
    expect((await api.query('?id=p-10')).result.pools?.[0]?.msg).toBe('Running')
  })
})

describe('400', () => {
  test.each([
    ['?limit=abc', '"abc": invalid syntax'],
    ['?limit=x&offset=y', '"x": invalid syntax'],
    ['?offset=y', '"y": invalid syntax'],
    ['?limit=0&offset=y', '"y": invalid syntax'],
    ['?limit=1.5', '"1.5": invalid syntax'],
    ['?limit=0x10', '"0x10": invalid syntax'],
    ['?limit=1e1', '"1e1": invalid syntax'],
    ['?limit=1_0', '"1_0": invalid syntax'],
    ['?limit=5abc', '"5abc": invalid syntax'],
    ['?limit=+5', '" 5": invalid syntax'],
    ['?limit=-', '"-": invalid syntax'],
    ['?limit=%EF%BC%95', '"５": invalid syntax'],
    ['?limit=9223372036854775808', '"9223372036854775808": value out of range'],
    ['?limit=-9223372036854775809', '"-9223372036854775809": value out of range'],
  ])('%s', async (query, text) => {
    const answer = await api.send('GET', `${path}${query}`)
    expect(answer.status).toBe(400)
    expect(answer.json).toEqual({ code: 4104, message: `strconv.Atoi: parsing ${text}. check input parameters` })
  })

  test.each(['?id=%zz', '?x=%', '?limit=%ff', '?%E0%A4=1'])('broken percent-encoding: %s', async (query) => {
    const answer = await api.send('GET', `${path}${query}`)
    expect(answer.status).toBe(400)
    expect(answer.json).toMatchObject({ code: 4104, message: expect.stringContaining('percent-encoding') })
  })
})
