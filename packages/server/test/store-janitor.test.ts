import { expect, test } from 'vitest'
import { sweep } from '../src/store/janitor.ts'
import { useDatabase } from './support/database.ts'

const t = useDatabase()

test('old events and old months of history go, the young stay, coming months are there', async () => {
  await t.db.query(`insert into event (at, resource, type, object_id, detail)
    select now() - make_interval(days => n), 'kube_pod', 'create', n, '{}' from unnest(array[9, 8, 6, 0]) n`)
  await t.db.query(`select history_ensure_partitions(now() - interval '200 days')`)
  await t.db.query(`insert into history (collection, id, valid_from, valid_to, row)
    values ('pod', 1, now() - interval '300 days', now() - interval '200 days', '{}'), ('pod', 2, now(), now(), '{}')`)
  const gone = await sweep(t.db, { eventDays: 7, historyDays: 90 })
  expect(gone.events).toBe(2)
  expect(gone.months).toBeGreaterThan(0)
  expect(await t.db.query('select object_id from event order by seq')).toEqual([{ object_id: 6 }, { object_id: 0 }])
  expect(await t.db.query('select id from history')).toEqual([{ id: 2 }])
  expect(await t.db.query('select count(*) as n from history_default')).toEqual([{ n: 0 }])
})
