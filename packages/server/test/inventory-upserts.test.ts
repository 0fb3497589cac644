/** `on_duplicate` and `return` on the batch creates: what Podyard adds to them. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { kubeOperations } from '../src/inventory/kube-operations.ts'
import { viewOf } from '../src/inventory/views.ts'
import { useDatabase } from './support/database.ts'
import { type InventoryClient, inventoryClient } from './support/inventory-client.ts'
import { addHost, countRows, emptyInventory } from './support/kube-rows.ts'
import { addSharedWorld } from './support/shared-world.ts'

const t = useDatabase()
let api: InventoryClient
let nowMs = 0
beforeAll(async () => {
  api = await inventoryClient(kubeOperations({ db: t.db, now: () => nowMs }))
})
afterAll(() => api.app.close())
beforeEach(async () => {
  nowMs = Date.UTC(2026, 0, 5)
  await emptyInventory(t.db)
  await addSharedWorld(t.db, api)
  await addHost(t.db, 2, 1)
  await t.db.query('truncate event, history')
  nowMs = Date.UTC(2026, 0, 6)
})

type Lists = { ids: number[]; created: number[]; updated: number[]; skipped: number[]; info: Record<string, unknown>[] }
const events = async () =>
  (await t.db.query('select resource, type, object_id from event order by seq')).map(
    (e) => `${e.resource} ${e.type} ${e.object_id}`,
  )
const history = async () =>
  (await t.db.query('select collection, id from history order by 1, 2')).map((h) => `${h.collection} ${h.id}`)
const now = () => nowMs / 1000

/** One level: an item that is stored as row 1, the same as it is and changed, and one that is new. */
type Level = {
  readonly at: string
  readonly url: string
  readonly table: 'node' | 'namespace' | 'workload'
  readonly kind?: string
  readonly same: object
  readonly changed: object
  /** What of the row changes with it. */
  readonly becomes: object
  readonly fresh: object
  /** The id that the new one gets. */
  readonly next: number
}
const levels: readonly Level[] = [
  {
    at: 'createmany/kube/node',
    url: '/createmany/kube/node',
    table: 'node',
    same: { bk_cluster_id: 1, bk_host_id: 1, name: 'node1', internal_ip: ['10.0.0.1'] },
    changed: { bk_cluster_id: 1, bk_host_id: 2, name: 'node1', external_ip: ['9.9.9.9'], has_pod: false },
    becomes: { bk_host_id: 2, external_ip: ['9.9.9.9'], internal_ip: ['10.0.0.1'], has_pod: true },
    fresh: { bk_cluster_id: 1, bk_host_id: 1, name: 'fresh', internal_ip: [''] },
    next: 3,
  },
  {
    at: 'createmany/kube/namespace',
    url: '/createmany/kube/namespace',
    table: 'namespace',
    same: { bk_cluster_id: 1, name: 'default', labels: { env: 'test', 'app.kubernetes.io/name': 'web' } },
    changed: { bk_cluster_id: 1, name: 'default', labels: { a: 'b' }, resource_quotas: [] },
    becomes: { labels: { a: 'b' }, resource_quotas: [] },
    fresh: { bk_cluster_id: 1, name: 'fresh' },
    next: 4,
  },
  {
    at: 'createmany/kube/workload/{kind}',
    url: '/createmany/kube/workload/deployment',
    table: 'workload',
    kind: 'deployment',
    same: { bk_namespace_id: 1, name: 'web1', replicas: 0, labels: { app: 'web' } },
    changed: { bk_namespace_id: 1, name: 'web1', min_ready_seconds: 3, strategy_type: 'Recreate' },
    becomes: { min_ready_seconds: 3, strategy_type: 'Recreate', replicas: 0, labels: { app: 'web' } },
    fresh: { bk_namespace_id: 1, name: 'fresh' },
    next: 4,
  },
]

