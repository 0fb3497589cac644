import type { Rule, Test } from '../../src/inventory/filter/rule.ts'
import { unixSecondsOf } from '../../src/inventory/filter/time.ts'

/** Fields that do not hold one plain value: dates, lists of texts, lists of objects, and objects whose members are known. */
export type FieldShape = 'time' | 'texts' | 'objects' | 'members'
export type FieldShapes = Readonly<Record<string, FieldShape>>

/**
 * What a filter says of one row, straight from container API reference 5.3: the opinion that the property test compares
 * with PostgreSQL's. A row has its fields by name, as the wire shows them; an absent field is undefined.
 */
export function evaluateFilter(rule: Rule, row: Readonly<Record<string, unknown>>, shapes: FieldShapes = {}): boolean {
  const inside = (inner: Rule, value: unknown) => evaluateFilter(inner, asObject(value))
  switch (rule.kind) {
    case 'and':
      return rule.rules.every((one) => evaluateFilter(one, row, shapes))
    case 'or':
      return rule.rules.some((one) => evaluateFilter(one, row, shapes))
    case 'atom':
      return atomHolds(rule.test, memberAt(row, rule.field, shapes), shapeOf(rule.field, shapes))
    case 'object': {
      const value = member(row, rule.field)
      // A list of objects fits when one of them does; an empty one is like an object without members.
      if (shapes[rule.field] === 'objects' && Array.isArray(value) && value.length > 0)
        return value.some((one) => inside(rule.rule, one))
      if (shapes[rule.field] === 'texts') return false
      return inside(rule.rule, value)
    }
    case 'array': {
      const value = member(row, rule.field)
      return Array.isArray(value) && value.some((element) => inside(rule.rule, { element }))
    }
  }
}

const member = (row: Readonly<Record<string, unknown>>, name: string) =>
  Object.hasOwn(row, name) ? row[name] : undefined

/** A member of an object under its dotted name. */
function memberAt(row: Readonly<Record<string, unknown>>, name: string, shapes: FieldShapes): unknown {
  const [object = '', inner] = name.split('.')
  if (shapes[object] === 'members' && inner !== undefined) return member(asObject(member(row, object)), inner)
  return member(row, name)
}

const shapeOf = (name: string, shapes: FieldShapes) => (Object.hasOwn(shapes, name) ? shapes[name] : undefined)

const asObject = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}

function atomHolds(test: Test, value: unknown, shape: FieldShape | undefined): boolean {
  if (shape === 'time') return timeHolds(test, value)
  if (shape === 'texts' && Array.isArray(value)) return textsHold(test, value)
  return holds(test, value)
}

/** A date: equal to the millisecond, compared by the datetime operators alone. */
function timeHolds(test: Test, value: unknown): boolean {
  const moment = typeof value === 'string' ? Date.parse(value) : undefined
  const isMoment = (one: unknown) =>
    typeof one === 'string' && moment !== undefined && Math.round((unixSecondsOf(one) ?? Number.NaN) * 1000) === moment
  switch (test.kind) {
    case 'equal':
      return isMoment(test.value) !== test.negated
    case 'in':
      return test.values.some(isMoment) !== test.negated
    case 'time':
      return moment !== undefined && compared(test.operator, moment, test.seconds * 1000)
    case 'compare':
    case 'size':
      return false
    case 'text':
      return test.negated
    default:
      return holds(test, value)
  }
}

/** A list of texts, such as users: a test holds when it holds for one of them, a negated one when it holds for all. */
function textsHold(test: Test, texts: readonly unknown[]): boolean {
  if (test.kind !== 'equal' && test.kind !== 'in' && test.kind !== 'text') return holds(test, texts)
  const some = texts.some((one) => holds({ ...test, negated: false }, one))
  return some !== test.negated
}

function holds(test: Test, value: unknown): boolean {
  switch (test.kind) {
    case 'equal':
      return (value === test.value) !== test.negated
    case 'in':
      return test.values.some((one) => one === value) !== test.negated
    case 'compare':
      return typeof value === 'number' && compared(test.operator, value, test.value)
    case 'time':
      return false
    case 'text': {
      if (typeof value !== 'string') return test.negated
      const [text, part] = test.ignoreCase ? [value.toLowerCase(), test.value.toLowerCase()] : [value, test.value]
      const found =
        test.match === 'contains'
          ? text.includes(part)
          : test.match === 'begins_with'
            ? text.startsWith(part)
            : text.endsWith(part)
      return found !== test.negated
    }
    case 'size':
      return (
        Array.isArray(value) && (test.operator === 'equal' ? value.length === test.value : value.length > test.value)
      )
    case 'null':
      return (value === undefined || value === null) !== test.negated
    case 'missing':
      return (value === undefined) !== test.negated
  }
}

function compared(operator: Extract<Test, { kind: 'compare' }>['operator'], left: number, right: number): boolean {
  if (operator === 'less') return left < right
  if (operator === 'less_or_equal') return left <= right
  return operator === 'greater' ? left > right : left >= right
}
