import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { kubeOperations } from '../src/inventory/kube-operations.ts'
import { listOperations } from '../src/inventory/list-operations.ts'
import { useDatabase } from './support/database.ts'
import { type InventoryClient, inventoryClient } from './support/inventory-client.ts'
import { addSharedWorld } from './support/shared-world.ts'

const t = useDatabase()
const seconds = 1_767_600_000
let api: InventoryClient

type Row = Record<string, unknown> & { readonly id: number }
type Listed = { count: number; info: Row[] }
const page = { limit: 500 }
const list = (what: string, body: object) => api.ok<Listed>(`/findmany/kube/${what}`, body)
const idsOf = async (what: string, body: object) => (await list(what, body)).info.map((row) => row.id)
const all = (what: string, bk_biz_id: number) => idsOf(what, { bk_biz_id, page })

beforeAll(async () => {
  api = await inventoryClient([...kubeOperations({ db: t.db, now: () => seconds * 1000 }), ...listOperations(t.db)])
  await addSharedWorld(t.db, api)
})
afterAll(() => api.app.close())

describe('who sees what', () => {
  test.each([
    ['cluster', 1, [1, 2]],
    ['cluster', 2, [2]],
    ['cluster', 3, [3]],
    ['node', 1, [1, 2]],
    ['node', 2, []],
    ['namespace', 1, [1, 2, 3]],
    ['namespace', 2, [3]],
    ['workload/deployment', 1, [1, 2, 3]],
    ['workload/deployment', 2, [3]],
    ['workload/customResource', 1, [1]],
    ['workload/statefulSet', 1, []],
    ['pod', 1, [1, 2, 3, 4]],
    ['pod', 2, [4]],
    ['container', 1, [1, 2, 3, 4, 5, 6, 7, 8]],
    ['container', 2, [7, 8]],
    ['pod', 9, []],
  ])('%s of business %d: %j', async (what, business, ids) => {
    expect(await all(what, business)).toEqual(ids)
  })

  test('another tenant sees nothing of its own, but what account 0 has', async () => {
    await t.db.query(`update pod set bk_supplier_account = 'one' where id = 2`)
    const seenBy = async (account: string) =>
      (
        await api.ok<Listed>(
          '/findmany/kube/pod',
          { bk_biz_id: 1, page },
          { headers: { 'x-bkcmdb-supplier-account': account } },
        )
      ).info.map((row) => row.id)
    expect(await seenBy('0')).toEqual([1, 3, 4])
    expect(await seenBy('one')).toEqual([1, 2, 3, 4])
    expect(await seenBy('two')).toEqual([1, 3, 4])
    expect(await seenBy('superadmin')).toEqual([1, 2, 3, 4])
    await t.db.query(`update pod set bk_supplier_account = '0' where id = 2`)
  })
})

describe('rows and fields', () => {
  const stamps = { creator: 'admin', modifier: 'admin', create_time: seconds, last_time: seconds }

  test('a pod shows what was given, zeros included, and nothing that was not', async () => {
    const { count, info } = await list('pod', { bk_biz_id: 1, page: { limit: 1 } })
    expect(count).toBe(0)
    expect(info).toEqual([
      {
        id: 1,
        bk_biz_id: 1,
        bk_supplier_account: '0',
        bk_cluster_id: 1,
        cluster_uid: 'own',
        bk_namespace_id: 1,
        namespace: 'default',
        ref: { kind: 'deployment', name: 'web1', id: 1 },
        bk_host_id: 1,
        bk_node_id: 1,
        node_name: 'node1',
        name: 'pod-1',
        operator: ['ann'],
        priority: 0,
        labels: { 'app.kubernetes.io/name': 'web', env: 'test' },
        ip: '10.1.0.1',
        ips: [{ ip: '10.1.0.1' }, { ip: 'fd00::1' }],
        qos_class: 'Burstable',
        ...stamps,
      },
    ])
  })

  test.each([
    ['cluster', { id: 0, bk_biz_id: 0, bk_supplier_account: '', name: 'c' }],
    ['node', { name: 'node1' }],
    ['namespace', { name: 'default' }],
    ['workload/deployment', { name: 'web1' }],
    ['pod', { name: 'pod-1' }],
    ['container', { bk_supplier_account: '', name: 'main' }],
  ])('fields of %s', async (what, row) => {
    const fields = ['name', 'nonsense', '"; drop table pod']
    expect((await list(what, { bk_biz_id: 1, fields, page: { limit: 1 } })).info).toEqual([row])
  })

  test('a container shows its pod, and ref without a name', async () => {
    const { info } = await list('container', { bk_biz_id: 1, bk_pod_id: 2, page, filter: null, fields: [] })
    expect(info).toHaveLength(2)
    expect(info[0]).toMatchObject({
      id: 3,
      bk_pod_id: 2,
      ref: { kind: 'deployment', id: 1 },
      image: 'nginx',
      started: 0,
    })
    expect(info[1]).toMatchObject({ id: 4, name: 'side', image: '' })
  })

  test('replicas 0 and an empty version stay', async () => {
    expect((await list('workload/deployment', { bk_biz_id: 1, page })).info[0]).toMatchObject({ replicas: 0 })
    expect((await list('cluster', { bk_biz_id: 1, page })).info[0]).toMatchObject({ version: '', region: 'north' })
  })
})

