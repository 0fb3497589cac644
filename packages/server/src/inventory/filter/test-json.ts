import type { Target } from './columns.ts'
import type { Parameters } from './parameters.ts'
import type { Scalar, Test } from './rule.ts'
import { isNull, signs } from './test-common.ts'
import { testText } from './test-text.ts'

/** Beyond this many values a list of containments is slower than a look at each row. */
const maxContainments = 16

/** A value inside a jsonb column. */
export function testJson(test: Test, target: Target, parameters: Parameters): string {
  // Looked up where it is used: the expression may bring a parameter, and containment does without.
  const value = () => target.sql
  const ofType = (type: string, then: string, otherwise: boolean) =>
    `case jsonb_typeof(${value()}) when '${type}' then ${then} else ${otherwise} end`
  const text = () => `(${value()} #>> '{}')`
  const contains = (member: Scalar) => {
    if (target.inside === undefined) return undefined
    const document = target.inside.path.reduceRight<unknown>((inner, key) => ({ [key]: inner }), member)
    return `${target.inside.sql} @> ${parameters.add(JSON.stringify(document), 'jsonb')}`
  }
  switch (test.kind) {
    case 'null':
      return `coalesce(${value()}, 'null'::jsonb) ${test.negated ? '<>' : '='} 'null'::jsonb`
    case 'missing':
      return isNull(value(), test.negated)
    case 'equal':
      if (test.negated) return `${value()} is distinct from ${parameters.add(JSON.stringify(test.value), 'jsonb')}`
      return contains(test.value) ?? `${value()} = ${parameters.add(JSON.stringify(test.value), 'jsonb')}`
    case 'in': {
      if (!test.negated && target.inside !== undefined && test.values.length <= maxContainments)
        return `(${test.values.map(contains).join(' or ')})`
      const list = parameters.add(
        test.values.map((value) => JSON.stringify(value)),
        'jsonb[]',
      )
      return test.negated ? `(${value()} is null or ${value()} <> all(${list}))` : `${value()} = any(${list})`
    }
    case 'compare':
      return ofType(
        'number',
        `${text()}::numeric ${signs[test.operator]} ${parameters.add(test.value, 'numeric')}`,
        false,
      )
    case 'text': {
      const match = testText(test, text(), parameters)
      return ofType('string', test.negated ? `not ${match}` : match, test.negated)
    }
    case 'size':
      return ofType(
        'array',
        `jsonb_array_length(${value()}) ${test.operator === 'equal' ? '=' : '>'} ${parameters.add(test.value, 'numeric')}`,
        false,
      )
    case 'time':
      return 'false'
  }
}
