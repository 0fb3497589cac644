import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { ensureBusiness } from '../src/inventory/business-service.ts'
import { hostOperations } from '../src/inventory/host-operations.ts'
import { hostSearchBound } from '../src/inventory/host-search.ts'
import { addHosts } from '../src/inventory/host-service.ts'
import { useDatabase } from './support/database.ts'
import { type InventoryClient, inventoryClient } from './support/inventory-client.ts'

const t = useDatabase()
const caller = { user: 'admin', tenant: '0' }
let api: InventoryClient
beforeAll(async () => {
  api = await inventoryClient(hostOperations(t.db))
})
afterAll(() => api.app.close())
beforeEach(async () => {
  await t.db.query('truncate business, host_address, host, node, pod, event, history')
  await t.db.query('alter sequence business_id_seq restart')
  await t.db.query('alter sequence host_id_seq restart')
  await ensureBusiness(t.db, caller, 'shop')
  await ensureBusiness(t.db, caller, 'store')
  await t.db.query('truncate event')
})

type Host = Record<string, unknown> & { readonly bk_host_id: number }
type Found = { count: number; info: { host: Host; biz: Host[]; set: Host[]; module: Host[] }[] }
type Listed = { count: number; info: Host[] }
const add = (rows: readonly object[], bk_biz_id = 1) =>
  api.ok<{ success: string[] }>('/hosts/add', { bk_biz_id, host_info: { ...rows } })
const search = (body: object) => api.ok<Found>('/hosts/search', body)
const idsOf = async (body: object) => (await search(body)).info.map(({ host }) => host.bk_host_id)
const listed = (body: object = {}) => api.ok<Listed>('/hosts/list_hosts_without_app', body)
const events = () => t.db.query('select type, object_id, biz_id from event order by seq')

