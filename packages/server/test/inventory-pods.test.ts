import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { kubeOperations } from '../src/inventory/kube-operations.ts'
import { useDatabase } from './support/database.ts'
import { type InventoryClient, inventoryClient } from './support/inventory-client.ts'
import { addHost, addSeedRows, countRows, emptyInventory, newPod } from './support/kube-rows.ts'

const t = useDatabase({ max: 10 })
let api: InventoryClient
const nowMs = Date.UTC(2026, 0, 5)
const seconds = nowMs / 1000
beforeAll(async () => {
  api = await inventoryClient(kubeOperations({ db: t.db, now: () => nowMs }))
})
afterAll(() => api.app.close())
beforeEach(async () => {
  await emptyInventory(t.db)
  await addSeedRows(t.db, api)
  await t.db.query('truncate event, history')
})

const url = '/createmany/kube/pod'
const create = (pods: readonly object[], bizId = 1) =>
  api.ok<{ ids: number[] }>(url, { data: [{ bk_biz_id: bizId, pods }] })
const readSeed = () => readFile(new URL('fixtures/seed-batch-create-kube-pod.json', import.meta.url), 'utf8')
const pods = (columns = 'id, name') => t.db.query(`select ${columns} from pod order by id`)
const events = () =>
  t.db.query<{ resource: string; type: string; object_id: number; detail: Record<string, unknown> }>(
    'select resource, type, object_id, biz_id, tenant, detail from event order by seq',
  )

/** A request that must be refused with this code and leave every table as it was. */
async function refused(body: unknown, path = url) {
  const before = await countRows(t.db)
  const answer = await api.send(path, body)
  expect(answer).toMatchObject({ status: 200, result: false, data: null })
  expect(await countRows(t.db)).toEqual(before)
  return answer
}
const batch = (...list: readonly unknown[]) => ({ data: [{ bk_biz_id: 1, pods: list }] })
const withSpec = (changes: object) => newPod('p', { spec: { ...newPod('p').spec, ...changes } })

