/** Business sets (container API reference 10.7) and the containers in one (2.4). */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { businessOperations } from '../src/inventory/business-operations.ts'
import { useDatabase } from './support/database.ts'
import { type InventoryClient, inventoryClient } from './support/inventory-client.ts'

const t = useDatabase()
let api: InventoryClient
beforeAll(async () => {
  api = await inventoryClient(businessOperations(t.db))
})
afterAll(() => api.app.close())
beforeEach(async () => {
  await t.db.query(`delete from business_set where id <> 9991001`)
  await t.db.query('truncate business, event, history, host_address, host, pod, container')
  await t.db.query('alter sequence business_set_id_seq restart')
  // Businesses 1 to 4; 2 speaks English, 4 is archived.
  await t.db.query(`insert into business (id, bk_biz_name, bk_biz_maintainer, language, bk_data_status)
    select i, 'biz' || i, 'ann', case i when 2 then '2' else '1' end, case i when 4 then 'disabled' end from generate_series(1, 4) i`)
})

type Listed = { count: number; info: Record<string, unknown>[]; next_cursor?: string }
const paths = {
  create: '/create/biz_set',
  list: '/findmany/biz_set',
  businesses: '/find/biz_set/biz_list',
  update: '/updatemany/biz_set',
  remove: '/deletemany/biz_set',
}
const all = { match_all: true }
const scope = (...rules: object[]) => ({ match_all: false, filter: { condition: 'AND', rules } })
const atom = (field: string, operator: string, value: unknown) => ({ field, operator, value })
const create = (name: string, bk_scope: object = all, attributes: object = {}) =>
  api.ok<number>(paths.create, { bk_biz_set_attr: { bk_biz_set_name: name, ...attributes }, bk_scope })
const put = { method: 'PUT' } as const
const update = (bk_biz_set_ids: number[], data: object) => api.ok(paths.update, { bk_biz_set_ids, data }, put)
const names = async (body: object = {}) =>
  (await api.ok<Listed>(paths.list, body)).info.map((row) => row.bk_biz_set_name)
const businesses = async (bk_biz_set_id: number, body: object = {}) =>
  (await api.ok<Listed>(paths.businesses, { bk_biz_set_id, page: { limit: 10 }, ...body })).info.map(
    (row) => row.bk_biz_id,
  )
const mismatch = (what: string) => [1199006, `'${what}' data parameter verification does not pass`]
const unset = (what: string) => [1199010, `'${what}' unassigned`]