describe('hosts/add', () => {
  test('takes rows under numbers and answers with the numbers; the first id is 1', async () => {
    const added = await api.ok('/hosts/add', {
      bk_biz_id: 1,
      input_type: 'api',
      host_info: {
        '4': { bk_host_innerip: '10.1.0.5' },
        '0': { bk_host_innerip: '10.1.0.4, 10.1.0.3', bk_cloud_id: 0, bk_host_name: 'n4', bk_cpu: 8, colour: 'red' },
      },
    })
    expect(added).toEqual({ success: ['0', '4'] })
    const { info } = await listed()
    expect(info[0]).toMatchObject({
      bk_host_id: 1,
      bk_cloud_id: 0,
      bk_host_innerip: '10.1.0.4,10.1.0.3',
      bk_host_innerip_v6: '',
      bk_addressing: 'static',
      bk_host_name: 'n4',
      bk_cpu: 8,
      bk_mem: null,
      bk_os_type: null,
      operator: null,
      bk_comment: '',
      bk_cloud_host_identifier: false,
      import_from: '3',
      bk_supplier_account: '0',
      bk_created_by: 'admin',
    })
    expect(info[0]).not.toHaveProperty('colour')
    expect(info[1]).toMatchObject({ bk_host_id: 2, bk_host_innerip: '10.1.0.5' })
    expect(await events()).toEqual([
      { type: 'create', object_id: 1, biz_id: 1 },
      { type: 'create', object_id: 2, biz_id: 1 },
    ])
  })

  test('a known address updates its host where it is, and a repeated call changes nothing', async () => {
    const row = { bk_host_innerip: '10.1.0.4', bk_host_name: 'n4', bk_sn: 's' }
    await add([row])
    await add([row])
    expect(await events()).toHaveLength(1)
    await add([{ bk_host_innerip: '10.1.0.4', bk_host_name: 'n5', operator: 'ann,bob' }], 2)
    const { info } = await api.ok<Listed>('/hosts/app/1/list_hosts', { page: { limit: 10 } })
    expect(info).toHaveLength(1)
    expect(info[0]).toMatchObject({ bk_host_id: 1, bk_host_name: 'n5', bk_sn: 's', operator: 'ann,bob' })
    expect((await events())[1]).toEqual({ type: 'update', object_id: 1, biz_id: 1 })
    expect(await t.db.query(`select row->>'bk_host_name' as name from history where collection = 'host'`)).toEqual([
      { name: 'n4' },
    ])
  })

  test('an address is known by each of a list, in its area, in either version; dynamic hosts share theirs', async () => {
    await add([{ bk_host_innerip: '10.0.0.1,10.0.0.2' }, { bk_host_innerip_v6: 'fe80::1' }])
    await add([
      { bk_host_innerip: '10.0.0.2', bk_host_name: 'second' },
      { bk_host_innerip_v6: 'FE80:0::1', bk_host_name: 'v6' },
      { bk_host_innerip: '10.0.0.2', bk_cloud_id: 7 },
      { bk_host_innerip: '10.0.0.2', bk_addressing: 'dynamic' },
      { bk_host_innerip: '10.0.0.2', bk_addressing: 'dynamic' },
      { bk_host_innerip: '10.9.9.9', bk_host_name: 'once' },
      { bk_host_innerip: '10.9.9.9', bk_host_name: 'twice' },
    ])
    const { info } = await listed({ fields: ['bk_host_id', 'bk_host_name', 'bk_host_innerip_v6'] })
    expect(info).toEqual([
      { bk_host_id: 1, bk_host_innerip_v6: '', bk_host_name: 'second' },
      { bk_host_id: 2, bk_host_innerip_v6: 'fe80:0000:0000:0000:0000:0000:0000:0001', bk_host_name: 'v6' },
      { bk_host_id: 3, bk_host_innerip_v6: '', bk_host_name: '' },
      { bk_host_id: 4, bk_host_innerip_v6: '', bk_host_name: '' },
      { bk_host_id: 5, bk_host_innerip_v6: '', bk_host_name: '' },
      { bk_host_id: 6, bk_host_innerip_v6: '', bk_host_name: 'twice' },
    ])
  })

  test('a row with bk_host_id updates that host; its address stays', async () => {
    await add([{ bk_host_innerip: '10.0.0.1' }])
    await add([{ bk_host_id: 1, bk_host_innerip: '10.0.0.9', bk_host_name: 'x' }])
    expect((await listed()).info).toMatchObject([{ bk_host_innerip: '10.0.0.1', bk_host_name: 'x' }])
  })

  test('the same hosts added many times at once are made once', async () => {
    const rows = [1, 2, 3, 4].map((n) => ({ bk_host_innerip: `10.0.0.${n}` }))
    const results = await Promise.all(
      Array.from({ length: 6 }, (_, i) => addHosts(t.db, caller, 1, i % 2 === 0 ? rows : rows.toReversed())),
    )
    expect((await listed()).count).toBe(4)
    const [first, second] = results
    if (first?.kind !== 'added' || second?.kind !== 'added') throw new Error('not added')
    expect(second.ids.toReversed()).toEqual(first.ids)
    expect(await events()).toHaveLength(4)
  })

  test('one bad row fails the call, says which, and leaves nothing behind', async () => {
    const answer = await api.send('/hosts/add', {
      bk_biz_id: 1,
      host_info: { '0': { bk_host_innerip: '10.0.0.1' }, '3': { bk_host_innerip: 'x' }, '12': {} },
    })
    expect(answer).toMatchObject({
      status: 200,
      result: false,
      code: 1110004,
      message: 'Failed to create host',
      data: {
        error: [
          '3 line bk_host_innerip is not an IPv4 address',
          '12 line bk_host_innerip and bk_host_innerip_v6 are both empty',
        ],
        update_error: null,
      },
    })
    expect(answer.details?.map((one) => one.path)).toEqual(['host_info.3', 'host_info.12'])
    expect((await listed()).count).toBe(0)
    expect(await events()).toEqual([])
  })

  test.each([
    ['two hosts in one row', [{ bk_host_innerip: '10.0.0.1,10.0.0.2' }]],
    ['an unknown bk_host_id', [{ bk_host_id: 77 }]],
    ['a taken agent', [{ bk_host_innerip: '10.0.0.3', bk_agent_id: 'abc' }]],
  ])('%s is a bad row', async (_name, rows) => {
    await add([{ bk_host_innerip: '10.0.0.1', bk_agent_id: 'abc' }, { bk_host_innerip: '10.0.0.2' }])
    const answer = await api.send('/hosts/add', { bk_biz_id: 1, host_info: { ...rows } })
    expect(answer).toMatchObject({ code: 1110004, data: { error: [expect.stringMatching(/^0 line /)] } })
    expect((await listed()).count).toBe(2)
    expect(await events()).toHaveLength(2)
  })

  test.each([
    [{}, 1199010],
    [{ host_info: null }, 1199010],
    [{ host_info: { a: {} } }, 1199000],
    [{ host_info: { '0': 'x' } }, 1199000],
    [{ host_info: [] }, 1199000],
    [{ bk_biz_id: '1', host_info: {} }, 1199000],
    [{ bk_biz_id: 9, host_info: { '0': { bk_host_innerip: '10.0.0.1' } } }, 1101033],
  ])('refuses %j', async (body, code) => {
    expect((await api.refused('/hosts/add', body))[0]).toBe(code)
  })

  test('without a business the hosts are in the resource pool', async () => {
    await api.ok('/api/c/compapi/v2/cc/add_host_to_resource/', { host_info: { '0': { bk_host_innerip: '10.0.0.1' } } })
    expect(await t.db.query('select bk_biz_id from host')).toEqual([{ bk_biz_id: 0 }])
    expect((await listed()).count).toBe(1)
  })
})

