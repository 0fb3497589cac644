import { describe, expect, test } from 'vitest'
import { type KubeObject, kubeFields } from '../src/inventory/fields.ts'
import { useDatabase } from './support/database.ts'

const t = useDatabase()

describe('the table of fields is what the database has', () => {
  test.each(Object.keys(kubeFields) as KubeObject[])('%s', async (object) => {
    const rows = await t.db.query<{ name: string; type: string; required: boolean }>(
      `select attname as name, format_type(atttypid, atttypmod) as type, attnotnull as required from pg_attribute
       where attrelid = $1::regclass and attnum > 0 and not attisdropped`,
      [object],
    )
    const stored = new Map(rows.map((row) => [row.name, row]))
    const known = kubeFields[object].flatMap((field) => {
      if (field.column === undefined) return []
      return 'members' in field.column ? Object.values(field.column.members) : [field.column]
    })
    for (const { name, type } of known) expect(stored.get(name), name).toMatchObject({ type })
    // "val" is never null.
    for (const field of kubeFields[object])
      if (field.presence === 'val') expect(stored.get(field.name), field.name).toMatchObject({ required: true })
    const others = rows.map((row) => row.name).filter((name) => !known.some((column) => column.name === name))
    const ours = ['kind', 'origin', 'uid', 'valid_from']
    expect(others.filter((name) => !ours.includes(name))).toEqual([])
  })
})

test('ids are drawn in one piece, whatever the others draw', async () => {
  const draws = await Promise.all(
    Array.from({ length: 40 }, (_, i) =>
      t.db.query<{ first: number }>(`select draw_ids('pod_id_seq', $1::int) as first`, [i + 1]),
    ),
  )
  const drawn = draws.flatMap(([row], i) => Array.from({ length: i + 1 }, (_, k) => (row?.first ?? 0) + k))
  expect(new Set(drawn).size).toBe(drawn.length)
  expect(await t.db.query(`select draw_ids('pod_id_seq', 0) as first`)).toEqual([{ first: null }])
})
