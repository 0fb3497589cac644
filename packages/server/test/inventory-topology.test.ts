/** The tree of the container half: its cache, paths and counts (container API reference 2.4, 2.5). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { foldCounts } from '../src/inventory/count-sweep.ts'
import { kubeOperations } from '../src/inventory/kube-operations.ts'
import { listOperations } from '../src/inventory/list-operations.ts'
import { useDatabase } from './support/database.ts'
import { type InventoryClient, inventoryClient } from './support/inventory-client.ts'
import { addHost } from './support/kube-rows.ts'
import { addSharedWorld } from './support/shared-world.ts'

const t = useDatabase()
let api: InventoryClient
// The shared world, in which business 1 also has a host 2 whose node in cluster 1 carries nothing.
beforeAll(async () => {
  api = await inventoryClient([...kubeOperations({ db: t.db, now: Date.now }), ...listOperations(t.db)])
  await addSharedWorld(t.db, api)
  await t.db.query(
    `insert into business (id, bk_biz_name, bk_biz_maintainer) values (1, 'one', 'ann'), (2, 'two', 'bob')`,
  )
  await addHost(t.db, 2, 1)
  await api.ok('/createmany/kube/node', {
    bk_biz_id: 1,
    data: [{ bk_cluster_id: 1, bk_host_id: 2, name: 'empty', internal_ip: ['10.0.0.2'] }],
  })
})
afterAll(() => api.app.close())

const unset = (what: string) => [1199010, `'${what}' unassigned`]
const invalid = (what: string) => [1199011, `'${what}' the parameter is invalid or does not exist`]
const mismatch = (what: string) => [1199006, `'${what}' data parameter verification does not pass`]

describe('cache/find/biz/kube/topo', () => {
  const path = '/cache/find/biz/kube/topo'
  const namespace1 = {
    kind: 'namespace',
    id: 1,
    nm: 'default',
    cnt: 6,
    nds: [
      { kind: 'deployment', id: 1, nm: 'web1', cnt: 6 },
      { kind: 'customResource', id: 1, nm: 'cr', cnt: 0 },
    ],
  }
  const tenant = {
    kind: 'namespace',
    id: 3,
    nm: 'tenant',
    cnt: 2,
    nds: [{ kind: 'deployment', id: 3, nm: 'web3', cnt: 2 }],
  }

  test('cache/find/biz/kube/topo: 0 with the tree and its containers, folded or not', async () => {
    for (const _ of [1, 2]) {
      expect(await api.ok(path, { bk_biz_id: 1 })).toEqual({
        biz: { id: 1, nm: 'one', cnt: 8 },
        nds: [
          { kind: 'cluster', id: 1, nm: 'c', cnt: 6, nds: [namespace1] },
          {
            kind: 'cluster',
            id: 2,
            nm: 'c',
            cnt: 2,
            nds: [
              {
                kind: 'namespace',
                id: 2,
                nm: 'system',
                cnt: 0,
                nds: [{ kind: 'deployment', id: 2, nm: 'web2', cnt: 0 }],
              },
              tenant,
            ],
          },
        ],
      })
      await foldCounts(t.db)
    }
  })

  test('cache/find/biz/kube/topo: 0 with a user’s own part of a shared cluster', async () => {
    expect(await api.ok(path, { bk_biz_id: 2 })).toEqual({
      biz: { id: 2, nm: 'two', cnt: 2 },
      nds: [{ kind: 'cluster', id: 2, nm: 'c', cnt: 2, nds: [tenant] }],
    })
  })

  test('cache/find/biz/kube/topo: 0 for a cluster without namespaces, and for a business without anything', async () => {
    expect(await api.ok(path, { bk_biz_id: 3 })).toEqual({
      biz: { id: 3, nm: '', cnt: 0 },
      nds: [{ kind: 'cluster', id: 3, nm: 'other', cnt: 0 }],
    })
    expect(await api.ok(path, { bk_biz_id: 9 })).toEqual({ biz: { id: 9, nm: '', cnt: 0 }, nds: [] })
  })

  test('reads neither pods nor containers: without the tables it answers the same', async () => {
    const before = await api.ok(path, { bk_biz_id: 1 })
    await t.db.query('alter table pod rename to pod_away')
    await t.db.query('alter table container rename to container_away')
    try {
      expect(await api.ok(path, { bk_biz_id: 1 })).toEqual(before)
    } finally {
      await t.db.query('alter table pod_away rename to pod')
      await t.db.query('alter table container_away rename to container')
    }
  })

  test.each([{}, { bk_biz_id: 0 }, { bk_biz_id: -1 }])('cache/find/biz/kube/topo: 1199011 opt for %j', async (body) => {
    expect(await api.refused(path, body)).toEqual(invalid('opt'))
  })
})

describe('find/kube/topo_path', () => {
  const path = '/find/kube/topo_path'
  const ask = (
    bk_biz_id: number,
    bk_reference_obj_id: string,
    bk_reference_id: number,
    page: object = { limit: 10 },
  ) => ({
    bk_biz_id,
    bk_reference_obj_id,
    bk_reference_id,
    page,
  })
  const folder = { id: 999, name: 'Empty Pod Node(s)', kind: 'folder' }
  const namespace = (id: number, name: string) => ({ id, name, kind: 'namespace' })

  test('find/kube/topo_path: 0 below a business: its clusters and those it uses', async () => {
    const cluster = (id: number, name = 'c') => ({ id, name, kind: 'cluster' })
    expect(await api.ok(path, ask(1, 'biz', 1))).toEqual({ count: 0, info: [cluster(1), cluster(2)] })
    expect(await api.ok(path, ask(2, 'biz', 7))).toEqual({ count: 0, info: [cluster(2)] })
    expect(await api.ok(path, ask(1, 'biz', 1, { start: 1, limit: 1 }))).toEqual({ count: 0, info: [cluster(2)] })
    expect(await api.ok(path, ask(1, 'biz', 1, { limit: 5, sort: '-id' }))).toEqual({
      count: 0,
      info: [cluster(2), cluster(1)],
    })
    expect(await api.ok(path, ask(1, 'biz', 1, { enable_count: true }))).toEqual({ count: 2, info: [] })
  })

  test('find/kube/topo_path: 0 below a cluster: the folder, on every page, then namespaces', async () => {
    const [system, tenant] = [namespace(2, 'system'), namespace(3, 'tenant')]
    expect(await api.ok(path, ask(1, 'cluster', 2))).toEqual({ count: 0, info: [folder, system, tenant] })
    expect(await api.ok(path, ask(1, 'cluster', 2, { start: 1, limit: 1 }))).toEqual({
      count: 0,
      info: [folder, tenant],
    })
    expect(await api.ok(path, ask(1, 'cluster', 2, { enable_count: true }))).toEqual({ count: 3, info: [] })
    const chinese = await api.ok<{ info: { name: string }[] }>(path, ask(1, 'cluster', 1), {
      headers: { 'x-bkcmdb-language': 'zh-cn' },
    })
    expect(chinese.info[0]?.name).toBe('空Pod节点')
  })

  test('find/kube/topo_path: 0 below a cluster that is shared with the business: its namespaces, no folder', async () => {
    expect(await api.ok(path, ask(2, 'cluster', 2))).toEqual({ count: 0, info: [namespace(3, 'tenant')] })
    expect(await api.ok(path, ask(2, 'cluster', 2, { enable_count: true }))).toEqual({ count: 1, info: [] })
    expect(await api.ok(path, ask(9, 'cluster', 2))).toEqual({ count: 0, info: [] })
  })

  test('find/kube/topo_path: 0 below a namespace: workloads by kind, the page on each kind', async () => {
    await t.db.query(`insert into workload (kind, id, bk_biz_id, bk_cluster_id, bk_namespace_id, name)
      select kind, 20 + i, 1, 1, 1, kind || i from unnest('{job,cronJob,pods,daemonSet,statefulSet,gameDeployment,gameStatefulSet}'::text[]) kind, generate_series(1, 2) i`)
    const children = async (page: object) =>
      await api.ok<{ info: { kind: string; id: number }[]; count: number }>(path, ask(1, 'namespace', 1, page))
    const first = await children({ limit: 1 })
    expect(first.info.map((one) => one.kind)).toEqual(
      'deployment gameDeployment job cronJob gameStatefulSet statefulSet daemonSet pods customResource'.split(' '),
    )
    const second = await children({ start: 1, limit: 1 })
    expect(second.info.map((one) => [one.kind, one.id])).toEqual(
      'gameDeployment job cronJob gameStatefulSet statefulSet daemonSet pods'.split(' ').map((kind) => [kind, 22]),
    )
    expect(await children({ enable_count: true })).toEqual({ count: 16, info: [] })
    expect((await api.ok<{ info: unknown[] }>(path, ask(2, 'namespace', 1))).info).toEqual([])
    expect((await api.ok<{ info: unknown[] }>(path, ask(2, 'namespace', 3))).info).toEqual([
      { id: 3, name: 'web3', kind: 'deployment' },
    ])
    await t.db.query('delete from workload where id > 20')
  })

  test('find/kube/topo_path: 1199010 for what is missing', async () => {
    expect(await api.refused(path, {})).toEqual(unset('bk_biz_id'))
    expect(await api.refused(path, ask(1, 'biz', 0))).toEqual(unset('bk_reference_id must be set'))
  })

  test('find/kube/topo_path: 1199006 for levels that have no children, and for words that are none', async () => {
    for (const word of ['folder', 'pod'])
      expect(await api.refused(path, ask(1, word, 1))).toEqual(mismatch('bk_reference_obj_id'))
    for (const word of ['deployment', 'x', '']) expect(await api.refused(path, ask(1, word, 1))).toEqual(mismatch(word))
    expect(await api.refused(path, ask(1, 'biz', 1, { limit: 1, enable_count: true }))).toEqual(
      mismatch('page.enable_count'),
    )
  })

  test('find/kube/topo_path: 1199011 for a cluster that is not the business’s, and for pages', async () => {
    expect(await api.refused(path, ask(2, 'cluster', 1))).toEqual(invalid('bk_cluster_id'))
    expect(await api.refused(path, ask(1, 'cluster', 77))).toEqual(invalid('bk_cluster_id'))
    expect(await api.refused(path, ask(1, 'biz', 1, {}))).toEqual(invalid('page.limit'))
    expect(await api.refused(path, ask(1, 'biz', 1, { limit: 1, start: -1 }))).toEqual(invalid('page.start'))
  })

  test('find/kube/topo_path: 1199059 for a limit beyond 500', async () => {
    expect((await api.refused(path, ask(1, 'biz', 1, { limit: 501 })))[0]).toBe(1199059)
  })

  test.each(['node', 'workload', 'container'])('find/kube/topo_path: 1199998 below a %s', async (word) => {
    expect(await api.refused(path, ask(1, word, 1))).toEqual([1199998, 'this table name does not exist'])
  })
})

describe('find/kube/topo_node/{type}/count', () => {
  const path = (type: string) => `/find/kube/topo_node/${type}/count`
  type Counted = { kind: string; id: number; count: number }
  const count = async (type: string, bk_biz_id: number, ...places: (readonly [string, number])[]) => {
    const resource_info = places.map(([kind, id]) => ({ kind, id }))
    const counted = await api.ok<Counted[]>(path(type), { bk_biz_id, resource_info })
    expect(counted.map(({ kind, id }) => [kind, id])).toEqual(places)
    return counted.map((one) => one.count)
  }

  test('find/kube/topo_node/{type}/count: 0 for pods, in the order of the request', async () => {
    expect(
      await count(
        'pod',
        1,
        ['namespace', 1],
        ['cluster', 2],
        ['folder', 1],
        ['deployment', 1],
        ['job', 1],
        ['cluster', 1],
        ['deployment', 3],
        ['biz', 1],
        ['node', 1],
        ['namespace', 77],
      ),
    ).toEqual([3, 1, 0, 3, 0, 3, 1, 4, 3, 0])
    expect(await count('pod', 2, ['cluster', 2], ['namespace', 1], ['deployment', 3], ['node', 2])).toEqual([
      1, 0, 1, 1,
    ])
    expect(await count('pod', 1, ['folder', 1])).toEqual([0])
  })

  test('find/kube/topo_node/{type}/count: 0 for hosts: a cluster’s are those of its pods and of its empty nodes', async () => {
    expect(
      await count(
        'host',
        1,
        ['cluster', 1],
        ['folder', 1],
        ['namespace', 1],
        ['deployment', 1],
        ['cluster', 2],
        ['folder', 2],
        ['namespace', 2],
        ['biz', 1],
        ['node', 3],
      ),
    ).toEqual([2, 1, 1, 1, 1, 0, 0, 2, 1])
  })

  test('find/kube/topo_node/{type}/count: 0 hosts for the user of a shared cluster, whose hosts are not its own', async () => {
    expect(await count('host', 2, ['cluster', 2], ['namespace', 3], ['deployment', 3])).toEqual([0, 0, 0])
  })

  test('find/kube/topo_node/{type}/count: 1199010 for what is missing', async () => {
    expect(await api.refused(path('pod'), { resource_info: [{ kind: 'cluster', id: 1 }] })).toEqual(unset('bk_biz_id'))
    for (const resource_info of [undefined, null, []])
      expect(await api.refused(path('host'), { bk_biz_id: 1, resource_info })).toEqual(unset('resource_info'))
  })

  test('find/kube/topo_node/{type}/count: 1199006 for more than 100 places and for kinds that are none', async () => {
    const places = (n: number, kind = 'cluster') => ({ bk_biz_id: 1, resource_info: Array(n).fill({ kind, id: 1 }) })
    expect(await api.refused(path('pod'), places(101))).toEqual(mismatch('resource_info'))
    expect((await api.send(path('pod'), places(100))).code).toBe(0)
    for (const kind of ['workload', 'pod', 'host', ''])
      expect(await api.refused(path('pod'), places(1, kind))).toEqual(mismatch('non-kube objects'))
    const answer = await api.send(path('pod'), { bk_biz_id: 1, resource_info: [{ kind: 'cluster', id: 1 }, { id: 2 }] })
    expect(answer.details?.map((one) => one.path)).toEqual(['resource_info[1].kind'])
  })

  test('find/kube/topo_node/{type}/count: 1199998 for another type', async () => {
    for (const type of ['node', 'Pod', 'x'])
      expect(await api.refused(path(type), { bk_biz_id: 1, resource_info: [{ kind: 'cluster', id: 1 }] })).toEqual([
        1199998,
        'count type error',
      ])
  })
})

describe('find/kube/host_node_path', () => {
  const path = '/find/kube/host_node_path'
  const place = (bk_cluster_id: number) => ({ bk_biz_id: 1, biz_name: 'one', bk_cluster_id, cluster_name: 'c' })

  test('find/kube/host_node_path: 0 in the order of the request, each cluster once', async () => {
    await api.ok('/createmany/kube/node', {
      bk_biz_id: 1,
      data: [{ bk_cluster_id: 1, bk_host_id: 1, name: 'again', internal_ip: ['10.0.0.1'] }],
    })
    expect(await api.ok(path, { ids: [2, 77, 1] })).toEqual({
      info: [
        { bk_host_id: 2, paths: [place(1)] },
        { bk_host_id: 77, paths: [] },
        { bk_host_id: 1, paths: [place(1), place(2)] },
      ],
    })
  })

  test('find/kube/host_node_path: 0 with nothing when no host has a node', async () => {
    expect(await api.ok(path, { ids: [77, 78] })).toEqual({ info: [] })
  })

  test('find/kube/host_node_path: 1199010 ids', async () => {
    for (const ids of [undefined, null, []]) expect(await api.refused(path, { ids })).toEqual(unset('ids'))
  })

  test('find/kube/host_node_path: 1199035 beyond 500 ids', async () => {
    expect(await api.refused(path, { ids: Array(501).fill(1) })).toEqual([1199035, ' ids exceed the limit 500'])
    expect((await api.send(path, { ids: Array(500).fill(1) })).code).toBe(0)
  })
})

describe('find/kube/pod_path', () => {
  const path = '/find/kube/pod_path'
  const podPath = (bk_pod_id: number, changes: object = {}) => ({
    bk_biz_id: 1,
    biz_name: 'one',
    bk_cluster_id: 1,
    cluster_name: 'c',
    bk_namespace_id: 1,
    namespace: 'default',
    kind: 'deployment',
    bk_workload_id: 1,
    workload_name: 'web1',
    bk_pod_id,
    ...changes,
  })
  const shared = { bk_cluster_id: 2, bk_namespace_id: 3, namespace: 'tenant', bk_workload_id: 3, workload_name: 'web3' }

  test('find/kube/pod_path: 0 in the order of the request, unknown ones left out', async () => {
    expect(await api.ok(path, { bk_biz_id: 1, ids: [3, 77, 1, 3] })).toEqual({ info: [podPath(3), podPath(1)] })
    expect(await api.ok(path, { bk_biz_id: 2, ids: [1, 4] })).toEqual({
      info: [podPath(4, { ...shared, bk_biz_id: 2, biz_name: 'two' })],
    })
  })

  test('find/kube/pod_path: 0 with two rows for a pod that another business has in the shared cluster', async () => {
    expect(await api.ok(path, { bk_biz_id: 1, ids: [4, 1] })).toEqual({
      info: [podPath(4, shared), podPath(1), podPath(4, { ...shared, bk_biz_id: 2, biz_name: 'two' })],
    })
  })

  test('find/kube/pod_path: 1199010 for what is missing', async () => {
    expect(await api.refused(path, { ids: [1] })).toEqual(unset('bk_biz_id'))
    for (const ids of [undefined, null, []])
      expect(await api.refused(path, { bk_biz_id: 1, ids })).toEqual(unset('ids'))
  })

  test('find/kube/pod_path: 1199035 beyond 500 ids', async () => {
    expect(await api.refused(path, { bk_biz_id: 1, ids: Array(501).fill(1) })).toEqual([
      1199035,
      ' ids exceed the limit 500',
    ])
  })
})
