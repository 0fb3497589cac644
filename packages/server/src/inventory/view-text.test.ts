import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type ColumnType, type Field, type KubeObject, kubeFields } from './fields.ts'
import { textView } from './view-text.ts'
import { type Row, viewOf } from './views.ts'

const columnsOfField = (field: Field) =>
  field.column === undefined ? [] : 'members' in field.column ? Object.values(field.column.members) : [field.column]

const values: Readonly<Record<ColumnType, fc.Arbitrary<unknown>>> = {
  bigint: fc.constantFrom(0, 1, -1, Number.MAX_SAFE_INTEGER),
  integer: fc.constantFrom(0, 7),
  boolean: fc.boolean(),
  text: fc.oneof(fc.constant(''), fc.string({ unit: 'binary' })),
  jsonb: fc.oneof(
    fc.constantFrom<unknown>({}, []),
    fc.json().map((text) => JSON.parse(text) as unknown),
  ),
}

/** As PostgreSQL writes a value of the type. */
function textOf(value: unknown, type: ColumnType): string | null {
  if (value === null) return null
  if (type === 'jsonb') return JSON.stringify(value)
  return type === 'boolean' ? (value === true ? 't' : 'f') : String(value)
}

test.each(Object.keys(kubeFields) as KubeObject[])('the text of a %s is its view', (object) => {
  const columns = kubeFields[object].flatMap(columnsOfField)
  const types = new Map(columns.map(({ name, type }) => [name, type]))
  const row = fc.record(Object.fromEntries(columns.map(({ name, type }) => [name, fc.option(values[type])])))
  const names = fc.option(fc.subarray([...kubeFields[object].map((field) => field.name), 'nonsense']))
  fc.assert(
    fc.property(row as fc.Arbitrary<Row>, names, (one, only) => {
      const fields = only === null ? undefined : new Set(only)
      const view = textView(object, fields)
      const texts = view.columns.map((name) => textOf(one[name], types.get(name) as ColumnType))
      expect(JSON.parse(view.write(texts))).toEqual(JSON.parse(JSON.stringify(viewOf(object, one, fields))))
    }),
  )
})
