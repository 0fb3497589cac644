/** The counts that caches read agree with the rows, whoever writes them, and whenever they are folded. */
import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { foldCounts, recount, recountRequested, requestRecount } from '../src/inventory/count-sweep.ts'
import { useDatabase } from './support/database.ts'

const t = useDatabase({ max: 8 })
beforeEach(() => t.db.query('truncate pod, container, recount_request'))

type Pod = { readonly id: number; readonly biz: number; readonly namespace: number; readonly labels: object | null }

const counted = {
  labels: `select bk_biz_id, bk_namespace_id, key, value, sum(pods) as pods from
    (select * from label_count union all select * from label_count_delta) c group by 1, 2, 3, 4 having sum(pods) <> 0 order by 1, 2, 3, 4`,
  workloads: `select bk_biz_id, bk_namespace_id, ref_id, sum(pods) as pods, sum(containers) as containers from
    (select * from workload_count union all select * from workload_count_delta) c group by 1, 2, 3
    having sum(pods) <> 0 or sum(containers) <> 0 order by 1, 2, 3`,
}
const actual = {
  labels: `select bk_biz_id, bk_namespace_id, key, value, count(*)::numeric as pods from pod, jsonb_each_text(labels)
    group by 1, 2, 3, rollup (value) order by 1, 2, 3, 4`,
  workloads: `select bk_biz_id, bk_namespace_id, ref_id, count(*) filter (where what = 'pod')::numeric as pods,
      count(*) filter (where what = 'container')::numeric as containers from (
      select bk_biz_id, bk_namespace_id, ref_id, 'pod' as what from pod union all
      select bk_biz_id, bk_namespace_id, ref_id, 'container' from container) c group by 1, 2, 3 order by 1, 2, 3`,
}
async function expectExact(): Promise<void> {
  for (const what of ['labels', 'workloads'] as const)
    expect(await t.db.query(counted[what]), what).toEqual(await t.db.query(actual[what]))
}

const insert = (pods: readonly Pod[]) =>
  t.db.query(
    `with p as (
      insert into pod (id, bk_biz_id, bk_cluster_id, bk_namespace_id, ref_kind, ref_id, name, labels)
      select id, biz, 1, namespace, 'deployment', 1 + id % 3, id::text, labels
      from json_to_recordset($1) as x(id bigint, biz bigint, namespace bigint, labels jsonb))
    insert into container (id, bk_pod_id, bk_biz_id, bk_cluster_id, bk_namespace_id, ref_kind, ref_id, container_uid)
    select id * 2 + n, id, biz, 1, namespace, 'deployment', 1 + id % 3, n::text
    from json_to_recordset($1) as x(id bigint, biz bigint, namespace bigint, labels jsonb), generate_series(0, 1) n`,
    [JSON.stringify(pods)],
  )

