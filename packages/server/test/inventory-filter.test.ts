import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Columns } from '../src/inventory/filter/columns.ts'
import { compileFilter } from '../src/inventory/filter/compile.ts'
import { currentOperators, olderOperators } from '../src/inventory/filter/operators.ts'
import { createParameters } from '../src/inventory/filter/parameters.ts'
import { parseFilter } from '../src/inventory/filter/parse.ts'
import type { FieldType, Rule } from '../src/inventory/filter/rule.ts'
import { useDatabase } from './support/database.ts'
import { evaluateFilter, type FieldShapes } from './support/evaluate-filter.ts'

const t = useDatabase()

const columns: Columns = new Map([
  ['name', { sql: 'r.name', storage: 'text' }],
  ['size', { sql: 'r.size', storage: 'integer' }],
  ['ready', { sql: 'r.ready', storage: 'boolean' }],
  ['labels', { sql: 'r.labels', storage: 'json' }],
  ['ips', { sql: 'r.ips', storage: 'json' }],
  ['volumes', { sql: 'r.volumes', storage: 'json-list' }],
  ['made', { sql: 'r.made', storage: 'time' }],
  ['users', { sql: 'r.users', storage: 'text-array' }],
  ['ref', { sql: 'r.ref_kind', storage: 'members' }],
  ['ref.kind', { sql: 'r.ref_kind', storage: 'text' }],
  ['ref.id', { sql: 'r.ref_id', storage: 'integer' }],
])
const shapes: FieldShapes = { made: 'time', users: 'texts', volumes: 'objects', ref: 'members' }
const types = new Map<string, FieldType>([
  ['name', 'string'],
  ['size', 'numeric'],
  ['ready', 'bool'],
  ['made', 'time'],
  ['users', 'string'],
  ['ref', 'object'],
  ['ref.kind', 'enum'],
  ['ref.id', 'timestamp'],
  ['labels', 'mapString'],
  ['ips', 'array'],
  ['volumes', 'object'],
  // Known to filters, stored by nothing.
  ['controlled_by', 'string'],
])

// Few and awkward: like's and regular expressions' special characters, quotes, cases, numbers in text.
const words = ['', 'a', 'A', 'ab', 'aB', 'a.b', 'a%', 'a_b', "o'", '"', '\\', '1', 'é', 'É', 'null']
const numbers = [-1, 0, 1, 2, 2.5, 1e300]
const moments = ['2026-01-02T03:04:05.128Z', '2026-01-02T03:04:05.000Z', '2025-12-31T23:00:00.000Z']
const dates = [...moments, '2026-01-02 03:04:05', '2026-01-02T04:04:05+01:00', '2026-01-02', '2026-02-30']
const keys = ['app', 'app.kubernetes.io/name', 'a', '__proto__', "k'"]

const word = fc.constantFrom(...words)
const scalar = fc.oneof(word, fc.constantFrom(...numbers), fc.boolean(), fc.constantFrom(...dates))
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
    made: fc.constantFrom(...moments),
    users: fc.array(word, { maxLength: 3 }),
    ref: fc.record({ kind: word, id: fc.constantFrom(0, 1, 2) }),
  },
  { requiredKeys: [] },
)

const operators = [...currentOperators].filter(([, o]) => o.takes !== 'rule')
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
              fc.array(fc.constantFrom(...dates), { minLength: 1, maxLength: 2 }),
            )
          : takes === 'text'
            ? word
            : takes === 'number' || takes === 'size'
              ? fc.constantFrom(...numbers)
              : takes === 'time'
                ? fc.constantFrom(...dates, 1767323045)
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
  atom: fc.oneof(
    { weight: 3, arbitrary: plain(fc.constantFrom(...types.keys())) },
    nested('labels'),
    nested('volumes'),
    fc.record({
      field: fc.constant('ref'),
      operator: fc.constant('filter_object'),
      value: inside(plain(fc.constantFrom('kind', 'id'))),
    }),
    elements,
  ),
})).rule

type Members = Readonly<Record<string, unknown>>

