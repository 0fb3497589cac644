import type { Columns, Target } from './columns.ts'
import type { Parameters } from './parameters.ts'
import type { Rule, Test } from './rule.ts'
import { testColumn, testTexts, testTime } from './test-column.ts'
import { constant, integerOf, isNull, matchesMissing } from './test-common.ts'
import { testJson } from './test-json.ts'

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
        const document = target?.storage === 'json' ? elementDocument(rule.rule) : undefined
        if (target !== undefined && document !== undefined)
          return `${target.sql} @> ${parameters.add(JSON.stringify([document]), 'jsonb')}`
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

/** What an element must contain for a rule that asks for one equal member of it; undefined for any other rule. */
function elementDocument(rule: Rule): unknown {
  if (rule.kind === 'atom') return rule.test.kind === 'equal' && !rule.test.negated ? rule.test.value : undefined
  return rule.kind === 'object' ? memberDocument(rule.rule) : undefined
}

function memberDocument(rule: Rule): unknown {
  if (rule.kind !== 'atom' && rule.kind !== 'object') return undefined
  const inner = rule.kind === 'atom' ? elementDocument(rule) : memberDocument(rule.rule)
  return inner === undefined ? undefined : { [rule.field]: inner }
}

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
      return testTime(test, target.sql, parameters)
    case 'text-array':
      return testTexts(test, target.sql, parameters)
    case 'members':
      return test.kind === 'null' || test.kind === 'missing'
        ? isNull(target.sql, test.negated)
        : constant(matchesMissing(test))
  }
}
