/** The ledger: every instance, alive or past, by pool, place, tenant and time, joined to what the inventory knew. */
import { beforeEach, describe, expect, test } from 'vitest'
import { clearInstances, insertPool, insertReady, moveClock } from './support/instance-rows.ts'
import { useInstancesApi } from './support/instances-api.ts'

const api = useInstancesApi()
beforeEach(() => clearInstances(api.db))

type View = { id: string; state: string; pod: { ip: string; containers: unknown[] } } & Record<string, unknown>
const instancesOf = (json: { readonly result?: Record<string, unknown> }) => (json.result?.instances ?? []) as View[]
const found = async (query: string) => {
  const { status, json } = await api.list(`?limit=1000&${query}`)
  expect(status).toBe(200)
  return instancesOf(json).map(({ id }) => id)
}
const claim = async (body: object) => (await api.claim(body)).json.result as View

describe('a list', () => {
  test('has the living and the past, newest first, narrowed by everything', async () => {
    const [p, q] = [await insertPool(api.db, 'p', { group: 'g' }), await insertPool(api.db, 'q')]
    await insertReady(api.db, p, 2)
    await insertReady(api.db, q, 1)
    const a = await claim({ pool: 'p', tenant: 'x', request_id: 'r' })
    const b = await claim({ pool: 'p' })
    const c = await claim({ pool: 'q', tenant: 'x' })
    await api.release(b.id)
    expect(await found('')).toEqual([c.id, b.id, a.id])
    const cases: readonly (readonly [string, readonly View[]])[] = [
      ['pool=p', [b, a]],
      ['group=g', [b, a]],
      ['group=default', [c]],
      ['state=running', [c, a]],
      ['state=released', [b]],
      ['state=expired', []],
      ['tenant=x', [c, a]],
      ['tenant=x&pool=p', [a]],
      ['request_id=r', [a]],
      [`ip=${b.pod.ip}`, [b, c].filter(({ pod }) => pod.ip === b.pod.ip).reverse()],
      [`pod=${String((a.pod as { name?: string }).name)}`, [a]],
      [`pod_uid=${String((b.pod as { uid?: string }).uid)}`, [b]],
      ['node=node-1', [c, b, a]],
      ['host_ip=10.0.0.1', [c, b, a]],
      ['host_ip=10.0.0.2', []],
      ['bk_biz_id=0', [c, b, a]],
      ['bk_host_id=7', []],
      ['pool=', [c, b, a]],
    ]
    for (const [query, expected] of cases) {
      const ids = await found(query)
      expect(ids.toSorted(), query).toEqual(expected.map(({ id }) => id).toSorted())
    }
  })

  test('in pages and by cursor: each instance once', async () => {
    const pool = await insertPool(api.db, 'p')
    await insertReady(api.db, pool, 25)
    const ids: string[] = []
    for (let i = 0; i < 25; i += 1) {
      const { id } = await claim({ pool: 'p' })
      ids.unshift(id)
      if (i % 2 === 0) await api.release(id)
    }
    const pages: string[] = []
    for (const offset of ['', '2', '3', '4']) {
      const { json } = await api.list(`?offset=${offset}`)
      expect(json.result?.count).toBe(25)
      pages.push(...instancesOf(json).map(({ id }) => id))
    }
    expect(pages).toEqual(ids)
    const walked: string[] = []
    for (let cursor: unknown = ''; ; ) {
      const { json } = await api.list(`?limit=7&pool=p&cursor=${cursor}`)
      expect(json.result).not.toHaveProperty('count')
      walked.push(...instancesOf(json).map(({ id }) => id))
      cursor = json.result?.next_cursor
      if (cursor === '') break
    }
    expect(walked).toEqual(ids)
    expect((await api.list('?offset=9')).json.result).toMatchObject({ count: 25, instances: [], next_cursor: '' })
  })

  test('tells who held an address at a moment', async () => {
    const pool = await insertPool(api.db, 'p')
    const ip = '10.9.9.9'
    const held: { id: string; from: number; to: number }[] = []
    for (let i = 0; i < 3; i += 1) {
      await insertReady(api.db, pool, 1)
      await api.db.query('update ready set ip = $1', [ip])
      const { id, created_at } = await claim({ pool: 'p' })
      await moveClock(api.db, 3_600)
      const ended = i === 2 ? undefined : (await api.release(id)).json.result?.ended_at
      held.push({
        id,
        from: Date.parse(String(created_at)),
        to: ended === undefined ? Number.POSITIVE_INFINITY : Date.parse(String(ended)),
      })
      await moveClock(api.db, 3_600)
    }
    const at = (ms: number) => encodeURIComponent(new Date(ms).toISOString())
    for (const { id, from } of held) {
      expect(await found(`ip=${ip}&from=${at(from + 60_000)}&to=${at(from + 60_000)}`)).toEqual([id])
    }
    const [first, second, third] = held as [(typeof held)[0], (typeof held)[0], (typeof held)[0]]
    // Nobody held it between two of them.
    expect(await found(`ip=${ip}&from=${at(first.to + 60_000)}&to=${at(first.to + 120_000)}`)).toEqual([])
    expect(await found(`ip=${ip}&from=${Math.floor(first.to / 1000) + 60}`)).toEqual([third.id, second.id])
    expect(await found(`ip=${ip}&to=${at(second.from + 1)}`)).toEqual([second.id, first.id])
  })
})

describe('what the inventory knew', () => {
  test('of pod, host, business and containers is in the claim, and stays when they are gone', async () => {
    const pool = await insertPool(api.db, 'p')
    const [uid] = await insertReady(api.db, pool, 1)
    await api.db.query(
      `insert into pod (id, bk_biz_id, bk_cluster_id, ref_kind, ref_id, bk_host_id, name, uid, origin)
        values (70, 3, 1, 'pods', 1, 8, 'x', $1, 'sync'), (71, 4, 1, 'pods', 1, 9, 'client row', $1, 'client')`,
      [uid],
    )
    await api.db.query(
      `insert into container (id, bk_pod_id, ref_kind, ref_id, name, container_uid) values (90, 70, 'pods', 1, 'runtime', 'c://1')`,
    )
    const made = await claim({ pool: 'p' })
    expect(made).toMatchObject({ bk_biz_id: 3, pod: { bk_pod_id: 70, bk_host_id: 8 } })
    const containers = [{ bk_container_id: 90, container_uid: 'c://1', name: 'runtime' }]
    expect((await api.get(made.id)).json.result).toMatchObject({ pod: { containers } })
    await api.release(made.id)
    await api.db.query('truncate pod, container')
    const { json } = await api.list('?bk_pod_id=70')
    expect(json.result?.instances).toMatchObject([{ id: made.id, bk_biz_id: 3, pod: { bk_host_id: 8, containers } }])
  })
})