describe.each(levels)('$at', ({ at, url, table, kind, same, changed, becomes, fresh, next }) => {
  const send = (body: object) => api.ok<Lists>(url, { bk_biz_id: 1, ...body })
  const stored = async (id: number) =>
    (
      await t.db.query(
        `select * from ${table} where id = $1 ${kind === undefined ? '' : 'and kind = $2'}`,
        kind === undefined ? [id] : [id, kind],
      )
    )[0] ?? {}

  test(`${at}: 0 with on_duplicate update: ids survive, given members change, the past is kept`, async () => {
    const before = await stored(1)
    const data = [fresh, changed]
    expect(await send({ data, on_duplicate: 'update' })).toEqual({
      ids: [next, 1],
      created: [next],
      updated: [1],
      skipped: [],
    })
    expect(await stored(1)).toEqual({
      ...before,
      ...becomes,
      modifier: 'admin',
      last_time: now(),
      valid_from: expect.any(Date),
    })
    expect(await events()).toEqual([`kube_${table} create ${next}`, `kube_${table} update 1`])
    expect(await history()).toEqual([`${table} 1`])
    const [event] = await t.db.query(`select detail, sub_resource from event where type = 'update'`)
    expect(event).toEqual({ detail: viewOf(table, await stored(1)), sub_resource: kind ?? '' })
  })

  test(`${at}: 0 with on_duplicate update for a row that is so already: nothing is written`, async () => {
    const before = await stored(1)
    expect(await send({ data: [same], on_duplicate: 'update' })).toEqual({
      ids: [1],
      created: [],
      updated: [1],
      skipped: [],
    })
    expect(await stored(1)).toEqual(before)
    expect([...(await events()), ...(await history())]).toEqual([])
  })

  test(`${at}: 0 with on_duplicate skip: what exists stays`, async () => {
    const before = await stored(1)
    expect(await send({ data: [changed, fresh], on_duplicate: 'skip' })).toEqual({
      ids: [1, next],
      created: [next],
      updated: [],
      skipped: [1],
    })
    expect(await stored(1)).toEqual(before)
    expect(await events()).toEqual([`kube_${table} create ${next}`])
  })

  test.each(['update', 'skip'])(`${at}: 1199014 when a key is twice in a batch, with on_duplicate %s`, async (mode) => {
    const before = await countRows(t.db)
    expect(await api.send(url, { bk_biz_id: 1, data: [same, fresh, same], on_duplicate: mode })).toMatchObject({
      code: 1199014,
      details: [{ path: 'data[2].name', message: 'the same as data[0].name' }],
    })
    expect(await countRows(t.db)).toEqual(before)
  })

  test(`${at}: 1199014 when the row is another tenant's, with on_duplicate`, async () => {
    await t.db.query(`update ${table} set bk_supplier_account = 'other' where id = 1`)
    for (const on_duplicate of ['update', 'skip'])
      expect(await api.send(url, { bk_biz_id: 1, data: [fresh, changed], on_duplicate })).toMatchObject({
        code: 1199014,
        details: [{ path: 'data[1].name', message: 'exists already' }],
      })
  })

  test(`${at}: 0 with return full: the rows as lists show them`, async () => {
    const { ids, info } = await send({ data: [fresh], return: 'full' })
    expect(ids).toEqual([next])
    expect(info).toEqual([viewOf(table, await stored(next))])
    const more = { ...fresh, name: 'another' }
    const upserted = await send({ data: [more, changed, fresh], return: 'full', on_duplicate: 'update' })
    expect(upserted.info).toEqual(await Promise.all(upserted.ids.map(async (id) => viewOf(table, await stored(id)))))
    const skipped = await send({ data: [fresh, changed], return: 'full', on_duplicate: 'skip' })
    expect(skipped.info).toEqual(await Promise.all([next, 1].map(async (id) => viewOf(table, await stored(id)))))
  })

  test(`${at}: 0 with empty words, which are as good as absent`, async () => {
    expect(await send({ data: [fresh], return: '', on_duplicate: null })).toEqual({ ids: [next] })
  })
})

describe('shared clusters', () => {
  test.each([1, 2])(
    'createmany/kube/namespace: 0 with on_duplicate update by business %i: it stays its user’s',
    async (biz) => {
      const data = [{ bk_cluster_id: 2, name: 'tenant', labels: { a: 'b' } }]
      expect(
        await api.ok('/createmany/kube/namespace', { bk_biz_id: biz, data, on_duplicate: 'update' }),
      ).toMatchObject({ ids: [3], updated: [3] })
      expect(await t.db.query('select bk_biz_id, labels from namespace where id = 3')).toEqual([
        { bk_biz_id: 2, labels: { a: 'b' } },
      ])
    },
  )

  test('createmany/kube/workload/{kind}: 0 with on_duplicate for custom resources: version and kind are in the key', async () => {
    const cr = { bk_namespace_id: 1, name: 'cr', cr_kind: 'Squad', cr_api_version: 'v1', replicas: 2 }
    const body = { bk_biz_id: 1, data: [{ ...cr, cr_api_version: 'v2' }, cr], on_duplicate: 'update' }
    expect(await api.ok('/createmany/kube/workload/customResource', body)).toMatchObject({
      ids: [2, 1],
      created: [2],
      updated: [1],
    })
  })
})

