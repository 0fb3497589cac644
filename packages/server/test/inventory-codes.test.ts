/**
 * What is left for the conformance table: businesses, hosts and what is read, by endpoint and code (container API reference
 * 2, 10). What each code means in depth is in the tests of its capability.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { watchOperations } from '../src/events/watch-operations.ts'
import { businessOperations } from '../src/inventory/business-operations.ts'
import { hostOperations } from '../src/inventory/host-operations.ts'
import { kubeOperations } from '../src/inventory/kube-operations.ts'
import { listOperations } from '../src/inventory/list-operations.ts'
import { useDatabase } from './support/database.ts'
import { startEventLog } from './support/event-log.ts'
import { type InventoryClient, inventoryClient } from './support/inventory-client.ts'

const t = useDatabase()
let api: InventoryClient
let log: ReturnType<typeof startEventLog>
beforeAll(async () => {
  log = startEventLog(t.db)
  api = await inventoryClient([
    ...businessOperations(t.db),
    ...hostOperations(t.db),
    ...kubeOperations({ db: t.db, now: Date.now }),
    ...listOperations(t.db),
    ...watchOperations({ log: log.log, now: Date.now, retentionDays: 7, refusalMs: 0 }),
  ])
  for (const name of ['with-hosts', 'empty', 'with-cluster', 'old', 'old-with-host'])
    await api.ok('/biz/0', { bk_biz_name: name, bk_biz_maintainer: 'ann' })
  const add = (bk_biz_id: number, bk_host_innerip: string) =>
    api.ok('/hosts/add', { bk_biz_id, host_info: { '0': { bk_host_innerip } } })
  await add(1, '10.0.0.1')
  await add(0, '10.0.0.2')
  await api.ok('/create/kube/cluster', { bk_biz_id: 3, name: 'c', uid: 'c', type: 'INDEPENDENT_CLUSTER' })
  for (const id of [4, 5]) await api.ok(`/biz/status/disabled/0/${id}`, {}, { method: 'PUT' })
  await t.db.query('insert into host (id, bk_biz_id) values (100, 5)')
})
afterAll(async () => {
  await log.stop()
  await api.app.close()
})

type Case = readonly [at: string, code: number, when: string, url: string, body: unknown, method?: 'PUT' | 'DELETE']

const business = 'biz/{bk_supplier_account}'
const oneBusiness = 'biz/{bk_supplier_account}/{bk_biz_id}'
const status = 'biz/status/{flag}/{bk_supplier_account}/{bk_biz_id}'
const search = 'biz/search/{bk_supplier_account}'
const listOfBusiness = 'hosts/app/{bk_biz_id}/list_hosts'
const ann = { bk_biz_maintainer: 'ann' }
const page = { start: 0, limit: 10 }
const ip = { data: ['10.0.0.1'], exact: 1, flag: 'x' }
const many = (count: number) => Array.from({ length: count }, (_, i) => i + 1)

const refusals: readonly Case[] = [
  [business, 1199010, 'there is no name', '/biz/0', ann],
  [business, 1199011, 'the name is empty', '/biz/0', { ...ann, bk_biz_name: '' }],
  [business, 1199014, 'the name is taken', '/biz/0', { ...ann, bk_biz_name: 'empty' }],
  [search, 1199006, 'there are two kinds of filter', '/biz/search/0', { condition: {}, biz_property_filter: {} }],
  [oneBusiness, 1199011, 'the name has a blank', '/biz/0/1', { bk_biz_name: 'a b' }, 'PUT'],
  [oneBusiness, 1199014, 'the name is taken', '/biz/0/1', { bk_biz_name: 'empty' }, 'PUT'],
  [oneBusiness, 1199019, 'there is no such business', '/biz/0/99', { bk_biz_name: 'x' }, 'PUT'],
  [status, 1101087, 'there are hosts in it', '/biz/status/disabled/0/1', {}, 'PUT'],
  [status, 1101128, 'a cluster is its own', '/biz/status/disabled/0/3', {}, 'PUT'],
  [status, 1199011, 'the flag is another word', '/biz/status/gone/0/2', {}, 'PUT'],
  [status, 1199019, 'there is no such business', '/biz/status/disabled/0/99', {}, 'PUT'],
  ['deletemany/biz', 1101030, 'there are hosts in it', '/deletemany/biz', { bk_biz_id: [5] }],
  ['deletemany/biz', 1101112, 'it is not archived', '/deletemany/biz', { bk_biz_id: [2] }],
  ['deletemany/biz', 1199011, 'there are no ids', '/deletemany/biz', {}],
  ['deletemany/biz', 1199035, 'there are 21 ids', '/deletemany/biz', { bk_biz_id: many(21) }],
  [
    'hosts/add',
    1101033,
    'there is no such business',
    '/hosts/add',
    { bk_biz_id: 99, host_info: { '0': { bk_host_innerip: '10.0.0.9' } } },
  ],
  ['hosts/add', 1110004, 'a row has no address', '/hosts/add', { bk_biz_id: 1, host_info: { '0': {} } }],
  ['hosts/add', 1199010, 'there are no rows', '/hosts/add', { bk_biz_id: 1 }],
  ['findmany/hosts/search/with_biz', 1199006, 'there is no business', '/findmany/hosts/search/with_biz', {}],
  [
    'findmany/hosts/search/with_biz',
    1199998,
    'the flag is another word',
    '/findmany/hosts/search/with_biz',
    { bk_biz_id: 1, ip },
  ],
  ['hosts/search', 1199998, 'the flag is another word', '/hosts/search', { ip }],
  [listOfBusiness, 1199006, 'there is no limit', '/hosts/app/1/list_hosts', {}],
  [
    'hosts/list_hosts_without_app',
    1199006,
    'the limit is 1001',
    '/hosts/list_hosts_without_app',
    { page: { start: 0, limit: 1001 } },
  ],
  [
    'hosts/list_resource_pool_hosts',
    1199006,
    'the limit is 1001',
    '/hosts/list_resource_pool_hosts',
    { page: { start: 0, limit: 1001 } },
  ],
  ['hosts/batch', 1199011, 'an id to update is a word', '/hosts/batch', { bk_host_id: 'x' }, 'PUT'],
  ['hosts/batch', 1199011, 'an id to delete is a word', '/hosts/batch', { bk_host_id: 'x' }, 'DELETE'],
  [
    'hosts/modules/across/biz',
    1199011,
    'there is no such host',
    '/hosts/modules/across/biz',
    { src_bk_biz_id: 1, dst_bk_biz_id: 2, bk_host_id: [99], bk_module_id: 4 },
  ],
  [
    'hosts/modules/across/biz',
    1113002,
    'a host is another business’s',
    '/hosts/modules/across/biz',
    { src_bk_biz_id: 2, dst_bk_biz_id: 1, bk_host_id: [1], bk_module_id: 1 },
  ],
]

for (const [at, code, when, url, body, method = 'POST'] of refusals)
  test(`${at}: ${code} when ${when}`, async () => {
    expect((await api.send(url, body, { method })).code).toBe(code)
  })

type Undecodable = readonly [at: string, url?: string, method?: 'PUT' | 'DELETE']

const undecodable: readonly Undecodable[] = [
  ['findmany/kube/container/by_topo'],
  ['cache/find/biz/kube/topo'],
  ['cache/refresh/biz/kube/topo'],
  ['cache/findmany/kube/pod/label/key'],
  ['cache/findmany/kube/pod/label/value'],
  ['cache/refresh/kube/pod/label'],
  ['find/kube/topo_path'],
  ['find/kube/topo_node/{type}/count', '/find/kube/topo_node/pod/count'],
  ['find/kube/host_node_path'],
  ['find/kube/pod_path'],
  ['hosts/kube/search'],
  [business, '/biz/0'],
  [search, '/biz/search/0'],
  [oneBusiness, '/biz/0/1', 'PUT'],
  ['deletemany/biz'],
  ['create/biz_set'],
  ['find/biz_set/biz_list'],
  ['updatemany/biz_set', '/updatemany/biz_set', 'PUT'],
  ['deletemany/biz_set'],
  ['findmany/biz_set/{bk_biz_set_id}/kube/containers', '/findmany/biz_set/1/kube/containers'],
  ['hosts/add'],
  ['hosts/add/business_idle'],
  ['findmany/hosts/search/with_biz'],
  ['hosts/search'],
  [listOfBusiness, '/hosts/app/1/list_hosts'],
  ['hosts/list_hosts_without_app'],
  ['hosts/list_resource_pool_hosts'],
  ['hosts/batch', '/hosts/batch', 'PUT'],
  ['hosts/batch', '/hosts/batch', 'DELETE'],
  ['hosts/modules/read'],
  ['hosts/modules/across/biz'],
]

for (const [at, url = `/${at}`, method = 'POST'] of undecodable)
  test(`${at}: 1199000 when the body is no object`, async () => {
    expect(await api.send(url, [], { method })).toMatchObject({ code: 1199000, data: null })
  })

describe('what succeeds', () => {
  test(`${business}: 0 with the row, and ${search}: 0 finds it`, async () => {
    const row = await api.ok<object>('/biz/0', { ...ann, bk_biz_name: 'made' })
    const found = await api.ok('/biz/search/0', { condition: { bk_biz_name: 'made' } })
    expect(found).toEqual({ count: 1, info: [row] })
  })

  test(`${oneBusiness}: 0 with nothing`, async () => {
    expect(await api.ok('/biz/0/2', { operator: 'bob' }, { method: 'PUT' })).toBeNull()
  })

  test(`${status}: 0 for both flags`, async () => {
    expect(await api.ok('/biz/status/disabled/0/2', {}, { method: 'PUT' })).toBeNull()
    expect(await api.ok('/biz/status/enable/0/2', { bk_biz_name: 'empty' }, { method: 'PUT' })).toBeNull()
  })

  test('deletemany/biz: 0 for an archived business', async () => {
    expect(await api.ok('/deletemany/biz', { bk_biz_id: [4] })).toBeNull()
  })

  test('hosts/add: 0 with the numbers of the rows, and hosts/batch: 0 removes a host of the pool', async () => {
    const added = { bk_biz_id: 0, host_info: { '7': { bk_host_innerip: '10.0.0.7' } } }
    expect(await api.ok('/hosts/add', added)).toEqual({ success: ['7'] })
    const [host] = await t.db.query<{ id: number }>(`select id from host where bk_host_innerip = '{10.0.0.7}'`)
    expect(await api.ok('/hosts/batch', { bk_host_id: String(host?.id) }, { method: 'DELETE' })).toBeNull()
  })

  test('hosts/batch: 0 changes a host', async () => {
    expect(await api.ok('/hosts/batch', { bk_host_id: '1', bk_comment: 'c' }, { method: 'PUT' })).toBeNull()
  })

  test.each([
    ['findmany/hosts/search/with_biz', '/findmany/hosts/search/with_biz', { bk_biz_id: 1 }],
    [listOfBusiness, '/hosts/app/1/list_hosts', { page }],
    ['hosts/list_hosts_without_app', '/hosts/list_hosts_without_app', { page }],
    ['hosts/list_resource_pool_hosts', '/hosts/list_resource_pool_hosts', { page }],
  ])('%s: 0 with its hosts', async (_at, url, body) => {
    const { info } = await api.ok<{ info: object[] }>(url, body)
    expect(info.length).toBeGreaterThan(0)
  })
})
