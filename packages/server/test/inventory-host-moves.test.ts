/** Where hosts are and how they move (container API reference 10.3 to 10.6). */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { hostOperations } from '../src/inventory/host-operations.ts'
import { useDatabase } from './support/database.ts'
import { type InventoryClient, inventoryClient } from './support/inventory-client.ts'

const t = useDatabase()
let api: InventoryClient
beforeAll(async () => {
  api = await inventoryClient(hostOperations(t.db))
})
afterAll(() => api.app.close())
// Hosts 1 and 2 in business 1, host 3 in business 2, host 4 in the resource pool.
beforeEach(async () => {
  await t.db.query('truncate business, host_address, host, node, pod, event, history')
  await t.db.query('alter sequence host_id_seq restart')
  await t.db.query(
    `insert into business (id, bk_biz_name, bk_biz_maintainer) values (1, 'shop', 'ann'), (2, 'store', 'bob')`,
  )
  for (const [bk_biz_id, n] of [
    [1, 1],
    [1, 2],
    [2, 3],
    [0, 4],
  ])
    await api.ok('/hosts/add', { bk_biz_id, host_info: { '0': { bk_host_innerip: `10.0.0.${n}` } } })
  await t.db.query('truncate event')
})

type Relation = { bk_biz_id: number; bk_host_id: number; bk_module_id: number; bk_set_id: number }
const places = async () =>
  (await api.ok<Relation[]>('/hosts/modules/read', { bk_host_id: [1, 2, 3, 4] })).map((one) => [
    one.bk_host_id,
    one.bk_biz_id,
    one.bk_module_id,
  ])
const start = [
  [1, 1, 1],
  [2, 1, 1],
  [3, 2, 4],
  [4, 0, 0],
]
const notThere = [1199011, "'bk_host_id' the parameter is invalid or does not exist"]
const mismatch = (what: string) => [1199006, `'${what}' data parameter verification does not pass`]
const unset = (what: string) => [1199010, `'${what}' unassigned`]
const carried = [1113043, 'Host has associated container resources']
const addNode = (host: number) =>
  t.db.query(`insert into node (id, bk_biz_id, bk_host_id, name) values (1, 1, $1, 'n')`, [host])

describe('moves within a business', () => {
  test.each([
    ['hosts/modules/fault', 2],
    ['hosts/modules/recycle', 3],
    ['hosts/modules/idle', 1],
  ])('%s: 0 moves to module %d, nodes or not', async (path, module) => {
    await addNode(1)
    expect(await api.ok(`/${path}`, { bk_biz_id: 1, bk_host_id: [1, 2] })).toBeNull()
    expect(await places()).toEqual([[1, 1, module], [2, 1, module], ...start.slice(2)])
    expect(await t.db.query('select type, object_id, biz_id from event order by seq')).toEqual([
      { type: 'update', object_id: 1, biz_id: 1 },
      { type: 'update', object_id: 2, biz_id: 1 },
    ])
  })

  test('hosts/modules: 0 moves to a module of the business by its id', async () => {
    expect(
      await api.ok('/hosts/modules', { bk_biz_id: 2, bk_host_id: [3], bk_module_id: [6], is_increment: false }),
    ).toBeNull()
    expect((await places())[2]).toEqual([3, 2, 6])
  })

  test('hosts/modules: 1199006 bk_module_id for any other module', async () => {
    for (const bk_module_id of [undefined, [], [1], [4, 5], [0], [7]])
      expect(await api.refused('/hosts/modules', { bk_biz_id: 2, bk_host_id: [3], bk_module_id })).toEqual(
        mismatch('bk_module_id'),
      )
  })
})