describe('searching', () => {
  beforeEach(async () => {
    await add([
      { bk_host_innerip: '10.1.0.4,10.1.0.40', bk_host_name: 'n4', bk_cpu: 4, bk_os_type: '1', operator: 'ann,bob' },
      { bk_host_innerip: '10.1.0.5', bk_host_outerip: '8.8.8.8', bk_host_name: 'N5', bk_cpu: 8 },
    ])
    await add([{ bk_host_innerip: '10.1.0.6', bk_cloud_id: 2, bk_host_innerip_v6: 'fe80::6' }], 2)
    await add([{ bk_host_innerip: '10.1.0.7' }], 0)
  })
  const hostCondition = (...condition: object[]) => ({ condition: [{ bk_obj_id: 'host', condition }] })
  const inner = (data: string[], exact = 1) => ({ ip: { data, exact, flag: 'bk_host_innerip' } })

  test('answers in the form of the original', async () => {
    const { count, info } = await api.ok<Found>('/findmany/hosts/search/with_biz', { bk_biz_id: 2 })
    expect(count).toBe(1)
    expect(info[0]).toMatchObject({ biz: [], set: [], module: [] })
    expect(info[0]?.host).toMatchObject({
      bk_host_id: 3,
      bk_host_innerip: '10.1.0.6',
      bk_cloud_id: [{ id: '2', bk_inst_id: 2, bk_inst_name: '', bk_obj_id: 'plat', bk_obj_icon: '', bk_obj_name: '' }],
    })
    const area = (await search({ bk_biz_id: 1 })).info[0]?.host.bk_cloud_id
    expect(area).toEqual([
      { id: '0', bk_inst_id: 0, bk_inst_name: 'Default Area', bk_obj_id: 'plat', bk_obj_icon: '', bk_obj_name: '' },
    ])
  })

  test('shows business, set and module where their fields are asked for', async () => {
    const { info } = await search({
      bk_biz_id: 1,
      condition: [
        { bk_obj_id: 'host', fields: ['bk_host_innerip'], condition: [] },
        { bk_obj_id: 'biz', fields: ['bk_biz_id', 'bk_biz_name'], condition: null },
        { bk_obj_id: 'set', fields: ['bk_set_id'] },
        { bk_obj_id: 'module', fields: [], condition: [{ field: 'default', operator: '$eq', value: 1 }] },
      ],
      page: { start: 0, limit: 1, sort: 'bk_host_id' },
    })
    expect(info).toEqual([
      {
        host: { bk_host_innerip: '10.1.0.4,10.1.0.40' },
        biz: [{ bk_biz_id: 1, bk_biz_name: 'shop' }],
        set: [{ bk_set_id: 1, TopModuleName: 'shop##空闲机池' }],
        module: [expect.objectContaining({ bk_module_name: '空闲机', TopModuleName: 'shop##空闲机池##空闲机' })],
      },
    ])
  })

  test.each([
    [{}, [1, 2, 3, 4]],
    [{ bk_biz_id: -1, ip: null, ipv6: null, condition: null, page: { start: 0, limit: 0, sort: '' } }, [1, 2, 3, 4]],
    [{ bk_biz_id: 9 }, []],
    [inner(['10.1.0.40']), [1]],
    [inner(['10.1.0.4', '10.1.0.6', 'x']), [1, 3]],
    [inner(['2:10.1.0.6', '0:10.1.0.6']), [3]],
    [inner(['0:10.1.0.6']), []],
    [inner(['x']), []],
    [inner([]), [1, 2, 3, 4]],
    [{ ip: { data: null, exact: 1, flag: 'nonsense' } }, [1, 2, 3, 4]],
    [inner(['10.1.0.4'], 0), [1]],
    [inner(['^10\\.1\\.0\\.[45]$'], 0), [1, 2]],
    [{ ip: { data: ['8.8.8.8'], exact: 1, flag: 'bk_host_outerip' } }, [2]],
    [{ ip: { data: ['8.8.8.8', '10.1.0.7'], exact: 1, flag: 'bk_host_innerip|bk_host_outerip' } }, [2, 4]],
    [{ ...inner(['10.1.0.4']), ipv6: { data: ['fe80::6'], exact: 1, flag: 'bk_host_innerip' } }, [1, 3]],
    [{ ipv6: { data: ['2:fe80::6'], exact: 1, flag: 'bk_host_innerip' } }, [3]],
    [hostCondition({ field: 'bk_host_innerip', operator: '$eq', value: '10.1.0.5' }), [2]],
    [hostCondition({ field: 'bk_host_innerip', operator: '$in', value: ['10.1.0.5', '10.1.0.40'] }), [1, 2]],
    [hostCondition({ field: 'bk_host_innerip', operator: '$nin', value: ['10.1.0.5', '10.1.0.40'] }), [3, 4]],
    [hostCondition({ field: 'bk_host_id', operator: '$in', value: [2, 3] }), [2, 3]],
    [hostCondition({ field: 'bk_cpu', operator: '$gt', value: 4 }), [2]],
    [
      hostCondition(
        { field: 'bk_cpu', operator: '$lte', value: 8 },
        { field: 'bk_host_name', operator: '$ne', value: 'N5' },
      ),
      [1],
    ],
    [hostCondition({ field: 'bk_host_name', operator: '$regex', value: '^n' }), [1]],
    [hostCondition({ field: 'bk_host_name', operator: 'contains_s', value: 'N' }), [2]],
    [hostCondition({ field: 'bk_os_type', operator: '$eq', value: null }), [2, 3, 4]],
    [hostCondition({ field: 'operator', operator: '$eq', value: 'bob' }), [1]],
    [hostCondition({ field: 'bk_cloud_id', operator: '$eq', value: 2 }), [3]],
    [
      { condition: [{ bk_obj_id: 'biz', condition: [{ field: 'bk_biz_name', operator: '$eq', value: 'store' }] }] },
      [3],
    ],
    [{ condition: [{ bk_obj_id: 'module', condition: [{ field: 'default', operator: '$ne', value: 1 }] }] }, []],
    [{ condition: [{ bk_obj_id: 'object', condition: [] }] }, [1, 2, 3, 4]],
    [{ page: { sort: '-bk_host_id', limit: 2 } }, [4, 3]],
    [{ page: { start: 3, limit: 2 } }, [4]],
  ])('%j finds %j', async (body, ids) => {
    expect(await idsOf(body)).toEqual(ids)
  })

  test('with_biz needs a business, by id or by condition; its count is the total', async () => {
    const url = '/findmany/hosts/search/with_biz'
    for (const body of [{}, { bk_biz_id: 0 }, { bk_biz_id: -1 }])
      expect((await api.refused(url, body))[0]).toBe(1199006)
    expect(await api.ok<Found>(url, { bk_biz_id: 9 })).toEqual({ count: 0, info: [] })
    expect((await api.ok<Found>(url, { bk_biz_id: 1, page: { limit: 1 } })).count).toBe(2)
    const byName = { bk_obj_id: 'biz', condition: [{ field: 'bk_biz_name', operator: '$eq', value: 'store' }] }
    expect((await api.ok<Found>(url, { condition: [byName] })).count).toBe(1)
    expect((await api.ok<Found>('/host/v3/findmany/hosts/search/with_biz', { bk_biz_id: 1 })).count).toBe(2)
  })

  test.each([
    [{ ip: { data: ['10.1.0.4'], exact: 1, flag: 'x' } }, 1199998, 'unsupported ip.flag x'],
    [hostCondition({ field: 'colour', operator: '$eq', value: 1 }), 1199998, 'condition field colour not exists'],
    [hostCondition({ field: 'bk_cpu', operator: '$where', value: 1 }), 1199006, /\$where/],
    [hostCondition({ field: 'bk_host_name', operator: '$regex', value: '(' }), 1199006, /condition/],
    [hostCondition({ field: 'bk_host_name', operator: '$regex', value: '(a)\\1' }), 1199006, /regex/],
    [inner(Array(11).fill('10.1.0.4'), 0), 1199006, /ip\.data/],
    [{ condition: {} }, 1199000, /JSON/],
  ])('refuses %j', async (body, code, message) => {
    const [gotCode, gotMessage] = await api.refused('/hosts/search', body)
    expect(gotCode).toBe(code)
    expect(gotMessage).toMatch(message)
  })

  test('more hosts than one answer holds must be asked for in pages', async () => {
    await t.db.query(`insert into host (id, bk_biz_id) select n, 2 from generate_series(1000, $1::int) n`, [
      1000 + hostSearchBound,
    ])
    const answer = await api.send('/hosts/search', { bk_biz_id: 2 })
    expect(answer).toMatchObject({ code: 1199006, details: [{ path: 'page.limit' }] })
    expect(await idsOf({ bk_biz_id: 2, page: { limit: 1, sort: '-bk_host_id' } })).toEqual([1000 + hostSearchBound])
  })
})