/** Which rule matches which row, in PostgreSQL: one statement for all. */
async function answersOf(rules: readonly Rule[], rows: readonly Members[]): Promise<boolean[][]> {
  const parameters = createParameters()
  const stored = rows.map(({ ref, ...one }, n) => ({
    n,
    ...one,
    ref_kind: (ref as Members | undefined)?.kind,
    ref_id: (ref as Members | undefined)?.id,
  }))
  const input = parameters.add(JSON.stringify(stored), 'json')
  const matches = rules.map((rule) => `coalesce(${compileFilter(rule, columns, parameters)}, false)`)
  const found = await t.db.query<{ answers: boolean[] }>(
    `select array[${matches.join(', ')}] as answers from json_to_recordset(${input})
     as r(n int, name text, size bigint, ready boolean, labels jsonb, ips jsonb, volumes jsonb, made timestamptz, users text[],
       ref_kind text, ref_id bigint) order by n`,
    parameters.values,
  )
  return found.map((answer) => answer.answers)
}

const expectedOf = (rules: readonly Rule[], rows: readonly Members[]) =>
  rows.map((one) => rules.map((rule) => evaluateFilter(rule, one, shapes)))

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
          expect(await answersOf(rules, rows)).toEqual(expectedOf(rules, rows))
          compared += rules.length
        },
      ),
      { numRuns: 300 },
    )
    expect(compared).toBeGreaterThan(300)
  })
})

describe('every operator on every type', () => {
  // Each value of each type, and the field absent.
  const rows: readonly Members[] = [
    {},
    ...words.map((name) => ({
      name,
      labels: { app: name },
      ips: [name],
      volumes: [{ app: name }],
      ref: { kind: name, id: 0 },
    })),
    ...[-1, 0, 1, 2].map((n) => ({
      size: n,
      labels: { app: n },
      ips: [n, 'a'],
      volumes: [{}, { app: n }],
      ref: { kind: '', id: n },
    })),
    ...[true, false].map((ready) => ({ ready, labels: { app: ready }, ips: [ready], volumes: [{ app: ready }] })),
    ...moments.map((made) => ({ made, labels: { app: made } })),
    { labels: {}, ips: [], volumes: [], users: [] },
    { labels: { app: null }, ips: [null], users: ['a', 'ab'] },
    { labels: { app: [] }, ips: [[]], users: ['A'] },
    { labels: { app: ['a', 1] }, ips: [['a'], {}], users: [''] },
    { labels: { app: { a: 'a' } }, ips: [{ app: 'a' }], users: ['é', 'null', '1'] },
  ]
  const values: readonly unknown[] = [
    ...words,
    ...numbers,
    true,
    false,
    ...dates,
    1767323045,
    1767323045.128,
    ['a', 'ab'],
    [1, 2.5],
    [true],
    [dates[0], dates[3]],
  ]
  const atoms = (dialect: 'current' | 'older') => {
    const operators = dialect === 'current' ? currentOperators : olderOperators
    const found: { readonly operator: string; readonly rule: Rule }[] = []
    const tryOut = (operator: string, filter: object) => {
      const parsed = parseFilter(filter, { dialect, fields: dialect === 'current' ? types : 'any', maxDepth: 4 })
      if (parsed.ok) found.push({ operator, rule: parsed.rule })
    }
    for (const [operator, { takes }] of operators) {
      if (takes === 'rule') continue
      for (const value of takes === 'nothing' ? [null] : values) {
        for (const field of types.keys()) tryOut(operator, { field, operator, value })
        if (dialect === 'older') continue
        for (const field of ['labels', 'volumes'])
          tryOut(operator, { field, operator: 'filter_object', value: { field: 'app', operator, value } })
        for (const field of ['kind', 'id'])
          tryOut(operator, { field: 'ref', operator: 'filter_object', value: { field, operator, value } })
        tryOut(operator, { field: 'ips', operator: 'filter_array', value: { field: 'element', operator, value } })
      }
    }
    return found
  }

  test.each(['current', 'older'] as const)(
    'means in SQL what it means on the row: the %s operators',
    async (dialect) => {
      const all = atoms(dialect)
      const outcomes = new Map<string, Set<boolean>>()
      for (let from = 0; from < all.length; from += 500) {
        const some = all.slice(from, from + 500)
        const rules = some.map(({ rule }) => rule)
        const expected = expectedOf(rules, rows)
        expect(await answersOf(rules, rows)).toEqual(expected)
        for (const [i, { operator }] of some.entries()) {
          const seen = outcomes.get(operator) ?? new Set()
          outcomes.set(operator, seen)
          for (const row of expected) seen.add(row[i] as boolean)
        }
      }
      // Not one operator that is always refused, never matches or always does.
      const known = dialect === 'current' ? operators.map(([name]) => name) : [...olderOperators.keys()]
      for (const operator of known) expect([operator, outcomes.get(operator)?.size]).toEqual([operator, 2])
    },
  )
})