describe('moves between businesses', () => {
  test('hosts/modules/resource: 0 moves into the pool, and hosts/modules/resource/idle: 0 out of it', async () => {
    await api.ok('/hosts/modules/fault', { bk_biz_id: 1, bk_host_id: [1] })
    expect(await api.ok('/hosts/modules/resource', { bk_biz_id: 1, bk_host_id: [1] })).toBeNull()
    expect((await places())[0]).toEqual([1, 0, 0])
    const pool = await api.ok<{ count: number; info: { bk_host_id: number }[] }>('/hosts/list_resource_pool_hosts', {})
    expect(pool.info.map((host) => host.bk_host_id)).toEqual([1, 4])
    expect(await api.ok('/hosts/modules/resource/idle', { bk_biz_id: 2, bk_host_id: [1, 4] })).toBeNull()
    expect(await places()).toEqual([
      [1, 2, 4],
      [2, 1, 1],
      [3, 2, 4],
      [4, 2, 4],
    ])
  })

  test('hosts/modules/across/biz: 0 moves into a module of the other business', async () => {
    const body = { src_bk_biz_id: 1, dst_bk_biz_id: 2, bk_host_id: [1, 2], bk_module_id: 5 }
    expect(await api.ok('/hosts/modules/across/biz', body)).toBeNull()
    expect(await places()).toEqual([
      [1, 2, 5],
      [2, 2, 5],
      [3, 2, 4],
      [4, 0, 0],
    ])
    expect(await t.db.query(`select count(*) as n from history where collection = 'host'`)).toEqual([{ n: 2 }])
  })

  test('a host that carries a node stays in its business while the node is made, and after', async () => {
    for (let round = 0; round < 5; round += 1) {
      await t.db.query('truncate node')
      await t.db.query('update host set bk_biz_id = 1 where id = 1')
      const making = t.db.withConnection(async (connection) => {
        await connection.query('begin')
        const { rows } = await connection.query('select bk_biz_id from host where id = 1 for share')
        if (rows[0].bk_biz_id === 1)
          await connection.query(`insert into node (id, bk_biz_id, bk_host_id, name) values (1, 1, 1, 'n')`)
        await connection.query('commit')
      })
      await Promise.all([making, api.send('/hosts/modules/resource', { bk_biz_id: 1, bk_host_id: [1] })])
      const [row] = await t.db.query(
        `select (select bk_biz_id from host where id = 1) as host, (select bk_biz_id from node) as node`,
      )
      expect([
        { host: 1, node: 1 },
        { host: 0, node: null },
      ]).toContainEqual(row)
    }
  })

  const acrossTo2 = { src_bk_biz_id: 1, dst_bk_biz_id: 2, bk_module_id: 4 }
  test.each([
    ['hosts/modules/resource', { bk_biz_id: 1 }],
    ['hosts/modules/across/biz', acrossTo2],
  ])('%s: 1113043 while a node is on one of the hosts; a pod alone is not looked at', async (path, body) => {
    await addNode(2)
    expect(await api.refused(`/${path}`, { ...body, bk_host_id: [1, 2] })).toEqual(carried)
    expect(await places()).toEqual(start)
    await t.db.query('truncate node')
    await t.db.query(`insert into pod (id, bk_host_id, ref_kind, ref_id, name) values (1, 1, 'job', 1, 'p')`)
    expect(await api.ok(`/${path}`, { ...body, bk_host_id: [1] })).toBeNull()
  })

  test('hosts/modules/resource/idle: 1113043 while a node is on one of the hosts', async () => {
    await addNode(4)
    expect(await api.refused('/hosts/modules/resource/idle', { bk_biz_id: 1, bk_host_id: [4] })).toEqual(carried)
  })

  test('hosts/modules/across/biz: 1199006 for a module that is not the other business’s', async () => {
    for (const bk_module_id of [undefined, 0, 1, 3, 7])
      expect(await api.refused('/hosts/modules/across/biz', { ...acrossTo2, bk_host_id: [1], bk_module_id })).toEqual(
        mismatch('bk_module_id'),
      )
  })

  test('hosts/modules/across/biz: 1199006 bk_cloud_host_identifier for a host that may not leave', async () => {
    await api.ok('/hosts/batch', { bk_host_id: '1', bk_cloud_host_identifier: true }, { method: 'PUT' })
    expect(await api.refused('/hosts/modules/across/biz', { ...acrossTo2, bk_host_id: [1] })).toEqual(
      mismatch('bk_cloud_host_identifier'),
    )
    expect(await api.ok('/hosts/modules/fault', { bk_biz_id: 1, bk_host_id: [1] })).toBeNull()
  })

  test('hosts/modules/across/biz: 1199010 for what is missing', async () => {
    expect(await api.refused('/hosts/modules/across/biz', { dst_bk_biz_id: 2 })).toEqual(unset('src_bk_biz_id'))
    expect(await api.refused('/hosts/modules/across/biz', { src_bk_biz_id: 2 })).toEqual(unset('dst_bk_biz_id'))
  })

  test.each([
    ['hosts/modules/resource/idle', { bk_biz_id: 77, bk_host_id: [4] }],
    ['hosts/modules/across/biz', { src_bk_biz_id: 1, dst_bk_biz_id: 77, bk_module_id: 77 * 3, bk_host_id: [1] }],
  ])('%s: 1101033 for an unknown business', async (path, body) => {
    expect(await api.refused(`/${path}`, body)).toEqual([1101033, 'query business failed'])
  })
})