describe('list_biz_hosts and list_hosts_without_biz', () => {
  beforeEach(async () => {
    await add([{ bk_host_innerip: '10.1.0.4', bk_host_name: 'n4' }, { bk_host_innerip: '10.1.0.5' }])
    await add([{ bk_host_innerip: '10.1.0.6' }], 2)
  })
  const ofBusiness = (body: object, id = 1) => api.ok<Listed>(`/hosts/app/${id}/list_hosts`, body)
  const page = { start: 0, limit: 10 }

  test('the area is a plain number, fields and filter hold', async () => {
    expect(await ofBusiness({ page, fields: ['bk_host_id', 'bk_host_innerip', 'bk_cloud_id'] })).toEqual({
      count: 2,
      info: [
        { bk_host_id: 1, bk_cloud_id: 0, bk_host_innerip: '10.1.0.4' },
        { bk_host_id: 2, bk_cloud_id: 0, bk_host_innerip: '10.1.0.5' },
      ],
    })
    const rules = [{ field: 'bk_host_innerip', operator: 'in', value: ['10.1.0.5', '10.1.0.6'] }]
    const host_property_filter = { condition: 'AND', rules }
    expect((await ofBusiness({ page, host_property_filter })).info.map((host) => host.bk_host_id)).toEqual([2])
    expect((await listed({ host_property_filter, bk_biz_id: 1 })).count).toBe(2)
    expect((await ofBusiness({ page, bk_set_ids: [1], bk_module_ids: [1] })).count).toBe(2)
    expect((await ofBusiness({ page, bk_module_ids: [2] })).count).toBe(0)
    expect((await ofBusiness({ page, set_cond: [{ field: 'default', operator: '$eq', value: 1 }] })).count).toBe(2)
    expect(await ofBusiness({ page }, 9)).toEqual({ count: 0, info: [] })
  })

  test('through ESB the business comes from the body', async () => {
    const { count } = await api.ok<Listed>('/api/c/compapi/v2/cc/list_biz_hosts/', { bk_biz_id: 2, page })
    expect(count).toBe(1)
  })

  test.each([
    ['/hosts/app/0/list_hosts', { page }, 'bk_biz_id'],
    ['/hosts/app/1/list_hosts', {}, 'page.limit'],
    ['/hosts/app/1/list_hosts', { page: { limit: 1001 } }, 'page.limit'],
    ['/hosts/app/1/list_hosts', { page: { limit: 1, start: -1 } }, 'page.start'],
    ['/hosts/app/1/list_hosts', { page, bk_set_ids: Array(201).fill(1) }, 'bk_set_ids'],
    ['/hosts/app/1/list_hosts', { page, bk_module_ids: Array(501).fill(1) }, 'bk_module_ids'],
    ['/hosts/app/1/list_hosts', { page, bk_set_ids: [1], set_cond: [{}] }, 'bk_set_ids'],
    ['/hosts/list_hosts_without_app', { page: { limit: 1001 } }, 'page.limit'],
    [
      '/hosts/list_hosts_without_app',
      { host_property_filter: { condition: 'AND', rules: [{ field: 'a', operator: 'between' }] } },
      'host_property_filter.rules[0].operator',
    ],
  ])('%s %j is 1199006 %s', async (url, body, what) => {
    expect(await api.refused(url, body)).toEqual([1199006, `'${what}' data parameter verification does not pass`])
  })
})

