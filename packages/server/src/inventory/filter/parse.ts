import { currentOperators, type Operator, olderOperators } from './operators.ts'
import type { FieldType, Rule, Scalar, Test } from './rule.ts'
import { unixSecondsOf } from './time.ts'

export type FilterOptions = {
  /** `older`: the DSL of businesses, hosts and business sets (container API reference 10.7). */
  readonly dialect: 'current' | 'older'
  /** The fields that may be asked for with their types, dotted names included; `any`: unknown ones match nothing. */
  readonly fields: ReadonlyMap<string, FieldType> | 'any'
  /** Levels: each combined rule, filter_object and filter_array takes one, the atom needs the last. */
  readonly maxDepth: number
  /** Rules in one combined rule at most; 50 unless told. */
  readonly maxRules?: number
  /** Elements of `in` and `not_in` at most; 500 unless told. */
  readonly maxElements?: number
}

export type ParsedFilter =
  | { readonly ok: true; readonly rule: Rule }
  /** Not a rule at all: the whole request cannot be decoded (1199000). */
  | { readonly ok: false; readonly reason: 'shape' }
  /** 1199006: `message` is the text of the container API, `path` is what the older DSL's callers answer with. */
  | { readonly ok: false; readonly reason: 'content'; readonly message: string; readonly path: string }

/**
 * Checks a filter as a client sent it (container API reference 5.1 to 5.3, texts as the original's) and returns it
 * frozen, ready for `compile.ts`.
 */
export function parseFilter(input: unknown, options: FilterOptions): ParsedFilter {
  try {
    const raw = decode(input, options.dialect === 'older' ? olderOperators : currentOperators)
    if (atomsOf(raw) > maxAtoms) throw new Rejected(`rules elements number exceeds limit: ${maxAtoms}`, 'rules')
    if (options.dialect === 'older') {
      const rule = check(raw, { ...contextOf(options), depth: Number.POSITIVE_INFINITY }, '')
      if (heightOf(raw) > options.maxDepth) {
        throw new Rejected(`exceed max query condition deepth: ${options.maxDepth}`, 'rules')
      }
      return { ok: true, rule }
    }
    return { ok: true, rule: check(raw, contextOf(options), '') }
  } catch (error) {
    if (error instanceof NotARule) return { ok: false, reason: 'shape' }
    if (error instanceof Rejected) return { ok: false, reason: 'content', message: error.message, path: error.path }
    throw error
  }
}

class NotARule extends Error {}

class Rejected extends Error {
  readonly path: string
  constructor(message: string, path: string) {
    super(message)
    this.path = path
  }
}

type RawRule =
  | { readonly condition: string; readonly rules: readonly RawRule[] }
  | { readonly field: string; readonly operator: string; readonly value: unknown; readonly rule: RawRule | undefined }

/** Atoms of one filter at most: what three levels of 50 allow; a fourth level must not multiply it. */
const maxAtoms = 2_500

/** The shape alone, as the original's decoder sees it: a wrong type anywhere fails the whole request. */
function decode(input: unknown, operators: ReadonlyMap<string, Operator>): RawRule {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) throw new NotARule()
  const members = input as Record<string, unknown>
  if (Object.hasOwn(members, 'condition')) {
    const rules = members.rules ?? []
    if (!Array.isArray(rules)) throw new NotARule()
    return { condition: textOf(members.condition), rules: rules.map((rule) => decode(rule, operators)) }
  }
  if (!Object.hasOwn(members, 'operator')) throw new NotARule()
  const operator = textOf(members.operator)
  const takes = operators.get(operator)?.takes
  if (takes === 'scalars' && members.value !== null && !Array.isArray(members.value)) throw new NotARule()
  const value = takes === 'scalars' ? (members.value ?? []) : members.value
  return {
    field: textOf(members.field),
    operator,
    value,
    rule: takes === 'rule' ? decode(members.value, operators) : undefined,
  }
}

function textOf(value: unknown): string {
  if (value === undefined || value === null) return ''
  if (typeof value !== 'string') throw new NotARule()
  return value
}

function atomsOf(raw: RawRule): number {
  if ('condition' in raw) return raw.rules.reduce((sum, rule) => sum + atomsOf(rule), 0)
  return raw.rule === undefined ? 1 : atomsOf(raw.rule)
}

