import type { Parameters } from './parameters.ts'
import type { Scalar, Test } from './rule.ts'
import { constant, isNull, signs } from './test-common.ts'
import { testText } from './test-text.ts'
import { unixSecondsOf } from './time.ts'

/** A column of one scalar type. `fit` drops values that no such column can hold. */
export function testColumn(
  test: Test,
  sql: string,
  parameters: Parameters,
  fit: (value: Scalar) => Scalar | undefined,
  type: 'text' | 'bigint' | 'boolean',
): string {
  switch (test.kind) {
    case 'null':
    case 'missing':
      return isNull(sql, test.negated)
    case 'equal': {
      const value = fit(test.value)
      if (value === undefined) return constant(test.negated)
      return `${sql} ${test.negated ? 'is distinct from' : '='} ${parameters.add(value, type)}`
    }
    case 'in': {
      const values = test.values.filter((value) => fit(value) !== undefined)
      if (values.length === 0) return constant(test.negated)
      const list = parameters.add(values, `${type}[]`)
      return test.negated ? `(${sql} is null or ${sql} <> all(${list}))` : `${sql} = any(${list})`
    }
    case 'compare':
      if (type !== 'bigint') return 'false'
      return `${sql} ${signs[test.operator]} ${parameters.add(test.value, Number.isSafeInteger(test.value) ? 'bigint' : 'numeric')}`
    case 'text': {
      if (type !== 'text') return constant(test.negated)
      const match = testText(test, sql, parameters)
      return test.negated ? `(${sql} is null or not ${match})` : match
    }
    case 'time':
    case 'size':
      return 'false'
  }
}

/** A date, which the wire shows to the millisecond: a moment is a span of one. */
export function testTime(test: Test, sql: string, parameters: Parameters): string {
  const span = 0.001
  const moment = (seconds: number) => `to_timestamp(${parameters.add(seconds, 'float8')})`
  const within = (seconds: number) => `(${sql} >= ${moment(seconds)} and ${sql} < ${moment(seconds + span)})`
  switch (test.kind) {
    case 'null':
    case 'missing':
      return isNull(sql, test.negated)
    case 'equal':
    case 'in': {
      const values: readonly Scalar[] = test.kind === 'equal' ? [test.value] : test.values
      const parts = values
        .map((value) => (typeof value === 'string' ? unixSecondsOf(value) : undefined))
        .filter((seconds) => seconds !== undefined)
        .map(within)
      if (parts.length === 0) return constant(test.negated)
      return test.negated ? `(${sql} is null or not (${parts.join(' or ')}))` : `(${parts.join(' or ')})`
    }
    case 'time': {
      const { operator, seconds } = test
      const late = operator === 'less_or_equal' || operator === 'greater'
      return `${sql} ${operator.startsWith('less') ? '<' : '>='} ${moment(late ? seconds + span : seconds)}`
    }
    case 'text':
      return constant(test.negated)
    case 'compare':
    case 'size':
      return 'false'
  }
}

/** An array of text: a test holds when it holds for one element, a negated one when it holds for all. */
export function testTexts(test: Test, sql: string, parameters: Parameters): string {
  const not = (positive: string) => `(${sql} is null or not ${positive})`
  switch (test.kind) {
    case 'null':
    case 'missing':
      return isNull(sql, test.negated)
    case 'equal':
    case 'in': {
      const values = (test.kind === 'equal' ? [test.value] : test.values).filter((value) => typeof value === 'string')
      if (values.length === 0) return constant(test.negated)
      const overlaps = `${sql} && ${parameters.add(values, 'text[]')}`
      return test.negated ? not(`(${overlaps})`) : overlaps
    }
    case 'text': {
      const some = `exists (select from unnest(${sql}) as t(v) where ${testText(test, 't.v', parameters)})`
      return test.negated ? not(some) : some
    }
    case 'size':
      return `cardinality(${sql}) ${test.operator === 'equal' ? '=' : '>'} ${parameters.add(test.value, 'numeric')}`
    case 'compare':
    case 'time':
      return 'false'
  }
}
