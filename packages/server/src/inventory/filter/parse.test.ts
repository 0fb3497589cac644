import { describe, expect, test } from 'vitest'
import { type FilterOptions, parseFilter } from './parse.ts'
import type { FieldType } from './rule.ts'

const fields = new Map<string, FieldType>([
  ['name', 'string'],
  ['id', 'numeric'],
  ['create_time', 'timestamp'],
  ['unschedulable', 'bool'],
  ['labels', 'mapString'],
  ['selector', 'object'],
  ['ref', 'object'],
  ['ref.kind', 'string'],
  ['ref.id', 'numeric'],
  ['ips', 'array'],
])
const current: FilterOptions = { dialect: 'current', fields, maxDepth: 3 }
const older: FilterOptions = { dialect: 'older', fields: 'any', maxDepth: 3, maxRules: 20 }

const atom = (field: string, operator: string, value?: unknown) => ({
  field,
  operator,
  ...(value === undefined ? {} : { value }),
})
const and = (...rules: unknown[]) => ({ condition: 'AND', rules })
const messageOf = (filter: unknown, options = current) => {
  const parsed = parseFilter(filter, options)
  if (parsed.ok) return 'accepted'
  return parsed.reason === 'shape' ? 'shape' : parsed.message
}

describe('shape', () => {
  test.each([
    ['an empty object', {}],
    ['an array', []],
    ['a string', 'name'],
    ['a rule without operator', { field: 'name', value: 'x' }],
    ['rules that are no array', { condition: 'AND', rules: {} }],
    ['a condition that is no text', { condition: 1, rules: [] }],
    ['an operator that is no text', { field: 'name', operator: 1 }],
    ['a field that is no text', { field: 1, operator: 'equal', value: 'x' }],
    ['a null among the rules', and(null)],
    ['in without an array', atom('name', 'in', 'x')],
    ['filter_object without a rule', atom('labels', 'filter_object', { app: 'x' })],
  ])('%s cannot be decoded', (_name, filter) => {
    expect(messageOf(filter)).toBe('shape')
  })

  test('an atom alone is a filter, and the answer is frozen', () => {
    const parsed = parseFilter(atom('name', 'equal', 'x'), current)
    expect(parsed).toEqual({
      ok: true,
      rule: { kind: 'atom', field: 'name', test: { kind: 'equal', value: 'x', negated: false } },
    })
    expect(parsed.ok && Object.isFrozen(parsed.rule)).toBe(true)
  })
})

describe('limits', () => {
  const name = atom('name', 'equal', 'x')
  const label = (rule: unknown) => atom('labels', 'filter_object', rule)

  test.each([
    ['no rules', and(), "combined rules shouldn't be empty"],
    ['50 rules', and(...Array(50).fill(name)), 'accepted'],
    ['51 rules', and(...Array(51).fill(name)), 'rules elements number exceeds limit: 50'],
    ['AND of OR of atoms', and({ condition: 'OR', rules: [name] }), 'accepted'],
    ['four levels', and(and(and(name))), 'expression rules depth exceeds maximum'],
    ['AND, filter_object, atom', and(label(atom('app', 'equal', 'x'))), 'accepted'],
    [
      'AND, filter_object, AND, atom',
      and(label(and(atom('app', 'equal', 'x')))),
      'expression rules depth exceeds maximum',
    ],
    ['500 elements', atom('id', 'in', Array(500).fill(1)), 'accepted'],
    [
      '501 elements',
      atom('id', 'in', Array(501).fill(1)),
      "id validate failed, in operator's value is invalid, err: elements length 501 exceeds maximum 500",
    ],
  ])('%s', (_name, filter, message) => {
    expect(messageOf(filter)).toBe(message)
  })

  test('pods have a fourth level, but not more atoms', () => {
    const pods = { ...current, maxDepth: 4 }
    expect(messageOf(and(label(and(atom('app', 'equal', 'x')))), pods)).toBe('accepted')
    const wide = Array(50).fill(and(...Array(50).fill(name)))
    expect(messageOf(and(...wide), pods)).toBe('accepted')
    expect(messageOf(and(and(...wide), name), pods)).toBe('rules elements number exceeds limit: 2500')
  })
})