describe('createmany/kube/pod', () => {
  test.each([
    '/api/v3/createmany/kube/pod',
    '/topo/v3/createmany/kube/pod',
    '/prod/api/v3/createmany/kube/pod',
    '/api/bk-cmdb/prod/api/v3/createmany/kube/pod',
    '/api/c/compapi/v2/cc/batch_create_kube_pod/',
    '/api/c/compapi/v2/cc/batch_create_kube_pod',
  ])('createmany/kube/pod: 0 for the seed, word for word, at %s', async (path) => {
    const answer = await api.app.inject({
      method: 'POST',
      url: path,
      headers: { host: 'localhost', 'content-type': 'application/json' },
      payload: await readSeed(),
    })
    expect(answer.statusCode).toBe(200)
    expect(answer.json()).toMatchObject({
      result: true,
      code: 0,
      message: 'success',
      permission: null,
      data: { ids: [1] },
    })
  })

  test('createmany/kube/pod: 0 and what the seed stores', async () => {
    await api.ok(url, await readSeed())
    const [pod] = await t.db.query('select * from pod')
    expect(pod).toMatchObject({
      id: 1,
      bk_biz_id: 1,
      bk_supplier_account: '0',
      bk_cluster_id: 1,
      cluster_uid: 'cluster-1',
      bk_namespace_id: 1,
      namespace: 'default',
      ref_kind: 'deployment',
      ref_id: 1,
      ref_name: 'web',
      bk_host_id: 1,
      bk_node_id: 1,
      node_name: 'node1',
      name: 'name',
      // Not sent: the calling user.
      operator: ['admin'],
      priority: 1,
      labels: { env: 'test' },
      ip: '127.0.0.1',
      ips: [{ ip: '127.0.0.1' }, { ip: '127.0.0.2' }],
      volumes: null,
      qos_class: null,
      node_selectors: null,
      tolerations: null,
      creator: 'admin',
      modifier: 'admin',
      create_time: seconds,
      last_time: seconds,
      origin: 'client',
    })
    const [container] = await t.db.query('select * from container')
    expect(container).toMatchObject({
      id: 1,
      bk_pod_id: 1,
      bk_biz_id: 1,
      bk_cluster_id: 1,
      bk_namespace_id: 1,
      ref_kind: 'deployment',
      ref_id: 1,
      name: 'name',
      container_uid: 'uid',
      image: 'xxx',
      started: 1,
      ports: null,
      creator: 'admin',
    })
  })

  test('createmany/kube/pod: 0 and an event per pod with the containers inside, and one for the node that got its first pod', async () => {
    await create([newPod('a'), newPod('b')])
    await create([newPod('c')])
    const written = await events()
    expect(written.map((e) => [e.resource, e.type, e.object_id])).toEqual([
      ['kube_pod', 'create', 1],
      ['kube_pod', 'create', 2],
      ['kube_node', 'update', 1],
      ['kube_pod', 'create', 3],
    ])
    expect(written[1]).toMatchObject({ biz_id: 1, tenant: '0' })
    expect(written[1]?.detail).toEqual({
      id: 2,
      bk_biz_id: 1,
      bk_supplier_account: '0',
      bk_cluster_id: 1,
      cluster_uid: 'cluster-1',
      bk_namespace_id: 1,
      namespace: 'default',
      ref: { kind: 'deployment', id: 1, name: 'web' },
      bk_host_id: 1,
      bk_node_id: 1,
      node_name: 'node1',
      name: 'b',
      operator: ['ann'],
      creator: 'admin',
      modifier: 'admin',
      create_time: seconds,
      last_time: seconds,
      containers: [
        {
          id: 2,
          bk_pod_id: 2,
          bk_biz_id: 1,
          bk_supplier_account: '0',
          bk_cluster_id: 1,
          bk_namespace_id: 1,
          ref: { kind: 'deployment', id: 1 },
          name: 'main',
          container_uid: 'b-uid',
          image: 'nginx',
          creator: 'admin',
          modifier: 'admin',
          create_time: seconds,
          last_time: seconds,
        },
      ],
    })
    expect(written[2]?.detail).toMatchObject({ id: 1, name: 'node1', has_pod: true, internal_ip: ['10.0.0.1'] })
    // The node's row before the flip; new rows have no past.
    expect(await t.db.query('select collection, id, row from history')).toMatchObject([
      { collection: 'node', id: 1, row: { has_pod: false } },
    ])
    expect(await t.db.query('select id, has_pod from node order by id')).toEqual([
      { id: 1, has_pod: true },
      { id: 2, has_pod: false },
    ])
  })

  test('createmany/kube/pod: 0 for 200 pods over several elements: ids in request order, consecutive', async () => {
    const names = Array.from({ length: 200 }, (_, i) => `p${i}`)
    const part = (from: number, to: number) => ({
      bk_biz_id: 1,
      pods: names.slice(from, to).map((name) =>
        newPod(name, {
          containers: [
            { name: 'a', container_uid: 'a', image: 'x' },
            { name: 'a', container_uid: 'b', image: 'x' },
          ],
        }),
      ),
    })
    const { ids } = await api.ok<{ ids: number[] }>(url, {
      data: [part(0, 1), { bk_biz_id: 1 }, part(1, 150), part(150, 200)],
    })
    expect(ids).toEqual(names.map((_, i) => i + 1))
    expect((await pods()).map((p) => p.name)).toEqual(names)
    expect(await t.db.query('select id, bk_pod_id, container_uid from container order by id')).toEqual(
      Array.from({ length: 400 }, (_, i) => ({
        id: i + 1,
        bk_pod_id: Math.floor(i / 2) + 1,
        container_uid: i % 2 === 0 ? 'a' : 'b',
      })),
    )
  })

  test('createmany/kube/pod: 0 for a pod without containers', async () => {
    await create([newPod('a', { containers: null }), newPod('b', { containers: [] })])
    expect(await countRows(t.db)).toMatchObject({ pod: 2, container: 0 })
  })

  test('createmany/kube/pod: 0 for everything a pod can have', async () => {
    const pod = newPod('full', {
      operator: ['ann', 'bob'],
      priority: 0,
      labels: { 'app.kubernetes.io/name': 'x', __proto__: 'y' },
      ip: '',
      ips: [],
      volumes: { name: 'v', emptyDir: {}, colour: 'red' },
      tolerations: { key: 'k', operator: 'Exists' },
      qos_class: 'anything',
      node_selectors: { disk: 'ssd' },
      colour: 'red',
      containers: [
        {
          name: 'main',
          container_uid: 'u',
          ports: [{ name: 'http', containerPort: 80, x: 1 }],
          host_ports: [],
          args: ['-v'],
          started: 0,
          limits: { cpu: '100m', memory: 1.5 },
          requests: { cpu: 1 },
          liveness: { httpGet: { path: '/', port: 8080 }, periodSeconds: 3 },
          environment: [{ name: 'A', value: 'b' }],
          mounts: [{ name: 'v', mountPath: '/v' }],
        },
      ],
    })
    await create([pod])
    expect((await t.db.query('select * from pod'))[0]).toMatchObject({
      operator: ['ann', 'bob'],
      priority: 0,
      labels: { 'app.kubernetes.io/name': 'x' },
      ip: '',
      ips: [],
      volumes: [{ name: 'v', emptyDir: {} }],
      tolerations: [{ key: 'k', operator: 'Exists' }],
      qos_class: 'anything',
      node_selectors: { disk: 'ssd' },
    })
    expect((await t.db.query('select * from container'))[0]).toMatchObject({
      image: '',
      ports: [{ name: 'http', containerPort: 80 }],
      host_ports: [],
      args: ['-v'],
      started: 0,
      limits: { cpu: '100m', memory: 1.5 },
      requests: { cpu: 1 },
      liveness: { httpGet: { path: '/', port: 8080 }, periodSeconds: 3 },
      environment: [{ name: 'A', value: 'b' }],
      mounts: [{ name: 'v', mountPath: '/v' }],
    })
  })

  test('createmany/kube/pod: 0 and the detail of the event is what viewOf makes of the stored rows', async () => {
    const { viewOf } = await import('../src/inventory/views.ts')
    await create([newPod('a', { labels: {}, priority: 0, ip: '', volumes: [{ name: 'v', hostPath: { path: '/x' } }] })])
    const [pod] = await t.db.query('select * from pod')
    const [container] = await t.db.query('select * from container')
    const [event] = await events()
    expect(event?.detail).toEqual({
      ...viewOf('pod', pod ?? {}),
      containers: [viewOf('container', container ?? {})],
    })
  })

  test('createmany/kube/pod: 0 for the same name in another workload or kind is another pod', async () => {
    await api.ok('/createmany/kube/workload/statefulSet', { bk_biz_id: 1, data: [{ bk_namespace_id: 1, name: 'web' }] })
    await create([newPod('a'), withRef('a', { kind: 'statefulSet', id: 1 })])
    expect(await pods('ref_kind, ref_id, name')).toEqual([
      { ref_kind: 'deployment', ref_id: 1, name: 'a' },
      { ref_kind: 'statefulSet', ref_id: 1, name: 'a' },
    ])
  })

  test('createmany/kube/pod: 0 for a name of 100,000 characters, then 1199014', async () => {
    const name = 'x'.repeat(100_000)
    await create([newPod(name)])
    expect(await refused(batch(newPod(name)))).toMatchObject({ code: 1199014 })
  })
})