describe('pages', () => {
  const pods = (p: object) => idsOf('pod', { bk_biz_id: 1, page: p })

  test('start, limit and sort', async () => {
    expect(await pods({ start: 1, limit: 2 })).toEqual([2, 3])
    expect(await pods({ start: 10, limit: 2 })).toEqual([])
    expect(await pods({ limit: 500, sort: '-id' })).toEqual([4, 3, 2, 1])
    expect(await pods({ limit: 500, sort: 'id:-1' })).toEqual([4, 3, 2, 1])
    expect(await pods({ limit: 500, sort: 'bk_namespace_id:-1,name:1' })).toEqual([4, 1, 2, 3])
    expect(await pods({ limit: 500, sort: 'nonsense' })).toEqual([1, 2, 3, 4])
    // What was never given comes first.
    expect(await pods({ limit: 500, sort: '-priority' })).toEqual([2, 1, 3, 4])
    expect(await pods({ limit: 500, sort: 'priority,-id' })).toEqual([4, 3, 1, 2])
  })

  test('a count has no rows', async () => {
    expect(await list('pod', { bk_biz_id: 1, page: { enable_count: true } })).toEqual({ count: 4, info: [] })
    const filter = { field: 'priority', operator: 'exist' }
    expect(
      await list('pod', { bk_biz_id: 1, filter, page: { enable_count: true, start: 0, limit: 0, sort: '' } }),
    ).toEqual({
      count: 2,
      info: [],
    })
  })

  test('the list of workloads asks for a kind, but for no business', async () => {
    expect(await list('workload/job', { page })).toEqual({ count: 0, info: [] })
    expect(await api.refused('/findmany/kube/workload/daemonset', {})).toEqual([
      1199006,
      "'kind' data parameter verification does not pass",
    ])
    expect(
      (await api.ok<Listed>('/api/c/compapi/v2/cc/list_kube_workload/', { kind: 'deployment', bk_biz_id: 2, page }))
        .info,
    ).toHaveLength(1)
  })

  test('a negative pod is refused', async () => {
    expect((await api.refused('/findmany/kube/container', { bk_biz_id: 1, bk_pod_id: -1, page }))[0]).toBe(1199006)
  })
})

