/** hosts/kube/search (container API reference 2.5). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { kubeOperations } from '../src/inventory/kube-operations.ts'
import { listOperations } from '../src/inventory/list-operations.ts'
import { useDatabase } from './support/database.ts'
import { type InventoryClient, inventoryClient } from './support/inventory-client.ts'
import { addSharedWorld } from './support/shared-world.ts'

const t = useDatabase()
let api: InventoryClient
// The shared world, in which host 2 carries a node of cluster 1 without pods, and pod 3 is on host 3, which has no node.
beforeAll(async () => {
  api = await inventoryClient([...kubeOperations({ db: t.db, now: Date.now }), ...listOperations(t.db)])
  await addSharedWorld(t.db, api)
  await t.db.query(`insert into host (id, bk_biz_id, bk_host_innerip, bk_host_name) values
    (2, 1, '{10.1.0.2}', 'two'), (3, 1, '{10.1.0.3}', 'three'), (4, 1, '{10.1.0.4}', 'four')`)
  await t.db.query(`update host set bk_host_innerip = '{10.1.0.1}' where id = 1`)
  await t.db.query('update pod set bk_host_id = 3 where id = 3')
  await api.ok('/createmany/kube/node', {
    bk_biz_id: 1,
    data: [{ bk_cluster_id: 1, bk_host_id: 2, name: 'empty', internal_ip: ['10.0.0.2'], labels: { zone: 'b' } }],
  })
})
afterAll(() => api.app.close())

const path = '/hosts/kube/search'
type Found = { count: number; info: { host: Record<string, unknown>; node: unknown }[] }
const search = (body: object) => api.ok<Found>(path, body)
const idsOf = async (body: object) => (await search(body)).info.map(({ host }) => host.bk_host_id)
const labelled = {
  filter: { field: 'labels', operator: 'filter_object', value: { field: 'zone', operator: 'equal', value: 'b' } },
}

describe('hosts/kube/search', () => {
  test.each([
    [{}, []],
    [{ bk_cluster_id: 1 }, [1, 2]],
    [{ bk_cluster_id: 2 }, [1]],
    [{ bk_cluster_id: 77 }, []],
    [{ bk_cluster_id: 1, folder: true }, [2]],
    [{ bk_cluster_id: 2, folder: true }, []],
    [{ bk_namespace_id: 1 }, [1, 3]],
    [{ bk_namespace_id: 3 }, [1]],
    [{ bk_workload_id: 1, kind: 'deployment' }, [1, 3]],
    [{ bk_workload_id: 1, kind: 'job' }, []],
    [{ bk_namespace_id: 1, bk_cluster_id: 1 }, [1]],
    [{ node_cond: labelled }, [2]],
    [{ node_cond: labelled, bk_cluster_id: 1 }, [2]],
    [{ node_cond: labelled, bk_namespace_id: 1 }, []],
    [{ bk_cluster_id: 1, ip: { data: ['10.1.0.2'], exact: 1, flag: 'bk_host_innerip|bk_host_outerip' } }, [2]],
    [{ bk_cluster_id: 1, ip: { data: ['^10[.]1[.]0[.]'], exact: 0, flag: 'bk_host_innerip' } }, [1, 2]],
    [
      { bk_cluster_id: 1, host_condition: { condition: [{ field: 'bk_host_name', operator: '$eq', value: 'two' }] } },
      [2],
    ],
    [{ bk_cluster_id: 1, page: { start: 1, limit: 5 } }, [2]],
    [{ bk_cluster_id: 1, page: { sort: '-bk_host_id' } }, [2, 1]],
    [{ bk_cluster_id: 0, bk_namespace_id: null, folder: false, node_cond: null, page: null }, []],
  ])('hosts/kube/search: 0 for %j: %j', async (body, ids) => {
    expect(await idsOf({ bk_biz_id: 1, ...body })).toEqual(ids)
  })

  test('hosts/kube/search: 0 with the total beside a page, and the host’s fields', async () => {
    expect(
      await search({
        bk_biz_id: 1,
        bk_cluster_id: 1,
        host_condition: { fields: ['bk_host_id', 'bk_host_name'] },
        page: { limit: 1 },
      }),
    ).toEqual({
      count: 2,
      info: [{ host: { bk_host_id: 1, bk_host_name: '' }, node: null }],
    })
    expect((await search({ bk_biz_id: 1, bk_cluster_id: 1, page: { limit: 1 } })).info[0]?.host.bk_cloud_id).toEqual([
      expect.objectContaining({ bk_inst_id: 0 }),
    ])
  })

  test('hosts/kube/search: 0 with nodes where their fields are asked for', async () => {
    const node_cond = { fields: ['id', 'name', 'has_pod'] }
    expect((await search({ bk_biz_id: 1, bk_cluster_id: 1, node_cond })).info.map((one) => one.node)).toEqual([
      [{ id: 1, name: 'node1', has_pod: true }],
      [{ id: 3, name: 'empty', has_pod: false }],
    ])
    expect((await search({ bk_biz_id: 1, bk_namespace_id: 1, node_cond })).info.map((one) => one.node)).toEqual([
      [
        { id: 1, name: 'node1', has_pod: true },
        { id: 2, name: 'node2', has_pod: true },
      ],
      [],
    ])
  })

  test('hosts/kube/search: 0 for the user of a shared cluster: the hosts of its pods, but no nodes', async () => {
    expect(await idsOf({ bk_biz_id: 2, bk_namespace_id: 3 })).toEqual([1])
    expect(await idsOf({ bk_biz_id: 2, bk_namespace_id: 1 })).toEqual([])
    expect(await idsOf({ bk_biz_id: 2, bk_cluster_id: 2 })).toEqual([])
  })

  test('hosts/kube/search: 1199006 for a kind, a filter or a condition that is none', async () => {
    const mismatch = (what: string) => [1199006, `'${what}' data parameter verification does not pass`]
    expect(await api.refused(path, { bk_biz_id: 1, bk_workload_id: 1 })).toEqual(mismatch('kind'))
    expect(await api.refused(path, { bk_biz_id: 1, bk_workload_id: 1, kind: 'workload' })).toEqual(mismatch('kind'))
    expect(
      await api.refused(path, {
        bk_biz_id: 1,
        node_cond: { filter: { field: 'has_pod', operator: 'equal', value: true } },
      }),
    ).toEqual(mismatch('rule field: has_pod is not exist in the expr option'))
    const condition = [{ field: 'bk_host_name', operator: '$x', value: 1 }]
    expect(await api.refused(path, { bk_biz_id: 1, bk_cluster_id: 1, host_condition: { condition } })).toEqual(
      mismatch('$x'),
    )
    const ip = { data: ['('], exact: 0, flag: 'bk_host_innerip' }
    expect(await api.refused(path, { bk_biz_id: 1, bk_cluster_id: 1, ip })).toEqual(mismatch('condition'))
  })

  test('hosts/kube/search: 1199010 bk_biz_id', async () => {
    expect(await api.refused(path, { bk_cluster_id: 1 })).toEqual([1199010, "'bk_biz_id' unassigned"])
  })

  test('hosts/kube/search: 1199011 bk_cluster_id for a folder without its cluster', async () => {
    expect(await api.refused(path, { bk_biz_id: 1, folder: true })).toEqual([
      1199011,
      "'bk_cluster_id' the parameter is invalid or does not exist",
    ])
  })

  test('hosts/kube/search: 1199998 for an unknown field or flag', async () => {
    const condition = [{ field: 'colour', operator: '$eq', value: 1 }]
    expect(await api.refused(path, { bk_biz_id: 1, bk_cluster_id: 1, host_condition: { condition } })).toEqual([
      1199998,
      'condition field colour not exists',
    ])
    expect(await api.refused(path, { bk_biz_id: 1, bk_cluster_id: 1, ip: { data: ['x'], flag: 'x' } })).toEqual([
      1199998,
      'unsupported ip.flag x',
    ])
  })
})