const withRef = (name: string, ref: object) =>
  newPod(name, {
    spec: { ...newPod(name).spec, ref },
    containers: [{ name: 'c', container_uid: `${name}2`, image: '' }],
  })

describe('what is refused, in the original’s order and words', () => {
  test.each(
    (
      [
        ['nothing at all', undefined, 1199010, `'data' unassigned`, undefined],
        ['no data', {}, 1199010, `'data' unassigned`, undefined],
        ['null', { data: null }, 1199010, `'data' unassigned`, undefined],
        ['empty data', { data: [] }, 1199010, `'data' unassigned`, undefined],
        [
          'no pod in any element',
          { data: [{ bk_biz_id: 1, pods: [] }, {}] },
          1199998,
          'no pods need created',
          undefined,
        ],
        [
          'a pod that is null',
          batch(null),
          1199011,
          `'cluster id must be set' the parameter is invalid or does not exist`,
          'data[0].pods[0].spec.bk_cluster_id',
        ],
        [
          'no cluster',
          batch(withSpec({ bk_cluster_id: null })),
          1199011,
          `'cluster id must be set' the parameter is invalid or does not exist`,
          'data[0].pods[0].spec.bk_cluster_id',
        ],
        [
          'no namespace',
          batch(withSpec({ bk_namespace_id: 0 })),
          1199011,
          `'namespace id must be set' the parameter is invalid or does not exist`,
          'data[0].pods[0].spec.bk_namespace_id',
        ],
        [
          'no node',
          batch(withSpec({ bk_node_id: 0 })),
          1199011,
          `'node id must be set' the parameter is invalid or does not exist`,
          'data[0].pods[0].spec.bk_node_id',
        ],
        [
          'no workload',
          batch(withSpec({ ref: null })),
          1199011,
          `'workload must be set' the parameter is invalid or does not exist`,
          'data[0].pods[0].spec.ref',
        ],
        [
          'no kind',
          batch(withSpec({ ref: { id: 1 } })),
          1199011,
          `'workload must be set' the parameter is invalid or does not exist`,
          'data[0].pods[0].spec.ref',
        ],
        [
          'an unknown kind',
          batch(withSpec({ ref: { kind: 'Deployment', id: 1 } })),
          1199011,
          `'workload is illegal type' the parameter is invalid or does not exist`,
          'data[0].pods[0].spec.ref.kind',
        ],
        [
          'no host',
          batch(newPod('p', { bk_host_id: 0 })),
          1199010,
          `'host id' unassigned`,
          'data[0].pods[0].bk_host_id',
        ],
        ['no name', batch(newPod('')), 1199010, `'pod name' unassigned`, 'data[0].pods[0].name'],
        [
          'a container without a name',
          batch(newPod('p', { containers: [{ container_uid: 'u' }] })),
          1199010,
          `'container name' unassigned`,
          'data[0].pods[0].containers[0].name',
        ],
        [
          'a container without a uid',
          batch(newPod('p', { containers: [{ name: 'a', container_uid: 'b' }, { name: 'b' }] })),
          1199011,
          `'container_uid' the parameter is invalid or does not exist`,
          'data[0].pods[0].containers[1].container_uid',
        ],
        [
          'a workload that is not there',
          batch(withSpec({ ref: { kind: 'deployment', id: 9 } })),
          1199006,
          `'workload' data parameter verification does not pass`,
          'data[0].pods[0].spec.ref',
        ],
        [
          'a workload of another kind',
          batch(withSpec({ ref: { kind: 'job', id: 1 } })),
          1199006,
          `'workload' data parameter verification does not pass`,
          'data[0].pods[0].spec.ref',
        ],
        [
          'another namespace than the workload’s',
          batch(withSpec({ bk_namespace_id: 2 })),
          1199006,
          `'workload' data parameter verification does not pass`,
          'data[0].pods[0].spec.bk_namespace_id',
        ],
        [
          'another cluster than the workload’s',
          batch(withSpec({ bk_cluster_id: 2 })),
          1199006,
          `'workload' data parameter verification does not pass`,
          'data[0].pods[0].spec.bk_cluster_id',
        ],
        [
          'another business than the workload’s',
          { data: [{ bk_biz_id: 2, pods: [newPod('p')] }] },
          1199006,
          `'namespace' data parameter verification does not pass`,
          'data[0].pods[0].spec.bk_namespace_id',
        ],
        [
          'no business',
          { data: [{ pods: [newPod('p')] }] },
          1199006,
          `'namespace' data parameter verification does not pass`,
          'data[0].pods[0].spec.bk_namespace_id',
        ],
        [
          'a node that is not there',
          batch(withSpec({ bk_node_id: 9 })),
          1199006,
          `'node' data parameter verification does not pass`,
          'data[0].pods[0].spec.bk_node_id',
        ],
      ] as const
    ).map(([when, body, code, message, path]) => ({ when, body, code, message, path })),
  )('createmany/kube/pod: $code for $when', async ({ body, code, message, path }) => {
    const answer = await refused(body)
    expect(answer).toMatchObject({ code, message })
    expect(answer.details?.map((d) => d.path)).toEqual(path === undefined ? undefined : [path])
  })

  test('createmany/kube/pod: 1199010 and the details name every bad item, 20 at most; the first decides the code', async () => {
    const answer = await refused({
      data: [
        { bk_biz_id: 1, pods: [newPod('ok'), newPod('')] },
        { bk_biz_id: 1, pods: [newPod('p', { bk_host_id: null }), withSpec({ bk_cluster_id: 0 })] },
      ],
    })
    expect(answer).toMatchObject({ code: 1199010, message: `'pod name' unassigned` })
    expect(answer.details).toEqual([
      { path: 'data[0].pods[1].name', message: 'pod name is required' },
      { path: 'data[1].pods[0].bk_host_id', message: 'host id is required' },
      { path: 'data[1].pods[1].spec.bk_cluster_id', message: 'cluster id must be set' },
    ])
    const many = await refused(batch(...Array.from({ length: 30 }, () => newPod(''))))
    expect(many.details).toHaveLength(20)
  })

  test('createmany/kube/pod: 1199010 when everything that needs no database is checked before any relation', async () => {
    expect(await refused(batch(withSpec({ bk_node_id: 9 }), newPod('')))).toMatchObject({ code: 1199010 })
  })

  test('createmany/kube/pod: 1199006 when both are wrong: workloads are checked before nodes', async () => {
    expect(
      await refused(batch(withSpec({ bk_node_id: 9 }), withSpec({ ref: { kind: 'deployment', id: 9 } }))),
    ).toMatchObject({ message: `'workload' data parameter verification does not pass` })
  })

  test('createmany/kube/pod: 1199035 for 201 pods over several elements', async () => {
    const list = (n: number, prefix: string) => Array.from({ length: n }, (_, i) => newPod(`${prefix}${i}`))
    const body = {
      data: [
        { bk_biz_id: 1, pods: list(101, 'a') },
        { bk_biz_id: 1, pods: list(100, 'b') },
      ],
    }
    expect(await refused(body)).toMatchObject({ code: 1199035, message: ' pods exceed the limit 200' })
  })

  test('createmany/kube/pod: 1199006 for a node of another cluster, a node of another business', async () => {
    await addHost(t.db, 3, 2)
    await api.ok('/create/kube/cluster', { bk_biz_id: 2, name: 'c2', uid: 'cluster-2', type: 'INDEPENDENT_CLUSTER' })
    await api.ok('/createmany/kube/node', {
      bk_biz_id: 2,
      data: [{ bk_cluster_id: 2, bk_host_id: 3, name: 'node1', external_ip: [] }],
    })
    expect(await refused(batch(withSpec({ bk_node_id: 3 })))).toMatchObject({
      code: 1199006,
      message: `'node' data parameter verification does not pass`,
      details: [{ path: 'data[0].pods[0].spec.bk_node_id', message: 'the node is in cluster 2' }],
    })
    await t.db.query('update node set bk_cluster_id = 1, name = $1 where id = 3', ['node3'])
    expect(await refused(batch(withSpec({ bk_node_id: 3 })))).toMatchObject({
      details: [{ path: 'data[0].pods[0].spec.bk_node_id', message: 'the node does not belong to business 1' }],
    })
  })

  test('createmany/kube/pod: 1199006 for rows of another tenant, which are not there', async () => {
    await t.db.query(`update workload set bk_supplier_account = 'other'`)
    expect(await refused(batch(newPod('a')))).toMatchObject({ code: 1199006 })
    const answer = await api.send(url, batch(newPod('a')), { headers: { 'x-bkcmdb-supplier-account': 'other' } })
    expect(answer).toMatchObject({ result: true })
    expect(await pods('bk_supplier_account')).toEqual([{ bk_supplier_account: 'other' }])
  })
})

