import { expect, test } from 'vitest'
import type { Columns } from './columns.ts'
import { compileFilter } from './compile.ts'
import { createParameters } from './parameters.ts'
import { parseFilter } from './parse.ts'

const columns: Columns = new Map([
  ['name', { sql: 'p.name', storage: 'text' }],
  ['id', { sql: 'p.id', storage: 'integer' }],
  ['labels', { sql: 'p.labels', storage: 'json' }],
])

function sqlOf(filter: unknown) {
  const parsed = parseFilter(filter, { dialect: 'current', fields: 'any', maxDepth: 4 })
  if (!parsed.ok) throw new Error('refused')
  const parameters = createParameters()
  return { sql: compileFilter(parsed.rule, columns, parameters), values: parameters.values }
}

test('values and member names never enter the text', () => {
  const evil = "'; drop table pod; --"
  const { sql, values } = sqlOf({
    condition: 'OR',
    rules: [
      { field: 'name', operator: 'contains', value: evil },
      { field: 'labels', operator: 'filter_object', value: { field: evil, operator: 'begins_with', value: evil } },
      { field: evil, operator: 'equal', value: evil },
    ],
  })
  expect(sql).not.toContain('drop')
  expect(values).toEqual([evil, evil, evil])
})

test('equality on a label is containment, which the GIN index serves', () => {
  const dotted = { field: 'app.kubernetes.io/name', operator: 'equal', value: 'web' }
  expect(sqlOf({ field: 'labels', operator: 'filter_object', value: dotted })).toEqual({
    sql: 'p.labels @> $1::jsonb',
    values: ['{"app.kubernetes.io/name":"web"}'],
  })
})

test('numbers that no id can be match nothing instead of failing', () => {
  expect(sqlOf({ field: 'id', operator: 'equal', value: 1.5 }).sql).toBe('false')
  expect(sqlOf({ field: 'id', operator: 'not_in', value: [1.5] }).sql).toBe('true')
})
