import { cmdbErrors } from '../errors.ts'
import type { Column, Columns } from './filter/columns.ts'
import { compileFilter } from './filter/compile.ts'
import type { Parameters } from './filter/parameters.ts'
import type { ComparisonOperator, Rule, Scalar, Test } from './filter/rule.ts'
import { unixSecondsOf } from './filter/time.ts'

/**
 * The conditions of businesses and hosts that are older than the filter DSL (container API reference 10.2, 10.4):
 * `{field: value}` and `{field, operator: "$eq", value}`. They become the filter's rules, so that they mean and cost
 * the same.
 */

const userList = (name: string): Column => ({ sql: `string_to_array(b.${name}, ',')`, storage: 'text-array' })

/** The fields of a business by their wire names. */
export const businessColumns: Columns = new Map<string, Column>([
  ['bk_biz_id', { sql: 'b.id', storage: 'integer' }],
  ['bk_biz_name', { sql: 'b.bk_biz_name', storage: 'text' }],
  ['bk_biz_maintainer', userList('bk_biz_maintainer')],
  ['bk_biz_productor', userList('bk_biz_productor')],
  ['bk_biz_tester', userList('bk_biz_tester')],
  ['bk_biz_developer', userList('bk_biz_developer')],
  ['operator', userList('operator')],
  ['life_cycle', { sql: 'b.life_cycle', storage: 'text' }],
  ['language', { sql: 'b.language', storage: 'text' }],
  ['time_zone', { sql: 'b.time_zone', storage: 'text' }],
  ['default', { sql: '0::bigint', storage: 'integer' }],
  ['bk_data_status', { sql: 'b.bk_data_status', storage: 'text' }],
  ['bk_supplier_account', { sql: 'b.bk_supplier_account', storage: 'text' }],
  ['create_time', { sql: 'b.create_time', storage: 'time' }],
  ['last_time', { sql: 'b.last_time', storage: 'time' }],
  ['bk_created_at', { sql: 'b.create_time', storage: 'time' }],
  ['bk_created_by', { sql: 'b.bk_created_by', storage: 'text' }],
  ['bk_updated_at', { sql: 'b.bk_updated_at', storage: 'time' }],
  ['bk_updated_by', { sql: 'b.bk_updated_by', storage: 'text' }],
])

/** A condition that cannot be understood; `what` names the place. */
export class BadCondition extends Error {
  override readonly name = 'BadCondition'
}

/**
 * `{field: value}` as SQL, all of them at once. A text matches as a case-insensitive part, on user fields each of the
 * comma separated names must be in the list; numbers match exactly; an object is a set of `$` operators. A text for
 * bk_biz_id finds nothing.
 */
export function compileOldCondition(
  condition: Readonly<Record<string, unknown>>,
  columns: Columns,
  parameters: Parameters,
): string {
  const parts = Object.entries(condition).map(([field, given]) => {
    const column = columns.get(field)
    if (typeof given === 'object' && given !== null && !Array.isArray(given))
      return allOf(
        Object.entries(given).map(([operator, value]) =>
          compileOperator({ field, operator, value }, columns, parameters),
        ),
      )
    if (typeof given === 'string' && column?.storage === 'text-array') {
      const names = given
        .split(',')
        .map((name) => name.trim())
        .filter((name) => name !== '')
      return names.length === 0 ? 'true' : `${column.sql} @> ${parameters.add(names, 'text[]')}`
    }
    if (typeof given === 'string' && column?.storage === 'text')
      return given === '' ? 'true' : compileOne(field, textTest(given, true), columns, parameters)
    return compileOperator({ field, operator: '$eq', value: given }, columns, parameters)
  })
  return allOf(parts)
}

const comparisons: Readonly<Record<string, ComparisonOperator>> = {
  $lt: 'less',
  $lte: 'less_or_equal',
  $gt: 'greater',
  $gte: 'greater_or_equal',
}