describe('duplicates', () => {
  test('createmany/kube/pod: 1199014 inside one batch', async () => {
    const answer = await refused(batch(newPod('a'), newPod('b'), newPod('a')))
    expect(answer).toMatchObject({
      code: 1199014,
      message: 'duplicated instances exist, fields [ ref.id: 1, ref.kind: "deployment", name: "a" ] duplicated',
      details: [{ path: 'data[0].pods[2].name', message: 'the same as data[0].pods[0].name' }],
    })
  })

  test('createmany/kube/pod: 1199014 against stored rows: each is named', async () => {
    await create([newPod('a'), newPod('c')])
    expect(await refused(batch(newPod('a'), newPod('b'), newPod('c')))).toMatchObject({
      code: 1199014,
      details: [
        { path: 'data[0].pods[0].name', message: 'exists already' },
        { path: 'data[0].pods[2].name', message: 'exists already' },
      ],
    })
  })

  test('createmany/kube/pod: 1199014 for container_uid inside one pod; the same one in two pods is fine', async () => {
    const same = [
      { name: 'a', container_uid: 'u', image: '' },
      { name: 'b', container_uid: 'u', image: '' },
    ]
    expect(await refused(batch(newPod('a'), newPod('b', { containers: same })))).toMatchObject({
      code: 1199014,
      details: [{ path: 'data[0].pods[1].containers[1].container_uid' }],
    })
    await create([newPod('a', { containers: same.slice(0, 1) }), newPod('b', { containers: same.slice(0, 1) })])
  })
})

