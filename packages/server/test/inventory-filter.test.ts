import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Columns } from '../src/inventory/filter/columns.ts'
import { compileFilter } from '../src/inventory/filter/compile.ts'
import { currentOperators } from '../src/inventory/filter/operators.ts'
import { createParameters } from '../src/inventory/filter/parameters.ts'
import { parseFilter } from '../src/inventory/filter/parse.ts'
import type { FieldType } from '../src/inventory/filter/rule.ts'
import { useDatabase } from './support/database.ts'
import { evaluateFilter } from './support/evaluate-filter.ts'

const t = useDatabase()

const columns: Columns = new Map([
  ['name', { sql: 'r.name', storage: 'text' }],
  ['size', { sql: 'r.size', storage: 'integer' }],
  ['ready', { sql: 'r.ready', storage: 'boolean' }],
  ['labels', { sql: 'r.labels', storage: 'json' }],
  ['ips', { sql: 'r.ips', storage: 'json' }],
  ['volumes', { sql: 'r.volumes', storage: 'json-list' }],
])
const types = new Map<string, FieldType>([
  ['name', 'string'],
  ['size', 'numeric'],
  ['ready', 'bool'],
  ['labels', 'object'],
  ['ips', 'array'],
  ['volumes', 'object'],
  // Known to filters, stored by nothing.
  ['controlled_by', 'string'],
])

// Few and awkward: like's and regular expressions' special characters, quotes, cases, numbers in text.
const words = ['', 'a', 'A', 'ab', 'aB', 'a.b', 'a%', 'a_b', "o'", '"', '\\', '1', 'é', 'É', 'null']
const numbers = [-1, 0, 1, 2, 2.5, 1e300]
const keys = ['app', 'app.kubernetes.io/name', 'a', '__proto__', "k'"]

const word = fc.constantFrom(...words)
const scalar = fc.oneof(word, fc.constantFrom(...numbers), fc.boolean())
const json = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalar,
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...keys), tie('value'), { maxKeys: 3 }),
  ),
})).value

const row = fc.record(
  {
    name: word,
    size: fc.constantFrom(-1, 0, 1, 2, 9007199254740991),
    ready: fc.boolean(),
    labels: fc.dictionary(fc.constantFrom(...keys), json, { maxKeys: 3 }),
    ips: fc.array(fc.oneof(scalar, fc.constant(null), fc.record({ app: json }, { requiredKeys: [] })), {
      maxLength: 3,
    }),
    volumes: fc.array(fc.dictionary(fc.constantFrom(...keys), json, { maxKeys: 2 }), { maxLength: 3 }),
  },
  { requiredKeys: [] },
)

const operators = [...currentOperators].filter(([name, o]) => o.takes !== 'rule' && !name.startsWith('datetime'))
function plain(field: fc.Arbitrary<string>) {
  return fc.constantFrom(...operators).chain(([operator, { takes }]) =>
    fc.record({
      field,
      operator: fc.constant(operator),
      value:
        takes === 'scalars'
          ? fc.oneof(
              fc.array(word, { minLength: 1, maxLength: 3 }),
              fc.array(fc.constantFrom(...numbers), { minLength: 1, maxLength: 3 }),
              fc.array(fc.boolean(), { minLength: 1, maxLength: 2 }),
            )
          : takes === 'text'
            ? word
            : takes === 'number' || takes === 'size'
              ? fc.constantFrom(...numbers)
              : scalar,
    }),
  )
}
const inside = (rule: fc.Arbitrary<object>) =>
  fc.oneof(
    rule,
    fc.record({ condition: fc.constantFrom('AND', 'OR'), rules: fc.array(rule, { minLength: 1, maxLength: 2 }) }),
  )
function nested(field: string) {
  const deeper = fc.record({
    field: fc.constantFrom(...keys),
    operator: fc.constant('filter_object'),
    value: plain(fc.constantFrom(...keys)),
  })
  return fc.record({
    field: fc.constant(field),
    operator: fc.constant('filter_object'),
    value: inside(fc.oneof(plain(fc.constantFrom(...keys)), deeper)),
  })
}
const elements = fc.record({
  field: fc.constant('ips'),
  operator: fc.constant('filter_array'),
  value: inside(
    fc.oneof(
      plain(fc.constant('element')),
      fc.record({
        field: fc.constant('element'),
        operator: fc.constant('filter_object'),
        value: plain(fc.constant('app')),
      }),
    ),
  ),
})

/** Any rule: most are refused by their checks, the accepted ones are compared. */
const anyRule = fc.letrec((tie) => ({
  rule: fc.oneof({ depthSize: 'small', withCrossShrink: true }, { weight: 4, arbitrary: tie('atom') }, tie('combined')),
  combined: fc.record({
    condition: fc.constantFrom('AND', 'OR'),
    rules: fc.array(tie('rule'), { minLength: 1, maxLength: 3 }),
  }),
  atom: fc.oneof(plain(fc.constantFrom(...types.keys())), nested('labels'), nested('volumes'), elements),
})).rule
describe('a filter', () => {
  test('means in SQL what it means on the row itself', async () => {
    let compared = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { minLength: 1, maxLength: 8 }),
        fc.array(anyRule, { minLength: 4, maxLength: 12 }),
        async (rows, filters) => {
          const rules = filters.flatMap((filter) => {
            const parsed = parseFilter(filter, { dialect: 'current', fields: types, maxDepth: 6 })
            return parsed.ok ? [parsed.rule] : []
          })
          if (rules.length === 0) return
          const parameters = createParameters()
          const input = parameters.add(JSON.stringify(rows.map((one, n) => ({ n, ...one }))), 'json')
          // One statement for all: which row matches which filter.
          const matches = rules.map((rule) => `coalesce(${compileFilter(rule, columns, parameters)}, false)`)
          const found = await t.db.query<{ answers: boolean[] }>(
            `select array[${matches.join(', ')}] as answers from json_to_recordset(${input})
             as r(n int, name text, size bigint, ready boolean, labels jsonb, ips jsonb, volumes jsonb) order by n`,
            parameters.values,
          )
          const expected = rows.map((one) => rules.map((rule) => evaluateFilter(rule, one)))
          expect(found.map((answer) => answer.answers)).toEqual(expected)
          compared += rules.length
        },
      ),
      { numRuns: 300 },
    )
    expect(compared).toBeGreaterThan(300)
  })
})
