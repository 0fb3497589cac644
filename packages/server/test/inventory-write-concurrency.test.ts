/** Eight writers at once on every level, and parents that go, or change, while children are made. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { hostOperations } from '../src/inventory/host-operations.ts'
import { kubeOperations } from '../src/inventory/kube-operations.ts'
import { podView, type Row, viewOf } from '../src/inventory/views.ts'
import { useDatabase } from './support/database.ts'
import { type Answer, type InventoryClient, inventoryClient } from './support/inventory-client.ts'
import { addHost, countRows, emptyInventory, orphans } from './support/kube-rows.ts'
import { addSharedWorld } from './support/shared-world.ts'

const writers = 8
const connections = 10
const t = useDatabase({ max: connections })
let api: InventoryClient
beforeAll(async () => {
  api = await inventoryClient([...kubeOperations({ db: t.db, now: Date.now }), ...hostOperations(t.db)])
})
afterAll(() => api.app.close())
beforeEach(async () => {
  await emptyInventory(t.db)
  await addSharedWorld(t.db, api)
  await addHost(t.db, 2, 1)
})

const times = <T>(n: number, make: (i: number) => T) => Array.from({ length: n }, (_, i) => make(i))
const atOnce = <T>(work: (writer: number) => Promise<T>) => Promise.all(times(writers, work))

/** Deadlocks of the database so far; every connection first tells what it has counted. */
async function deadlocks(): Promise<number> {
  await Promise.all(
    times(connections, () => t.db.withConnection((c) => c.query('select pg_stat_force_next_flush(), pg_sleep(0.01)'))),
  )
  const [row] = await t.db.query<{ deadlocks: number }>(
    'select deadlocks from pg_stat_database where datname = current_database()',
  )
  return row?.deadlocks ?? 0
}

const spec = { bk_cluster_id: 1, bk_namespace_id: 1, bk_node_id: 1, ref: { kind: 'deployment', id: 1 } }
const pod = (name: string, changes: object = {}) => ({
  spec,
  bk_host_id: 1,
  name,
  containers: [{ name: 'c', container_uid: `${name}-uid` }],
  ...changes,
})

/** What each writer sends: the same names in different orders, or names of its own. */
const batches: readonly (readonly [at: string, url: string, body: (names: readonly string[]) => object])[] = [
  [
    'createmany/kube/node',
    '/createmany/kube/node',
    (names) => ({
      bk_biz_id: 1,
      data: names.map((name, i) => ({ bk_cluster_id: 1, bk_host_id: 1 + (i % 2), name, internal_ip: [''] })),
    }),
  ],
  [
    'createmany/kube/namespace',
    '/createmany/kube/namespace',
    (names) => ({ bk_biz_id: 2, data: names.map((name) => ({ bk_cluster_id: 2, name })) }),
  ],
  [
    'createmany/kube/workload/{kind}',
    '/createmany/kube/workload/job',
    (names) => ({
      bk_biz_id: 1,
      data: names.map((name) => ({ bk_namespace_id: 1 + (Number(name.at(-1)) % 2 || 0), name })),
    }),
  ],
  [
    'createmany/kube/pod',
    '/createmany/kube/pod',
    (names) => ({ data: [{ bk_biz_id: 1, pods: names.map((name) => pod(name)) }] }),
  ],
]

describe.each(batches)('%s', (at, url, body) => {
  test(`${at}: eight writers of other names: consecutive ids, no deadlock`, async () => {
    const before = await deadlocks()
    const answers = await atOnce(async (w) => {
      const ids: number[][] = []
      for (let round = 0; round < 3; round += 1)
        ids.push((await api.ok<{ ids: number[] }>(url, body(times(50, (i) => `w${w}-${round}-${i}`)))).ids)
      return ids
    })
    const all = answers.flat()
    for (const ids of all) expect(ids).toEqual(ids.map((_, i) => (ids[0] ?? 0) + i))
    expect(new Set(all.flat()).size).toBe(writers * 3 * 50)
    expect(await deadlocks()).toBe(before)
    expect(await orphans(t.db)).toEqual([])
  })

  test(`${at}: eight writers of the same names in different orders: one wins, no deadlock`, async () => {
    const before = await deadlocks()
    const names = times(60, (i) => `same-${(i * 37) % 60}`)
    const answers = await atOnce((w) => api.send(url, body(w % 2 === 0 ? names : names.toReversed())))
    expect(answers.map((answer) => answer.code).sort()).toEqual([0, ...times(writers - 1, () => 1199014)])
    expect(await deadlocks()).toBe(before)
  })

  test.each(['update', 'skip'])(
    `${at}: eight writers of the same names with on_duplicate %s: the same ids for all, no deadlock`,
    async (on_duplicate) => {
      const before = await deadlocks()
      const names = times(60, (i) => `same-${(i * 37) % 60}`)
      const answers = await atOnce((w) =>
        api.ok<{ ids: number[]; created: number[] }>(url, {
          ...body(w % 2 === 0 ? names : names.toReversed()),
          on_duplicate,
        }),
      )
      const sorted = (ids: readonly number[]) => ids.toSorted((a, b) => a - b)
      for (const { ids } of answers) expect(sorted(ids)).toEqual(sorted(answers[0]?.ids ?? []))
      expect(sorted(answers.flatMap(({ created }) => created))).toEqual(sorted(answers[0]?.ids ?? []))
      expect(await deadlocks()).toBe(before)
    },
  )
})

