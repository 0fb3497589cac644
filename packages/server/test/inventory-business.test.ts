import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { businessOperations } from '../src/inventory/business-operations.ts'
import { ensureBusiness } from '../src/inventory/business-service.ts'
import { useDatabase } from './support/database.ts'
import { type InventoryClient, inventoryClient } from './support/inventory-client.ts'

const t = useDatabase()
let api: InventoryClient
beforeAll(async () => {
  api = await inventoryClient(businessOperations(t.db))
})
afterAll(() => api.app.close())
beforeEach(async () => {
  await t.db.query('truncate business, host_address, host, cluster, namespace, event, history')
  await t.db.query('alter sequence business_id_seq restart')
})

type Row = Record<string, unknown> & { readonly bk_biz_id: number }
type Found = { count: number; info: Row[] }
const create = (row: object) => api.ok<Row>('/biz/0', { bk_biz_maintainer: 'ann', ...row })
const search = (body: object) => api.ok<Found>('/biz/search/0', body)
const names = async (body: object) => (await search(body)).info.map((row) => row.bk_biz_name)
const put = { method: 'PUT' } as const
const events = () => t.db.query(`select type, object_id, detail->>'bk_biz_name' as name from event order by seq`)

describe('create_business', () => {
  test('answers with the whole row; the first id is 1', async () => {
    const row = await create({ bk_biz_name: 'shop', time_zone: 'Africa/Accra', colour: 'red', bk_biz_id: 99 })
    expect(row).toEqual({
      bk_biz_id: 1,
      bk_biz_name: 'shop',
      bk_biz_maintainer: 'ann',
      bk_biz_productor: null,
      bk_biz_tester: null,
      bk_biz_developer: null,
      operator: null,
      life_cycle: '2',
      language: '1',
      time_zone: 'Africa/Accra',
      default: 0,
      bk_supplier_account: '0',
      create_time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      last_time: row.create_time,
      bk_created_at: row.create_time,
      bk_created_by: 'admin',
    })
    expect(await search({})).toEqual({ count: 1, info: [row] })
    expect(await events()).toEqual([{ type: 'create', object_id: 1, name: 'shop' }])
  })

  test('is reachable as /topo/v3/app and through ESB, wrapped or flat', async () => {
    const row = { bk_biz_name: 'a', bk_biz_maintainer: 'ann' }
    await api.ok('/topo/v3/app/0', row)
    await api.ok('/api/c/compapi/v2/cc/create_business/', {
      bk_app_code: 'x',
      bk_supplier_account: '0',
      data: { ...row, bk_biz_name: 'b' },
    })
    await api.ok('/api/c/compapi/v2/cc/create_business/', { bk_app_code: 'x', ...row, bk_biz_name: 'c' })
    expect(await names({})).toEqual(['a', 'b', 'c'])
  })

  test.each([
    [{}, 1199010, "'bk_biz_name' unassigned"],
    [{ bk_biz_name: 'a' }, 1199010, "'bk_biz_maintainer' unassigned"],
    [{ bk_biz_name: '', bk_biz_maintainer: 'ann' }, 1199011, /bk_biz_name/],
    [{ bk_biz_name: 1, bk_biz_maintainer: 'ann' }, 1199011, /bk_biz_name/],
    [{ bk_biz_name: 'a b', bk_biz_maintainer: 'ann' }, 1199011, /bk_biz_name/],
    [{ bk_biz_name: 'a/b', bk_biz_maintainer: 'ann' }, 1199011, /bk_biz_name/],
    [{ bk_biz_name: 'x'.repeat(257), bk_biz_maintainer: 'ann' }, 1199011, /bk_biz_name/],
    [{ bk_biz_name: 'a', bk_biz_maintainer: ' ' }, 1199011, /bk_biz_maintainer/],
    [{ bk_biz_name: 'a', bk_biz_maintainer: 'ann', language: '3' }, 1199011, /language/],
    [{ bk_biz_name: 'a', bk_biz_maintainer: 'ann', life_cycle: 2 }, 1199011, /life_cycle/],
    [{ bk_biz_name: 'a', bk_biz_maintainer: 'ann', time_zone: 'a b' }, 1199011, /time_zone/],
  ])('refuses %j', async (row, code, message) => {
    const [gotCode, gotMessage] = await api.refused('/biz/0', row)
    expect(gotCode).toBe(code)
    if (typeof message === 'string') expect(gotMessage).toBe(message)
    else expect(gotMessage).toMatch(message)
    expect(await t.db.query('select from business')).toEqual([])
    expect(await events()).toEqual([])
  })

  test('a taken name is 1199014, and nothing is left behind', async () => {
    await create({ bk_biz_name: 'shop' })
    expect(await api.refused('/biz/0', { bk_biz_name: 'shop', bk_biz_maintainer: 'bob' })).toEqual([
      1199014,
      'duplicated instances exist, fields [ bk_biz_name: "shop" ] duplicated',
    ])
    expect(await events()).toHaveLength(1)
  })
})