describe('content', () => {
  test.each([
    [{ condition: 'XOR', rules: [] }, "unsupported expression's logic operator: XOR"],
    [atom('', 'equal', 'x'), 'field is empty'],
    [atom('colour', 'equal', 'x'), 'rule field: colour is not exist in the expr option'],
    [atom('labels.app', 'equal', 'x'), 'rule field: labels.app is not exist in the expr option'],
    [atom('name', 'between', [1, 2]), 'unsupported operator: between'],
    [atom('name', 'equal', 1), "invalid name's value, value should be a string"],
    [atom('id', 'equal', '1'), "invalid id's value, value should be a numeric"],
    [atom('create_time', 'greater', '1'), "invalid create_time's value, value should be a numeric"],
    [atom('unschedulable', 'equal', 'no'), "invalid unschedulable's value, value should be a boolean"],
    [atom('ips', 'equal', 'x'), "invalid ips's value, unsupported value type format: array"],
    [atom('labels', 'equal', 'x'), "invalid labels's value, unsupported value type format: mapString"],
    [atom('name', 'equal', null), "invalid name's value, rule value can not be nil"],
    [atom('name', 'in', []), "name validate failed, in operator's value is invalid, err: value is empty"],
    [
      atom('labels', 'filter_object', atom('app', 'in', ['a', 1])),
      "app validate failed, in operator's value is invalid, err: array element index(1) value(1) type is not string",
    ],
    [
      atom('name', 'begins_with', ''),
      "name validate failed, begins with operator's value is invalid, err: value is empty",
    ],
    [atom('name', 'less', 'x'), "name validate failed, invalid lt operator's value, should be a numeric value"],
    [atom('ips', 'size', -1), "ips validate failed, invalid size operator's value, should not be negative"],
    [
      atom('name', 'filter_object', atom('x', 'equal', 1)),
      'name is of string type, should not use operator: filter_object',
    ],
    [
      atom('labels', 'filter_array', atom('x', 'equal', 1)),
      'labels is of mapString type, should not use operator: filter_array',
    ],
    [atom('ips', 'filter_array', atom('ip', 'equal', 'x')), 'filter array field ip is invalid'],
    [atom('ref', 'filter_object', atom('uid', 'equal', 1)), 'rule field: uid is not exist in the expr option'],
    [atom('ref', 'filter_object', atom('kind', 'equal', 1)), "invalid kind's value, value should be a string"],
    [atom('ref.id', 'equal', 1), 'accepted'],
    [atom('selector', 'filter_object', atom('match_labels', 'exist')), 'accepted'],
    [atom('labels', 'filter_object', atom('app.kubernetes.io/name', 'less', 3)), 'accepted'],
    [atom('labels', 'is_null'), 'accepted'],
    [atom('name', 'exist', null), 'accepted'],
    [atom('ips', 'filter_array', atom('element', 'filter_object', atom('ip', 'equal', 'x'))), 'accepted'],
  ])('%j: %s', (filter, message) => {
    expect(messageOf(filter)).toBe(message)
  })

  test('an answer repeats no more than the beginning of a long name', () => {
    expect(messageOf(atom('x'.repeat(1_000_000), 'equal', 'x')).length).toBeLessThan(300)
  })
})

describe('the older DSL', () => {
  test('lets unknown fields through and says where an error is', () => {
    expect(parseFilter(and(atom('colour', 'equal', 1)), older)).toMatchObject({ ok: true })
    expect(parseFilter(and(atom('a', 'equal', 1), atom('a', 'between', 1)), older)).toMatchObject({
      message: 'unsupported operator: between',
      path: 'rules[1].operator',
    })
    expect(parseFilter(and(atom('a', 'contains', '')), older)).toMatchObject({ path: 'rules[0].value' })
    expect(parseFilter(and(atom('-a', 'contains', 'x')), older)).toMatchObject({ path: 'rules[0].field' })
    expect(parseFilter(and(), older)).toMatchObject({ path: 'rules' })
    expect(parseFilter({ condition: 'and', rules: [] }, older)).toMatchObject({ path: 'condition' })
  })

  test('has neither the _i and _s forms nor filter_object', () => {
    for (const operator of ['begins_with_i', 'contains_s', 'size', 'filter_object', 'filter_array'])
      expect(messageOf(atom('a', operator, 'x'), older)).toBe(`unsupported operator: ${operator}`)
  })

  test('counts depth and rules as its own limits', () => {
    const a = atom('a', 'equal', 1)
    expect(messageOf(and(and(a)), older)).toBe('accepted')
    expect(messageOf(and(and(and(a))), older)).toBe('exceed max query condition deepth: 3')
    expect(messageOf(and(...Array(21).fill(a)), older)).toBe('too many rules of AND condition: 21 max(20)')
  })
})