test('create/kube/cluster: eight writers of one uid: one wins', async () => {
  const answers = await atOnce(() =>
    api.send('/create/kube/cluster', { bk_biz_id: 1, name: 'c', uid: 'same', type: 'SHARE_CLUSTER' }),
  )
  expect(answers.map((answer) => answer.code).sort()).toEqual([0, ...times(writers - 1, () => 1199014)])
})

test('updatemany/kube/pod: eight writers of the same pods in different orders: no deadlock', async () => {
  const { ids } = await api.ok<{ ids: number[] }>('/createmany/kube/pod', {
    data: [{ bk_biz_id: 1, pods: times(100, (i) => pod(`p${i}`)) }],
  })
  const before = await deadlocks()
  await atOnce((w) =>
    api.ok(
      '/updatemany/kube/pod',
      { bk_biz_id: 1, ids: w % 2 === 0 ? ids : ids.toReversed(), data: { ip: `10.0.0.${w}` } },
      { method: 'PUT' },
    ),
  )
  expect(await t.db.query(`select count(distinct ip) as ips from pod where id = any($1)`, [ids])).toEqual([{ ips: 1 }])
  expect(await countRows(t.db)).toMatchObject({ pod: 104 })
  expect(await deadlocks()).toBe(before)
})

/** The rows as their events tell them, in the order of the log: whoever follows it must end up with what is stored. */
async function toldRows(): Promise<Map<string, unknown>> {
  const rows = new Map<string, unknown>()
  for (const { key, type, detail } of await t.db.query<{ key: string; type: string; detail: unknown }>(
    `select resource || ' ' || sub_resource || ' ' || object_id as key, type, detail from event order by seq`,
  ))
    if (type === 'delete') rows.delete(key)
    else rows.set(key, detail)
  return new Map([...rows].sort())
}

async function storedRows(): Promise<Map<string, unknown>> {
  const rows = new Map<string, unknown>()
  for (const table of ['cluster', 'node', 'namespace', 'workload', 'pod'] as const)
    for (const row of await t.db.query<Row>(`select * from ${table}`)) {
      const containers = await t.db.query<Row>('select * from container where bk_pod_id = $1 order by id', [row.id])
      const view = table === 'pod' ? podView({ ...row, containers }) : viewOf(table, row)
      rows.set(`kube_${table} ${row.kind ?? ''} ${row.id}`, view)
    }
  return new Map([...rows].sort())
}

/** A generator of numbers that is the same for the same seed. */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return Math.floor((state / 2 ** 31) * below)
  }
}

