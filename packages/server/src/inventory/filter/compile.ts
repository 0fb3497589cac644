import type { Parameters } from './parameters.ts'
import type { Rule, Scalar, Test } from './rule.ts'
import { testText } from './test-text.ts'
import { unixSecondsOf } from './time.ts'

/**
 * How a field is stored:
 * `time` is a timestamptz that the wire shows as a date, `epoch` one that the wire shows as Unix seconds;
 * `json-list` is a jsonb array that filter_object looks into (one of the elements must fit);
 * `members` is no column at all: its members are columns of their own, under dotted names.
 */
export type Storage =
  | 'text'
  | 'integer'
  | 'boolean'
  | 'time'
  | 'epoch'
  | 'text-array'
  | 'json'
  | 'json-list'
  | 'members'

/** `sql` is a trusted expression of ours, never text of a request. */
export type Column = { readonly sql: string; readonly storage: Storage }

/** Columns by the wire's field names. A field that has none is one that no row has. */
export type Columns = ReadonlyMap<string, Column>

/**
 * SQL that is true for the rows which match (false or null for the others). Values go into `parameters`, never into the
 * text; strings match literally. Equality on labels becomes jsonb containment, which a GIN index serves.
 */
export function compileFilter(rule: Rule, columns: Columns, parameters: Parameters): string {
  let elements = 0
  return compile(rule, (field) => columns.get(field))

  function compile(rule: Rule, resolve: Resolve): string {
    switch (rule.kind) {
      case 'and':
      case 'or':
        return `(${rule.rules.map((one) => compile(one, resolve)).join(` ${rule.kind} `)})`
      case 'atom':
        return atom(rule.test, resolve(rule.field), parameters)
      case 'object': {
        const target = resolve(rule.field)
        if (target === undefined) return compile(rule.rule, nowhere)
        if (target.storage === 'members') return compile(rule.rule, (field) => resolve(`${rule.field}.${field}`))
        if (target.storage === 'json') return compile(rule.rule, membersOf(target))
        return someElement(target, rule.rule, membersOf)
      }
      case 'array': {
        const target = resolve(rule.field)
        return target === undefined ? 'false' : someElement(target, rule.rule, (element) => () => element)
      }
    }
  }

  function someElement(target: Target, rule: Rule, scope: (element: Target) => Resolve): string {
    elements += 1
    const name = `e${elements}`
    if (target.storage === 'text-array') {
      const inner = compile(rule, scope({ sql: `${name}.v`, storage: 'text' }))
      return `exists (select from unnest(${target.sql}) as ${name}(v) where ${inner})`
    }
    if (target.storage !== 'json' && target.storage !== 'json-list') return 'false'
    const inner = compile(rule, scope({ sql: `${name}.v`, storage: 'json' }))
    // A list of objects without any counts as one object without members, so that negated tests hold for it.
    const none = target.storage === 'json-list' ? '[null]' : '[]'
    const array = `case when jsonb_typeof(${target.sql}) = 'array' and ${target.sql} <> '[]' then ${target.sql} else '${none}' end`
    return `exists (select from jsonb_array_elements(${array}) as ${name}(v) where ${inner})`
  }

  function membersOf(target: Target): Resolve {
    return (field) => {
      let sql: string | undefined
      return {
        // On demand: PostgreSQL refuses a statement with a parameter that its text does not use.
        get sql() {
          sql ??= `(${target.sql} -> ${parameters.add(field, 'text')})`
          return sql
        },
        storage: 'json',
        inside: {
          get sql() {
            return target.inside?.sql ?? target.sql
          },
          path: [...(target.inside?.path ?? []), field],
        },
      }
    }
  }
}

/** `inside`: the jsonb column that the value is a member of, and the way to it. */
type Target = Column & { readonly inside?: { readonly sql: string; readonly path: readonly string[] } }
type Resolve = (field: string) => Target | undefined
const nowhere: Resolve = () => undefined

function atom(test: Test, target: Target | undefined, parameters: Parameters): string {
  if (target === undefined) return constant(matchesMissing(test))
  switch (target.storage) {
    case 'json':
    case 'json-list':
      return testJson(test, target, parameters)
    case 'text':
      return testColumn(
        test,
        target.sql,
        parameters,
        (value) => (typeof value === 'string' ? value : undefined),
        'text',
      )
    case 'integer':
      return testColumn(test, target.sql, parameters, integerOf, 'bigint')
    case 'boolean':
      return testColumn(
        test,
        target.sql,
        parameters,
        (value) => (typeof value === 'boolean' ? value : undefined),
        'boolean',
      )
    case 'time':
    case 'epoch':
      return testTime(test, target, parameters)
    case 'text-array':
      return testTexts(test, target.sql, parameters)
    case 'members':
      return test.kind === 'null' || test.kind === 'missing'
        ? isNull(target.sql, test.negated)
        : constant(matchesMissing(test))
  }
}

/** What a test says of a row that lacks the field, and of a value of a type that the test is not about. */
const matchesMissing = (test: Test) => {
  if (test.kind === 'null' || test.kind === 'missing') return !test.negated
  return 'negated' in test && test.negated
}

const constant = (value: boolean) => (value ? 'true' : 'false')
const isNull = (sql: string, negated: boolean) => `${sql} is ${negated ? 'not ' : ''}null`
const integerOf = (value: Scalar) => (typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined)
const signs = { less: '<', less_or_equal: '<=', greater: '>', greater_or_equal: '>=' } as const

/** A column of one scalar type. `fit` drops values that no such column can hold. */
function testColumn(
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

function testTime(test: Test, target: Target, parameters: Parameters): string {
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
function testTexts(test: Test, sql: string, parameters: Parameters): string {
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

function testJson(test: Test, target: Target, parameters: Parameters): string {
  // Looked up where it is used: the expression may bring a parameter, and containment does without.
  const value = () => target.sql
  const ofType = (type: string, then: string, otherwise: boolean) =>
    `case jsonb_typeof(${value()}) when '${type}' then ${then} else ${otherwise} end`
  const text = () => `(${value()} #>> '{}')`
  switch (test.kind) {
    case 'null':
      return `coalesce(${value()}, 'null'::jsonb) ${test.negated ? '<>' : '='} 'null'::jsonb`
    case 'missing':
      return isNull(value(), test.negated)
    case 'equal': {
      if (test.negated) return `${value()} is distinct from ${parameters.add(JSON.stringify(test.value), 'jsonb')}`
      if (target.inside === undefined) return `${value()} = ${parameters.add(JSON.stringify(test.value), 'jsonb')}`
      const { path } = target.inside
      const document = path.reduceRight<unknown>((inner, key) => ({ [key]: inner }), test.value)
      return `${target.inside.sql} @> ${parameters.add(JSON.stringify(document), 'jsonb')}`
    }
    case 'in': {
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
