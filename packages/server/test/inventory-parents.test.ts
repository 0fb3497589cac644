import { workloadKinds } from '@podyard/contract'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { kubeOperations } from '../src/inventory/kube-operations.ts'
import { viewOf } from '../src/inventory/views.ts'
import { useDatabase } from './support/database.ts'
import { type InventoryClient, inventoryClient } from './support/inventory-client.ts'
import { addHost, countRows, emptyInventory } from './support/kube-rows.ts'

const t = useDatabase()
let api: InventoryClient
const nowMs = Date.UTC(2026, 0, 5)
const seconds = nowMs / 1000
const stamps = { creator: 'admin', modifier: 'admin', create_time: seconds, last_time: seconds }
beforeAll(async () => {
  api = await inventoryClient(kubeOperations({ db: t.db, now: () => nowMs }))
})
afterAll(() => api.app.close())
beforeEach(() => emptyInventory(t.db))

const newCluster = (changes: object = {}) => ({
  bk_biz_id: 1,
  name: 'c',
  uid: 'u',
  type: 'INDEPENDENT_CLUSTER',
  ...changes,
})
const addCluster = (changes: object = {}) => api.ok<{ id: number }>('/create/kube/cluster', newCluster(changes))
const addNamespace = (name: string, bizId = 1, bk_cluster_id = 1) =>
  api.ok<{ ids: number[] }>('/createmany/kube/namespace', { bk_biz_id: bizId, data: [{ bk_cluster_id, name }] })

async function refused(path: string, body: unknown) {
  const before = await countRows(t.db)
  const answer = await api.send(path, body)
  expect(answer).toMatchObject({ status: 200, result: false, data: null })
  expect(await countRows(t.db)).toEqual(before)
  return { code: answer.code, message: answer.message, details: answer.details }
}

/** The stored row as the wire shows it is what the create event told. */
async function expectEvent(object: 'cluster' | 'node' | 'namespace' | 'workload', id: number, sub = '') {
  const [row] = await t.db.query(
    `select * from ${object} where id = $1 ${object === 'workload' ? 'and kind = $2' : ''}`,
    object === 'workload' ? [id, sub] : [id],
  )
  const [event] = await t.db.query(
    'select type, biz_id, tenant, detail from event where resource = $1 and object_id = $2 and sub_resource = $3',
    [`kube_${object}`, id, sub],
  )
  expect(event).toEqual({ type: 'create', biz_id: row?.bk_biz_id, tenant: '0', detail: viewOf(object, row ?? {}) })
  return event?.detail
}

describe('create/kube/cluster', () => {
  const url = '/create/kube/cluster'

  test('create/kube/cluster: 0 with one id; every field comes back', async () => {
    const fields = {
      scheduling_engine: 'k8s',
      xid: 'x',
      version: '',
      network_type: 'overlay',
      region: 'r',
      vpc: 'v',
      environment: 'prod',
      network: ['1.1.1.0/21'],
    }
    expect(await addCluster({ ...fields, bk_project_id: 'dropped', id: 77 })).toEqual({ id: 1 })
    expect(await expectEvent('cluster', 1)).toEqual({
      id: 1,
      ...newCluster(fields),
      bk_supplier_account: '0',
      ...stamps,
    })
    expect(await addCluster({ uid: 'v', name: '', type: 'SHARE_CLUSTER' })).toEqual({ id: 2 })
  })

  test('create/kube/cluster: 0 through ESB', async () => {
    const answer = await api.send('/api/c/compapi/v2/cc/create_kube_cluster/', { bk_token: 't', ...newCluster() })
    expect(answer).toMatchObject({ result: true, data: { id: 1 } })
  })

  test('create/kube/cluster: 1199014: uid is unique in the whole installation, the name is not', async () => {
    await addCluster()
    await addCluster({ uid: 'v' })
    expect(await refused(url, newCluster({ bk_biz_id: 2 }))).toEqual({
      code: 1199014,
      message: 'duplicated instances exist, fields [ uid: "u" ] duplicated',
      details: [{ path: 'uid', message: 'exists already' }],
    })
  })
})

