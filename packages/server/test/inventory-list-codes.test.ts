/** What the lists of the container half answer, by endpoint and code (container API reference 2.4, 5). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { kubeOperations } from '../src/inventory/kube-operations.ts'
import { listOperations } from '../src/inventory/list-operations.ts'
import { useDatabase } from './support/database.ts'
import { type InventoryClient, inventoryClient } from './support/inventory-client.ts'
import { addSharedWorld } from './support/shared-world.ts'

const t = useDatabase()
let api: InventoryClient
beforeAll(async () => {
  api = await inventoryClient([...kubeOperations({ db: t.db, now: Date.now }), ...listOperations(t.db)])
  await addSharedWorld(t.db, api)
})
afterAll(() => api.app.close())

const page = { limit: 10 }
const invalid = (what: string) => `'${what}' the parameter is invalid or does not exist`
const mismatch = (what: string) => `'${what}' data parameter verification does not pass`
const unreadable = 'Deserializing JSON data failed'
const eleven = { field: 'id', operator: 'in', value: Array(501).fill(1) }

const lists = [
  ['findmany/kube/cluster', 'list_kube_cluster', {}],
  ['findmany/kube/node', 'list_kube_node', {}],
  ['findmany/kube/namespace', 'list_kube_namespace', {}],
  ['findmany/kube/workload/deployment', 'list_kube_workload', { kind: 'deployment' }],
  ['findmany/kube/pod', 'list_kube_pod', {}],
  ['findmany/kube/container', 'list_kube_container', {}],
] as const

describe.each(lists)('%s', (path, esbName, params) => {
  const at = path.replace('/deployment', '/{kind}')
  const send = (body: unknown) => api.send(`/${path}`, body)

  test.each([
    [`/api/v3/${path}`, {}],
    [`/topo/v3/${path}`, {}],
    [`/host/v3/${path}`, {}],
    [`/prod/api/v3/${path}`, {}],
    [`/api/bk-cmdb/prod/api/v3/${path}`, {}],
    [`/api/c/compapi/v2/cc/${esbName}/`, params],
    [`/api/c/compapi/v2/cc/${esbName}`, params],
  ])(`${at}: 0 on %s`, async (url, extra) => {
    const answer = await api.app.inject({
      method: 'POST',
      url,
      headers: { host: '127.0.0.1:8080' },
      payload: JSON.stringify({ bk_biz_id: 1, page, ...extra }),
    })
    expect(answer.statusCode).toBe(200)
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8')
    const body = answer.json()
    expect(body).toMatchObject({ result: true, code: 0, bk_error_code: 0, message: 'success', permission: null })
    expect(body.data).toMatchObject({ count: 0 })
    expect(body.data.info.length).toBeGreaterThan(0)
    expect(body.request_id).toBe(answer.headers['x-request-id'])
  })

  test(`${at}: 0 with fields, a filter, an order and a page`, async () => {
    const filter = { condition: 'AND', rules: [{ field: 'id', operator: 'greater', value: 0 }] }
    const answer = await send({ bk_biz_id: 1, filter, fields: ['id'], page: { start: 1, limit: 1, sort: '-id' } })
    expect(answer).toMatchObject({ code: 0, data: { count: 0, info: [{ id: expect.any(Number) }] } })
  })

  test(`${at}: 0 with a count`, async () => {
    const answer = await send({ bk_biz_id: 1, page: { enable_count: true } })
    expect(answer).toMatchObject({ code: 0, data: { count: expect.any(Number), info: [] } })
    expect((answer.data as { count: number }).count).toBeGreaterThan(0)
  })

  test.each([
    ['a wrong type', { bk_biz_id: '1', page }],
    ['a filter that is no rule', { bk_biz_id: 1, filter: {}, page }],
    ['a page that is no object', { bk_biz_id: 1, page: 1 }],
    ['fields that are no texts', { bk_biz_id: 1, fields: [1], page }],
    ['a body that is no object', []],
    ['a body that is no JSON', '{"bk_biz_id":1'],
  ])(`${at}: 1199000 for %s`, async (_what, body) => {
    expect(await send(body)).toMatchObject({ status: 200, code: 1199000, message: unreadable, data: null })
  })

  test.each([
    ['page.enable_count', { bk_biz_id: 1, page: { limit: 1, enable_count: true } }],
    ['page.enable_count', { bk_biz_id: 1, page: { start: 1, enable_count: true } }],
    ['page.enable_count', { bk_biz_id: 1, page: { sort: 'id', enable_count: true } }],
    ['page.enable_count', { bk_biz_id: 1, page: { cursor: '', enable_count: true } }],
    ['page.cursor', { bk_biz_id: 1, page: { limit: 1, cursor: 'x' } }],
    ['page.cursor', { bk_biz_id: 1, page: { limit: 1, cursor: '', start: 1 } }],
    ['page.cursor', { bk_biz_id: 1, page: { limit: 1, cursor: '', sort: 'id' } }],
    ["combined rules shouldn't be empty", { bk_biz_id: 1, filter: { condition: 'AND', rules: [] }, page }],
    [
      'rule field: labels.app is not exist in the expr option',
      { bk_biz_id: 1, filter: { field: 'labels.app', operator: 'equal', value: 'x' }, page },
    ],
    [
      'unsupported operator: between',
      { bk_biz_id: 1, filter: { field: 'id', operator: 'between', value: [1, 2] }, page },
    ],
    [
      "id validate failed, in operator's value is invalid, err: elements length 501 exceeds maximum 500",
      { bk_biz_id: 1, filter: eleven, page },
    ],
  ])(`${at}: 1199006 %s (%#)`, async (what, body) => {
    expect(await send(body)).toMatchObject({ status: 200, code: 1199006, message: mismatch(what), data: null })
  })

  if (path !== 'findmany/kube/workload/deployment')
    test(`${at}: 1199010 bk_biz_id, before the page is looked at`, async () => {
      for (const body of [{}, { bk_biz_id: 0, page: { limit: 0 } }, { bk_biz_id: null, page }, undefined])
        expect(await send(body)).toMatchObject({
          status: 200,
          code: 1199010,
          message: "'bk_biz_id' unassigned",
          data: null,
        })
    })

  test.each([
    ['page.limit', { bk_biz_id: 1 }],
    ['page.limit', { bk_biz_id: 1, page: {} }],
    ['page.limit', { bk_biz_id: 1, page: { limit: 0 } }],
    ['page.limit', { bk_biz_id: 1, page: { limit: -1 } }],
    ['page.limit', { bk_biz_id: 1, page: { limit: 0, cursor: '' } }],
    // The page is looked at before the filter.
    ['page.limit', { bk_biz_id: 1, filter: {}, page: { limit: 0 } }],
    ['page.start', { bk_biz_id: 1, page: { start: -1, limit: 1 } }],
  ])(`${at}: 1199011 %s (%#)`, async (what, body) => {
    expect(await send(body)).toMatchObject({ status: 200, code: 1199011, message: invalid(what), data: null })
  })

  test(`${at}: 1199059 for a limit beyond 500`, async () => {
    for (const limit of [501, 999_999_999])
      expect(await send({ bk_biz_id: 1, page: { limit } })).toMatchObject({
        status: 200,
        code: 1199059,
        message: 'page limit is exceeded. suggestion 200',
        data: null,
      })
    expect((await send({ bk_biz_id: 1, page: { limit: 500 } })).code).toBe(0)
  })

  test(`${at}: Chinese on request`, async () => {
    const answer = await api.send(`/${path}`, { bk_biz_id: 1 }, { headers: { 'x-bkcmdb-language': 'zh-cn' } })
    expect(answer).toMatchObject({ code: 1199011, message: "'page.limit' 参数无效或不存在" })
  })
})

test('findmany/kube/workload/{kind}: 1199006 kind', async () => {
  for (const kind of ['daemonset', 'workload', 'pod', '%20', 'Deployment'])
    expect(await api.refused(`/findmany/kube/workload/${kind}`, { bk_biz_id: 1, page })).toEqual([
      1199006,
      mismatch('kind'),
    ])
  expect(await api.refused('/api/c/compapi/v2/cc/list_kube_workload/', { bk_biz_id: 1, page })).toEqual([
    1199006,
    mismatch('kind'),
  ])
})

test('findmany/kube/workload/{kind}: 0 without a business', async () => {
  expect(await api.ok('/findmany/kube/workload/job', { page })).toEqual({ count: 0, info: [] })
})

test('findmany/kube/container: 1199006 bk_pod_id', async () => {
  expect(await api.refused('/findmany/kube/container', { bk_biz_id: 1, bk_pod_id: -1, page })).toEqual([
    1199006,
    mismatch('bk_pod_id'),
  ])
})