describe('bodies that cannot be read', () => {
  test.each([
    ['broken JSON', '{"data":[', ''],
    ['bytes after it', '{"data":[]} x', ''],
    ['NUL', JSON.stringify(batch(newPod('a\u0000'))), ''],
    ['an unpaired surrogate', JSON.stringify(batch(newPod('a\ud800'))), ''],
    [
      'an id beyond 2^53',
      JSON.stringify(batch(newPod('a'))).replace('"bk_host_id":1', '"bk_host_id":9007199254740993'),
      '',
    ],
    ['a number for a name', batch(newPod('a', { name: 5 })), 'data[0].pods[0].name'],
    ['text for an id', batch(withSpec({ bk_node_id: '1' })), 'data[0].pods[0].spec.bk_node_id'],
    ['a fraction for an id', batch(withSpec({ bk_node_id: 1.5 })), 'data[0].pods[0].spec.bk_node_id'],
    ['a priority beyond int32', batch(newPod('a', { priority: 2147483648 })), 'data[0].pods[0].priority'],
    ['an array for labels', batch(newPod('a', { labels: [] })), 'data[0].pods[0].labels'],
    ['a number in labels', batch(newPod('a', { labels: { a: 1 } })), 'data[0].pods[0].labels.a'],
    ['an object for data', { data: {} }, 'data'],
    ['an array for a pod', batch([]), 'data[0].pods[0]'],
    [
      'a wrong type deep inside',
      batch(newPod('a', { containers: [{ ports: [{ containerPort: 'x' }] }] })),
      'data[0].pods[0].containers[0].ports[0].containerPort',
    ],
    [
      'a wrong type in a single volume',
      batch(newPod('a', { volumes: { nfs: { server: 1 } } })),
      'data[0].pods[0].volumes.nfs.server',
    ],
  ])('createmany/kube/pod: 1199000 for %s', async (_name, body, path) => {
    const answer = await refused(body)
    expect(answer).toMatchObject({ code: 1199000, message: 'Deserializing JSON data failed' })
    expect(answer.details?.[0]?.path).toBe(path)
  })

  test('createmany/kube/pod: 1199004 over 8 MiB', async () => {
    const before = await countRows(t.db)
    const answer = await api.send(url, JSON.stringify(batch(newPod('a', { ip: 'x'.repeat(8 * 1024 * 1024) }))))
    expect(answer).toMatchObject({ status: 413, result: false, code: 1199004, data: null })
    expect(await countRows(t.db)).toEqual(before)
  })

  test('createmany/kube/pod: 0 for a pair of surrogates, which is text like any other', async () => {
    await create([newPod('a😀')])
    expect(await pods('name')).toEqual([{ name: 'a😀' }])
  })
})