describe('createmany/kube/node', () => {
  const url = '/createmany/kube/node'
  const node = (changes: object = {}) => ({
    bk_cluster_id: 1,
    bk_host_id: 1,
    name: 'n',
    internal_ip: ['10.0.0.1'],
    ...changes,
  })
  beforeEach(async () => {
    await addCluster()
    await addHost(t.db, 1, 1)
    await addHost(t.db, 2, 2)
  })

  test('createmany/kube/node: 0 and every field comes back, has_pod is false whatever was sent', async () => {
    const fields = {
      roles: 'master',
      labels: { 'a.b/c': 'd' },
      taints: {},
      unschedulable: false,
      external_ip: [],
      hostname: 'h',
      runtime_component: 'containerd',
      kube_proxy_mode: 'ipvs',
      pod_cidr: '10.1.0.0/16',
    }
    const data = [node({ ...fields, has_pod: true, bk_biz_id: 9 }), node({ name: 'm' })]
    expect(await api.ok(url, { bk_biz_id: 1, data })).toEqual({ ids: [1, 2] })
    expect(await expectEvent('node', 1)).toEqual({
      id: 1,
      bk_biz_id: 1,
      bk_supplier_account: '0',
      cluster_uid: 'u',
      ...node(fields),
      has_pod: false,
      ...stamps,
    })
  })

  test('createmany/kube/node: 0 for 100, 1199035 for 101', async () => {
    const data = Array.from({ length: 101 }, (_, i) => node({ name: `n${i}` }))
    expect(await refused(url, { bk_biz_id: 1, data })).toMatchObject({
      code: 1199035,
      message: ' data exceed the limit 100',
    })
    const { ids } = await api.ok<{ ids: number[] }>(url, { bk_biz_id: 1, data: data.slice(1) })
    expect(ids).toEqual(data.slice(1).map((_, i) => i + 1))
  })

  test('createmany/kube/node: 1199014 for a name that the cluster has; a host may carry two nodes', async () => {
    await api.ok(url, { bk_biz_id: 1, data: [node(), node({ name: 'm' })] })
    expect(await refused(url, { bk_biz_id: 1, data: [node({ name: 'x' }), node()] })).toMatchObject({
      code: 1199014,
      details: [{ path: 'data[1].name', message: 'exists already' }],
    })
  })
})

describe('createmany/kube/namespace', () => {
  const url = '/createmany/kube/namespace'
  beforeEach(() => addCluster())

  test('createmany/kube/namespace: 0 and every field comes back', async () => {
    const quota = { hard: { cpu: '1' }, scopes: ['BestEffort'], colour: 'red' }
    const data = [{ bk_cluster_id: 1, name: 'a', labels: {}, resource_quotas: [quota], cluster_uid: 'no' }]
    expect(await api.ok(url, { bk_biz_id: 1, data })).toEqual({ ids: [1] })
    expect(await expectEvent('namespace', 1)).toEqual({
      id: 1,
      bk_biz_id: 1,
      bk_supplier_account: '0',
      bk_cluster_id: 1,
      cluster_uid: 'u',
      name: 'a',
      labels: {},
      resource_quotas: [{ hard: { cpu: '1' }, scopes: ['BestEffort'], scope_selector: null }],
      ...stamps,
    })
    expect(await countRows(t.db)).toMatchObject({ namespace_shared: 0 })
  })

  test('createmany/kube/namespace: 0 in a shared cluster of another business a relation is stored', async () => {
    await addCluster({ uid: 's', type: 'SHARE_CLUSTER', bk_biz_id: 10 })
    await addNamespace('theirs', 10, 2)
    await addNamespace('ours', 1, 2)
    expect(await t.db.query('select * from namespace_shared')).toEqual([
      { bk_namespace_id: 2, bk_cluster_id: 2, bk_biz_id: 1, bk_asst_biz_id: 10, bk_supplier_account: '0' },
    ])
  })
})

