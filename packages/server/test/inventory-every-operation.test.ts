/** What every read, and every operation of businesses, hosts and business sets, answers to the faults that all of them share. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAccess } from '../src/access/access.ts'
import { type InventoryOperation, registerCmdbDialect } from '../src/http/cmdb-dialect.ts'
import { type App, buildServer } from '../src/http/server.ts'
import { businessOperations } from '../src/inventory/business-operations.ts'
import { hostOperations } from '../src/inventory/host-operations.ts'
import { listOperations } from '../src/inventory/list-operations.ts'
import { type Database, openDatabase } from '../src/store/database.ts'
import { createLogger } from '../src/telemetry/logger.ts'
import { createMetrics } from '../src/telemetry/metrics.ts'
import { watchAnswers } from './support/answers-seen.ts'

const page = { limit: 1 }
const scope = { match_all: true }
const one = { bk_biz_id: 1, bk_host_id: [1] }
const nodes = [{ kind: 'cluster', id: 1 }]

/** A body with which each operation gets as far as the database; none: it never asks it. */
const sound: Readonly<Record<string, object>> = {
  create_business: { bk_biz_name: 'a', bk_biz_maintainer: 'ann' },
  search_business: {},
  update_business: { life_cycle: '1' },
  update_business_enable_status: {},
  delete_archived_businesses: { bk_biz_id: [1] },
  create_business_set: { bk_biz_set_attr: { bk_biz_set_name: 'a' }, bk_scope: scope },
  list_business_set: {},
  list_business_in_business_set: { bk_biz_set_id: 1, page },
  batch_update_business_set: { bk_biz_set_ids: [1], data: {} },
  batch_delete_business_set: { bk_biz_set_ids: [1] },
  list_kube_container_in_biz_set: {
    bk_container_ids: [1],
    container_fields: ['id'],
    pod_fields: ['id'],
    host_fields: ['bk_host_id'],
  },
  add_host_to_resource: { host_info: { '0': { bk_host_innerip: '10.0.0.1' } } },
  add_host_to_business_idle: {
    bk_biz_id: 1,
    bk_host_list: [{ bk_host_innerip: '10.0.0.1', bk_cloud_id: 0, bk_addressing: 'static' }],
  },
  search_hosts_with_biz: { bk_biz_id: 1 },
  search_host: {},
  list_biz_hosts: { page },
  list_hosts_without_biz: {},
  list_resource_pool_hosts: {},
  update_host: { bk_host_id: '1' },
  delete_host: { bk_host_id: '1' },
  find_host_biz_relations: { bk_host_id: [1] },
  get_biz_internal_module: {},
  transfer_host_to_idlemodule: one,
  transfer_host_to_faultmodule: one,
  transfer_host_to_recyclemodule: one,
  transfer_host_to_resourcemodule: one,
  transfer_resourcehost_to_idlemodule: one,
  transfer_host_across_biz: { src_bk_biz_id: 1, dst_bk_biz_id: 2, bk_host_id: [1], bk_module_id: 4 },
  transfer_host_module: { ...one, bk_module_id: [1] },
  list_kube_cluster: { bk_biz_id: 1, page },
  list_kube_node: { bk_biz_id: 1, page },
  list_kube_namespace: { bk_biz_id: 1, page },
  list_kube_workload: { bk_biz_id: 1, page },
  list_kube_pod: { bk_biz_id: 1, page },
  list_kube_container: { bk_biz_id: 1, page },
  list_kube_container_by_topo: { bk_biz_id: 1, pod_fields: ['id'], container_fields: ['id'], page },
  get_biz_kube_cache_topo: { bk_biz_id: 1 },
  refresh_biz_kube_cache_topo: { bk_biz_id: 1 },
  list_cached_kube_pod_label_key: { bk_biz_id: 1 },
  list_cached_kube_pod_label_value: { bk_biz_id: 1, key: 'a' },
  refresh_kube_pod_label_cache: { bk_biz_id: 1 },
  find_kube_topo_path: { bk_biz_id: 1, bk_reference_obj_id: 'biz', bk_reference_id: 1, page },
  count_kube_topo_node: { bk_biz_id: 1, resource_info: nodes },
  find_kube_host_node_path: { ids: [1] },
  find_kube_pod_path: { bk_biz_id: 1, ids: [1] },
  search_kube_hosts: { bk_biz_id: 1, bk_cluster_id: 1 },
}
const withoutDatabase = new Set(['find_kube_attributes'])
const parameters: Readonly<Record<string, string>> = { kind: 'deployment', type: 'pod', flag: 'enable', object: 'pod' }

