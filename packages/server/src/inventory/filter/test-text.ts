import type { Parameters } from './parameters.ts'
import type { Test } from './rule.ts'

/** The positive form of a text test on a text expression; null when the expression is. */
export function testText(test: Extract<Test, { kind: 'text' }>, sql: string, parameters: Parameters): string {
  const value = parameters.add(test.value, 'text')
  const left = test.ignoreCase ? `lower(${sql})` : sql
  const right = test.ignoreCase ? `lower(${value})` : value
  switch (test.match) {
    case 'begins_with':
      return `starts_with(${left}, ${right})`
    case 'contains':
      return `(strpos(${left}, ${right}) > 0)`
    case 'ends_with':
      return `(right(${left}, length(${right})) = ${right})`
  }
}