const moves = ['idle', 'fault', 'recycle', 'resource', 'resource/idle'].map(
  (word) => [`hosts/modules/${word}`, {}] as const,
)
const withModules = ['hosts/modules', { bk_module_id: [1] }] as const
describe.each([...moves, withModules])('%s', (path, extra) => {
  test(`${path}: 1199010 bk_biz_id`, async () => {
    expect(await api.refused(`/${path}`, { ...extra, bk_host_id: [1] })).toEqual(unset('bk_biz_id'))
  })
  test(`${path}: 1199011 bk_host_id without hosts and for unknown ones`, async () => {
    for (const bk_host_id of [undefined, null, []])
      expect(await api.refused(`/${path}`, { ...extra, bk_biz_id: 1, bk_host_id })).toEqual(notThere)
    const answer = await api.send(`/${path}`, {
      ...extra,
      bk_biz_id: 1,
      bk_host_id: [path === 'hosts/modules/resource/idle' ? 4 : 1, 77],
    })
    expect(answer).toMatchObject({ code: 1199011, details: [{ path: 'bk_host_id[1]' }] })
  })
  test(`${path}: 1199011 bk_host_id for another tenant’s host`, async () => {
    await t.db.query(`update host set bk_supplier_account = 'one'`)
    expect(await api.refused(`/${path}`, { ...extra, bk_biz_id: 1, bk_host_id: [1] })).toEqual(notThere)
  })
  test(`${path}: 1113002 for a host of another business`, async () => {
    const from = path === 'hosts/modules/resource/idle' ? 0 : 1
    expect(await api.refused(`/${path}`, { ...extra, bk_biz_id: 1, bk_host_id: [3] })).toEqual([
      1113002,
      `hostID [3] does not belong of  businessID [${from}]`,
    ])
    expect(await places()).toEqual(start)
  })
  test(`${path}: 1199000 for a wrong type`, async () => {
    expect((await api.refused(`/${path}`, { ...extra, bk_biz_id: 1, bk_host_id: '1' }))[0]).toBe(1199000)
  })
})

describe('hosts/modules/read', () => {
  test('hosts/modules/read: 0 with set and module, of one business where that is asked', async () => {
    expect(await api.ok('/hosts/modules/read', { bk_host_id: [3, 77, 1], bk_biz_id: 2 })).toEqual([
      { bk_biz_id: 2, bk_host_id: 3, bk_module_id: 4, bk_set_id: 2, bk_supplier_account: '0' },
    ])
  })
  test('hosts/modules/read: 1199089 without hosts and beyond 500', async () => {
    for (const bk_host_id of [undefined, [], Array(501).fill(1)])
      expect(await api.refused('/hosts/modules/read', { bk_host_id })).toEqual([
        1199089,
        'the length of array bk_host_id is wrong, the length must be in range 1~500',
      ])
  })
})

