/** `force` on the deletes of clusters, namespaces and workloads: whole subtrees in one transaction. */
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { kubeOperations } from '../src/inventory/kube-operations.ts'
import { viewSql } from '../src/inventory/view-sql.ts'
import { podView, type Row, viewOf } from '../src/inventory/views.ts'
import { useDatabase } from './support/database.ts'
import { type InventoryClient, inventoryClient } from './support/inventory-client.ts'
import { countRows, emptyInventory, orphans } from './support/kube-rows.ts'
import { addSharedWorld } from './support/shared-world.ts'

const t = useDatabase()
let api: InventoryClient
beforeAll(async () => {
  api = await inventoryClient(kubeOperations({ db: t.db, now: Date.now }))
})
afterAll(() => api.app.close())
beforeEach(async () => {
  await emptyInventory(t.db)
  await addSharedWorld(t.db, api)
  await t.db.query('truncate event, history')
})

const tables = ['cluster', 'node', 'namespace', 'workload', 'pod', 'container'] as const
const paths = {
  cluster: '/delete/kube/cluster',
  namespace: '/deletemany/kube/namespace',
  workload: '/deletemany/kube/workload/deployment',
} as const
/** As the conformance table has them. */
const at = {
  cluster: 'delete/kube/cluster',
  namespace: 'deletemany/kube/namespace',
  workload: 'deletemany/kube/workload/{kind}',
} as const
const send = (thing: keyof typeof paths, bizId: number, ids: readonly number[], more: object = { force: true }) =>
  api.send(paths[thing], { bk_biz_id: bizId, ids, ...more }, { method: 'DELETE' })
const force = async (thing: keyof typeof paths, bizId: number, ids: readonly number[]) => {
  const answer = await send(thing, bizId, ids)
  expect(answer).toMatchObject({ status: 200, result: true, code: 0 })
  return answer.data as unknown
}
const none = { clusters: 0, nodes: 0, namespaces: 0, workloads: 0, pods: 0, containers: 0 }

/** Every row of the tree as its delete event must tell it. */
async function deleteDetails(): Promise<Map<string, object>> {
  const details = new Map<string, object>()
  for (const table of tables)
    for (const row of await t.db.query<Row>(`select * from ${table}`)) {
      if (table === 'container') continue
      const containers = await t.db.query<Row>('select * from container where bk_pod_id = $1 order by id', [row.id])
      const view = table === 'pod' ? podView({ ...row, containers }) : viewOf(table, row)
      details.set(`kube_${table} ${row.kind ?? ''} ${row.id}`, view)
    }
  return details
}

const told = async () =>
  (
    await t.db.query<{ resource: string; sub_resource: string; type: string; object_id: number; detail: object }>(
      'select resource, sub_resource, type, object_id, detail from event order by seq',
    )
  ).map((e) => ({ ...e, key: `${e.resource} ${e.sub_resource} ${e.object_id}` }))