describe('createmany/kube/workload/{kind}', () => {
  const url = (kind: string) => `/createmany/kube/workload/${kind}`
  const extra = (kind: string) => (kind === 'customResource' ? { cr_kind: 'K', cr_api_version: 'v1' } : {})
  beforeEach(async () => {
    await addCluster()
    await addNamespace('default')
  })

  test.each(workloadKinds)(
    'createmany/kube/workload/{kind}: 0 for a %s: ids of its own, derived fields, its members',
    async (kind) => {
      const bound = { type: 1, int_val: 0, str_val: '25%' }
      const sent = {
        bk_namespace_id: 1,
        name: 'w',
        labels: { a: 'b' },
        selector: { match_labels: { a: 'b' } },
        replicas: 0,
        min_ready_seconds: 5,
        strategy_type: 'RollingUpdate',
        rolling_update_strategy: { max_unavailable: bound },
        namespace: 'no',
        bk_cluster_id: 9,
        ...extra(kind),
      }
      expect(await api.ok(url(kind), { bk_biz_id: 1, data: [sent, { ...sent, name: 'x' }] })).toEqual({ ids: [1, 2] })
      const strategies: Record<string, object> = {
        deployment: { max_unavailable: bound, max_surge: null },
        daemonSet: { max_unavailable: bound, max_surge: null },
        statefulSet: { max_unavailable: bound, partition: null },
        gameDeployment: { max_unavailable: bound, max_surge: null, partition: null },
        gameStatefulSet: { max_unavailable: bound, max_surge: null, partition: null },
      }
      const strategy = strategies[kind]
      expect(await expectEvent('workload', 1, kind)).toEqual({
        id: 1,
        bk_biz_id: 1,
        bk_supplier_account: '0',
        bk_cluster_id: 1,
        cluster_uid: 'u',
        bk_namespace_id: 1,
        namespace: 'default',
        name: 'w',
        labels: { a: 'b' },
        selector: { match_labels: { a: 'b' }, match_expressions: null },
        replicas: 0,
        min_ready_seconds: 5,
        ...(strategy === undefined ? {} : { strategy_type: 'RollingUpdate', rolling_update_strategy: strategy }),
        ...extra(kind),
        ...stamps,
      })
    },
  )

  test('createmany/kube/workload/{kind}: 0 and the kind comes from the body through ESB', async () => {
    const body = { kind: 'job', bk_biz_id: 1, data: [{ bk_namespace_id: 1, name: 'j' }] }
    expect(await api.send('/api/c/compapi/v2/cc/batch_create_kube_workload/', body)).toMatchObject({
      data: { ids: [1] },
    })
    expect(await t.db.query('select kind from workload')).toEqual([{ kind: 'job' }])
  })

  test('createmany/kube/workload/{kind}: 0 and an absent name is the empty one', async () => {
    await api.ok(url('job'), { bk_biz_id: 1, data: [{ bk_namespace_id: 1 }] })
    expect(await expectEvent('workload', 1, 'job')).not.toHaveProperty('name')
  })

  test('createmany/kube/workload/{kind}: 1199014: names are unique per namespace and kind; custom resources per version as well', async () => {
    const body = (row: object) => ({ bk_biz_id: 1, data: [{ bk_namespace_id: 1, name: 'a', ...row }] })
    await api.ok(url('job'), body({}))
    await api.ok(url('cronJob'), body({}))
    await api.ok(url('customResource'), body({ cr_kind: 'K', cr_api_version: 'v1' }))
    await api.ok(url('customResource'), body({ cr_kind: 'K', cr_api_version: 'v2' }))
    expect(await refused(url('job'), body({}))).toMatchObject({
      code: 1199014,
      details: [{ path: 'data[0].name', message: 'exists already' }],
    })
    expect(await refused(url('customResource'), body({ cr_kind: 'K', cr_api_version: 'v2' }))).toMatchObject({
      code: 1199014,
      message:
        'duplicated instances exist, fields [ bk_namespace_id: 1, cr_kind: "K", cr_api_version: "v2", name: "a" ] duplicated',
    })
  })
})
