/** findmany/kube/container/by_topo (container API reference 2.4). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { foldCounts } from '../src/inventory/count-sweep.ts'
import { kubeOperations } from '../src/inventory/kube-operations.ts'
import { listOperations } from '../src/inventory/list-operations.ts'
import { useDatabase } from './support/database.ts'
import { type InventoryClient, inventoryClient } from './support/inventory-client.ts'
import { addSharedWorld } from './support/shared-world.ts'

const t = useDatabase()
let api: InventoryClient
beforeAll(async () => {
  api = await inventoryClient([...kubeOperations({ db: t.db, now: Date.now }), ...listOperations(t.db)])
  await addSharedWorld(t.db, api)
})
afterAll(() => api.app.close())

const path = '/findmany/kube/container/by_topo'
type Found = { count: number; info: { container: { id: number }; pod: object; topo: object }[]; next_cursor?: string }
const body = { bk_biz_id: 1, pod_fields: ['name'], container_fields: ['id'], page: { limit: 10 } }
const find = (changes: object) => api.ok<Found>(path, { ...body, ...changes })
const idsOf = async (changes: object) => (await find(changes)).info.map((one) => one.container.id)
const below = (...places: (readonly [string, number])[]) => ({
  bk_kube_nodes: places.map(([kind, id]) => ({ kind, id })),
})
const atom = (field: string, operator: string, value?: unknown) => ({ field, operator, value })

describe('findmany/kube/container/by_topo', () => {
  test.each([
    [{}, [1, 2, 3, 4, 5, 6]],
    [{ bk_biz_id: 2 }, [7, 8]],
    [below(['cluster', 1]), [1, 2, 3, 4, 5, 6]],
    [below(['cluster', 2]), []],
    [{ ...below(['cluster', 2]), bk_biz_id: 2 }, [7, 8]],
    [below(['namespace', 1]), [1, 2, 3, 4, 5, 6]],
    [below(['deployment', 1]), [1, 2, 3, 4, 5, 6]],
    [below(['job', 1], ['deployment', 3]), []],
    [below(['job', 1], ['deployment', 1]), [1, 2, 3, 4, 5, 6]],
    [below(['biz', 1], ['node', 1], ['folder', 1]), []],
    [{ pod_filter: atom('name', 'equal', 'pod-2') }, [3, 4]],
    [{ container_filter: atom('name', 'equal', 'side') }, [2, 4, 6]],
    [{ pod_filter: atom('ref.id', 'equal', 1), container_filter: atom('image', 'equal', 'nginx') }, [1, 3, 5]],
    [{ pod_filter: atom('ref', 'filter_object', atom('kind', 'equal', 'job')) }, []],
    [
      { ...below(['namespace', 1]), pod_filter: atom('id', 'less', 3), container_filter: atom('ref.id', 'equal', 1) },
      [1, 2, 3, 4],
    ],
    [{ page: { start: 1, limit: 2 } }, [2, 3]],
    [{ page: { limit: 2, sort: '-id' } }, [6, 5]],
    [{ page: { limit: 3, sort: 'name' } }, [1, 3, 5]],
    [{ bk_kube_nodes: null, pod_filter: null, container_filter: null, page: { limit: 1 } }, [1]],
  ])('findmany/kube/container/by_topo: 0 for %j: %j', async (changes, ids) => {
    expect(await idsOf(changes)).toEqual(ids)
  })

  test('findmany/kube/container/by_topo: 0 with raw rows: zero as zero, unset and unknown as null', async () => {
    const pod_fields = ['id', 'name', 'labels', 'priority', 'ref', 'qos_class', 'controlled_by', 'nonsense', 'name']
    const container_fields = ['id', 'image', 'started', 'ports', 'ref', 'bk_supplier_account']
    expect((await find({ pod_fields, container_fields, page: { start: 1, limit: 1 } })).info).toEqual([
      {
        container: {
          id: 2,
          image: '',
          started: null,
          ports: null,
          ref: { kind: 'deployment', id: 1 },
          bk_supplier_account: '0',
        },
        pod: {
          id: 1,
          name: 'pod-1',
          labels: { 'app.kubernetes.io/name': 'web', env: 'test' },
          priority: 0,
          ref: { kind: 'deployment', name: 'web1', id: 1 },
          qos_class: 'Burstable',
          controlled_by: null,
          nonsense: null,
        },
        topo: {
          bk_biz_id: 1,
          bk_cluster_id: 1,
          bk_namespace_id: 1,
          bk_workload_id: 1,
          workload_type: 'deployment',
          bk_host_id: 1,
        },
      },
    ])
  })

  test('findmany/kube/container/by_topo: 0 with a count', async () => {
    expect(await find({ page: { enable_count: true }, pod_filter: atom('id', 'less', 3) })).toEqual({
      count: 4,
      info: [],
    })
    const count = async (changes: object) => (await find({ page: { enable_count: true }, ...changes })).count
    for (const _ of [1, 2]) {
      expect(await count({})).toBe(6)
      expect(await count({ bk_biz_id: 2 })).toBe(2)
      expect(await count(below(['cluster', 1], ['deployment', 1]))).toBe(6)
      expect(await count(below(['namespace', 3], ['job', 1]))).toBe(0)
      expect(await count({ ...below(['namespace', 3]), bk_biz_id: 2 })).toBe(2)
      await foldCounts(t.db)
    }
  })

  test('findmany/kube/container/by_topo: 0 through a cursor', async () => {
    const ids: number[] = []
    for (let cursor = ''; ; ) {
      const data = await find({ page: { cursor, limit: 4 } })
      ids.push(...data.info.map((one) => one.container.id))
      cursor = data.next_cursor as string
      if (cursor === '') break
    }
    expect(ids).toEqual([1, 2, 3, 4, 5, 6])
  })

  test('more unknown fields than anybody means are left out of the answer', async () => {
    const nonsense = Array.from({ length: 5_000 }, (_, i) => `f${i}`)
    const [row] = (await find({ pod_fields: ['name', ...nonsense, 'x'.repeat(1_000)], page: { limit: 1 } })).info
    expect(Object.keys(row?.pod ?? {})).toHaveLength(101)
  })

  // In the order in which they are looked at: each body has all later faults, too.
  const bad = {
    bk_kube_nodes: [{ kind: 'workload', id: 1 }],
    pod_filter: atom('x', 'equal', 1),
    container_filter: atom('y', 'equal', 1),
    page: {},
  }
  const mismatch = (what: string) => `'${what}' data parameter verification does not pass`
  const unknown = (what: string) => mismatch(`rule field: ${what} is not exist in the expr option`)
  test.each([
    [1199010, "'bk_biz_id' unassigned", { ...bad, bk_kube_nodes: Array(201).fill({ kind: 'x' }) }],
    [
      1199035,
      ' bk_kube_nodes exceed the limit 200',
      { ...bad, bk_biz_id: 1, bk_kube_nodes: Array(201).fill({ kind: 'x' }) },
    ],
    [1199006, mismatch('non-kube objects'), { ...bad, bk_biz_id: 1 }],
    [1199006, mismatch('non-kube objects'), { ...bad, bk_biz_id: 1, bk_kube_nodes: [{ kind: 'pod', id: 1 }] }],
    [1199006, unknown('x'), { ...bad, bk_biz_id: 1, bk_kube_nodes: [] }],
    [1199006, unknown('y'), { ...bad, bk_biz_id: 1, bk_kube_nodes: [], pod_filter: null }],
    [1199010, "'pod_fields' unassigned", { bk_biz_id: 1, page: {} }],
    [1199010, "'container_fields' unassigned", { bk_biz_id: 1, pod_fields: ['id'], container_fields: [], page: {} }],
    [1199011, "'page.limit' the parameter is invalid or does not exist", { ...body, page: {} }],
    [1199011, "'page.start' the parameter is invalid or does not exist", { ...body, page: { start: -1 } }],
    [1199006, mismatch('page.enable_count'), { ...body, page: { enable_count: true, limit: 1 } }],
    [1199006, mismatch('page.cursor'), { ...body, page: { cursor: 'x', limit: 1 } }],
    [1199059, 'page limit is exceeded. suggestion 200', { ...body, page: { limit: 501 } }],
  ])('findmany/kube/container/by_topo: %d %s (%#)', async (code, message, changes) => {
    expect(await api.refused(path, changes)).toEqual([code, message])
  })
})
