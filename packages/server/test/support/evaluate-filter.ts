import type { Rule, Test } from '../../src/inventory/filter/rule.ts'

/**
 * What a filter says of one row, straight from container API reference 5.3: the opinion that the property test compares
 * with PostgreSQL's. A row has its fields by name; an absent field is undefined.
 */
export function evaluateFilter(rule: Rule, row: Readonly<Record<string, unknown>>): boolean {
  switch (rule.kind) {
    case 'and':
      return rule.rules.every((one) => evaluateFilter(one, row))
    case 'or':
      return rule.rules.some((one) => evaluateFilter(one, row))
    case 'atom':
      return holds(rule.test, member(row, rule.field))
    case 'object': {
      const object = member(row, rule.field)
      // A list of objects fits when one of them does; an empty one is like an object without members.
      if (Array.isArray(object) && object.length > 0 && rule.field === 'volumes')
        return object.some((one) => evaluateFilter(rule.rule, asObject(one)))
      return evaluateFilter(rule.rule, asObject(object))
    }
    case 'array': {
      const array = member(row, rule.field)
      return Array.isArray(array) && array.some((element) => evaluateFilter(rule.rule, { element }))
    }
  }
}

const member = (row: Readonly<Record<string, unknown>>, name: string) =>
  Object.hasOwn(row, name) ? row[name] : undefined

const asObject = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}

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
