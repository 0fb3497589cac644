/** The label caches (container API reference 2.4). */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { foldCounts, recountRequested } from '../src/inventory/count-sweep.ts'
import { listOperations } from '../src/inventory/list-operations.ts'
import { useDatabase } from './support/database.ts'
import { type InventoryClient, inventoryClient } from './support/inventory-client.ts'

const t = useDatabase()
let api: InventoryClient
beforeAll(async () => {
  api = await inventoryClient(listOperations(t.db))
})
afterAll(() => api.app.close())
beforeEach(async () => {
  await t.db.query('truncate pod, container, namespace_shared, recount_request')
})

const keyPath = '/cache/findmany/kube/pod/label/key'
const valuePath = '/cache/findmany/kube/pod/label/value'
const keys = async (bk_biz_id: number, headers: Record<string, string> = {}) =>
  (await api.ok<{ keys: string[] }>(keyPath, { bk_biz_id }, { headers })).keys
const values = async (bk_biz_id: number, key: string) =>
  (await api.ok<{ values: string[] }>(valuePath, { bk_biz_id, key })).values

let id = 0
const addPod = (labels: object | null, place: { biz?: number; namespace?: number; account?: string } = {}) =>
  t.db.query(
    `insert into pod (id, bk_biz_id, bk_namespace_id, bk_supplier_account, ref_kind, ref_id, name, labels)
     values ($1, $2, $3, $4, 'deployment', 1, 'p' || $1::bigint, $5)`,
    [++id, place.biz ?? 1, place.namespace ?? 1, place.account ?? '0', labels === null ? null : JSON.stringify(labels)],
  )
const invalid = "'opt' the parameter is invalid or does not exist"

describe('cache/findmany/kube/pod/label/key and value', () => {
  test('cache/findmany/kube/pod/label/key: 0 with each key once, folded or not', async () => {
    await addPod({ app: 'web', 'app.kubernetes.io/name': 'web' })
    await addPod({ app: 'db', env: '' })
    await addPod({})
    await addPod(null)
    await addPod({ other: 'x' }, { biz: 2 })
    for (const _ of [1, 2]) {
      expect(await keys(1)).toEqual(['app', 'app.kubernetes.io/name', 'env'])
      expect(await keys(2)).toEqual(['other'])
      expect(await keys(3)).toEqual([])
      await foldCounts(t.db)
    }
  })

  test('cache/findmany/kube/pod/label/value: 0 with each value once, folded or not', async () => {
    for (const app of ['web', 'db', 'web', '']) await addPod({ app })
    await addPod({ app: 'other' }, { biz: 2 })
    for (const _ of [1, 2]) {
      expect(await values(1, 'app')).toEqual(['', 'db', 'web'])
      expect(await values(1, 'App')).toEqual([])
      expect(await values(2, 'app')).toEqual(['other'])
      await foldCounts(t.db)
    }
  })

  test('cache/findmany/kube/pod/label/key: 0 without what its last pod took along', async () => {
    await addPod({ app: 'web', gone: 'x' })
    await foldCounts(t.db)
    await addPod({ app: 'db' })
    await t.db.query(`update pod set labels = '{"app": "web"}' where labels ? 'gone'`)
    expect(await keys(1)).toEqual(['app'])
    await t.db.query(`delete from pod where labels @> '{"app": "web"}'`)
    for (const _ of [1, 2]) {
      expect(await keys(1)).toEqual(['app'])
      expect(await values(1, 'app')).toEqual(['db'])
      await foldCounts(t.db)
    }
  })

  test('cache/findmany/kube/pod/label/key: 0 with what others put into the business’s shared clusters', async () => {
    await t.db.query('insert into namespace_shared values (7, 1, 2, 1)')
    await addPod({ own: 'a' })
    await addPod({ theirs: 'b' }, { biz: 2, namespace: 7 })
    await addPod({ elsewhere: 'c' }, { biz: 2, namespace: 8 })
    expect(await keys(1)).toEqual(['own', 'theirs'])
    expect(await values(1, 'theirs')).toEqual(['b'])
    expect(await keys(2)).toEqual(['elsewhere', 'theirs'])
  })

  test('cache/findmany/kube/pod/label/key: 0 for the tenants that the caller reads', async () => {
    await addPod({ all: 'a' })
    await addPod({ mine: 'b' }, { account: 'one' })
    expect(await keys(1)).toEqual(['all'])
    expect(await keys(1, { 'x-bkcmdb-supplier-account': 'one' })).toEqual(['all', 'mine'])
    expect(await keys(1, { 'x-bkcmdb-supplier-account': 'superadmin' })).toEqual(['all', 'mine'])
  })

  test('keys and values of any length', async () => {
    const long = 'k'.repeat(10_000)
    await addPod({ [long]: long })
    expect(await keys(1)).toEqual([long])
    expect(await values(1, long)).toEqual([long])
    await foldCounts(t.db)
    expect(await values(1, long)).toEqual([long])
  })

  test('read no pods: without the table they answer the same', async () => {
    await addPod({ app: 'web' })
    await t.db.query('alter table pod rename to pod_away')
    try {
      expect(await keys(1)).toEqual(['app'])
      expect(await values(1, 'app')).toEqual(['web'])
    } finally {
      await t.db.query('alter table pod_away rename to pod')
    }
  })

  test.each([{}, { bk_biz_id: 0 }, { bk_biz_id: -1 }, { bk_biz_id: null }])(
    'cache/findmany/kube/pod/label/key: 1199011 opt for %j',
    async (body) => expect(await api.refused(keyPath, body)).toEqual([1199011, invalid]),
  )
  test.each([{}, { bk_biz_id: 1 }, { bk_biz_id: 1, key: '' }, { bk_biz_id: 1, key: null }, { bk_biz_id: 0, key: 'a' }])(
    'cache/findmany/kube/pod/label/value: 1199011 opt for %j',
    async (body) => expect(await api.refused(valuePath, body)).toEqual([1199011, invalid]),
  )
})

describe('refreshes', () => {
  test.each(['cache/refresh/kube/pod/label', 'cache/refresh/biz/kube/topo'])(
    '%s: 0 with null at once; the business is counted anew',
    async (path) => {
      await addPod({ app: 'web' })
      expect(await api.ok(`/${path}`, { bk_biz_id: 1 })).toBeNull()
      expect(await api.ok(`/${path}`, { bk_biz_id: 1 })).toBeNull()
      await t.db.query('delete from label_count_delta')
      expect(await keys(1)).toEqual([])
      const repaired: number[] = []
      await recountRequested(t.db, (business) => repaired.push(business))
      expect(repaired).toEqual([1])
      expect(await keys(1)).toEqual(['app'])
    },
  )
  test.each(['cache/refresh/kube/pod/label', 'cache/refresh/biz/kube/topo'])('%s: 1199011 opt', async (path) => {
    expect(await api.refused(`/${path}`, {})).toEqual([1199011, invalid])
  })
})