describe('ensureBusiness', () => {
  test('finds what it made, also when called twice at once', async () => {
    const caller = { user: 'admin', tenant: '0' }
    const ids = await Promise.all([1, 2, 3].map(() => ensureBusiness(t.db, caller, 'demo')))
    expect(new Set(ids).size).toBe(1)
    expect(await ensureBusiness(t.db, caller, 'demo')).toBe(ids[0])
    expect((await search({})).count).toBe(1)
  })
})

describe('search_business', () => {
  beforeEach(async () => {
    await create({ bk_biz_name: 'shop', bk_biz_maintainer: 'ann,bob' })
    await create({ bk_biz_name: 'Workshop', bk_biz_maintainer: 'bobby', language: '2' })
    await create({ bk_biz_name: 'a.b', bk_biz_maintainer: 'carl' })
    await create({ bk_biz_name: 'aXb', bk_biz_maintainer: 'carl' })
  })

  test.each([
    [{}, ['shop', 'Workshop', 'a.b', 'aXb']],
    [{ bk_biz_name: 'shop' }, ['shop', 'Workshop']],
    [{ bk_biz_name: 'A.B' }, ['a.b']],
    [{ bk_biz_name: '' }, ['shop', 'Workshop', 'a.b', 'aXb']],
    [{ bk_biz_name: 'shop', language: '2' }, ['Workshop']],
    [{ bk_biz_maintainer: 'bob' }, ['shop']],
    [{ bk_biz_maintainer: 'bob, ann' }, ['shop']],
    [{ bk_biz_id: 2 }, ['Workshop']],
    [{ bk_biz_id: '2' }, []],
    [{ bk_biz_id: { $eq: 2 } }, ['Workshop']],
    [{ bk_biz_id: { $in: [1, 3] } }, ['shop', 'a.b']],
    [{ bk_biz_id: { $in: [] } }, []],
    [{ bk_biz_id: { $gte: 3 } }, ['a.b', 'aXb']],
    [{ bk_biz_name: { $ne: 'shop' } }, ['Workshop', 'a.b', 'aXb']],
    [{ bk_biz_name: { $regex: '^a.b$' } }, ['a.b', 'aXb']],
    [{ bk_biz_name: { $regex: '^a' }, bk_biz_id: { $lt: 4 } }, ['a.b']],
    [{ default: 1 }, ['shop', 'Workshop', 'a.b', 'aXb']],
    [{ colour: 'red' }, []],
  ])('condition %j', async (condition, expected) => {
    expect(await names({ condition })).toEqual(expected)
  })

  test.each([
    [{ field: 'bk_biz_name', operator: 'equal', value: 'shop' }, ['shop']],
    [{ field: 'bk_biz_name', operator: 'contains', value: 'SHOP' }, ['shop', 'Workshop']],
    [{ field: 'bk_biz_maintainer', operator: 'in', value: ['carl'] }, ['a.b', 'aXb']],
    [{ field: 'colour', operator: 'not_equal', value: 'red' }, ['shop', 'Workshop', 'a.b', 'aXb']],
    [{ field: 'create_time', operator: 'datetime_less', value: '2001-01-01' }, []],
  ])('biz_property_filter %j', async (rule, expected) => {
    expect(await names({ biz_property_filter: { condition: 'AND', rules: [rule] } })).toEqual(expected)
  })

  test('pages, sorts and picks fields; count is the total', async () => {
    expect(await search({ page: { start: 1, limit: 2 }, fields: ['bk_biz_name'] })).toEqual({
      count: 4,
      info: [{ bk_biz_name: 'Workshop' }, { bk_biz_name: 'a.b' }],
    })
    expect(await names({ page: { sort: '-bk_biz_id', limit: 2 } })).toEqual(['aXb', 'a.b'])
    expect(await search({ page: { start: 10, limit: 2 } })).toEqual({ count: 4, info: [] })
    expect(await names({ page: { start: -1, limit: 0, sort: 'nonsense' } })).toHaveLength(4)
  })

  test('takes a span of time', async () => {
    const rules = (start: string, end: string) => ({ oper: 'and', rules: [{ field: 'create_time', start, end }] })
    expect(await names({ time_condition: rules('2000-01-01 00:00:00', '2000-01-02 00:00:00') })).toEqual([])
    expect(await names({ time_condition: rules('2000-01-01 00:00:00', '2999-01-01 00:00:00') })).toHaveLength(4)
  })

  test.each([
    [{ condition: {}, biz_property_filter: { condition: 'AND', rules: [] } }, 1199006],
    [{ biz_property_filter: { condition: 'AND', rules: [] } }, 1199006],
    [{ biz_property_filter: {} }, 1199000],
    [{ condition: { bk_biz_name: { $where: '1' } } }, 1199006],
    [{ condition: { bk_biz_name: { $regex: '(' } } }, 1199006],
    [{ condition: { bk_biz_name: ['shop'] } }, 1199006],
    [{ condition: 'x' }, 1199000],
  ])('refuses %j', async (body, code) => {
    expect((await api.refused('/biz/search/0', body))[0]).toBe(code)
  })

  test('names the place of a bad rule', async () => {
    const rules = [{ field: 'bk_biz_name', operator: 'between', value: [1, 2] }]
    expect(await api.refused('/biz/search/0', { biz_property_filter: { condition: 'AND', rules } })).toEqual([
      1199006,
      "'biz.property.rules[0].operator' data parameter verification does not pass",
    ])
  })
})

