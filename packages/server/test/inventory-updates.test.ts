/** What the updates change, and what they leave (container API reference 4.0, 4.2 to 4.6). */
import { workloadKinds } from '@podyard/contract'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { kubeOperations } from '../src/inventory/kube-operations.ts'
import { viewOf } from '../src/inventory/views.ts'
import { useDatabase } from './support/database.ts'
import { type InventoryClient, inventoryClient } from './support/inventory-client.ts'
import { countRows, emptyInventory } from './support/kube-rows.ts'
import { addSharedWorld } from './support/shared-world.ts'

const t = useDatabase()
let api: InventoryClient
let nowMs = Date.UTC(2026, 0, 5)
const tomorrow = Date.UTC(2026, 0, 6)
beforeAll(async () => {
  api = await inventoryClient(kubeOperations({ db: t.db, now: () => nowMs }))
})
afterAll(() => api.app.close())
beforeEach(async () => {
  nowMs = Date.UTC(2026, 0, 5)
  await emptyInventory(t.db)
  await addSharedWorld(t.db, api)
  await forgetModifiers()
  nowMs = tomorrow
})

/** Rows that somebody else changed last, without a past. */
async function forgetModifiers(): Promise<void> {
  for (const table of ['cluster', 'node', 'namespace', 'workload', 'pod'])
    await t.db.query(`update ${table} set modifier = 'ann'`)
  await t.db.query('truncate event, history')
}

const put = (path: string, body: unknown) => api.ok<null>(`/${path}`, body, { method: 'PUT' })
type Table = 'cluster' | 'node' | 'namespace' | 'workload' | 'pod'
const rows = (table: Table, ids: readonly number[], kind = 'deployment') =>
  t.db.query<Record<string, unknown>>(
    `select * from ${table} where id = any($1) ${table === 'workload' ? 'and kind = $2' : ''} order by id`,
    table === 'workload' ? [ids, kind] : [ids],
  )
const events = () =>
  t.db.query<Record<string, unknown>>(
    'select resource, sub_resource, type, object_id, biz_id, detail from event order by seq',
  )
const history = () => t.db.query('select collection, id, row from history order by collection, id')
const stamps = {
  creator: 'admin',
  create_time: Date.UTC(2026, 0, 5) / 1000,
  modifier: 'admin',
  last_time: tomorrow / 1000,
}

/**
 * Sends one change for the rows and looks at everything that it must leave behind: the members that changed, the ones that
 * did not, stamps, the past, and an update event with the whole row for each.
 */
async function expectUpdate(
  path: string,
  table: Table,
  bizId: number,
  ids: readonly number[],
  data: object,
  expected: object,
  kind?: string,
) {
  const before = await rows(table, ids, kind)
  const counted = await countRows(t.db)
  expect(await put(path, { bk_biz_id: bizId, ids, data })).toBeNull()
  const after = await rows(table, ids, kind)
  expect(after).toEqual(before.map((row) => ({ ...row, ...expected, ...stamps, valid_from: expect.any(Date) })))
  expect(after[0]?.valid_from).not.toEqual(before[0]?.valid_from)
  expect(await events()).toEqual(
    after.map((row) => ({
      resource: `kube_${table}`,
      sub_resource: kind ?? '',
      type: 'update',
      object_id: row.id,
      biz_id: row.bk_biz_id,
      detail: table === 'pod' ? expect.objectContaining(viewOf(table, row)) : viewOf(table, row),
    })),
  )
  expect(await history()).toMatchObject(
    before.map((row) => ({ collection: table, id: row.id, row: { name: row.name } })),
  )
  expect(await countRows(t.db)).toEqual({ ...counted, event: ids.length, history: ids.length })
}

describe('updatemany/kube/cluster', () => {
  const path = 'updatemany/kube/cluster'
  const all = { name: 'new', version: 'v2', network_type: '', region: 'r', environment: 'e', network: [] }

  test(`${path}: 0 and every field that may change changes, for all ids`, () =>
    expectUpdate(path, 'cluster', 1, [1, 2], all, all))

  test(`${path}: 0 and only given members change; type, null and unknown ones do not count`, () => {
    const data = { version: 'v3', region: null, type: 'SHARE_CLUSTER', bk_biz_id: 7, id: 9, colour: 'red' }
    return expectUpdate(path, 'cluster', 1, [1], data, { version: 'v3' })
  })

  test(`${path}: 0 without data: the row is stamped and told`, () => expectUpdate(path, 'cluster', 1, [2], {}, {}))
})

