import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { kubeOperations } from '../src/inventory/kube-operations.ts'
import { useDatabase } from './support/database.ts'
import { type InventoryClient, inventoryClient } from './support/inventory-client.ts'
import { addHost, addSeedRows, countRows, emptyInventory, newPod } from './support/kube-rows.ts'

const t = useDatabase()
let api: InventoryClient
beforeAll(async () => {
  api = await inventoryClient(kubeOperations({ db: t.db, now: Date.now }))
})
afterAll(() => api.app.close())
beforeEach(async () => {
  await emptyInventory(t.db)
  await addSeedRows(t.db, api)
  // A shared cluster 2 of business 10 with a namespace 2 and a deployment 2 that business 20 uses.
  await addHost(t.db, 10, 10)
  await api.ok('/create/kube/cluster', { bk_biz_id: 10, name: 'shared', uid: 's', type: 'SHARE_CLUSTER' })
  await api.ok('/createmany/kube/namespace', { bk_biz_id: 20, data: [{ bk_cluster_id: 2, name: 'users' }] })
  await api.ok('/createmany/kube/workload/deployment', { bk_biz_id: 20, data: [{ bk_namespace_id: 2, name: 'web' }] })
  await t.db.query('truncate event, history')
})

const paths = {
  cluster: '/delete/kube/cluster',
  node: '/deletemany/kube/node',
  namespace: '/deletemany/kube/namespace',
  workload: '/deletemany/kube/workload/deployment',
} as const
type Thing = keyof typeof paths
const remove = (thing: Thing, body: unknown) => api.send(paths[thing], body, { method: 'DELETE' })
const events = () => t.db.query('select resource, sub_resource, type, object_id, biz_id from event order by seq')

describe('from the bottom up everything goes', () => {
  test('delete and deletemany/kube/*: 0 for business 1', async () => {
    expect(await remove('workload', { bk_biz_id: 1, ids: [1, 99] })).toMatchObject({ result: true, data: null })
    expect(await remove('namespace', { bk_biz_id: 1, ids: [1] })).toMatchObject({ result: true, data: null })
    expect(await remove('node', { bk_biz_id: 1, ids: [2, 1] })).toMatchObject({ result: true, data: null })
    expect(await remove('cluster', { bk_biz_id: 1, ids: [1, 99] })).toMatchObject({ result: true, data: null })
    expect(await events()).toEqual([
      { resource: 'kube_workload', sub_resource: 'deployment', type: 'delete', object_id: 1, biz_id: 1 },
      { resource: 'kube_namespace', sub_resource: '', type: 'delete', object_id: 1, biz_id: 1 },
      ...[1, 2].map((id) => ({ resource: 'kube_node', sub_resource: '', type: 'delete', object_id: id, biz_id: 1 })),
      { resource: 'kube_cluster', sub_resource: '', type: 'delete', object_id: 1, biz_id: 1 },
    ])
    expect(await countRows(t.db)).toMatchObject({ cluster: 1, node: 0, namespace: 1, workload: 1, history: 5 })
  })

  test.each([10, 20])(
    'deletemany/kube/namespace: 0 for what business 20 has in the shared cluster, by business %i',
    async (bizId) => {
      await remove('workload', { bk_biz_id: bizId, ids: [2] })
      await remove('namespace', { bk_biz_id: bizId, ids: [2] })
      expect(await countRows(t.db)).toMatchObject({ namespace: 1, workload: 1, namespace_shared: 0 })
    },
  )

  test('deletemany/kube/workload/{kind}: 0 through ESB', async () => {
    const body = { kind: 'deployment', bk_biz_id: 1, ids: [1] }
    expect(await api.send('/api/c/compapi/v2/cc/batch_delete_kube_workload/', body)).toMatchObject({ result: true })
    expect(await countRows(t.db)).toMatchObject({ workload: 1 })
  })
})

describe('what does not matter', () => {
  test('deletemany/kube/workload/{kind}: 0 when another kind with the same id has pods', async () => {
    await api.ok('/createmany/kube/pod', { data: [{ bk_biz_id: 1, pods: [newPod('a')] }] })
    await api.ok('/createmany/kube/workload/job', { bk_biz_id: 1, data: [{ bk_namespace_id: 1, name: 'j' }] })
    const answer = await api.send('/deletemany/kube/workload/job', { bk_biz_id: 1, ids: [1] }, { method: 'DELETE' })
    expect(answer).toMatchObject({ result: true })
  })

  test.each(['node', 'namespace', 'workload'] as const)('deletemany/kube/%s: 0 for only unknown ids', async (thing) => {
    expect(await remove(thing, { bk_biz_id: 1, ids: [99] })).toMatchObject({ result: true, data: null })
    expect(await events()).toEqual([])
  })

  test('deletemany/kube/node: 0 for rows of another tenant, which are not found', async () => {
    await t.db.query(`update node set bk_supplier_account = 'other'`)
    expect(await remove('node', { bk_biz_id: 1, ids: [1] })).toMatchObject({ result: true })
    expect(await countRows(t.db)).toMatchObject({ node: 2 })
  })
})