describe('update_business', () => {
  test('changes what is given, stamps it and keeps the past', async () => {
    const before = await create({ bk_biz_name: 'shop', operator: 'eve' })
    expect(await api.ok('/biz/0/1', { bk_biz_name: 'store', operator: null, time_zone: 'UTC' }, put)).toBeNull()
    const [after] = (await search({})).info
    expect(after).toMatchObject({
      bk_biz_name: 'store',
      operator: null,
      bk_biz_maintainer: 'ann',
      time_zone: 'Asia/Shanghai',
      bk_updated_by: 'admin',
      create_time: before.create_time,
    })
    expect(await t.db.query(`select row->>'bk_biz_name' as name from history where collection = 'business'`)).toEqual([
      { name: 'shop' },
    ])
    expect((await events())[1]).toEqual({ type: 'update', object_id: 1, name: 'store' })
  })

  test('through ESB the row is in data, or flat', async () => {
    await create({ bk_biz_name: 'shop' })
    const url = '/api/c/compapi/v2/cc/update_business/'
    await api.ok(url, { bk_supplier_account: '0', bk_biz_id: 1, data: { bk_biz_name: 'store' } })
    expect(await names({})).toEqual(['store'])
    await api.ok(url, { bk_supplier_account: '0', bk_biz_id: 1, bk_biz_name: 'shop' })
    expect(await names({})).toEqual(['shop'])
  })

  test.each([
    ['/biz/0/9', { bk_biz_name: 'x' }, 1199019],
    ['/biz/0/x', { bk_biz_name: 'x' }, 1199011],
    ['/biz/0/1', { bk_biz_name: 'a b' }, 1199011],
    ['/biz/0/1', { language: '9' }, 1199011],
    ['/biz/0/1', { bk_biz_name: 'other' }, 1199014],
  ])('%s %j is %d', async (url, row, code) => {
    await create({ bk_biz_name: 'shop' })
    await create({ bk_biz_name: 'other' })
    expect((await api.refused(url, row, put))[0]).toBe(code)
    expect(await names({})).toEqual(['shop', 'other'])
  })
})

