/** What the writes of the container half answer, by endpoint and code (container API reference 2.2, 3.3, 4). */
import { workloadKinds } from '@podyard/contract'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { kubeOperations } from '../src/inventory/kube-operations.ts'
import { deletes, kindRefusals, kindText, updates } from './support/change-cases.ts'
import { creates } from './support/create-cases.ts'
import { useDatabase } from './support/database.ts'
import { type InventoryClient, inventoryClient } from './support/inventory-client.ts'
import { addHost, countRows } from './support/kube-rows.ts'
import { addSharedWorld } from './support/shared-world.ts'
import type { WriteEndpoint } from './support/write-cases.ts'

const t = useDatabase()
let api: InventoryClient
beforeAll(async () => {
  api = await inventoryClient(kubeOperations({ db: t.db, now: Date.now }))
  await addSharedWorld(t.db, api)
  await addHost(t.db, 2, 2)
})
afterAll(() => api.app.close())

/** English and Chinese, as reference 3.2 has them. */
const texts: Readonly<Record<number, readonly [en: string, zh: string]>> = {
  1199000: ['Deserializing JSON data failed', '反序列化JSON数据失败'],
  1199006: [`'%s' data parameter verification does not pass`, `'%s' 数据参数校验不通过`],
  1199010: [`'%s' unassigned`, `'%s' 未赋值`],
  1199011: [`'%s' the parameter is invalid or does not exist`, `'%s' 参数无效或不存在`],
  1199014: ['duplicated instances exist, fields [%s] duplicated', '数据唯一性校验失败， %s 重复'],
  1199019: ['No relevant data found', '未找到相关数据'],
  1199035: [' %s exceed the limit %s', ' %s 超过限制 %s'],
  1199998: ['%s', '%s'],
}
const text = (code: number, args: readonly unknown[], language: 0 | 1) => {
  let next = 0
  return texts[code]?.[language].replace(/%s/g, () => String(args[next++]))
}

const urlOf = ({ at, params }: WriteEndpoint) =>
  `/${at.replace(/\{(\w+)\}/, (_, name: string) => params?.[name] ?? '')}`

describe.each([...creates, ...updates, ...deletes])('$at', (endpoint) => {
  const { at, method, esbName, params = {}, good, refusals } = endpoint
  const url = urlOf(endpoint)

  const paths = [
    ['/api/v3', url, {}],
    ['/topo/v3', url, {}],
    ['/host/v3', url, {}],
    ['/prod/api/v3', url, {}],
    ['/api/bk-cmdb/prod/api/v3', url, {}],
    ['/api/c/compapi/v2/cc', `/${esbName}/`, params],
    ['/api/c/compapi/v2/cc', `/${esbName}`, params],
  ] as const
  test.each(paths)(`${at}: 0 at %s%s`, async (root, path, extra) => {
    if (at === 'delete/kube/cluster')
      await t.db.query(`insert into cluster (id, bk_biz_id, name, uid, type) values (900, 9, '', 'gone', '')`)
    const answer = await api.app.inject({
      method: root.endsWith('/cc') ? 'POST' : method,
      url: root + path,
      headers: { host: '127.0.0.1:8080', 'content-type': 'application/json' },
      payload: JSON.stringify({ ...good(), ...extra }),
    })
    expect(answer.statusCode).toBe(200)
    const body = answer.json()
    expect(body).toMatchObject({ result: true, code: 0, bk_error_code: 0, message: 'success', permission: null })
    if (method === 'POST') {
      const id = expect.any(Number)
      expect(body.data).toEqual(at === 'create/kube/cluster' ? { id } : { ids: [id] })
    } else expect(body.data).toBeNull()
  })

  test.each(refusals.map((refusal) => ({ when: refusal[0], code: refusal[2], refusal })))(
    `${at}: $code when $when`,
    async ({ refusal: [, body, code, args = [], path] }) => {
      const before = await countRows(t.db)
      const answer = await api.send(url, body, { method })
      expect(answer).toMatchObject({ status: 200, result: false, code, message: text(code, args, 0), data: null })
      expect(answer.details?.[0]?.path).toBe(path)
      const chinese = await api.send(url, body, { method, headers: { 'x-bkcmdb-language': 'zh-cn' } })
      expect(chinese).toMatchObject({ code, message: text(code, args, 1) })
      expect(await countRows(t.db)).toEqual(before)
    },
  )

  test.each([
    ['a body that is no JSON', '{"bk_biz_id":1'],
    ['a body that is no object', []],
  ])(`${at}: 1199000 when there is %s`, async (_what, body) => {
    expect(await api.send(url, body, { method })).toMatchObject({ status: 200, code: 1199000, data: null })
  })
})