describe('create/biz_set', () => {
  test('create/biz_set: 0 with the id as a bare number; the first is 1', async () => {
    expect(
      await create('shops', scope(atom('bk_biz_id', 'in', [1, 2])), {
        bk_biz_set_desc: 'all',
        bk_biz_maintainer: 'ann,bob',
        x: 1,
      }),
    ).toBe(1)
    const [row] = (await api.ok<Listed>(paths.list, { bk_biz_set_filter: atom('bk_biz_set_id', 'equal', 1) })).info
    expect(row).toEqual({
      bk_biz_set_id: 1,
      bk_biz_set_name: 'shops',
      bk_biz_set_desc: 'all',
      bk_biz_maintainer: 'ann,bob',
      bk_scope: scope(atom('bk_biz_id', 'in', [1, 2])),
      default: 0,
      bk_supplier_account: '0',
      create_time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      last_time: row?.create_time,
      bk_created_at: row?.create_time,
      bk_created_by: 'admin',
    })
    expect(await t.db.query('select resource, type, object_id from event')).toEqual([
      { resource: 'biz_set', type: 'create', object_id: 1 },
    ])
  })

  test('create/biz_set: 0 through ESB and under /topo/v3', async () => {
    const body = (name: string) => ({ bk_biz_set_attr: { bk_biz_set_name: name }, bk_scope: all })
    await api.ok('/api/c/compapi/v2/cc/create_business_set/', body('a'))
    await api.ok('/topo/v3/create/biz_set', body('b'))
    expect(await names()).toEqual(['a', 'b', 'BlueKing'])
  })

  const attr = { bk_biz_set_name: 'a' }
  const twoLevels = { condition: 'AND', rules: [{ condition: 'AND', rules: [atom('bk_biz_id', 'equal', 1)] }] }
  test.each([
    ['bk_biz_set_attr', {}],
    ['bk_biz_set_attr', { bk_scope: all }],
    ['bk_scope', { bk_biz_set_attr: attr }],
    ['bk_biz_set_name', { bk_biz_set_attr: {}, bk_scope: all }],
    ['bk_biz_set_name', { bk_biz_set_attr: { bk_biz_set_name: '' }, bk_scope: all }],
    ['bk_scope', { bk_biz_set_attr: attr, bk_scope: [] }],
    ['bk_scope', { bk_biz_set_attr: attr, bk_scope: {} }],
    ['bk_scope', { bk_biz_set_attr: attr, bk_scope: { match_all: 'x' } }],
    ['bk_scope', { bk_biz_set_attr: attr, bk_scope: { match_all: false } }],
    [
      'bk_scope',
      { bk_biz_set_attr: attr, bk_scope: { match_all: true, filter: scope(atom('bk_biz_id', 'equal', 1)).filter } },
    ],
    ['bk_scope', { bk_biz_set_attr: attr, bk_scope: { filter: atom('bk_biz_id', 'equal', 1) } }],
    [
      'bk_scope',
      { bk_biz_set_attr: attr, bk_scope: { filter: { condition: 'OR', rules: [atom('bk_biz_id', 'equal', 1)] } } },
    ],
    ['bk_scope', { bk_biz_set_attr: attr, bk_scope: { filter: twoLevels } }],
    ['bk_scope', { bk_biz_set_attr: attr, bk_scope: scope() }],
    ['bk_scope', { bk_biz_set_attr: attr, bk_scope: scope(atom('bk_biz_id', 'not_equal', 1)) }],
    ['bk_scope', { bk_biz_set_attr: attr, bk_scope: scope(atom('bk_biz_id', 'equal', '1')) }],
    ['bk_scope', { bk_biz_set_attr: attr, bk_scope: scope(atom('bk_biz_name', 'equal', 'biz1')) }],
  ])('create/biz_set: 1199006 %s (%#)', async (what, body) => {
    expect(await api.refused(paths.create, body)).toEqual(mismatch(what))
    expect(await names()).toEqual(['BlueKing'])
  })

  test.each([
    { bk_biz_set_name: 'a b' },
    { bk_biz_set_name: 'a/b' },
    { bk_biz_set_name: 1 },
    { bk_biz_set_name: ' ' },
    { bk_biz_set_name: 'x'.repeat(257) },
    { bk_biz_set_name: 'a', bk_biz_set_desc: 1 },
    { bk_biz_set_name: 'a', bk_biz_maintainer: 1 },
  ])('create/biz_set: 1199011 for %j', async (bk_biz_set_attr) => {
    expect((await api.refused(paths.create, { bk_biz_set_attr, bk_scope: all }))[0]).toBe(1199011)
  })

  test('create/biz_set: 1101118 for a name that is taken', async () => {
    await create('a')
    expect(await api.refused(paths.create, { bk_biz_set_attr: { bk_biz_set_name: 'a' }, bk_scope: all })).toEqual([
      1101118,
      'Create failed, duplicate business set name',
    ])
    const chinese = await api.send(
      paths.create,
      { bk_biz_set_attr: { bk_biz_set_name: 'BlueKing' }, bk_scope: all },
      { headers: { 'x-bkcmdb-language': 'zh-cn' } },
    )
    expect(chinese).toMatchObject({ code: 1101118, message: '新建失败，业务集名称重复' })
  })
})