describe('createmany/kube/pod', () => {
  const at = 'createmany/kube/pod'
  const spec = { bk_cluster_id: 1, bk_namespace_id: 1, bk_node_id: 1, ref: { kind: 'deployment', id: 1 } }
  const pod = (name: string, changes: object = {}) => ({ spec, bk_host_id: 1, name, ...changes })
  const send = (pods: readonly object[], more: object = {}) =>
    api.ok<Lists>('/createmany/kube/pod', { data: [{ bk_biz_id: 1, pods }], ...more })
  const update = (...pods: object[]) => send(pods, { on_duplicate: 'update' })
  const stored = async (id: number) => (await t.db.query('select * from pod where id = $1', [id]))[0] ?? {}
  const containers = (id: number) =>
    t.db.query('select id, container_uid, name, image, started from container where bk_pod_id = $1 order by id', [id])

  test(`${at}: 0 with on_duplicate update: given members change, those of the rest stay`, async () => {
    const before = await stored(1)
    expect(await update(pod('new'), pod('pod-1', { ip: '1.1.1.1', labels: {}, operator: [] }))).toEqual({
      ids: [5, 1],
      created: [5],
      updated: [1],
      skipped: [],
    })
    expect(await stored(1)).toEqual({
      ...before,
      ip: '1.1.1.1',
      labels: {},
      last_time: now(),
      valid_from: expect.any(Date),
    })
    expect(await containers(1)).toHaveLength(2)
    expect(await events()).toEqual(['kube_pod create 5', 'kube_pod update 1'])
    expect(await history()).toEqual(['pod 1'])
  })

  test(`${at}: 0 with on_duplicate update: containers match by container_uid, and what is not sent goes`, async () => {
    const sent = [
      { name: 'new', container_uid: '1-c', started: 3 },
      { name: 'side', container_uid: '1-b', image: 'v2' },
    ]
    await update(pod('pod-1', { containers: sent }))
    expect(await containers(1)).toEqual([
      { id: 2, container_uid: '1-b', name: 'side', image: 'v2', started: null },
      { id: 9, container_uid: '1-c', name: 'new', image: '', started: 3 },
    ])
    expect(await t.db.query('select * from container where id = 9')).toMatchObject([
      { bk_biz_id: 1, bk_cluster_id: 1, bk_namespace_id: 1, ref_kind: 'deployment', ref_id: 1, origin: 'client' },
    ])
    expect(await events()).toEqual(['kube_pod update 1'])
    expect(await history()).toEqual(['container 1', 'container 2', 'pod 1'])
    expect(await stored(1)).toMatchObject({ last_time: now() })
    const [event] = await t.db.query<{ detail: { containers: unknown } }>('select detail from event')
    expect(event?.detail.containers).toMatchObject([{ id: 2, image: 'v2' }, { id: 9 }])
  })

  test(`${at}: 0 with on_duplicate update: an empty list takes all containers, an absent one none`, async () => {
    await update(pod('pod-1', { containers: [] }), pod('pod-2', { containers: null }))
    expect([await containers(1), await containers(2)].map((list) => list.length)).toEqual([0, 2])
    expect(await events()).toEqual(['kube_pod update 1'])
  })

  test(`${at}: 0 with on_duplicate update for pods that are so already: nothing is written`, async () => {
    const same = pod('pod-1', {
      ip: '10.1.0.1',
      containers: [
        { name: 'main', container_uid: '1-a', image: 'nginx', started: 0 },
        { name: 'side', container_uid: '1-b' },
      ],
    })
    expect(await update(same, pod('pod-2'))).toMatchObject({ updated: [1, 2] })
    expect([...(await events()), ...(await history())]).toEqual([])
  })

  test(`${at}: 0 with on_duplicate update: a pod goes to another node, and has_pod follows`, async () => {
    await api.ok('/createmany/kube/node', {
      bk_biz_id: 1,
      data: [{ bk_cluster_id: 1, bk_host_id: 2, name: 'other', internal_ip: [''] }],
    })
    await t.db.query('truncate event, history')
    const elsewhere = { spec: { ...spec, bk_node_id: 3 }, bk_host_id: 2 }
    await update(pod('pod-1', elsewhere))
    expect(await stored(1)).toMatchObject({ bk_node_id: 3, node_name: 'other', bk_host_id: 2 })
    expect(await events()).toEqual(['kube_pod update 1', 'kube_node update 3'])
    await update(pod('pod-2', elsewhere), pod('pod-3', elsewhere))
    expect(await t.db.query('select id, has_pod from node order by id')).toEqual([
      { id: 1, has_pod: false },
      { id: 2, has_pod: true },
      { id: 3, has_pod: true },
    ])
    expect((await events()).slice(2)).toEqual(['kube_pod update 2', 'kube_pod update 3', 'kube_node update 1'])
  })

  test(`${at}: 0 with on_duplicate skip: pods that exist stay as and where they are`, async () => {
    const before = await stored(1)
    const moved = { spec: { ...spec, bk_node_id: 1 }, ip: '1.1.1.1', containers: [] }
    expect(await send([pod('pod-1', moved), pod('new')], { on_duplicate: 'skip' })).toEqual({
      ids: [1, 5],
      created: [5],
      updated: [],
      skipped: [1],
    })
    expect(await stored(1)).toEqual(before)
    expect(await containers(1)).toHaveLength(2)
    expect(await events()).toEqual(['kube_pod create 5'])
  })

  test(`${at}: 0 with on_duplicate skip: a node that only skipped pods name does not get has_pod`, async () => {
    await t.db.query(
      `insert into node (id, bk_biz_id, bk_cluster_id, name) values (77, 1, 1, 'seventy'), (78, 1, 1, 'eighty')`,
    )
    const on = (bk_node_id: number) => ({ spec: { ...spec, bk_node_id } })
    await send([pod('pod-1', on(77)), pod('new', on(78))], { on_duplicate: 'skip' })
    expect(await t.db.query('select id, has_pod from node where id > 70 order by id')).toEqual([
      { id: 77, has_pod: false },
      { id: 78, has_pod: true },
    ])
  })

  test(`${at}: 1199014 when a name or a container_uid is twice in a batch, with on_duplicate`, async () => {
    const twice = { name: 'c', container_uid: 'u' }
    for (const on_duplicate of ['update', 'skip']) {
      const batches = [
        [[pod('a'), pod('a')], 'data[0].pods[1].name'],
        [[pod('pod-1', { containers: [twice, twice] })], 'data[0].pods[0].containers[1].container_uid'],
      ] as const
      for (const [pods, path] of batches)
        expect(await api.send('/createmany/kube/pod', { data: [{ bk_biz_id: 1, pods }], on_duplicate })).toMatchObject({
          code: 1199014,
          details: [{ path }],
        })
    }
    expect(await events()).toEqual([])
  })

  test(`${at}: 1199006 and 1199014 hold for pods that exist, too`, async () => {
    const far = pod('pod-1', { spec: { ...spec, bk_node_id: 2 } })
    const answer = await api.send('/createmany/kube/pod', {
      data: [{ bk_biz_id: 1, pods: [far] }],
      on_duplicate: 'update',
    })
    expect(answer).toMatchObject({ code: 1199006, details: [{ message: 'the node is in cluster 2' }] })
    await t.db.query(`update pod set bk_supplier_account = 'other' where id = 2`)
    expect(
      await api.send('/createmany/kube/pod', {
        data: [{ bk_biz_id: 1, pods: [pod('pod-1'), pod('pod-2')] }],
        on_duplicate: 'update',
      }),
    ).toMatchObject({ code: 1199014, details: [{ path: 'data[0].pods[1].name', message: 'exists already' }] })
  })

  test.each([{}, { on_duplicate: 'update' }, { on_duplicate: 'skip' }])(
    `${at}: 0 with return full: the rows with their containers, %j`,
    async (mode) => {
      const fresh = pod('fresh', { containers: [{ name: 'c', container_uid: 'u' }], labels: { 'a.b': 'c' } })
      const list = 'on_duplicate' in mode ? [fresh, pod('pod-2', { ip: '' })] : [fresh, pod('bare')]
      const { ids, info } = await send(list, { ...mode, return: 'full' })
      const expected = await Promise.all(
        ids.map(async (id) => ({
          ...viewOf('pod', await stored(id)),
          containers: (await t.db.query('select * from container where bk_pod_id = $1 order by id', [id])).map((c) =>
            viewOf('container', c),
          ),
        })),
      )
      expect(info).toEqual(expected)
    },
  )

  test.each([1, 2])(`${at}: 0 with on_duplicate in a shared cluster, by business %i`, async (bizId) => {
    const shared = { bk_cluster_id: 2, bk_namespace_id: 3, bk_node_id: 2, ref: { kind: 'deployment', id: 3 } }
    const body = {
      data: [{ bk_biz_id: bizId, pods: [pod('pod-4', { spec: shared, ip: '7.7.7.7' })] }],
      on_duplicate: 'update',
    }
    expect(await api.ok('/createmany/kube/pod', body)).toMatchObject({ updated: [4] })
    expect(await stored(4)).toMatchObject({ bk_biz_id: 2, ip: '7.7.7.7' })
  })
})