describe('topo/internal/{bk_supplier_account}/{bk_biz_id}', () => {
  const get = { method: 'GET' } as const
  test('topo/internal/{bk_supplier_account}/{bk_biz_id}: 0 with the idle set and its modules', async () => {
    expect(await api.ok('/api/v3/topo/internal/0/2', undefined, get)).toEqual({
      bk_set_id: 2,
      bk_set_name: '空闲机池',
      module: [
        { bk_module_id: 4, bk_module_name: '空闲机', default: 1, host_apply_enabled: false },
        { bk_module_id: 5, bk_module_name: '故障机', default: 2, host_apply_enabled: false },
        { bk_module_id: 6, bk_module_name: '待回收', default: 3, host_apply_enabled: false },
      ],
    })
    expect(await api.ok('/api/c/compapi/v2/cc/get_biz_internal_module/', { bk_biz_id: 2 })).toMatchObject({
      bk_set_id: 2,
    })
  })
  test('topo/internal/{bk_supplier_account}/{bk_biz_id}: 0 with zeros for an unknown business', async () => {
    expect(await api.ok('/api/v3/topo/internal/0/77', undefined, get)).toEqual({
      bk_set_id: 0,
      bk_set_name: '',
      module: null,
    })
  })
  test('topo/internal/{bk_supplier_account}/{bk_biz_id}: 1199011 for what is no id', async () => {
    expect((await api.refused('/api/v3/topo/internal/0/x', undefined, get))[0]).toBe(1199011)
  })
})

describe('searches know the module', () => {
  test('by its id, its name and its kind', async () => {
    await api.ok('/hosts/modules/fault', { bk_biz_id: 1, bk_host_id: [2] })
    const listed = async (body: object) =>
      (
        await api.ok<{ info: { bk_host_id: number }[] }>('/hosts/app/1/list_hosts', { page: { limit: 10 }, ...body })
      ).info.map((host) => host.bk_host_id)
    expect(await listed({ bk_module_ids: [2] })).toEqual([2])
    expect(await listed({ bk_module_ids: [1, 2] })).toEqual([1, 2])
    expect(await listed({ bk_set_ids: [1] })).toEqual([1, 2])
    expect(await listed({ module_cond: [{ field: 'bk_module_name', operator: '$eq', value: '故障机' }] })).toEqual([2])
    expect(await listed({ module_cond: [{ field: 'default', operator: '$eq', value: 1 }] })).toEqual([1])
    const { info } = await api.ok<{ info: { module: object[] }[] }>('/hosts/search', {
      bk_biz_id: 1,
      condition: [
        { bk_obj_id: 'module', fields: [], condition: [{ field: 'bk_module_id', operator: '$eq', value: 2 }] },
      ],
    })
    expect(info.map((one) => one.module)).toEqual([
      [
        {
          bk_module_id: 2,
          bk_module_name: '故障机',
          default: 2,
          bk_set_id: 1,
          bk_biz_id: 1,
          bk_supplier_account: '0',
          TopModuleName: 'shop##空闲机池##故障机',
        },
      ],
    ])
  })
})