describe('findmany/biz_set', () => {
  beforeEach(async () => {
    await create('shops', all, { bk_biz_maintainer: 'ann,bob' })
    await create('Workshops', all, { bk_biz_maintainer: 'carl' })
  })

  test.each([
    [{}, ['shops', 'Workshops', 'BlueKing']],
    [{ page: { limit: 0 } }, ['shops', 'Workshops', 'BlueKing']],
    [{ page: { start: 1, limit: 1 } }, ['Workshops']],
    [{ page: { limit: 1000, sort: '-bk_biz_set_id' } }, ['BlueKing', 'Workshops', 'shops']],
    [{ bk_biz_set_filter: atom('bk_biz_set_name', 'contains', 'SHOP') }, ['shops', 'Workshops']],
    [{ bk_biz_set_filter: { condition: 'AND', rules: [atom('bk_biz_maintainer', 'equal', 'bob')] } }, ['shops']],
    [{ bk_biz_set_filter: atom('default', 'equal', 1) }, ['BlueKing']],
    [{ bk_biz_set_filter: atom('colour', 'equal', 1) }, []],
    [{ bk_biz_set_filter: atom('bk_biz_set_id', 'in', [2, 77]) }, ['Workshops']],
    [
      {
        time_condition: {
          oper: 'and',
          rules: [{ field: 'create_time', start: '2001-01-01 00:00:00', end: '2001-01-02 00:00:00' }],
        },
      },
      [],
    ],
    [{ bk_biz_set_filter: null, time_condition: null, fields: null, page: null }, ['shops', 'Workshops', 'BlueKing']],
  ])('findmany/biz_set: 0 for %j: %j', async (body, expected) => {
    expect(await names(body)).toEqual(expected)
  })

  test('findmany/biz_set: 0 with count 0 beside rows, the number in a count, fields, and a cursor', async () => {
    expect(await api.ok(paths.list, { fields: ['bk_biz_set_name'], page: { limit: 1 } })).toEqual({
      count: 0,
      info: [{ bk_biz_set_name: 'shops' }],
    })
    expect(await api.ok(paths.list, { page: { enable_count: true } })).toEqual({ count: 3, info: [] })
    const ids: unknown[] = []
    for (let cursor = ''; ; ) {
      const data = await api.ok<Listed>(paths.list, { page: { cursor, limit: 1 } })
      ids.push(...data.info.map((row) => row.bk_biz_set_id))
      cursor = data.next_cursor as string
      if (cursor === '') break
    }
    expect(ids).toEqual([1, 2, 9991001])
  })

  test.each([
    ['limit', { page: { limit: 1001 } }],
    ['limit', { page: { limit: -1 } }],
    ['start', { page: { start: -1 } }],
    ['page.enable_count', { page: { enable_count: true, limit: 1 } }],
    ['page.cursor', { page: { cursor: 'x' } }],
    ['page.cursor', { page: { cursor: '', sort: 'x' } }],
    ['bk_biz_set_filter.operator', { bk_biz_set_filter: atom('bk_biz_set_name', 'between', 1) }],
    ['bk_biz_set_filter.rules', { bk_biz_set_filter: { condition: 'AND', rules: [] } }],
    ['time_condition', { time_condition: { rules: [{ field: 'create_time', start: 'x' }] } }],
  ])('findmany/biz_set: 1199006 %s', async (what, body) => {
    expect(await api.refused(paths.list, body)).toEqual(mismatch(what))
  })

  test('findmany/biz_set: 1199000 for a filter that is no rule', async () => {
    expect((await api.refused(paths.list, { bk_biz_set_filter: {} }))[0]).toBe(1199000)
  })
})

describe('find/biz_set/biz_list', () => {
  test('find/biz_set/biz_list: 0 with the businesses of the scope, looked at anew, without archived ones', async () => {
    const everything = await create('all')
    const two = await create('two', scope(atom('bk_biz_id', 'in', [2, 3, 4])))
    const english = await create('english', scope(atom('language', 'equal', '2'), atom('life_cycle', 'equal', '2')))
    expect(await businesses(everything)).toEqual([1, 2, 3])
    expect(await businesses(9991001)).toEqual([1, 2, 3])
    expect(await businesses(two)).toEqual([2, 3])
    expect(await businesses(english)).toEqual([2])
    await t.db.query(`update business set bk_data_status = 'enable' where id = 4`)
    expect(await businesses(two)).toEqual([2, 3, 4])
  })

  test('find/biz_set/biz_list: 0 with a filter, fields, a page, a count and a cursor', async () => {
    const id = await create('all')
    expect(await businesses(id, { filter: atom('bk_biz_name', 'equal', 'biz2') })).toEqual([2])
    expect(await businesses(id, { page: { start: 1, limit: 1 } })).toEqual([2])
    expect(await businesses(id, { page: { limit: 10, sort: '-bk_biz_id' } })).toEqual([3, 2, 1])
    expect(await api.ok(paths.businesses, { bk_biz_set_id: id, page: { enable_count: true } })).toEqual({
      count: 3,
      info: [],
    })
    expect(
      await api.ok(paths.businesses, { bk_biz_set_id: id, fields: ['bk_biz_id'], page: { limit: 1, cursor: '' } }),
    ).toEqual({
      count: 0,
      info: [{ bk_biz_id: 1 }],
      next_cursor: expect.stringMatching(/./),
    })
  })

  test('find/biz_set/biz_list: 1199010 without an id', async () => {
    expect(await api.refused(paths.businesses, { page: { limit: 1 } })).toEqual(unset('bk_biz_set_id'))
  })
  test('find/biz_set/biz_list: 1199006 for an unknown id and for a filter', async () => {
    expect(await api.refused(paths.businesses, { bk_biz_set_id: 77, page: { limit: 1 } })).toEqual(
      mismatch('bk_biz_set_id'),
    )
    expect(
      await api.refused(paths.businesses, { bk_biz_set_id: 9991001, filter: atom('a', 'x', 1), page: { limit: 1 } }),
    ).toEqual(mismatch('filter.operator'))
  })
  test('find/biz_set/biz_list: 1199011 and 1199059 for pages', async () => {
    const page = (one: object) => api.refused(paths.businesses, { bk_biz_set_id: 9991001, page: one })
    expect((await page({}))[0]).toBe(1199011)
    expect((await page({ limit: 1, start: -1 }))[0]).toBe(1199011)
    expect((await page({ limit: 501 }))[0]).toBe(1199059)
  })
})

