/** `page.cursor`: the way through long lists that neither repeats nor misses a row, whatever is written meanwhile. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { foldCounts } from '../src/inventory/count-sweep.ts'
import { listOperations } from '../src/inventory/list-operations.ts'
import { useDatabase } from './support/database.ts'
import { type InventoryClient, inventoryClient } from './support/inventory-client.ts'

const t = useDatabase()
let api: InventoryClient
beforeAll(async () => {
  api = await inventoryClient(listOperations(t.db))
})
afterAll(() => api.app.close())

type Listed = { count: number; info: { id: number; name: string }[]; next_cursor: string }

/** All ids of a list, page by page; `between` runs after each page. */
async function walk(path: string, body: object, limit: number, between?: (seen: number) => Promise<void>) {
  const ids: number[] = []
  let cursor = ''
  do {
    const data = await api.ok<Listed>(path, { ...body, page: { cursor, limit } })
    expect(data.info.length).toBeLessThanOrEqual(limit)
    ids.push(...data.info.map((row) => row.id))
    await between?.(ids.length)
    cursor = data.next_cursor
  } while (cursor !== '')
  return ids
}

// Business 1 has a cluster of its own (1) and a shared one (2), which businesses 2 and 3 use; pods 1 to 60 lie in turn in
// namespaces 1 (business 1, cluster 1), 2 (business 1, cluster 2), 3 (business 2, cluster 2) and 4 (business 3, cluster 2).
beforeAll(async () => {
  await t.db.query(`insert into cluster (id, bk_biz_id, name, uid, type)
    select i, 1, 'c' || i, 'u' || i, 'SHARE_CLUSTER' from generate_series(1, 2) i`)
  await t.db.query(`insert into namespace (id, bk_biz_id, bk_cluster_id, name)
    select i, greatest(i - 1, 1), case i when 1 then 1 else 2 end, 'n' || i from generate_series(1, 4) i`)
  await t.db.query('insert into namespace_shared values (3, 2, 2, 1), (4, 2, 3, 1)')
  await t.db.query(
    `insert into node (id, bk_biz_id, bk_cluster_id, name) select i, 1, 1, 'node' || i from generate_series(1, 9) i`,
  )
  await t.db.query(`insert into workload (kind, id, bk_biz_id, bk_cluster_id, bk_namespace_id, name)
    select kind, n.id, n.bk_biz_id, n.bk_cluster_id, n.id, 'w' from namespace n, unnest('{deployment,job}'::text[]) kind`)
  await t.db.query(`insert into pod (id, bk_biz_id, bk_cluster_id, bk_namespace_id, ref_kind, ref_id, name, labels)
    select i, n.bk_biz_id, n.bk_cluster_id, n.id, 'deployment', n.id, 'p' || i, case when i % 3 = 0 then '{"app": "web", "env": ""}' else '{"app": "db"}' end::jsonb
    from generate_series(1, 60) i join namespace n on n.id = 1 + i % 4`)
  await t.db.query(`insert into container (id, bk_pod_id, bk_biz_id, bk_cluster_id, bk_namespace_id, ref_kind, ref_id, container_uid)
    select p.id * 2 + k, p.id, p.bk_biz_id, p.bk_cluster_id, p.bk_namespace_id, 'deployment', p.ref_id, k::text from pod p, generate_series(0, 1) k`)
})
const upTo = (n: number, keep: (i: number) => boolean = () => true) =>
  Array.from({ length: n }, (_, i) => i + 1).filter(keep)