describe('shared clusters', () => {
  beforeEach(async () => {
    await addHost(t.db, 10, 10)
    await api.ok('/create/kube/cluster', { bk_biz_id: 10, name: 'shared', uid: 's', type: 'SHARE_CLUSTER' })
    await api.ok('/createmany/kube/node', {
      bk_biz_id: 10,
      data: [{ bk_cluster_id: 2, bk_host_id: 10, name: 'n', internal_ip: [] }],
    })
    await api.ok('/createmany/kube/namespace', { bk_biz_id: 20, data: [{ bk_cluster_id: 2, name: 'users' }] })
    await api.ok('/createmany/kube/workload/job', { bk_biz_id: 10, data: [{ bk_namespace_id: 2, name: 'j' }] })
  })
  const spec = { bk_cluster_id: 2, bk_namespace_id: 2, bk_node_id: 3, ref: { kind: 'job', id: 1 } }

  test.each([10, 20])(
    'createmany/kube/pod: 0 for business %i in a shared cluster; the rows are the user’s',
    async (bizId) => {
      expect(await t.db.query('select bk_biz_id from workload where kind = $1', ['job'])).toEqual([{ bk_biz_id: 20 }])
      await create([newPod('p', { spec })], bizId)
      expect(await pods('bk_biz_id')).toEqual([{ bk_biz_id: 20 }])
      expect(await t.db.query('select bk_biz_id from container')).toEqual([{ bk_biz_id: 20 }])
    },
  )

  test('createmany/kube/pod: 1199006 for another business', async () => {
    expect(await refused({ data: [{ bk_biz_id: 1, pods: [newPod('p', { spec })] }] })).toMatchObject({
      code: 1199006,
      message: `'namespace' data parameter verification does not pass`,
    })
  })
})