describe('update/kube/cluster/type', () => {
  const path = 'update/kube/cluster/type'
  const change = (id: number, type: string) => put(path, { bk_biz_id: 1, id, type })

  test(`${path}: 0 from independent to shared and back`, async () => {
    await change(1, 'SHARE_CLUSTER')
    expect(await rows('cluster', [1])).toMatchObject([{ type: 'SHARE_CLUSTER', ...stamps }])
    await change(1, 'INDEPENDENT_CLUSTER')
    expect(await rows('cluster', [1])).toMatchObject([{ type: 'INDEPENDENT_CLUSTER' }])
    expect((await events()).map((e) => [e.resource, e.type, (e.detail as { type: string }).type])).toEqual([
      ['kube_cluster', 'update', 'SHARE_CLUSTER'],
      ['kube_cluster', 'update', 'INDEPENDENT_CLUSTER'],
    ])
    expect(await history()).toMatchObject([
      { row: { type: 'INDEPENDENT_CLUSTER' } },
      { row: { type: 'SHARE_CLUSTER' } },
    ])
  })

  test(`${path}: 0 with the type that it has, and nothing happens`, async () => {
    await change(2, 'SHARE_CLUSTER')
    expect(await events()).toEqual([])
    expect(await history()).toEqual([])
  })

  test(`${path}: 0 once no other business has a namespace in it`, async () => {
    await t.db.query('delete from namespace where id = 3')
    await change(2, 'INDEPENDENT_CLUSTER')
    expect(await rows('cluster', [2])).toMatchObject([{ type: 'INDEPENDENT_CLUSTER' }])
  })
})

describe('updatemany/kube/node', () => {
  const path = 'updatemany/kube/node'
  const all = {
    roles: 'master',
    labels: { 'a.b/c': 'd' },
    taints: {},
    unschedulable: true,
    internal_ip: ['10.9.9.9'],
    external_ip: [],
    hostname: '',
    runtime_component: 'c',
    kube_proxy_mode: 'p',
    pod_cidr: 'q',
  }

  test(`${path}: 0 and every field that may change changes; where a node is does not`, () =>
    expectUpdate(path, 'node', 1, [1, 2], { ...all, bk_host_id: 99, bk_cluster_id: 3, cluster_uid: 'x' }, all))

  test(`${path}: 0 with one empty address list`, () =>
    expectUpdate(path, 'node', 1, [1], { internal_ip: [] }, { internal_ip: [] }))
})

describe('updatemany/kube/namespace', () => {
  const path = 'updatemany/kube/namespace'
  const quota = { hard: { cpu: '1' }, scopes: ['BestEffort'], scope_selector: null }

  test(`${path}: 0 and labels and quotas are replaced whole; the name that is sent along is ignored`, () => {
    const labels = { new: 'label' }
    const data = { name: 'other', bk_cluster_id: 3, labels, resource_quotas: [{ ...quota, colour: 'red' }] }
    return expectUpdate(path, 'namespace', 1, [1, 2], data, { labels, resource_quotas: [quota] })
  })

  test.each([1, 2])(`${path}: 0 for a shared cluster's namespace, by business %i`, (bizId) =>
    expectUpdate(path, 'namespace', bizId, [3], { labels: {} }, { labels: {} }),
  )

  test(`${path}: 0 for ids that nobody knows`, async () => {
    expect(await put(path, { bk_biz_id: 1, ids: [98, 1, 99], data: { labels: {} } })).toBeNull()
    expect(await rows('namespace', [1])).toMatchObject([{ labels: {} }])
    expect(await put(path, { bk_biz_id: 1, ids: [98, 99], data: { labels: {} } })).toBeNull()
    expect(await events()).toHaveLength(1)
  })
})