function heightOf(raw: RawRule): number {
  return 'condition' in raw ? 1 + Math.max(1, ...raw.rules.map(heightOf)) : 1
}

type Context = {
  readonly older: boolean
  readonly operators: ReadonlyMap<string, Operator>
  readonly fields: ReadonlyMap<string, FieldType> | 'any'
  readonly depth: number
  readonly maxRules: number
  readonly maxElements: number
  /** Inside filter_array the only field is `element`. */
  readonly inArray: boolean
}

const contextOf = (options: FilterOptions): Context => ({
  older: options.dialect === 'older',
  operators: options.dialect === 'older' ? olderOperators : currentOperators,
  fields: options.fields,
  depth: options.maxDepth,
  maxRules: options.maxRules ?? 50,
  maxElements: options.maxElements ?? 500,
  inArray: false,
})

const joined = (path: string, member: string) => (path === '' ? member : `${path}.${member}`)

function check(raw: RawRule, context: Context, path: string): Rule {
  if (!('condition' in raw)) return checkAtom(raw, context, path)
  const { condition, rules } = raw
  if (condition !== 'AND' && condition !== 'OR') {
    const text = context.older ? 'unexpected condition' : "unsupported expression's logic operator"
    throw new Rejected(`${text}: ${shortened(condition)}`, joined(path, 'condition'))
  }
  if (rules.length === 0) throw new Rejected("combined rules shouldn't be empty", joined(path, 'rules'))
  if (rules.length > context.maxRules) {
    throw new Rejected(
      context.older
        ? `too many rules of ${condition} condition: ${rules.length} max(${context.maxRules})`
        : `rules elements number exceeds limit: ${context.maxRules}`,
      joined(path, 'rules'),
    )
  }
  const inner = { ...context, depth: oneLevelDown(context, path) }
  return Object.freeze({
    kind: condition === 'AND' ? 'and' : 'or',
    rules: Object.freeze(rules.map((rule, index) => check(rule, inner, joined(path, `rules[${index}]`)))),
  })
}

function oneLevelDown(context: Context, path: string): number {
  if (context.depth <= 1) throw new Rejected('expression rules depth exceeds maximum', joined(path, 'rules'))
  return context.depth - 1
}

function checkAtom(raw: Exclude<RawRule, { condition: string }>, context: Context, path: string): Rule {
  const reject = (member: string, message: string) => new Rejected(message, joined(path, member))
  const { field } = raw
  if (!context.older && field === '') throw reject('field', 'field is empty')
  const operator = context.operators.get(raw.operator)
  if (operator === undefined) throw reject('operator', `unsupported operator: ${shortened(raw.operator)}`)
  if (context.older && !/^[a-zA-Z0-9][\w\-.]*$/.test(field)) throw reject('field', `invalid field: ${shortened(field)}`)
  if (context.inArray && field !== 'element') throw reject('field', `filter array field ${shortened(field)} is invalid`)

  const type = typeOf(field, context)
  if (type === undefined) throw reject('field', `rule field: ${shortened(field)} is not exist in the expr option`)
  if (operator.takes === 'rule') {
    const fits = operator.of === 'array' ? type === 'array' : type === 'object' || type === 'mapString'
    if (!fits && type !== 'any')
      throw reject('operator', `${shortened(field)} is of ${type} type, should not use operator: ${raw.operator}`)
    const fields = operator.of === 'array' ? 'any' : membersOf(field, context)
    const inner = { ...context, fields, depth: oneLevelDown(context, path), inArray: operator.of === 'array' } as const
    const rule = check(raw.rule as RawRule, inner, joined(path, 'value'))
    return Object.freeze({ kind: operator.of, field, rule })
  }
  const problem = typeProblem(raw.value, operator, type)
  if (problem !== undefined) throw reject('value', `invalid ${shortened(field)}'s value, ${problem}`)
  const test = testOf(operator, raw.value, context.maxElements)
  if (typeof test === 'string') throw reject('value', `${shortened(field)} validate failed, ${test}`)
  return Object.freeze({ kind: 'atom', field, test: Object.freeze(test) })
}

function typeOf(field: string, context: Context): FieldType | undefined {
  return context.fields === 'any' ? 'any' : context.fields.get(field)
}