describe('archiving and deleting', () => {
  const status = (flag: string, id = 1) => `/biz/status/${flag}/0/${id}`

  test('an archived business gets a name of its own, hides, and comes back', async () => {
    await create({ bk_biz_name: 'shop' })
    expect(await api.ok(status('disabled'), undefined, put)).toBeNull()
    expect(await names({})).toEqual([])
    expect(await names({ condition: { bk_data_status: 'disabled' } })).toEqual(['shop-archived'])
    expect(await names({ condition: { bk_data_status: { $ne: 'enable' } } })).toEqual(['shop-archived'])
    await create({ bk_biz_name: 'shop' })
    await api.ok(status('disabled', 2), {}, put)
    expect(await names({ condition: { bk_data_status: 'disabled' } })).toEqual(['shop-archived', 'shop-archived-1'])
    await api.ok(status('enable', 2), { bk_biz_name: 'shop' }, put)
    await api.ok(status('enable', 1), undefined, put)
    expect((await search({})).info.map((row) => [row.bk_biz_name, row.bk_data_status])).toEqual([
      ['shop-archived', 'enable'],
      ['shop', 'enable'],
    ])
  })

  test('a business with hosts or container rows is not archived', async () => {
    await create({ bk_biz_name: 'shop' })
    await t.db.query('insert into host (id, bk_biz_id) values (1, 1)')
    expect(await api.refused(status('disabled'), {}, put)).toEqual([
      1101087,
      'you are archiving a business that has hosts',
    ])
    await t.db.query('delete from host')
    await t.db.query(`insert into namespace (id, bk_biz_id) values (1, 1)`)
    expect((await api.refused(status('disabled'), {}, put))[0]).toBe(1101128)
    await t.db.query('delete from namespace')
    await t.db.query(`insert into cluster (id, bk_biz_id, name, uid, type) values (1, 1, 'c', 'u', 'x')`)
    expect((await api.refused(status('disabled'), {}, put))[0]).toBe(1101128)
    expect(await names({})).toEqual(['shop'])
  })

  test.each([
    ['disabled', 9, 1199019],
    ['enable', 9, 1199019],
    ['gone', 1, 1199011],
  ])('%s of business %d is %d', async (flag, id, code) => {
    await create({ bk_biz_name: 'shop' })
    expect((await api.refused(status(flag, id), {}, put))[0]).toBe(code)
  })

  test('only archived businesses without hosts are deleted', async () => {
    await create({ bk_biz_name: 'shop' })
    await create({ bk_biz_name: 'store' })
    const remove = { bk_biz_id: [1, 2, 77] }
    await api.ok(status('disabled', 1), {}, put)
    expect((await api.refused('/deletemany/biz', remove))[0]).toBe(1101112)
    await api.ok(status('disabled', 2), {}, put)
    await t.db.query('insert into host (id, bk_biz_id) values (1, 2)')
    expect((await api.refused('/deletemany/biz', remove))[0]).toBe(1101030)
    expect(await t.db.query('select from business')).toHaveLength(2)
    await t.db.query('delete from host')
    expect(await api.ok('/deletemany/biz', remove)).toBeNull()
    expect(await t.db.query('select from business')).toEqual([])
    expect((await events()).filter((event) => event.type === 'delete')).toHaveLength(2)
  })

  test.each([
    [{}, 1199011, "'bk_biz_id' the parameter is invalid or does not exist"],
    [{ bk_biz_id: [] }, 1199011, "'bk_biz_id' the parameter is invalid or does not exist"],
    [{ bk_biz_id: Array.from({ length: 21 }, (_, i) => i + 1) }, 1199035, ' update exceed the limit 20'],
  ])('deletemany %j', async (body, code, message) => {
    expect(await api.refused('/deletemany/biz', body)).toEqual([code, message])
  })
})

describe('tenants', () => {
  test('each sees its own rows and those of account 0', async () => {
    await create({ bk_biz_name: 'zero' })
    const one = { headers: { 'x-bkcmdb-supplier-account': 'one' } }
    await api.ok('/biz/one', { bk_biz_name: 'first', bk_biz_maintainer: 'ann' }, one)
    const seenBy = async (account: string) =>
      (await api.ok<Found>('/biz/search/0', {}, { headers: { 'x-bkcmdb-supplier-account': account } })).info.map(
        (row) => row.bk_biz_name,
      )
    expect(await seenBy('0')).toEqual(['zero'])
    expect(await seenBy('one')).toEqual(['zero', 'first'])
    expect(await seenBy('superadmin')).toEqual(['zero', 'first'])
    expect((await api.refused('/biz/0/2', { bk_biz_name: 'x' }, put))[0]).toBe(1199019)
  })
})