/** One `{field, operator, value}` with MongoDB's operators, or `contains_s`. */
export function compileOperator(
  atom: { readonly field: string; readonly operator: string; readonly value: unknown },
  columns: Columns,
  parameters: Parameters,
): string {
  const { field, operator, value } = atom
  const one = (test: Test) => compileOne(field, test, columns, parameters)
  switch (operator) {
    case '$eq':
    case '$ne': {
      const negated = operator === '$ne'
      if (value === null || value === undefined) return one({ kind: 'null', negated })
      return one({ kind: 'equal', value: scalarOf(value, field), negated })
    }
    case '$in':
    case '$nin': {
      const negated = operator === '$nin'
      if (!Array.isArray(value)) throw new BadCondition(field)
      if (value.length === 0) return negated ? 'true' : 'false'
      return one({ kind: 'in', values: value.map((element) => scalarOf(element, field)), negated })
    }
    case '$lt':
    case '$lte':
    case '$gt':
    case '$gte': {
      const comparison = comparisons[operator] as ComparisonOperator
      if (typeof value === 'number') return one({ kind: 'compare', operator: comparison, value })
      const seconds = unixSecondsOf(value)
      if (seconds === undefined) throw new BadCondition(field)
      return one({ kind: 'time', operator: comparison, seconds })
    }
    case '$regex':
      if (typeof value !== 'string') throw new BadCondition(field)
      return compilePattern(columns.get(field), value, parameters)
    case '$options':
      return 'true'
    case 'contains_s':
      if (typeof value !== 'string' || value === '') throw new BadCondition(field)
      return one(textTest(value, false))
    default:
      throw new BadCondition(operator)
  }
}

/**
 * A regular expression of the client's. PostgreSQL reports a broken one as 2201B, which `isBadPattern` knows. Patterns
 * with back references are refused: their cost has no bound.
 */
export function compilePattern(column: Column | undefined, pattern: string, parameters: Parameters): string {
  if (pattern.length > 256 || /\\[1-9]/.test(pattern)) throw new BadCondition('$regex')
  if (column?.storage === 'text') return `${column.sql} ~ ${parameters.add(pattern, 'text')}`
  if (column?.storage === 'text-array')
    return `exists (select from unnest(${column.sql}) as p(v) where p.v ~ ${parameters.add(pattern, 'text')})`
  return 'false'
}

/** The database says that a pattern is no regular expression. */
export const isBadPattern = (error: unknown) => (error as { code?: unknown } | null)?.code === '2201B'

/** `{oper, rules: [{field, start, end}]}` over time fields; both ends included. */
export function compileTimeCondition(
  condition: { readonly oper?: string | null; readonly rules?: readonly TimeRule[] | null },
  columns: Columns,
  parameters: Parameters,
): string {
  const parts = (condition.rules ?? []).map((rule) => {
    const field = rule.field ?? ''
    const bound = (operator: ComparisonOperator, text: string | null | undefined) => {
      if (text === null || text === undefined || text === '') return 'true'
      const seconds = unixSecondsOf(text)
      if (seconds === undefined) throw new BadCondition('time_condition')
      return compileOne(field, { kind: 'time', operator, seconds }, columns, parameters)
    }
    return `(${bound('greater_or_equal', rule.start)} and ${bound('less_or_equal', rule.end)})`
  })
  if (parts.length === 0) return 'true'
  return `(${parts.join(condition.oper === 'or' ? ' or ' : ' and ')})`
}
type TimeRule = { readonly field?: string | null; readonly start?: string | null; readonly end?: string | null }

const compileOne = (field: string, test: Test, columns: Columns, parameters: Parameters) =>
  compileFilter({ kind: 'atom', field, test } satisfies Rule, columns, parameters)

const textTest = (value: string, ignoreCase: boolean): Test => ({
  kind: 'text',
  match: 'contains',
  value,
  ignoreCase,
  negated: false,
})

function scalarOf(value: unknown, field: string): Scalar {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value
  throw new BadCondition(field)
}

const allOf = (parts: readonly string[]) => (parts.length === 0 ? 'true' : `(${parts.join(' and ')})`)

/** Compiles conditions; what cannot be understood in them is the client's 1199006. */
export function readingConditions(compile: () => string[]): string[] {
  try {
    return compile()
  } catch (error) {
    if (error instanceof BadCondition) throw cmdbErrors.mismatch(error.message)
    throw error
  }
}

/** The order of a page: known fields of `sort`, then the id, so that pages never overlap. Absent values come first, as in the original. */
export function compileSort(sort: string | null | undefined, columns: Columns, idColumn: string): string {
  const parts: string[] = []
  for (const part of (sort ?? '').split(',').slice(0, 8)) {
    const word = part.trim()
    const descending = word.startsWith('-') || /:\s*-1$/.test(word)
    const column = columns.get(word.replace(/^[-+]/, '').replace(/:\s*[-+]?1$/, ''))
    if (column === undefined || column.storage === 'members') continue
    parts.push(descending ? `${column.sql} desc nulls last` : `${column.sql} asc nulls first`)
  }
  return [...parts, idColumn].join(', ')
}