describe('filters', () => {
  const atom = (field: string, operator: string, value?: unknown) => ({ field, operator, value })
  const inObject = (field: string, rule: object) => atom(field, 'filter_object', rule)
  const and = (...rules: object[]) => ({ condition: 'AND', rules })
  const or = (...rules: object[]) => ({ condition: 'OR', rules })

  test.each([
    ['pod', atom('id', 'in', [1, 3]), [1, 3]],
    ['pod', atom('name', 'equal', 'pod-2'), [2]],
    ['pod', atom('name', 'contains', 'POD-1'), [1]],
    ['pod', atom('name', 'not_contains', 'POD-1'), [1, 2, 3, 4]],
    ['pod', atom('ip', 'equal', '10.1.0.3'), [3]],
    ['pod', atom('priority', 'greater', 0), [2]],
    ['pod', atom('priority', 'not_equal', 5), [1, 3, 4]],
    ['pod', atom('priority', 'is_null'), [3, 4]],
    ['pod', atom('create_time', 'greater_or_equal', seconds), [1, 2, 3, 4]],
    ['pod', atom('create_time', 'datetime_less', '2001-01-01 00:00:00'), []],
    ['pod', atom('controlled_by', 'equal', 'x'), []],
    ['pod', atom('controlled_by', 'not_equal', 'x'), [1, 2, 3, 4]],
    ['pod', atom('ref.kind', 'equal', 'deployment'), [1, 2, 3, 4]],
    ['pod', and(atom('ref.id', 'equal', 3), atom('ref.name', 'begins_with', 'web')), [4]],
    ['pod', inObject('ref', and(atom('kind', 'equal', 'deployment'), atom('id', 'in', [3, 4]))), [4]],
    ['pod', atom('ref', 'exist'), [1, 2, 3, 4]],
    ['pod', inObject('labels', atom('app.kubernetes.io/name', 'equal', 'web')), [1]],
    ['pod', inObject('labels', atom('env', 'begins_with_i', 'te')), [1, 2]],
    ['pod', inObject('labels', atom('env', 'in', ['test', 'TEST'])), [1, 2]],
    ['pod', inObject('labels', atom('env', 'not_equal', 'test')), [2, 3, 4]],
    ['pod', inObject('labels', atom('env', 'not_exist')), [3, 4]],
    ['pod', and(inObject('labels', and(atom('env', 'exist'), atom('app.kubernetes.io/name', 'not_exist')))), [2]],
    ['pod', inObject('volumes', atom('name', 'equal', 'data')), [2]],
    ['pod', inObject('tolerations', and(atom('key', 'equal', 'b'), atom('value', 'equal', 'x'))), [3]],
    ['pod', inObject('tolerations', and(atom('key', 'equal', 'a'), atom('value', 'equal', 'x'))), []],
    ['pod', atom('operator', 'filter_array', atom('element', 'equal', 'ann')), [1, 2, 3, 4]],
    ['pod', atom('ips', 'filter_array', inObject('element', atom('ip', 'equal', 'fd00::2'))), [2]],
    ['pod', atom('ips', 'size', 2), [1, 2, 3, 4]],
    ['pod', atom('ips', 'is_empty'), []],
    ['pod', and(atom('bk_node_id', 'equal', 1), or(atom('id', 'less', 2), atom('id', 'greater', 2))), [1, 3]],
    ['namespace', inObject('labels', atom('app.kubernetes.io/name', 'equal', 'web')), [1]],
    ['namespace', atom('bk_cluster_id', 'equal', 2), [2, 3]],
    ['node', inObject('labels', atom('kubernetes.io/os', 'ends_with', 'nux')), [1]],
    ['node', atom('unschedulable', 'equal', false), [1, 2]],
    ['node', atom('external_ip', 'is_not_empty'), [2]],
    ['node', atom('internal_ip', 'is_empty'), [2]],
    ['cluster', atom('network', 'equal', '2.2.2.0/21'), [1, 2]],
    ['cluster', atom('region', 'not_in', ['north']), [2]],
    ['cluster', atom('bk_project_id', 'is_null'), [1, 2]],
    ['workload/deployment', atom('replicas', 'equal', 0), [1, 2, 3]],
    ['workload/deployment', atom('bk_namespace_id', 'equal', 2), [2]],
    ['workload/customResource', atom('cr_kind', 'equal', 'Squad'), [1]],
    ['container', atom('image', 'equal', 'nginx'), [1, 3, 5, 7]],
    ['container', and(atom('bk_pod_id', 'equal', 1), atom('name', 'equal', 'side')), [2]],
    ['container', atom('ref.id', 'equal', 3), [7, 8]],
  ])('%s %j', async (what, filter, ids) => {
    expect(await idsOf(what, { bk_biz_id: 1, filter, page })).toEqual(ids)
    expect((await list(what, { bk_biz_id: 1, filter, page: { enable_count: true } })).count).toBe(ids.length)
  })

  test.each([
    ['pod', and(and(and(atom('id', 'equal', 1)))), 'accepted'],
    ['node', and(and(and(atom('id', 'equal', 1)))), 'expression rules depth exceeds maximum'],
    ['node', atom('has_pod', 'equal', true), 'rule field: has_pod is not exist in the expr option'],
    ['workload/deployment', atom('bk_biz_id', 'equal', 1), 'rule field: bk_biz_id is not exist in the expr option'],
    ['workload/deployment', atom('cr_kind', 'equal', 'x'), 'rule field: cr_kind is not exist in the expr option'],
    ['container', atom('ref.name', 'equal', 'x'), 'rule field: ref.name is not exist in the expr option'],
    ['pod', atom('name', 'between', [1, 2]), 'unsupported operator: between'],
    ['pod', atom('ips', 'equal', 'x'), "invalid ips's value, unsupported value type format: array"],
  ])('%s %j: %s', async (what, filter, text) => {
    const answer = await api.send(`/findmany/kube/${what}`, { bk_biz_id: 1, filter, page })
    if (text === 'accepted') expect(answer.code).toBe(0)
    else expect(answer).toMatchObject({ code: 1199006, message: `'${text}' data parameter verification does not pass` })
  })

  test('the widest filter that is allowed is answered', async () => {
    const wide = and(...Array(50).fill(or(...Array.from({ length: 50 }, (_, n) => atom('id', 'not_equal', n)))))
    expect(await idsOf('pod', { bk_biz_id: 1, filter: wide, page })).toEqual([1, 2, 3, 4])
  })
})