describe('hosts/add/business_idle', () => {
  const path = '/hosts/add/business_idle'
  const row = (n: number, changes: object = {}) => ({
    bk_host_innerip: `10.1.0.${n}`,
    bk_cloud_id: 0,
    bk_addressing: 'static',
    ...changes,
  })
  const refused = (...bk_host_list: object[]) => api.refused(path, { bk_biz_id: 1, bk_host_list })

  test('hosts/add/business_idle: 0 with the ids in the order of the rows', async () => {
    expect(
      await api.ok(path, { bk_biz_id: 1, bk_host_list: [row(2), row(1, { bk_host_id: 1, bk_host_name: 'x' })] }),
    ).toEqual({ bk_host_ids: [5, 6] })
    const { info } = await api.ok<{ info: object[] }>('/hosts/list_hosts_without_app', { page: { start: 4 } })
    expect(info).toMatchObject([
      { bk_host_id: 5, bk_host_innerip: '10.1.0.2' },
      { bk_host_id: 6, bk_host_name: 'x' },
    ])
  })
  test('hosts/add/business_idle: 1199010 and 1199035 for the list', async () => {
    expect(await api.refused(path, { bk_host_list: [row(1)] })).toEqual(unset('bk_biz_id'))
    expect(await refused()).toEqual(unset('bk_host_list'))
    expect(await refused(...Array.from({ length: 201 }, (_, i) => row(i)))).toEqual([
      1199035,
      ' bk_host_list exceed the limit 200',
    ])
  })
  test('hosts/add/business_idle: 1199006 for an area or addressing that is missing, and for a bad value', async () => {
    expect(await refused(row(1, { bk_cloud_id: undefined }))).toEqual(mismatch('bk_cloud_id'))
    expect(await refused(row(1, { bk_addressing: null }))).toEqual(mismatch('bk_addressing'))
    expect(await refused(row(1), row(2, { bk_host_innerip: 'x' }))).toEqual(mismatch('bk_host_list'))
  })
  test('hosts/add/business_idle: 1199091 without an address', async () => {
    expect(await refused(row(1, { bk_host_innerip: '' }))).toEqual([
      1199091,
      'at least one of bk_host_innerip and bk_host_innerip_v6 must be set',
    ])
  })
  test('hosts/add/business_idle: 1199014 for what is taken or comes twice, and nothing is stored', async () => {
    const duplicated = (text: string) => [1199014, `duplicated instances exist, fields [ ${text} ] duplicated`]
    expect(await refused(row(9), { ...row(1), bk_host_innerip: '10.0.0.3' })).toEqual(
      duplicated('bk_host_innerip: "10.0.0.3", bk_cloud_id: 0'),
    )
    expect(await refused(row(9), row(9))).toEqual(duplicated('bk_host_innerip: "10.1.0.9", bk_cloud_id: 0'))
    await api.ok(path, { bk_biz_id: 1, bk_host_list: [row(1, { bk_agent_id: 'a' })] })
    expect(await refused(row(2, { bk_agent_id: 'a' }))).toEqual(duplicated('bk_agent_id: "a"'))
    expect((await api.ok<{ count: number }>('/hosts/list_hosts_without_app', {})).count).toBe(5)
  })
  test('hosts/add/business_idle: 1101033 for an unknown business', async () => {
    expect(await api.refused(path, { bk_biz_id: 77, bk_host_list: [row(1)] })).toEqual([
      1101033,
      'query business failed',
    ])
  })
})

describe('page.cursor of hosts', () => {
  test.each([
    ['/hosts/list_hosts_without_app', { limit: 3 }, [1, 2, 3, 4]],
    ['/hosts/app/1/list_hosts', { limit: 1 }, [1, 2]],
    ['/hosts/list_resource_pool_hosts', { limit: 1 }, [4]],
  ])('%s: every host once', async (path, page, ids) => {
    const seen: number[] = []
    for (let cursor = ''; ; ) {
      const data = await api.ok<{ count: number; info: { bk_host_id: number }[]; next_cursor: string }>(path, {
        page: { ...page, cursor },
      })
      expect(data.count).toBe(ids.length)
      seen.push(...data.info.map((host) => host.bk_host_id))
      cursor = data.next_cursor
      if (cursor === '') break
    }
    expect(seen).toEqual(ids)
  })
  test('hosts/search: 0 with a cursor, and 1199006 for a bad one', async () => {
    expect(await api.ok('/hosts/search', { page: { cursor: '', limit: 4 } })).toMatchObject({
      count: 4,
      next_cursor: expect.stringMatching(/./),
    })
    expect(await api.ok('/hosts/search', { page: { cursor: '' } })).toMatchObject({ count: 4, next_cursor: '' })
    for (const page of [{ cursor: 'x' }, { cursor: '', start: 1 }, { cursor: '', sort: 'bk_host_id' }])
      for (const path of ['/hosts/search', '/hosts/list_hosts_without_app'])
        expect(await api.refused(path, { page })).toEqual(mismatch('page.cursor'))
  })
})