describe('counts of labels and workloads', () => {
  const labels = fc.option(
    fc.dictionary(
      fc.constantFrom('app', 'app.kubernetes.io/name', '__proto__', 'a'.repeat(4_000)),
      fc.constantFrom('', 'web', 'x'.repeat(4_000)),
    ),
  )
  const place = { biz: fc.constantFrom(1, 2), namespace: fc.constantFrom(1, 2), labels }
  const step = fc.oneof(
    fc.record({
      kind: fc.constant('insert' as const),
      pods: fc.array(fc.record(place), { minLength: 1, maxLength: 5 }),
    }),
    fc.record({ kind: fc.constant('update' as const), below: fc.integer({ min: 1, max: 30 }), ...place }),
    fc.record({ kind: fc.constant('touch' as const), below: fc.integer({ min: 1, max: 30 }) }),
    fc.record({ kind: fc.constant('delete' as const), below: fc.integer({ min: 1, max: 30 }) }),
    fc.record({ kind: fc.constant('fold' as const) }),
  )

  test('are exact after any change, before and after a fold', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
        await t.db.query('truncate pod, container')
        let id = 0
        for (const one of steps) {
          if (one.kind === 'insert') await insert(one.pods.map((pod) => ({ ...pod, id: ++id })))
          else if (one.kind === 'fold') await foldCounts(t.db)
          else if (one.kind === 'touch') await t.db.query('update pod set name = name where id < $1', [one.below])
          else if (one.kind === 'delete')
            await t.db.query('with p as (delete from pod where id < $1) delete from container where bk_pod_id < $1', [
              one.below,
            ])
          else
            await t.db.query(
              `with p as (update pod set bk_biz_id = $2, bk_namespace_id = $3, labels = $4 where id < $1)
               update container set bk_biz_id = $2, bk_namespace_id = $3 where bk_pod_id < $1`,
              [one.below, one.biz, one.namespace, one.labels === null ? null : JSON.stringify(one.labels)],
            )
          await expectExact()
        }
        await foldCounts(t.db)
        await expectExact()
        expect(await t.db.query('select from label_count_delta union all select from workload_count_delta')).toEqual([])
        expect(
          await t.db.query(
            'select from label_count where pods <= 0 union all select from workload_count where pods = 0 and containers = 0',
          ),
        ).toEqual([])
      }),
      { numRuns: 60 },
    )
  })

  test('an update that touches neither labels nor place appends nothing', async () => {
    await insert([{ id: 1, biz: 1, namespace: 1, labels: { app: 'web' } }])
    await foldCounts(t.db)
    await t.db.query(`update pod set ip = '10.0.0.1'`)
    await t.db.query(`update container set image = 'x'`)
    expect(await t.db.query('select from label_count_delta union all select from workload_count_delta')).toEqual([])
  })

  test('writers and folders at once neither wait for ever nor lose a count', async () => {
    const writer = async (lane: number) => {
      for (let batch = 0; batch < 6; batch += 1) {
        const first = lane * 1_000 + batch * 20
        await insert(
          Array.from({ length: 20 }, (_, i) => ({
            id: first + i,
            biz: 1,
            namespace: 1 + (i % 2),
            labels: { app: `web${i % 4}`, env: 'test' },
          })),
        )
        await t.db.query('update pod set labels = $2 where id = $1', [first, '{"app": "moved"}'])
        await t.db.query('with p as (delete from pod where id = $1) delete from container where bk_pod_id = $1', [
          first + 1,
        ])
      }
    }
    const folder = async () => {
      for (let i = 0; i < 20; i += 1) await foldCounts(t.db)
    }
    await Promise.all([...[1, 2, 3, 4, 5].map(writer), folder(), folder()])
    await expectExact()
    await foldCounts(t.db)
    await expectExact()
  })

  test('a transaction that is rolled back leaves no count', async () => {
    await t.db.withConnection(async (connection) => {
      await connection.query('begin')
      await connection.query(
        `insert into pod (id, ref_kind, ref_id, name, labels) values (1, 'deployment', 1, 'a', '{"app": "web"}')`,
      )
      await connection.query('rollback')
    })
    expect(await t.db.query(counted.labels)).toEqual([])
  })

  test('truncated tables have none', async () => {
    await insert([{ id: 1, biz: 1, namespace: 1, labels: { app: 'web' } }])
    await foldCounts(t.db)
    await insert([{ id: 2, biz: 1, namespace: 1, labels: { app: 'web' } }])
    await t.db.query('truncate container')
    await expectExact()
    await t.db.query('truncate pod')
    await expectExact()
  })
})

describe('a recount', () => {
  test('finds nothing where nothing is wrong, and puts right what is', async () => {
    await insert([1, 2, 3].map((id) => ({ id, biz: id === 3 ? 2 : 1, namespace: 1, labels: { app: 'web' } })))
    expect(await recount(t.db, 1)).toBe(0)
    await foldCounts(t.db)
    expect(await recount(t.db, 1)).toBe(0)
    // As a restore without triggers would leave it.
    await t.db.query(
      `update label_count set pods = 7; delete from workload_count; insert into label_count values (1, 9, '0', 'ghost', null, 1)`,
    )
    const repaired: [number, number][] = []
    await requestRecount(t.db, 1)
    await requestRecount(t.db, 1)
    await requestRecount(t.db, 2)
    await recountRequested(t.db, (business, counts) => repaired.push([business, counts]))
    expect(repaired.sort()).toEqual([
      [1, 5],
      [2, 3],
    ])
    await expectExact()
    await foldCounts(t.db)
    await expectExact()
    await recountRequested(t.db, () => expect.unreachable())
  })
})