describe('8 writers at once', () => {
  test('createmany/kube/pod: 0 for eight writers: none waits for ever, ids are consecutive in each answer, every node is marked once', async () => {
    await api.ok('/createmany/kube/node', {
      bk_biz_id: 1,
      data: Array.from({ length: 20 }, (_, i) => ({
        bk_cluster_id: 1,
        bk_host_id: 1,
        name: `n${i}`,
        internal_ip: [''],
      })),
    })
    await t.db.query('truncate event')
    // Each writer names all nodes, every second one in the opposite order.
    const nodes = Array.from({ length: 22 }, (_, i) => i + 1)
    const answers = await Promise.all(
      Array.from({ length: 8 }, async (_, writer) => {
        const order = writer % 2 === 0 ? nodes : nodes.toReversed()
        const list = order.map((node) =>
          newPod(`w${writer}-${node}`, { spec: { ...newPod('').spec, bk_node_id: node } }),
        )
        return create(list)
      }),
    )
    for (const { ids } of answers) expect(ids).toEqual(ids.map((_, i) => (ids[0] ?? 0) + i))
    expect(await countRows(t.db)).toMatchObject({ pod: 176, container: 176, event: 176 + 22 })
    expect(await t.db.query('select count(*) as n from node where not has_pod')).toEqual([{ n: 0 }])
  })

  test('createmany and deletemany/kube/pod: 0 for creators and deleters of the same pods on the same nodes leave has_pod as the rows say', async () => {
    const writers = Array.from({ length: 8 }, async (_, writer) => {
      for (let round = 0; round < 5; round += 1) {
        const { ids } = await create([
          newPod(`w${writer}-${round}-a`),
          newPod(`w${writer}-${round}-b`, { spec: { ...newPod('').spec, bk_node_id: 2 } }),
        ])
        await api.ok('/deletemany/kube/pod', { data: [{ bk_biz_id: 1, ids }] }, { method: 'DELETE' })
      }
    })
    await Promise.all(writers)
    expect(await countRows(t.db)).toMatchObject({ pod: 0, container: 0 })
    expect(await t.db.query('select id, has_pod from node order by id')).toEqual([
      { id: 1, has_pod: false },
      { id: 2, has_pod: false },
    ])
  })
})

