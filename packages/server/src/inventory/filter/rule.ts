/**
 * A filter as the server understands it, checked and frozen. The wire's form is container API reference 5 (and the older
 * form of 10.7); `parse.ts` makes these, `compile.ts` turns them into SQL.
 */

export type Scalar = string | number | boolean

/** Types of fields as the attributes endpoint names them (container API reference 1.12); `time` is a date field of a business or host. */
export type FieldType =
  | 'string'
  | 'enum'
  | 'numeric'
  | 'timestamp'
  | 'time'
  | 'bool'
  | 'array'
  | 'object'
  | 'mapString'
  /** Any value, any operator: the members of an object that declares none. */
  | 'any'

export type ComparisonOperator = 'less' | 'less_or_equal' | 'greater' | 'greater_or_equal'
export type TextMatch = 'begins_with' | 'contains' | 'ends_with'

/** What an atom asks of its field. Negated forms also match rows that lack the field. */
export type Test =
  | { readonly kind: 'equal'; readonly value: Scalar; readonly negated: boolean }
  | { readonly kind: 'in'; readonly values: readonly Scalar[]; readonly negated: boolean }
  | { readonly kind: 'compare'; readonly operator: ComparisonOperator; readonly value: number }
  /** `seconds` is Unix time, with fractions. */
  | { readonly kind: 'time'; readonly operator: ComparisonOperator; readonly seconds: number }
  | {
      readonly kind: 'text'
      readonly match: TextMatch
      readonly value: string
      readonly ignoreCase: boolean
      readonly negated: boolean
    }
  /** The number of elements of an array; a field that is no array never matches. */
  | { readonly kind: 'size'; readonly operator: 'equal' | 'greater'; readonly value: number }
  /** `null` counts a missing field, too; `missing` does not count a stored null. */
  | { readonly kind: 'null' | 'missing'; readonly negated: boolean }

export type Rule =
  | { readonly kind: 'and' | 'or'; readonly rules: readonly Rule[] }
  | { readonly kind: 'atom'; readonly field: string; readonly test: Test }
  /** The rule holds for the members of the object in `field`. */
  | { readonly kind: 'object'; readonly field: string; readonly rule: Rule }
  /** The rule, over the one field `element`, holds for at least one element of the array in `field`. */
  | { readonly kind: 'array'; readonly field: string; readonly rule: Rule }