let away: Database
let open: App
let closed: App
const operationsOn = (db: Database): readonly InventoryOperation[] => [
  ...businessOperations(db),
  ...hostOperations(db),
  ...listOperations(db),
]
const named = operationsOn(undefined as never).map((o) => ({
  name: o.path.slice(1).replace(/:(\w+)/g, '{$1}'),
  url: `/api/v3${o.path.replace(/:(\w+)/g, (_, name: string) => parameters[name] ?? '1')}`,
  operation: o,
}))

async function serverWith(access: ReturnType<typeof createAccess>): Promise<App> {
  return buildServer({
    version: '0.0.0',
    logger: createLogger({ level: 'silent' }),
    metrics: createMetrics(),
    access,
    notReadyBecause: async () => undefined,
    routes: (routes) => {
      const operations = operationsOn(away)
      watchAnswers(routes, operations)
      return registerCmdbDialect(routes, { access, language: 'en', operations })
    },
  })
}
beforeAll(async () => {
  away = openDatabase({ connection: { host: '/nowhere', port: 1, database: 'none', user: 'nobody' } })
  open = await serverWith(createAccess({ kind: 'open' }))
  closed = await serverWith(createAccess({ kind: 'token', token: 'secret' }))
})
afterAll(async () => {
  await open.close()
  await closed.close()
  await away.close()
})

async function send(app: App, o: InventoryOperation, url: string, body: unknown, headers: Record<string, string> = {}) {
  const answer = await app.inject({
    method: o.method,
    url,
    headers: { host: '127.0.0.1:8080', 'content-type': 'application/json', ...headers },
    ...(o.method === 'GET' ? {} : { payload: JSON.stringify(body) }),
  })
  return { status: answer.statusCode, ...(answer.json() as Record<string, unknown>) }
}

const storage = {
  select: [1199017, 'Failed to query data', '查询数据失败'],
  insert: [1199018, 'New data failed', '新加数据失败'],
  update: [1199020, 'Failed to update data', '更新数据失败'],
  delete: [1199021, 'Failed to delete data', '删除数据失败'],
} as const

describe.each(named)('$name', ({ name, url, operation: o }) => {
  const [code, english, chinese] = storage[o.storage]
  if (!withoutDatabase.has(o.name))
    test(`${name}: ${code} with 503 while the database is away`, async () => {
      expect(sound, 'a body for the operation').toHaveProperty([o.name])
      expect(await send(open, o, url, sound[o.name])).toMatchObject({
        status: 503,
        result: false,
        code,
        message: english,
        data: null,
      })
      expect(await send(open, o, url, sound[o.name], { 'x-bkcmdb-language': 'zh-cn' })).toMatchObject({
        code,
        message: chinese,
      })
    })

  test(`${name}: 1199047 with 401 without credentials`, async () => {
    expect(await send(closed, o, url, sound[o.name])).toMatchObject({
      status: 401,
      result: false,
      code: 1199047,
      data: null,
    })
  })

  if (o.method !== 'GET')
    test(`${name}: 1199000 for a body that is no object`, async () => {
      for (const body of [[], 'x', 1, true])
        expect(await send(open, o, url, body)).toMatchObject({
          status: 200,
          code: 1199000,
          message: 'Deserializing JSON data failed',
        })
    })
})