describe('update_host and delete_host', () => {
  const put = { method: 'PUT' } as const
  const del = { method: 'DELETE' } as const
  beforeEach(async () => {
    await add([{ bk_host_innerip: '10.1.0.4', bk_agent_id: 'a' }, { bk_host_innerip: '10.1.0.5' }])
  })

  test('changes the named hosts; area and addresses stay', async () => {
    await api.ok(
      '/hosts/batch',
      { bk_host_id: '1,2', bk_comment: 'x', bk_cloud_id: 9, bk_host_innerip: '1.1.1.1' },
      put,
    )
    await api.ok('/hosts/batch', { bk_host_id: 2, bk_mem: 1024 }, put)
    await api.ok('/api/c/compapi/v2/cc/update_host/', { bk_host_id: '2', data: { bk_host_name: 'n' } })
    expect((await listed()).info).toMatchObject([
      { bk_host_innerip: '10.1.0.4', bk_comment: 'x', bk_cloud_id: 0 },
      { bk_host_innerip: '10.1.0.5', bk_comment: 'x', bk_mem: 1024, bk_host_name: 'n', bk_updated_by: 'admin' },
    ])
  })

  test.each([
    [{ bk_host_id: 'x', bk_comment: 'c' }, 1199011],
    [{ bk_comment: 'c' }, 1199011],
    [{ bk_host_id: '1', bk_mem: 0 }, 1199011],
    [{ bk_host_id: '2', bk_agent_id: 'a' }, 1199014],
  ])('update %j is %d', async (body, code) => {
    expect((await api.refused('/hosts/batch', body, put))[0]).toBe(code)
    expect(await events()).toHaveLength(2)
  })

  test('hosts/batch: 1113002 for a delete of hosts that are in a business, 1113043 while a pod is on one', async () => {
    expect(await api.refused('/hosts/batch', { bk_host_id: '1,2' }, del)).toEqual([
      1113002,
      'hostID [1,2] does not belong of  businessID [0]',
    ])
    await api.ok('/hosts/modules/resource', { bk_biz_id: 1, bk_host_id: [1, 2] })
    await t.db.query(`insert into pod (id, bk_host_id, name, ref_kind, ref_id) values (1, 1, 'p', 'deployment', 1)`)
    expect(await api.refused('/hosts/batch', { bk_host_id: '1,2' }, del)).toEqual([
      1113043,
      'Host has associated container resources',
    ])
    expect((await listed()).count).toBe(2)
    await t.db.query('delete from pod')
    expect(await api.ok('/hosts/batch', { bk_host_id: '1,2,77' }, del)).toBeNull()
    expect((await listed()).count).toBe(0)
    expect(await t.db.query('select from host_address')).toEqual([])
    await add([{ bk_host_innerip: '10.1.0.4' }])
    expect((await listed()).info).toMatchObject([{ bk_host_id: 3 }])
  })
})