test('eight writers of everything: nothing hangs on what is not there, and the events tell what is stored', async () => {
  const expected = new Set([0, 1199006, 1199014, 1199019, 1199998])
  const answers: Answer[] = []
  await atOnce(async (w) => {
    const below = numbers(w + 1)
    const some = () => times(1 + below(5), () => 1 + below(12))
    const where = () => ({ bk_cluster_id: 1 + below(2), bk_namespace_id: 1 + below(6), bk_node_id: 1 + below(5) })
    const duplicate = () => [{}, { on_duplicate: 'update' }, { on_duplicate: 'skip' }][below(3)]
    const remove = (url: string, body: object) => api.send(url, body, { method: 'DELETE' })
    const put = (url: string, body: object) => api.send(url, body, { method: 'PUT' })
    const names = () => [...new Set(some())].map((n) => `n${n}`)
    const actions: readonly (() => Promise<Answer>)[] = [
      () =>
        api.send('/createmany/kube/pod', {
          data: [
            {
              bk_biz_id: 1 + below(2),
              pods: names().map((name) =>
                pod(name, { spec: { ...where(), ref: { kind: 'deployment', id: 1 + below(6) } } }),
              ),
            },
          ],
          ...duplicate(),
        }),
      () =>
        api.send('/createmany/kube/pod', {
          data: [{ bk_biz_id: 1, pods: names().map((name) => pod(name)) }],
          ...duplicate(),
        }),
      () =>
        api.send('/createmany/kube/workload/deployment', {
          bk_biz_id: 1,
          data: names().map((name) => ({ bk_namespace_id: 1 + below(4), name })),
          ...duplicate(),
        }),
      () =>
        api.send('/createmany/kube/namespace', {
          bk_biz_id: 1 + below(2),
          data: names().map((name) => ({ bk_cluster_id: 2, name })),
          ...duplicate(),
        }),
      () =>
        api.send('/createmany/kube/node', {
          bk_biz_id: 1,
          data: names().map((name) => ({ bk_cluster_id: 1 + below(2), bk_host_id: 1, name, internal_ip: [''] })),
          ...duplicate(),
        }),
      () => put('/updatemany/kube/pod', { bk_biz_id: 1, ids: some(), data: { ip: 'x' } }),
      () => put('/updatemany/kube/workload/deployment', { bk_biz_id: 1, ids: some(), data: { replicas: 1 } }),
      () => put('/updatemany/kube/namespace', { bk_biz_id: 1, ids: some(), data: { labels: {} } }),
      () =>
        put('/update/kube/cluster/type', {
          bk_biz_id: 1,
          id: 2,
          type: below(2) === 0 ? 'SHARE_CLUSTER' : 'INDEPENDENT_CLUSTER',
        }),
      () => remove('/deletemany/kube/pod', { data: [{ bk_biz_id: 1, ids: some() }] }),
      () => remove('/deletemany/kube/workload/deployment', { bk_biz_id: 1, ids: some(), force: below(3) === 0 }),
      () => remove('/deletemany/kube/namespace', { bk_biz_id: 1, ids: [2 + below(10)], force: below(3) === 0 }),
      () => remove('/deletemany/kube/node', { bk_biz_id: 1, ids: [2 + below(10)] }),
    ]
    for (let i = 0; i < 25; i += 1) answers.push(await (actions[below(actions.length)] as () => Promise<Answer>)())
  })
  expect(answers.filter(({ code }) => !expected.has(code))).toEqual([])
  expect(answers.some(({ code }) => code === 0)).toBe(true)
  expect(await orphans(t.db)).toEqual([])
  const foreign = await t.db.query(
    `select n.id from namespace n join cluster c on c.id = n.bk_cluster_id
     where n.bk_biz_id <> c.bk_biz_id and (c.type <> 'SHARE_CLUSTER'
       or not exists (select 1 from namespace_shared s where s.bk_namespace_id = n.id))`,
  )
  expect(foreign).toEqual([])
  expect(await toldRows()).toEqual(await storedRows())
})

describe('a parent that goes, or changes, while children are made', () => {
  /** Changes something in a transaction of its own that commits only once the request waits for it. */
  const whileHeld = (change: string, url: string, body: unknown) =>
    t.db.withConnection(async (holder) => {
      await holder.query('begin')
      await holder.query(change)
      const answer = api.send(url, body)
      for (const end = Date.now() + 30_000; ; ) {
        const [row] = await t.db.query<{ n: number }>(
          `select count(*)::int as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
        )
        if ((row?.n ?? 0) > 0) break
        if (Date.now() > end) throw new Error('the request does not wait')
      }
      await holder.query('commit')
      return answer
    })

  const [node, namespace, workload] = batches.map(([, url, body]) => ({ url, body: body(['new']) }))

  test.each([
    ['createmany/kube/node: 1199006 when the cluster goes', node, 'delete from cluster where id = 1', 1199006],
    ['createmany/kube/node: 1199006 when the host goes', node, 'delete from host where id = 1', 1199006],
    [
      'createmany/kube/node: 1199006 when the host moves to another business',
      node,
      'update host set bk_biz_id = 2, valid_from = now() where id = 1',
      1199006,
    ],
    [
      'createmany/kube/namespace: 1199019 when the cluster goes',
      namespace,
      'delete from cluster where id = 2',
      1199019,
    ],
    [
      'createmany/kube/namespace: 1199006 when the cluster is not shared any more',
      namespace,
      `update cluster set type = 'INDEPENDENT_CLUSTER', valid_from = now() where id = 2`,
      1199006,
    ],
    [
      'createmany/kube/workload/{kind}: 1199019 when the namespace goes',
      workload,
      'delete from namespace where id = 1',
      1199019,
    ],
  ] as const)('%s meanwhile', async (_name, request, change, code) => {
    const { url = '', body } = request ?? {}
    expect(await whileHeld(change, url, body)).toMatchObject({ code, details: [{ path: expect.any(String) }] })
    expect(await t.db.query(`select 1 from event where detail->>'name' = 'new'`)).toEqual([])
  })

  test.each([
    [
      'createmany/kube/node',
      node,
      'select 1 from cluster for update; update cluster set region = $$r$$, valid_from = now()',
    ],
    ['createmany/kube/namespace', namespace, 'update cluster set region = $$r$$, valid_from = now()'],
    [
      'createmany/kube/workload/{kind}',
      workload,
      'select 1 from namespace for update; update namespace set labels = $${}$$, valid_from = now()',
    ],
  ] as const)('%s: 0 when a parent only changes meanwhile', async (_at, request, change) => {
    const { url = '', body } = request ?? {}
    expect(await whileHeld(change, url, body)).toMatchObject({ code: 0 })
    expect(await t.db.query(`select 1 from event where detail->>'name' = 'new'`)).toHaveLength(1)
  })
})
