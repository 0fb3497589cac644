import type { Column } from './columns.ts'
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

export function testTime(test: Test, target: Column, parameters: Parameters): string {
  const { sql, storage } = target
  // The wire shows whole seconds of one and milliseconds of the other: a moment is a span here.
  const span = storage === 'epoch' ? 1 : 0.001
  const moment = (seconds: number) => `to_timestamp(${parameters.add(seconds, 'float8')})`
  const secondsOf = (value: Scalar) => {
    const fits = storage === 'epoch' ? typeof value === 'number' : typeof value === 'string'
    return fits ? unixSecondsOf(value) : undefined
  }
  const within = (seconds: number) => `(${sql} >= ${moment(seconds)} and ${sql} < ${moment(seconds + span)})`
  const compared = (operator: keyof typeof signs, seconds: number) => {
    const late = operator === 'less_or_equal' || operator === 'greater'
    return `${sql} ${operator.startsWith('less') ? '<' : '>='} ${moment(late ? seconds + span : seconds)}`
  }
  switch (test.kind) {
    case 'null':
    case 'missing':
      return isNull(sql, test.negated)
    case 'equal':
    case 'in': {
      const values = test.kind === 'equal' ? [test.value] : test.values
      const parts = values
        .map(secondsOf)
        .filter((seconds) => seconds !== undefined)
        .map(within)
      if (parts.length === 0) return constant(test.negated)
      return test.negated ? `(${sql} is null or not (${parts.join(' or ')}))` : `(${parts.join(' or ')})`
    }
    case 'compare': {
      if (storage !== 'epoch') return 'false'
      const whole = Math.min(Math.max(wholeSeconds(test.operator, test.value), -2e11), 9e12)
      return compared(test.operator, whole)
    }
    case 'time':
      return compared(test.operator, storage === 'epoch' ? wholeSeconds(test.operator, test.seconds) : test.seconds)
    case 'text':
      return constant(test.negated)
    case 'size':
      return 'false'
  }
}

/** The bound in whole seconds that a fraction amounts to: fewer than 1.5 is at most 1, at most 1.5 is at most 1. */
function wholeSeconds(operator: keyof typeof signs, value: number): number {
  return operator === 'less' || operator === 'greater_or_equal' ? Math.ceil(value) : Math.floor(value)
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