describe('page.cursor', () => {
  test.each([
    ['findmany/kube/cluster', 1, [1, 2]],
    ['findmany/kube/cluster', 2, [2]],
    ['findmany/kube/node', 1, upTo(9)],
    ['findmany/kube/namespace', 1, [1, 2, 3, 4]],
    ['findmany/kube/namespace', 3, [4]],
    ['findmany/kube/workload/job', 1, [1, 2, 3, 4]],
    ['findmany/kube/workload/job', 2, [3]],
    ['findmany/kube/pod', 1, upTo(60)],
    ['findmany/kube/pod', 2, upTo(60, (i) => i % 4 === 2)],
    ['findmany/kube/pod', 9, []],
    ['findmany/kube/container', 1, upTo(121).slice(1)],
    ['findmany/kube/container', 3, upTo(121, (i) => Math.floor(i / 2) % 4 === 3)],
  ])('%s of business %d: every row once, in order, whatever the page', async (path, bk_biz_id, ids) => {
    for (const limit of [1, 3, 60, 500]) expect(await walk(`/${path}`, { bk_biz_id }, limit)).toEqual(ids)
    const all = await api.ok<Listed>(`/${path}`, { bk_biz_id, page: { limit: 500 } })
    expect(all).not.toHaveProperty('next_cursor')
    expect(all.info.map((row) => row.id)).toEqual(ids)
    expect(await api.ok(`/${path}`, { bk_biz_id, page: { enable_count: true } })).toEqual({
      count: ids.length,
      info: [],
    })
  })

  test('goes with a filter and with fields that leave the id out', async () => {
    const filter = {
      field: 'labels',
      operator: 'filter_object',
      value: { field: 'app', operator: 'equal', value: 'web' },
    }
    expect(await walk('/findmany/kube/pod', { bk_biz_id: 1, filter }, 7)).toEqual(upTo(60, (i) => i % 3 === 0))
    const names: string[] = []
    for (let cursor = ''; ; ) {
      const data = await api.ok<Listed>('/findmany/kube/pod', {
        bk_biz_id: 2,
        fields: ['name'],
        page: { cursor, limit: 4 },
      })
      names.push(...data.info.map((row) => row.name))
      for (const row of data.info) expect(Object.keys(row)).toEqual(['name'])
      cursor = data.next_cursor
      if (cursor === '') break
    }
    expect(names).toEqual(upTo(60, (i) => i % 4 === 2).map((i) => `p${i}`))
  })

  test('rows that are removed and added on the way neither repeat nor hide others', async () => {
    await t.db.query(
      `insert into node (id, bk_biz_id, bk_cluster_id, name) select i, 5, 1, 'x' || i from generate_series(101, 120) i`,
    )
    const ids = await walk('/findmany/kube/node', { bk_biz_id: 5 }, 4, async (seen) => {
      await t.db.query('delete from node where id = 101 or id = $1', [100 + seen])
      await t.db.query(
        `insert into node (id, bk_biz_id, bk_cluster_id, name) select i, 5, 1, 'y' || i from unnest(array[$1, $2]::bigint[]) i`,
        [50 + seen, 200 + seen],
      )
    })
    expect(ids.filter((id) => id > 100 && id <= 120)).toEqual(upTo(20).map((i) => i + 100))
    expect(new Set(ids).size).toBe(ids.length)
  })

  test('a cursor of another list is refused', async () => {
    const { next_cursor: cursor } = await api.ok<Listed>('/findmany/kube/pod', {
      bk_biz_id: 1,
      page: { cursor: '', limit: 1 },
    })
    for (const path of ['cluster', 'node', 'namespace', 'container', 'workload/deployment'])
      expect(await api.refused(`/findmany/kube/${path}`, { bk_biz_id: 1, page: { cursor, limit: 1 } })).toEqual([
        1199006,
        "'page.cursor' data parameter verification does not pass",
      ])
  })

  test('null is no cursor', async () => {
    expect(await api.ok('/findmany/kube/pod', { bk_biz_id: 9, page: { cursor: null, limit: 1 } })).toEqual({
      count: 0,
      info: [],
    })
  })
})

describe('pages of a shared cluster', () => {
  test('start and limit run over own and others’ rows together', async () => {
    const ids = async (page: object) =>
      (await api.ok<Listed>('/findmany/kube/pod', { bk_biz_id: 1, page })).info.map((row) => row.id)
    expect(await ids({ start: 10, limit: 5 })).toEqual([11, 12, 13, 14, 15])
    expect(await ids({ start: 58, limit: 5 })).toEqual([59, 60])
    expect(await ids({ start: 60, limit: 5 })).toEqual([])
    expect(await ids({ start: 1, limit: 2, sort: '-id' })).toEqual([59, 58])
    expect(await ids({ limit: 3, sort: 'bk_namespace_id,-id' })).toEqual([60, 56, 52])
  })
})

describe('counts', () => {
  const label = (value: unknown, operator = 'equal', field = 'app') => ({
    field: 'labels',
    operator: 'filter_object',
    value: { field, operator, value },
  })
  const and = (...rules: object[]) => ({ condition: 'AND', rules })

  test.each([
    ['pod', 1, undefined, 60],
    ['pod', 2, undefined, 15],
    ['container', 1, undefined, 120],
    ['container', 3, undefined, 30],
    ['pod', 1, label('web'), 20],
    ['pod', 2, label('web'), 5],
    ['pod', 1, and(label('web')), 20],
    [
      'pod',
      1,
      { field: 'labels', operator: 'filter_object', value: and({ field: 'env', operator: 'equal', value: '' }) },
      20,
    ],
    ['pod', 1, label('nothing'), 0],
    ['pod', 1, label(1), 0],
    ['pod', 1, label('web', 'not_equal'), 40],
    ['pod', 1, label(['web', 'db'], 'in'), 60],
    ['pod', 1, and(label('web'), label('', 'equal', 'env')), 20],
    ['pod', 1, and(label('web'), { field: 'bk_namespace_id', operator: 'equal', value: 3 }), 5],
    ['container', 1, { field: 'bk_pod_id', operator: 'equal', value: 3 }, 2],
  ])('of %ss of business %d by %j: %d, folded or not', async (what, bk_biz_id, filter, count) => {
    const body = { bk_biz_id, ...(filter === undefined ? {} : { filter }) }
    const counted = () => api.ok(`/findmany/kube/${what}`, { ...body, page: { enable_count: true } })
    expect(await counted()).toEqual({ count, info: [] })
    await foldCounts(t.db)
    expect(await counted()).toEqual({ count, info: [] })
    expect((await api.ok<Listed>(`/findmany/kube/${what}`, { ...body, page: { limit: 500 } })).info).toHaveLength(count)
  })

  test('see the tenants that the list sees', async () => {
    await t.db.query(`update pod set bk_supplier_account = 'one' where id = 60`)
    const seenBy = async (account: string, filter?: object) =>
      (
        await api.ok<Listed>(
          '/findmany/kube/pod',
          { bk_biz_id: 1, filter: filter ?? null, page: { enable_count: true } },
          { headers: { 'x-bkcmdb-supplier-account': account } },
        )
      ).count
    expect(await seenBy('0')).toBe(59)
    expect(await seenBy('one')).toBe(60)
    expect(await seenBy('superadmin')).toBe(60)
    expect(await seenBy('0', label('web'))).toBe(19)
    expect(await seenBy('one', label('web'))).toBe(20)
    await t.db.query(`update pod set bk_supplier_account = '0' where id = 60`)
  })
})