describe('a parent that goes away while pods are made', () => {
  /** Changes something in a transaction of its own that commits only once the request waits for it. */
  const whileHeld = (change: string, body: unknown) =>
    t.db.withConnection(async (holder) => {
      await holder.query('begin')
      await holder.query(change)
      const answer = api.send(url, body)
      for (const end = Date.now() + 60_000; ; ) {
        const [row] = await t.db.query<{ n: number }>(
          `select count(*)::int as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
        )
        if (row?.n === 1) break
        if (Date.now() > end) throw new Error('the request does not wait')
      }
      await holder.query('commit')
      return answer
    })

  // With a pod on the node already the quick way is taken, without one the way under locks.
  describe.each([true, false])('node carries a pod already: %s', (marked) => {
    beforeEach(async () => {
      if (marked) await create([newPod('before')])
      await t.db.query('truncate event, history')
    })

    test.each([
      ['workload', 'delete from workload', 1199006],
      ['node', 'delete from node where id = 1', 1199006],
    ])('createmany/kube/pod: 1199006 when the %s goes', async (what, change, code) => {
      expect(await whileHeld(change, batch(newPod('after')))).toMatchObject({
        code,
        message: `'${what}' data parameter verification does not pass`,
      })
      expect(await countRows(t.db)).toMatchObject({ pod: marked ? 1 : 0, event: 0 })
    })

    test('createmany/kube/pod: 0 when a node loses has_pod meanwhile, and it gets it back', async () => {
      const answer = await whileHeld(
        'select id from node for update; update node set has_pod = false, valid_from = now()',
        batch(newPod('after')),
      )
      expect(answer).toMatchObject({ result: true })
      expect(await t.db.query('select has_pod from node where id = 1')).toEqual([{ has_pod: true }])
      expect((await events()).map((e) => e.resource)).toEqual(['kube_pod', 'kube_node'])
    })
  })
})

describe('deletemany/kube/pod', () => {
  const remove = (data: unknown) => api.send('/deletemany/kube/pod', { data }, { method: 'DELETE' })

  test('deletemany/kube/pod: 0 takes the containers along, keeps both in history, tells watchers, and unmarks the empty node', async () => {
    await create([newPod('a'), newPod('b', { spec: { ...newPod('').spec, bk_node_id: 2 } }), newPod('c')])
    await t.db.query('truncate event, history')
    expect(await remove([{ bk_biz_id: 1, ids: [2, 1, 77] }])).toMatchObject({ result: true, data: null })
    expect(await pods()).toEqual([{ id: 3, name: 'c' }])
    expect(await t.db.query('select bk_pod_id from container')).toEqual([{ bk_pod_id: 3 }])
    const written = await events()
    expect(written.map((e) => [e.resource, e.type, e.object_id])).toEqual([
      ['kube_pod', 'delete', 1],
      ['kube_pod', 'delete', 2],
      ['kube_node', 'update', 2],
    ])
    expect(written[0]?.detail).toMatchObject({ id: 1, name: 'a', containers: [{ id: 1, container_uid: 'a-uid' }] })
    expect(written[2]?.detail).toMatchObject({ id: 2, has_pod: false })
    expect(await t.db.query('select collection, id from history order by collection, id')).toEqual([
      { collection: 'container', id: 1 },
      { collection: 'container', id: 2 },
      { collection: 'node', id: 2 },
      { collection: 'pod', id: 1 },
      { collection: 'pod', id: 2 },
    ])
  })

  test('deletemany/kube/pod: 0 for only unknown ids, and nothing happens', async () => {
    expect(await remove([{ bk_biz_id: 1, ids: [5] }])).toMatchObject({ result: true, data: null })
    expect(await events()).toEqual([])
  })
})