describe('updatemany/biz_set', () => {
  test('updatemany/biz_set: 0 changes what is given, stamps it and keeps the old row', async () => {
    const [a, b] = [await create('a', all, { bk_biz_maintainer: 'ann' }), await create('b')]
    expect(
      await update([a, b, 77], { bk_biz_set_attr: { bk_biz_set_desc: 'new', bk_biz_maintainer: null } }),
    ).toBeNull()
    expect(
      await update([a], { bk_biz_set_attr: { bk_biz_set_name: 'c' }, bk_scope: scope(atom('bk_biz_id', 'equal', 3)) }),
    ).toBeNull()
    const { info } = await api.ok<Listed>(paths.list, {})
    expect(info).toMatchObject([
      { bk_biz_set_name: 'c', bk_biz_set_desc: 'new', bk_biz_maintainer: null, bk_updated_by: 'admin' },
      { bk_biz_set_name: 'b', bk_biz_set_desc: 'new' },
      { bk_biz_set_name: 'BlueKing', bk_biz_set_desc: '' },
    ])
    expect(await businesses(a)).toEqual([3])
    expect(await t.db.query(`select count(*) as n from history where collection = 'business_set'`)).toEqual([{ n: 3 }])
    expect(await t.db.query(`select object_id from event where type = 'update' order by seq`)).toEqual(
      [a, b, a].map((object_id) => ({ object_id })),
    )
  })

  test('updatemany/biz_set: 0 for the built-in one’s attributes; 1101116 for its scope', async () => {
    expect(await update([9991001], { bk_biz_set_attr: { bk_biz_set_desc: 'x' } })).toBeNull()
    await t.db.query(`update business_set set bk_biz_set_desc = '' where id = 9991001`)
    expect(await api.refused(paths.update, { bk_biz_set_ids: [9991001], data: { bk_scope: all } }, put)).toEqual([
      1101116,
      'forbidden update built-in business set scope',
    ])
  })

  test('updatemany/biz_set: 1199010 without ids or data', async () => {
    expect(await api.refused(paths.update, { data: {} }, put)).toEqual(unset('bk_biz_set_ids'))
    expect(await api.refused(paths.update, { bk_biz_set_ids: [], data: {} }, put)).toEqual(unset('bk_biz_set_ids'))
    expect(await api.refused(paths.update, { bk_biz_set_ids: [1] }, put)).toEqual(unset('data'))
  })
  test('updatemany/biz_set: 1199006 for name or scope of several, and for a bad scope', async () => {
    const refused = (bk_biz_set_ids: number[], data: object) => api.refused(paths.update, { bk_biz_set_ids, data }, put)
    expect(await refused([1, 2], { bk_biz_set_attr: { bk_biz_set_name: 'x' } })).toEqual(mismatch('bk_biz_set_name'))
    expect(await refused([1, 2], { bk_scope: all })).toEqual(mismatch('bk_scope'))
    expect(await refused([1], { bk_scope: 1 })).toEqual(mismatch('bk_scope'))
  })
  test('updatemany/biz_set: 1199011 for a bad value, 1199019 when none is known, 1101118 for a taken name', async () => {
    const id = await create('a')
    const refused = (ids: number[], bk_biz_set_attr: object) =>
      api.refused(paths.update, { bk_biz_set_ids: ids, data: { bk_biz_set_attr } }, put)
    expect((await refused([id], { bk_biz_set_name: 'a b' }))[0]).toBe(1199011)
    expect((await refused([77], { bk_biz_set_name: 'x' }))[0]).toBe(1199019)
    expect((await refused([id], { bk_biz_set_name: 'BlueKing' }))[0]).toBe(1101118)
  })
})

