import type { ComparisonOperator, Test, TextMatch } from './rule.ts'

/** What kind of value an operator takes and which test it makes of it (container API reference 5.3). */
export type Operator =
  | { readonly takes: 'scalar'; readonly label: string; readonly negated: boolean }
  | { readonly takes: 'scalars'; readonly label: string; readonly negated: boolean }
  | { readonly takes: 'number'; readonly label: string; readonly operator: ComparisonOperator }
  | { readonly takes: 'time'; readonly label: string; readonly operator: ComparisonOperator }
  | {
      readonly takes: 'text'
      readonly label: string
      readonly match: TextMatch
      readonly ignoreCase: boolean
      readonly negated: boolean
    }
  | { readonly takes: 'size' }
  | { readonly takes: 'nothing'; readonly test: Test }
  | { readonly takes: 'rule'; readonly of: 'object' | 'array' }

const comparisons: readonly (readonly [ComparisonOperator, string, string])[] = [
  ['less', 'lt', 'datetime less than'],
  ['less_or_equal', 'lte', 'datetime less than or equal'],
  ['greater', 'gt', 'datetime greater than'],
  ['greater_or_equal', 'gte', 'datetime greater than or equal'],
]

const shared: readonly (readonly [string, Operator])[] = [
  ['equal', { takes: 'scalar', label: 'eq', negated: false }],
  ['not_equal', { takes: 'scalar', label: 'ne', negated: true }],
  ['in', { takes: 'scalars', label: 'in', negated: false }],
  ['not_in', { takes: 'scalars', label: 'nin', negated: true }],
  ...comparisons.flatMap(([operator, label, timeLabel]): (readonly [string, Operator])[] => [
    [operator, { takes: 'number', label, operator }],
    [`datetime_${operator}`, { takes: 'time', label: timeLabel, operator }],
  ]),
  ['begins_with', text('begins_with', false, false)],
  ['not_begins_with', text('begins_with', false, true)],
  // The one pair that differs in case: the original keeps `contains` as its older DSL had it.
  ['contains', { ...text('contains', true, false), label: 'contains' }],
  ['not_contains', text('contains', false, true)],
  ['ends_with', text('ends_with', false, false)],
  ['not_ends_with', text('ends_with', false, true)],
  ['is_empty', { takes: 'nothing', test: { kind: 'size', operator: 'equal', value: 0 } }],
  ['is_not_empty', { takes: 'nothing', test: { kind: 'size', operator: 'greater', value: 0 } }],
  ['is_null', { takes: 'nothing', test: { kind: 'null', negated: false } }],
  ['is_not_null', { takes: 'nothing', test: { kind: 'null', negated: true } }],
  ['exist', { takes: 'nothing', test: { kind: 'missing', negated: true } }],
  ['not_exist', { takes: 'nothing', test: { kind: 'missing', negated: false } }],
]

const currentOnly: readonly (readonly [string, Operator])[] = [
  ['begins_with_i', text('begins_with', true, false)],
  ['not_begins_with_i', text('begins_with', true, true)],
  ['contains_s', { ...text('contains', false, false), label: 'contains sensitive' }],
  ['not_contains_i', text('contains', true, true)],
  ['ends_with_i', text('ends_with', true, false)],
  ['not_ends_with_i', text('ends_with', true, true)],
  ['size', { takes: 'size' }],
  ['filter_object', { takes: 'rule', of: 'object' }],
  ['filter_array', { takes: 'rule', of: 'array' }],
]

/** Operators of the older DSL (container API reference 10.7). */
export const olderOperators: ReadonlyMap<string, Operator> = new Map(shared)

/** Operators of the container API's own DSL (container API reference 5.3). */
export const currentOperators: ReadonlyMap<string, Operator> = new Map([...shared, ...currentOnly])

function text(match: TextMatch, ignoreCase: boolean, negated: boolean): Extract<Operator, { takes: 'text' }> {
  const words = match.replaceAll('_', ' ')
  const label = `${negated ? 'not ' : ''}${words}${ignoreCase ? ' insensitive' : ''}`
  return { takes: 'text', label, match, ignoreCase, negated }
}