describe('kinds', () => {
  test.each(kindRefusals)('%s %s/kube/workload/{kind}: 1199998 when the kind is "%s"', async (method, word, kind) => {
    const esbName = { POST: 'create', PUT: 'update', DELETE: 'delete' }[method]
    const body = { kind, bk_biz_id: 1, ids: [1], data: method === 'POST' ? [{ bk_namespace_id: 1 }] : {} }
    for (const answer of [
      ...(kind === '' ? [] : [await api.send(`/${word}/kube/workload/${kind}`, body, { method })]),
      await api.send(`/api/c/compapi/v2/cc/batch_${esbName}_kube_workload/`, body),
    ])
      expect(answer).toMatchObject({ status: 200, code: 1199998, message: kindText(kind), data: null })
  })

  test.each(['cr_kind', 'cr_api_version'])(
    'createmany/kube/workload/{kind}: 1199011 when a customResource has no %s',
    async (name) => {
      const both = { cr_kind: 'K', cr_api_version: 'v1' }
      const body = {
        bk_biz_id: 1,
        data: [
          { bk_namespace_id: 1, ...both },
          { bk_namespace_id: 1, ...both, [name]: null },
        ],
      }
      expect(await api.send('/createmany/kube/workload/customResource', body)).toMatchObject({
        code: 1199011,
        message: `'${name}' the parameter is invalid or does not exist`,
        details: [{ path: `data[1].${name}`, message: 'is required' }],
      })
    },
  )

  test.each(['cr_kind', 'cr_api_version'])(
    'updatemany/kube/workload/{kind}: 1199011 when a customResource shall change its %s',
    async (name) => {
      const body = { bk_biz_id: 1, ids: [1], data: { [name]: 'x' } }
      expect(await api.send('/updatemany/kube/workload/customResource', body, { method: 'PUT' })).toMatchObject({
        code: 1199011,
        message: `'${name}' the parameter is invalid or does not exist`,
        details: [{ path: `data.${name}`, message: 'cannot be changed' }],
      })
    },
  )

  test.each(workloadKinds)('createmany, updatemany and deletemany/kube/workload/{kind}: 0 for a %s', async (kind) => {
    const cr = { cr_kind: 'K', cr_api_version: 'v1' }
    const data = [{ bk_namespace_id: 1, name: `of-${kind}`, ...cr }]
    const { ids } = await api.ok<{ ids: number[] }>(`/createmany/kube/workload/${kind}`, { bk_biz_id: 1, data })
    await api.ok(`/updatemany/kube/workload/${kind}`, { bk_biz_id: 1, ids, data: { replicas: 7 } }, { method: 'PUT' })
    expect(
      await t.db.query('select replicas from workload where kind = $1 and name = $2', [kind, `of-${kind}`]),
    ).toEqual([{ replicas: 7 }])
    await api.ok(`/deletemany/kube/workload/${kind}`, { bk_biz_id: 1, ids }, { method: 'DELETE' })
    expect(await t.db.query('select 1 from workload where kind = $1 and name = $2', [kind, `of-${kind}`])).toEqual([])
  })
})

test('details name every bad item in the order of the request, 20 at most; the first decides the code', async () => {
  const data = [{ bk_cluster_id: 1 }, { name: 'x' }, { bk_cluster_id: 1, name: 'y', internal_ip: [''] }]
  expect(await api.send('/createmany/kube/node', { bk_biz_id: 1, data })).toMatchObject({
    code: 1199011,
    message: `'name' the parameter is invalid or does not exist`,
    details: [
      { path: 'data[0].name', message: 'is required' },
      { path: 'data[1].bk_cluster_id', message: 'is required' },
    ],
  })
  const many = Array.from({ length: 30 }, (_, i) => ({ bk_cluster_id: 70 + i, name: `n${i}` }))
  const { code, details } = await api.send('/createmany/kube/namespace', { bk_biz_id: 1, data: many })
  expect(code).toBe(1199019)
  expect(details).toEqual(
    many.slice(0, 20).map((_, i) => ({ path: `data[${i}].bk_cluster_id`, message: 'no such cluster' })),
  )
})