describe('deletemany/biz_set', () => {
  test('deletemany/biz_set: 0; unknown ids are ignored', async () => {
    const id = await create('a')
    expect(await api.ok(paths.remove, { bk_biz_set_ids: [id, 77] })).toBeNull()
    expect(await names()).toEqual(['BlueKing'])
    expect(await t.db.query(`select type from event order by seq`)).toEqual([{ type: 'create' }, { type: 'delete' }])
  })
  test('deletemany/biz_set: 1199010, 1199035 and 1101115', async () => {
    expect(await api.refused(paths.remove, {})).toEqual(unset('bk_biz_set_ids'))
    expect(await api.refused(paths.remove, { bk_biz_set_ids: Array(101).fill(1) })).toEqual([
      1199035,
      ' bk_biz_set_ids exceed the limit 100',
    ])
    expect(await api.refused(paths.remove, { bk_biz_set_ids: [1, 9991001] })).toEqual([
      1101115,
      'forbidden delete built-in business set',
    ])
  })
})

describe('findmany/biz_set/{bk_biz_set_id}/kube/containers', () => {
  const path = (id: unknown = 9991001) => `/findmany/biz_set/${id}/kube/containers`
  const fields = { container_fields: ['name'], pod_fields: ['name'], host_fields: ['bk_host_innerip'] }
  beforeEach(async () => {
    await t.db.query(`insert into host (id, bk_biz_id, bk_host_innerip) values (1, 1, '{10.0.0.1}')`)
    await t.db.query(`insert into pod (id, bk_biz_id, bk_host_id, ref_kind, ref_id, name) values
      (1, 1, 1, 'deployment', 1, 'p1'), (2, 2, 9, 'deployment', 1, 'p2'), (3, 4, 1, 'deployment', 1, 'p3')`)
    await t.db.query(`insert into container (id, bk_pod_id, bk_biz_id, ref_kind, ref_id, container_uid, name)
      select i * 10, i, b, 'deployment', 1, 'u', 'c' || i from (values (1, 1), (2, 2), (3, 4)) as v(i, b)`)
  })

  test('findmany/biz_set/{bk_biz_set_id}/kube/containers: 0 with container, pod and host, in order of id', async () => {
    expect(await api.ok(path(), { ...fields, bk_container_ids: [20, 77, 10, 10] })).toEqual([
      {
        container: { name: 'c1', id: 10, bk_pod_id: 1, bk_biz_id: 1 },
        pod: { name: 'p1', id: 1, bk_host_id: 1 },
        host: { bk_host_innerip: '10.0.0.1' },
      },
      {
        container: { name: 'c2', id: 20, bk_pod_id: 2, bk_biz_id: 2 },
        pod: { name: 'p2', id: 2, bk_host_id: 9 },
        host: {},
      },
    ])
  })
  test('findmany/biz_set/{bk_biz_set_id}/kube/containers: 0 with nothing for unknown ids', async () => {
    expect(await api.ok(path(), { ...fields, bk_container_ids: [77] })).toEqual([])
  })
  test('findmany/biz_set/{bk_biz_set_id}/kube/containers: 1199010 for what is missing', async () => {
    const body = { ...fields, bk_container_ids: [10] }
    expect(await api.refused(path(0), body)).toEqual(unset('bk_biz_set_id'))
    for (const name of ['bk_container_ids', 'container_fields', 'pod_fields', 'host_fields'])
      for (const value of [undefined, null, []])
        expect(await api.refused(path(), { ...body, [name]: value })).toEqual(unset(name))
  })
  test('findmany/biz_set/{bk_biz_set_id}/kube/containers: 1199006 for a business outside the set, and for an unknown set', async () => {
    const outside = mismatch('resources are not all in biz set')
    const one = await create('one', scope(atom('bk_biz_id', 'equal', 1)))
    expect(await api.refused(path(one), { ...fields, bk_container_ids: [10, 20] })).toEqual(outside)
    expect((await api.send(path(one), { ...fields, bk_container_ids: [10] })).code).toBe(0)
    // Archived businesses are in no set.
    expect(await api.refused(path(), { ...fields, bk_container_ids: [30] })).toEqual(outside)
    for (const id of [77, 'x', '9'.repeat(30)])
      expect(await api.refused(path(id), { ...fields, bk_container_ids: [10] })).toEqual(mismatch('bk_biz_set_id'))
  })
  test('findmany/biz_set/{bk_biz_set_id}/kube/containers: 1199035 beyond 500', async () => {
    expect(await api.refused(path(), { ...fields, bk_container_ids: Array(501).fill(10) })).toEqual([
      1199035,
      ' bk_container_ids exceed the limit 500',
    ])
  })
})