describe('what goes', () => {
  test('delete/kube/cluster: 0 with force takes everything in it, other businesses’ namespaces included', async () => {
    const details = await deleteDetails()
    expect(await force('cluster', 1, [2, 99])).toEqual({
      clusters: 1,
      nodes: 1,
      namespaces: 2,
      workloads: 2,
      pods: 1,
      containers: 2,
    })
    const events = await told()
    expect(events.map((e) => [e.key, e.type])).toEqual(
      [
        'kube_pod  4',
        'kube_workload deployment 2',
        'kube_workload deployment 3',
        'kube_namespace  2',
        'kube_namespace  3',
        'kube_node  2',
        'kube_cluster  2',
      ].map((key) => [key, 'delete']),
    )
    for (const event of events) expect(event.detail, event.key).toEqual(details.get(event.key))
    expect(await countRows(t.db)).toMatchObject({ namespace_shared: 0, history: 9 })
    expect(await orphans(t.db)).toEqual([])
  })

  test('delete/kube/cluster: 0 with force for several at once, empty ones included', async () => {
    expect(await force('cluster', 1, [1, 2])).toEqual({
      clusters: 2,
      nodes: 2,
      namespaces: 3,
      workloads: 4,
      pods: 4,
      containers: 8,
    })
    expect(await force('cluster', 3, [3])).toEqual({ ...none, clusters: 1 })
    const { event, history, ...left } = await countRows(t.db)
    expect(Object.values(left).every((n) => n === 0)).toBe(true)
    expect([event, history]).toEqual([2 + 2 + 3 + 4 + 4 + 1, 2 + 2 + 3 + 4 + 4 + 8 + 1])
  })

  test.each([1, 2])(
    'deletemany/kube/namespace: 0 with force by business %i; a node that is empty then says so',
    async (biz) => {
      const details = await deleteDetails()
      expect(await force('namespace', biz, [3])).toEqual({
        ...none,
        namespaces: 1,
        workloads: 1,
        pods: 1,
        containers: 2,
      })
      const events = await told()
      expect(events.map((e) => `${e.type} ${e.key}`)).toEqual([
        'delete kube_pod  4',
        'update kube_node  2',
        'delete kube_workload deployment 3',
        'delete kube_namespace  3',
      ])
      const [node] = await t.db.query<Row>('select * from node where id = 2')
      expect(node).toMatchObject({ has_pod: false, modifier: 'admin' })
      for (const event of events)
        expect(event.detail).toEqual(event.type === 'update' ? viewOf('node', node ?? {}) : details.get(event.key))
      expect(await orphans(t.db)).toEqual([])
    },
  )

  test('deletemany/kube/workload/{kind}: 0 with force takes the pods of that kind and id alone', async () => {
    await api.ok('/createmany/kube/pod', {
      data: [
        {
          bk_biz_id: 1,
          pods: [
            {
              spec: { bk_cluster_id: 1, bk_namespace_id: 1, bk_node_id: 1, ref: { kind: 'customResource', id: 1 } },
              bk_host_id: 1,
              name: 'kept',
            },
          ],
        },
      ],
    })
    await t.db.query('truncate event, history')
    expect(await force('workload', 1, [1])).toEqual({ ...none, workloads: 1, pods: 3, containers: 6 })
    expect((await told()).map((e) => e.key)).toEqual([
      'kube_pod  1',
      'kube_pod  2',
      'kube_pod  3',
      'kube_workload deployment 1',
    ])
    expect(await t.db.query('select name from pod where id <> 4')).toEqual([{ name: 'kept' }])
    expect(await orphans(t.db)).toEqual([])
  })

  test('delete/kube/cluster: 0 with force for more pods than go at once', async () => {
    await t.db.query(
      `insert into pod (id, bk_biz_id, bk_cluster_id, bk_namespace_id, ref_kind, ref_id, bk_node_id, name)
       select 100 + i, 1, 1, 1, 'deployment', 1, 1, 'many-' || i from generate_series(1, 12000) i`,
    )
    await t.db.query(
      `insert into container (id, bk_pod_id, bk_biz_id, bk_cluster_id, bk_namespace_id, ref_kind, ref_id, name, container_uid)
       select 100 + i, 100 + i, 1, 1, 1, 'deployment', 1, 'c', 'uid-' || i from generate_series(1, 12000) i`,
    )
    expect(await force('cluster', 1, [1])).toMatchObject({ clusters: 1, pods: 12003, containers: 12006 })
    expect(
      await t.db.query(`select count(*) as n, count(distinct object_id) as ids from event where resource = 'kube_pod'`),
    ).toEqual([{ n: 12003, ids: 12003 }])
    expect(await orphans(t.db)).toEqual([])
  })
})

