import type { Scalar, Test } from './rule.ts'

/** What a test says of a row that lacks the field, and of a value of a type that the test is not about. */
export const matchesMissing = (test: Test) => {
  if (test.kind === 'null' || test.kind === 'missing') return !test.negated
  return 'negated' in test && test.negated
}

export const constant = (value: boolean) => (value ? 'true' : 'false')
export const isNull = (sql: string, negated: boolean) => `${sql} is ${negated ? 'not ' : ''}null`
export const integerOf = (value: Scalar) =>
  typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined
export const signs = { less: '<', less_or_equal: '<=', greater: '>', greater_or_equal: '>=' } as const