describe('updatemany/kube/workload/{kind}', () => {
  const path = (kind: string) => `updatemany/kube/workload/${kind}`
  const at = 'updatemany/kube/workload/{kind}'
  const bound = { type: 1, int_val: 0, str_val: '25%' }
  const base = {
    labels: { a: 'b' },
    selector: { match_labels: { a: 'b' }, match_expressions: null },
    replicas: 0,
    min_ready_seconds: 5,
  }
  const strategies: Readonly<Record<string, object>> = {
    deployment: { max_unavailable: bound, max_surge: bound },
    statefulSet: { partition: 3, max_unavailable: bound },
    daemonSet: { max_unavailable: bound, max_surge: bound },
    gameStatefulSet: { partition: bound, max_unavailable: bound, max_surge: bound },
    gameDeployment: { partition: bound, max_unavailable: bound, max_surge: bound },
  }

  test.each(workloadKinds)(
    `${at}: 0 for a %s: its own members change, those of other kinds are dropped`,
    async (kind) => {
      if (kind !== 'deployment')
        await api.ok(`/createmany/kube/workload/${kind}`, {
          bk_biz_id: 1,
          data: ['x', 'y'].map((name) => ({ bk_namespace_id: 1, name, cr_kind: 'K', cr_api_version: 'v1' })),
        })
      await t.db.query('truncate event, history')
      await t.db.query('update workload set create_time = $1', [stamps.create_time])
      await t.db.query('truncate history')
      const strategy = strategies[kind]
      const data = {
        ...base,
        selector: { match_labels: { a: 'b' } },
        name: 'other',
        bk_namespace_id: 9,
        namespace: 'other',
        strategy_type: 'OnDelete',
        rolling_update_strategy: { ...strategy, colour: 'red' },
      }
      const expected = {
        ...base,
        ...(strategy === undefined ? {} : { strategy_type: 'OnDelete', rolling_update_strategy: strategy }),
      }
      await expectUpdate(path(kind), 'workload', 1, [1, 2], data, expected, kind)
    },
  )

  test.each([1, 2])(`${at}: 0 in a shared cluster, by business %i`, (bizId) =>
    expectUpdate(path('deployment'), 'workload', bizId, [3], { replicas: 9 }, { replicas: 9 }, 'deployment'),
  )

  test(`${at}: 0 for 199 ids of which one is known`, async () => {
    const ids = Array.from({ length: 199 }, (_, i) => i + 3)
    expect(await put(path('deployment'), { bk_biz_id: 1, ids, data: {} })).toBeNull()
    expect(await events()).toHaveLength(1)
  })

  test(`${at}: 0 for one kind leaves another one's row with the same id alone`, async () => {
    await put(path('deployment'), { bk_biz_id: 1, ids: [1], data: { replicas: 8 } })
    expect(await rows('workload', [1], 'customResource')).toMatchObject([{ replicas: null, modifier: 'ann' }])
  })
})

describe('updatemany/kube/pod', () => {
  const path = 'updatemany/kube/pod'
  const all = {
    operator: ['bob'],
    priority: 7,
    labels: { 'app.kubernetes.io/name': 'x' },
    ip: '',
    ips: [],
    volumes: [{ name: 'v', emptyDir: {} }],
    qos_class: 'BestEffort',
    node_selectors: {},
    tolerations: [{ key: 'k' }],
  }

  test(`${path}: 0 and every field that may change changes`, () =>
    expectUpdate(path, 'pod', 1, [1, 2], { ...all, volumes: { name: 'v', emptyDir: {}, colour: 'red' } }, all))

  test.each([1, 2])(`${path}: 0 in a shared cluster, by business %i`, (bizId) =>
    expectUpdate(path, 'pod', bizId, [4], { ip: '1.1.1.1' }, { ip: '1.1.1.1' }),
  )

  test(`${path}: 0 with an empty list of operators, which counts as none`, () =>
    expectUpdate(path, 'pod', 1, [1], { operator: [], priority: null }, {}))

  test(`${path}: 0 and the event has the containers`, async () => {
    await put(path, { bk_biz_id: 1, ids: [1, 77], data: { ip: '1.1.1.1' } })
    expect(await events()).toMatchObject([
      { object_id: 1, detail: { ip: '1.1.1.1', containers: [{ container_uid: '1-a' }, { container_uid: '1-b' }] } },
    ])
  })

  test(`${path}: 0 for 200 ids that nobody knows`, async () => {
    const ids = Array.from({ length: 200 }, (_, i) => i + 1000)
    expect(await put(path, { bk_biz_id: 1, ids, data: all })).toBeNull()
    expect(await events()).toEqual([])
  })
})

test.each([
  ['updatemany/kube/namespace', { bk_biz_id: 1, ids: [1], data: { labels: {} } }, 0],
  ['updatemany/kube/node', { bk_biz_id: 1, ids: [1], data: { labels: {} } }, 1199998],
  ['updatemany/kube/pod', { bk_biz_id: 1, ids: [1], data: { labels: {} } }, 0],
] as const)('%s: rows of another tenant are not there', async (path, body, code) => {
  await t.db.query(`update namespace set bk_supplier_account = 'other'`)
  await t.db.query(`update node set bk_supplier_account = 'other'`)
  await t.db.query(`update pod set bk_supplier_account = 'other'`)
  expect(await api.send(`/${path}`, body, { method: 'PUT' })).toMatchObject({ code })
  expect(await events()).toEqual([])
  const headers = { 'x-bkcmdb-supplier-account': 'other' }
  expect(await api.send(`/${path}`, body, { method: 'PUT', headers })).toMatchObject({ code: 0 })
  expect(await events()).toHaveLength(1)
})