/** The declared members of an object field (`ref.kind` of `ref`); an object that declares none lets any member through. */
function membersOf(field: string, context: Context): ReadonlyMap<string, FieldType> | 'any' {
  if (context.fields === 'any') return 'any'
  const prefix = `${field}.`
  const members = [...context.fields].filter(([name]) => name.startsWith(prefix))
  return members.length === 0 ? 'any' : new Map(members.map(([name, type]) => [name.slice(prefix.length), type]))
}

/** Whether the value's type agrees with the field's. Operators without a value, and `size`, ask nothing of the type. */
function typeProblem(value: unknown, operator: Operator, type: FieldType): string | undefined {
  if (type === 'any' || operator.takes === 'nothing' || operator.takes === 'size') return undefined
  // The original wants a number here and then compares a date with it, which never matches; both forms are taken.
  if (operator.takes === 'time' && type === 'timestamp') return undefined
  for (const element of Array.isArray(value) ? value : [value]) {
    if (element === undefined || element === null) return 'rule value can not be nil'
    const problem = elementProblem(element, type)
    if (problem !== undefined) return problem
  }
  return undefined
}

function elementProblem(element: unknown, type: FieldType): string | undefined {
  switch (type) {
    case 'string':
    case 'enum':
      return typeof element === 'string' ? undefined : 'value should be a string'
    case 'numeric':
    case 'timestamp':
      return typeof element === 'number' ? undefined : 'value should be a numeric'
    case 'bool':
      return typeof element === 'boolean' ? undefined : 'value should be a boolean'
    case 'time':
      return unixSecondsOf(element) === undefined ? `value(${shown(element)}) is not of time type` : undefined
    default:
      return `unsupported value type format: ${type}`
  }
}

/** The test, or the text of what is wrong with the value. */
function testOf(operator: Exclude<Operator, { takes: 'rule' }>, value: unknown, maxElements: number): Test | string {
  switch (operator.takes) {
    case 'nothing':
      return operator.test
    case 'scalar':
      if (!isScalar(value)) return `invalid ${operator.label} value(${shown(value)})`
      return { kind: 'equal', value, negated: operator.negated }
    case 'scalars': {
      const problem = scalarsProblem(value as readonly unknown[], maxElements)
      if (problem !== undefined) return `${operator.label} operator's value is invalid, err: ${problem}`
      return { kind: 'in', values: Object.freeze([...(value as Scalar[])]), negated: operator.negated }
    }
    case 'number':
      if (typeof value !== 'number') return `invalid ${operator.label} operator's value, should be a numeric value`
      return { kind: 'compare', operator: operator.operator, value }
    case 'time': {
      const seconds = unixSecondsOf(value)
      if (seconds === undefined)
        return `${operator.label} operator's value is invalid, err: value(${shown(value)}) is not of time type`
      return { kind: 'time', operator: operator.operator, seconds }
    }
    case 'text':
      if (typeof value !== 'string')
        return `${operator.label} operator's value is invalid, err: value(${shown(value)}) is not of string type`
      if (value === '') return `${operator.label} operator's value is invalid, err: value is empty`
      return {
        kind: 'text',
        match: operator.match,
        value,
        ignoreCase: operator.ignoreCase,
        negated: operator.negated,
      }
    case 'size':
      if (typeof value !== 'number' || !Number.isInteger(value))
        return "invalid size operator's value, should be a numeric value"
      if (value < 0) return "invalid size operator's value, should not be negative"
      return { kind: 'size', operator: 'equal', value }
  }
}

function scalarsProblem(values: readonly unknown[], maxElements: number): string | undefined {
  if (values.length === 0) return 'value is empty'
  if (values.length > maxElements) return `elements length ${values.length} exceeds maximum ${maxElements}`
  const first = typeof values[0]
  for (const [index, value] of values.entries()) {
    if (!isScalar(value)) return `array element index(${index}) value(${shown(value)}) is not of basic type`
    if (typeof value !== first) {
      const name = first === 'number' ? 'numeric' : first === 'boolean' ? 'bool' : 'string'
      return `array element index(${index}) value(${shown(value)}) type is not ${name}`
    }
  }
  return undefined
}

const isScalar = (value: unknown): value is Scalar =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'

/** A value as an error's text repeats it. */
const shown = (value: unknown) => shortened(typeof value === 'string' ? value : (JSON.stringify(value) ?? '<nil>'))

/** Names and values come from the request: an answer repeats at most 128 characters of one. */
const shortened = (text: string) => (text.length <= 128 ? text : `${text.slice(0, 128)}...`)