describe('what does not', () => {
  test.each([
    [at.cluster, 1199998, 'cluster', 1, [3]],
    [at.cluster, 1199998, 'cluster', 2, [2]],
    [at.cluster, 1199998, 'cluster', 1, [99]],
    [at.namespace, 1199006, 'namespace', 3, [3]],
    [at.workload, 1199006, 'workload', 3, [3]],
  ] as const)('%s: %i with force as without, of %s by business %i: %j', async (_at, code, thing, biz, ids) => {
    const before = await countRows(t.db)
    expect(await send(thing, biz, ids)).toMatchObject({ code, data: null })
    expect(await countRows(t.db)).toEqual(before)
  })

  test.each([
    [at.namespace, 'namespace'],
    [at.workload, 'workload'],
  ] as const)('%s: 0 with force for ids that nobody knows', async (_at, thing) => {
    expect(await force(thing, 1, [99])).toEqual(none)
    expect(await told()).toEqual([])
  })

  test.each([{ force: false }, { force: null }, {}])(
    'delete/kube/cluster: 1199006 when children exist, %j',
    async (more) => {
      expect(await send('cluster', 1, [1], more)).toMatchObject({ code: 1199006, data: null })
    },
  )

  test('delete/kube/cluster: 1199000 when force is no truth value', async () => {
    expect(await send('cluster', 1, [1], { force: 'yes' })).toMatchObject({
      code: 1199000,
      details: [{ path: 'force' }],
    })
  })

  test.each([
    [at.cluster, 'node', 'cluster'],
    [at.cluster, 'namespace', 'cluster'],
    [at.namespace, 'workload', 'namespace'],
    [at.workload, 'pod', 'workload'],
  ] as const)('%s: 1199006 when a %s below is another tenant’s, with force', async (_at, below, thing) => {
    await t.db.query(`update ${below} set bk_supplier_account = 'other'`)
    const before = await countRows(t.db)
    expect(await send(thing, 1, [1])).toMatchObject({
      code: 1199006,
      details: [{ path: 'ids[0]', message: 'has rows of another supplier account' }],
    })
    expect(await countRows(t.db)).toEqual(before)
    const answer = await api.send(
      paths[thing],
      { bk_biz_id: 1, ids: [1], force: true },
      { method: 'DELETE', headers: { 'x-bkcmdb-supplier-account': 'superadmin' } },
    )
    expect(answer).toMatchObject({ code: 0 })
  })
})

test('viewSql shows what viewOf shows, for any row', async () => {
  const text = fc.oneof(
    fc.constant(''),
    fc.string({ unit: 'grapheme', maxLength: 5 }).map((s) => s.replaceAll('\0', '')),
  )
  const number = fc.oneof(fc.constant(0), fc.integer({ min: -5, max: 2 ** 31 - 1 }))
  const values: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
    text,
    bigint: number,
    integer: number,
    boolean: fc.boolean(),
    jsonb: fc.oneof(fc.constantFrom({}, [], { a: null, b: { c: [] } }, ['x', '']), fc.dictionary(text, text)),
    'timestamp with time zone': fc.constant(new Date(0)),
  }
  type Column = { readonly column_name: string; readonly data_type: string; readonly is_nullable: 'YES' | 'NO' }
  for (const table of tables) {
    const columns = await t.db.query<Column>(
      `select column_name, data_type, is_nullable from information_schema.columns where table_name = $1`,
      [table],
    )
    const row = fc.record(
      Object.fromEntries(
        columns.map(({ column_name, data_type, is_nullable }) => {
          const value = values[data_type] ?? fc.constant(null)
          return [column_name, is_nullable === 'YES' ? fc.option(value) : value]
        }),
      ),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 40 }), async (rows) => {
        const found = await t.db.query<{ stored: Row; view: object }>(
          `select to_jsonb(x) as stored, ${viewSql(table, 'x')} as view from jsonb_populate_recordset(null::${table}, $1) x`,
          [JSON.stringify(rows)],
        )
        for (const { stored, view } of found) expect(view).toEqual(viewOf(table, stored))
      }),
      { numRuns: 8 },
    )
  }
})
