import fc from 'fast-check'
import { kubeFields } from '../../src/inventory/fields.ts'
import { currentOperators, olderOperators } from '../../src/inventory/filter/operators.ts'

/** A JSON Schema as the OpenAPI document holds it; what the generator does not know, it ignores. */
export type Schema = {
  readonly $ref?: string
  readonly type?: string | readonly string[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly anyOf?: readonly Schema[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | Schema
  readonly items?: Schema
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly minItems?: number
  readonly maxItems?: number
  readonly pattern?: string
}

export type Components = Readonly<Record<string, Schema>>

/**
 * What is written into the text of a body instead of the marker's quotes and itself: numbers that no JavaScript number
 * holds. See `toText`.
 */
const rawNumbers = ['1e400', '-1e400', '9007199254740993', '-9223372036854775809', '1e22', '1.0', '-0', '1E2', '0.1e1']
const raw = (text: string) => `@raw@${text}@`

/** A body as text. Members called `__proto__` are members, and the raw numbers are numbers. */
export const toText = (value: unknown): string => (JSON.stringify(value) ?? '').replace(/"@raw@([^@"]+)@"/g, '$1')

const oddTexts = [
  '',
  ' ',
  '0',
  '-1',
  '1e3',
  'null',
  '%',
  '%00',
  "'; drop table pod; --",
  '{}',
  '[',
  '$1',
  '\\',
  '(((((',
  'a{1,100000}',
  '\u0000',
  '\ud800',
  '\udc00x',
  '\u202e\u200b\ufeff',
  'é'.normalize('NFD'),
  '🐙👩‍👩‍👧‍👦',
  '\u001f\u007f\u0085',
  'İıſK',
  'x'.repeat(300),
  '字'.repeat(5_000),
  '9999-12-31T23:59:59.999Z',
  '292277026596-12-04 15:30:07',
  '-4713-01-01 00:00:00',
  '2026-02-30 25:61:61',
  '10.0.0.1',
  '999.1.1.1',
  '::1',
  '0:10.0.0.1',
  '999999999999999:10.0.0.1',
  'bk_biz_id,-name,id:-1',
]
const oddNumbers = [0, -0, 1, -1, 2, 2 ** 31 - 1, 2 ** 31, -(2 ** 31) - 1, 2 ** 53 - 1, -(2 ** 53) + 1, 1e-7, 1.5, 1e21]

export const oddText = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...oddTexts) },
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.string({ unit: 'binary', maxLength: 10 }),
)

/** Text that a body may hold, however odd. */
const storableText = oddText.filter((text) => !text.includes('\u0000') && text.isWellFormed())

const nested = (depth: number, around: '[' | '{') => {
  let value: unknown = 1
  for (let i = 0; i < depth; i += 1) value = around === '[' ? [value] : { a: value }
  return value
}

/** What stands where something else should. */
export const oddValue: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(null, true, false) },
  { weight: 3, arbitrary: fc.constantFrom(...oddNumbers, ...rawNumbers.map(raw)) },
  { weight: 4, arbitrary: oddText },
  { weight: 2, arbitrary: fc.constantFrom<unknown>([], {}, [[]], [{}], [null], [1, 'a'], { a: {} }) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.constantFrom(5, 60, 990), fc.constantFrom('[', '{')).map(([n, c]) => nested(n, c)),
  },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
)

const fieldNames = [
  ...new Set(Object.values(kubeFields).flatMap((fields) => fields.map((field) => field.name))),
  'element',
  'ref.kind',
  'ref.id',
  'labels.a',
  'bk_biz_name',
  'bk_host_id',
  'bk_host_innerip',
  'bk_cloud_id',
  'bk_comment',
  'bk_mem',
  'bk_set_id',
  'bk_module_name',
  'bk_data_status',
  'bk_created_at',
  'default',
]
const oldOperators = [
  '$eq',
  '$ne',
  '$in',
  '$nin',
  '$regex',
  '$options',
  '$lt',
  '$lte',
  '$gt',
  '$gte',
  'contains_s',
  '$or',
]

const scalar = fc.constantFrom<string | number | boolean>(1, 0, 2, -1, 1.5, 'web', 'a', 'deployment', '', true)
const time = fc.constantFrom('2026-01-02 03:04:05', '2026-01-02T03:04:05Z', '2026-01-02', 1767225600)
const plainValue: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 4, arbitrary: scalar },
  time,
  fc.array(scalar, { maxLength: 3 }),
  fc.constantFrom<unknown>(null, 1e15, 2 ** 53 - 1, -1e-7, 4e9, {}, []),
  storableText,
)

/** Fields that most objects have come more often. */
const field = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('id', 'name', 'labels', 'bk_biz_id', 'create_time', 'bk_cluster_id') },
  fc.constantFrom(...fieldNames),
)

const { rule } = fc.letrec<{ readonly rule: unknown; readonly atom: unknown }>((tie) => ({
  rule: fc.oneof(
    { maxDepth: 3, depthIdentifier: 'rule', withCrossShrink: true },
    tie('atom'),
    fc.record({
      condition: fc.oneof({ weight: 8, arbitrary: fc.constantFrom('AND', 'OR') }, fc.constantFrom('and', '')),
      rules: fc.array(tie('rule'), { minLength: 1, maxLength: 3, depthIdentifier: 'rule' }),
    }),
  ),
  atom: fc.constantFrom(...[...olderOperators, ...currentOperators]).chain(([operator, { takes }]) => {
    const fitting: Readonly<Record<typeof takes, fc.Arbitrary<unknown>>> = {
      scalar,
      scalars: fc.array(fc.integer({ min: -1, max: 3 }), { minLength: 1, maxLength: 3 }),
      number: fc.constantFrom(0, 1, -1, 1.5, 2 ** 53 - 1, 1e15, 1767225600),
      time,
      text: fc.oneof(fc.constantFrom('a', 'e', 'web'), storableText),
      size: fc.constantFrom(0, 1, 2),
      nothing: fc.constant(''),
      rule: tie('rule'),
    }
    const value = fc.oneof({ weight: 6, arbitrary: fitting[takes] }, plainValue)
    return fc.record({ field, operator: fc.constant(operator), value })
  }),
}))

const oldAtom = fc.record({
  field,
  operator: fc.constantFrom(...oldOperators),
  value: plainValue,
})
const oldAtoms = fc.oneof({ weight: 3, arbitrary: fc.constantFrom([], null) }, fc.array(oldAtom, { maxLength: 2 }))
const oldCondition = fc.dictionary(
  fc.constantFrom(...fieldNames),
  fc.oneof(plainValue, fc.dictionary(fc.constantFrom(...oldOperators), plainValue, { maxKeys: 2 })),
  { maxKeys: 3 },
)

const id = fc.oneof(
  { weight: 20, arbitrary: fc.constant(1) },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 4 }) },
  fc.constantFrom(-1, 2 ** 53 - 1, null),
)
const users = fc.constantFrom('ann', 'ann,bob', '', null)
const name = fc.oneof(fc.constantFrom('pod', 'web', 'node', 'default', 'x'.repeat(3_000), '__proto__'), storableText)

/** Values that get a request past its first checks, by the name of the member or parameter. */
const plausible: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  bk_biz_id: id,
  bk_cluster_id: id,
  bk_namespace_id: id,
  bk_node_id: id,
  bk_pod_id: fc.oneof(id, fc.constant(0)),
  bk_host_id: fc.oneof(id, fc.constantFrom('1', '1,2', [1, 2])),
  ids: fc.array(id, { maxLength: 3 }),
  name,
  uid: name,
  container_uid: name,
  type: fc.constantFrom('INDEPENDENT_CLUSTER', 'SHARE_CLUSTER', 'INDEPENDENT_CLUSTER', 'x'),
  kind: fc.constantFrom('deployment', 'deployment', 'deployment', 'job', 'customResource', 'pods', 'workload'),
  flag: fc.constantFrom('enable', 'disabled', 'bk_host_innerip', 'bk_host_outerip', 'bk_host_innerip|bk_host_outerip'),
  bk_supplier_account: fc.constantFrom('0', 'x', 'search', '%2F'),
  internal_ip: fc.array(fc.constantFrom('10.0.0.1', 'x', ''), { maxLength: 2 }),
  host_info: fc.dictionary(
    fc.constantFrom('0', '1', '-3', '007', 'x', '9007199254740993'),
    fc.record(
      {
        bk_host_id: id,
        bk_host_innerip: fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0.2,10.0.0.3', '', 'x'),
        bk_cloud_id: fc.oneof(id, fc.constant(0)),
        bk_addressing: fc.constantFrom('static', 'dynamic', 'x'),
        bk_agent_id: fc.constantFrom('agent1', 'agent2', '-', ''),
        bk_comment: storableText,
        bk_mem: plainValue,
        operator: fc.oneof(fc.constantFrom('ann', 'ann,bob'), plainValue),
      },
      { requiredKeys: [] },
    ),
    { maxKeys: 3 },
  ),
  bk_biz_name: fc.oneof(
    fc.constantFrom('demo', 'other', 'x'.repeat(256), '名'.repeat(86)),
    storableText,
    fc.string({ unit: 'grapheme-ascii', minLength: 1 }),
  ),
  bk_biz_maintainer: fc.constantFrom('ann', 'ann,bob'),
  bk_biz_productor: users,
  bk_biz_tester: users,
  bk_biz_developer: users,
  life_cycle: fc.constantFrom('1', '2', '1', '2', '4'),
  language: fc.constantFrom('1', '2'),
  time_zone: fc.constantFrom('Asia/Shanghai', 'UTC'),
  end: fc.oneof(time.map(String), storableText),
  limit: fc.oneof({ weight: 6, arbitrary: fc.constantFrom(1, 10, 500) }, fc.constantFrom(501, 0, -1, 2 ** 53 - 1)),
  start: fc.oneof({ weight: 6, arbitrary: fc.constantFrom(0, 1) }, fc.constantFrom(-1, 2 ** 53 - 1)),
  enable_count: fc.oneof({ weight: 8, arbitrary: fc.constantFrom(false, null) }, fc.constant(true)),
  offset: fc.constantFrom('0', '1', '-1', '9223372036854775807', 'x', ''),
  sort: fc.constantFrom('id', '-name', 'name:-1,id', 'labels', 'ref.id', 'operator', 'x,,,', ' '),
  filter: rule,
  biz_property_filter: fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, rule),
  host_property_filter: rule,
  condition: fc.oneof(
    fc.constant(null),
    oldCondition,
    fc.array(
      fc.record(
        {
          bk_obj_id: fc.constantFrom('host', 'biz', 'set', 'module', 'x'),
          fields: fc.array(field, { maxLength: 3 }),
          condition: fc.array(oldAtom, { maxLength: 3 }),
        },
        { requiredKeys: [] },
      ),
      { maxLength: 3 },
    ),
  ),
  exact: fc.constantFrom(0, 1),
  bk_set_ids: fc.constantFrom([], null, [1], [1, -1]),
  bk_module_ids: fc.constantFrom([], null, [1], [2, 2]),
  set_cond: oldAtoms,
  module_cond: oldAtoms,
  field,
  operator: fc.oneof(fc.constantFrom(...oldOperators), fc.constantFrom('ann', 'ann,bob', ['ann'])),
  fields: fc.array(field, { maxLength: 4 }),
  data: fc.constantFrom(['10.0.0.1'], ['0:10.0.0.1', 'x'], ['::1'], ['(']),
  group: fc.constantFrom('group', 'default', '', 'a'),
  id: fc.oneof(id, fc.constantFrom('pool', 'a', 'b', 'c', 'Bad')),
  size: fc.constantFrom(0, 1, 3),
  max_size: fc.constantFrom(0, 1, 3, 2 ** 53 - 1),
}
/** Members of one name mean different things in different bodies: what the schema says of the type decides. */
function fits(value: unknown, schema: Schema): boolean {
  const types = schema.type === undefined ? [] : [schema.type].flat()
  if (types.length === 0) return true
  return types.some(
    (type) =>
      (type === 'null' && value === null) ||
      (type === 'array' && Array.isArray(value) && value.every((element) => fits(element, schema.items ?? {}))) ||
      (type === 'object' && typeof value === 'object' && value !== null && !Array.isArray(value)) ||
      (type === 'integer' && Number.isSafeInteger(value)) ||
      (['string', 'number', 'boolean'].includes(type) && typeof value === type),
  )
}

/** Values that the schema allows, plausible ones more often than not. `null` and absence count as values. */
export function conforming(schema: Schema, components: Components, memberName = '', depth = 0): fc.Arbitrary<unknown> {
  const inner = (one: Schema, called = memberName) => conforming(one, components, called, depth + 1)
  if (schema.$ref !== undefined) {
    const target = components[schema.$ref.slice('#/components/schemas/'.length)]
    if (target === undefined) throw new Error(`dangling reference ${schema.$ref}`)
    return inner(target)
  }
  if (schema.const !== undefined) return fc.constant(schema.const)
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum)
  const known = Object.hasOwn(plausible, memberName) ? plausible[memberName] : undefined
  if (schema.anyOf !== undefined) {
    const [first, ...rest] = schema.anyOf.map((one) => inner(one))
    if (first === undefined) throw new Error('anyOf without a choice')
    return fc.oneof({ weight: 6, arbitrary: first }, ...rest)
  }
  const types = schema.type === undefined ? [] : [schema.type].flat()
  const byType = types.map((type) => ofType(type as string, schema, inner))
  const general =
    byType.length === 0
      ? plainValue
      : fc.oneof(...byType.map((arbitrary, i) => ({ weight: types[i] === 'null' ? 1 : 9, arbitrary })))
  if (known === undefined) return general
  // Parameters of paths and queries are text.
  const asText = (value: unknown) => (depth === 0 && types[0] === 'string' ? String(value) : value)
  const fitting = fc.tuple(known.map(asText), general).map(([value, other]) => (fits(value, schema) ? value : other))
  return fc.oneof({ weight: 20, arbitrary: fitting }, general)
}

function ofType(
  type: string,
  schema: Schema,
  inner: (one: Schema, called?: string) => fc.Arbitrary<unknown>,
): fc.Arbitrary<unknown> {
  switch (type) {
    case 'null':
      return fc.constant(null)
    case 'boolean':
      return fc.boolean()
    case 'integer': {
      const min = schema.minimum ?? Number.MIN_SAFE_INTEGER
      const max = schema.maximum ?? Number.MAX_SAFE_INTEGER
      return fc.oneof(
        { weight: 4, arbitrary: fc.integer({ min: Math.max(min, -1), max: Math.min(max, 3) }) },
        fc.constantFrom(min, max),
        fc.maxSafeInteger().map((n) => Math.min(Math.max(n, min), max)),
      )
    }
    case 'number':
      return fc.oneof(fc.integer({ min: -2, max: 5 }), fc.double({ min: -1e6, max: 1e6, noNaN: true }))
    case 'string':
      if (schema.pattern !== undefined) return fc.stringMatching(new RegExp(schema.pattern), { size: 'small' })
      return schema.maxLength === undefined && schema.minLength === undefined
        ? fc.oneof({ weight: 2, arbitrary: fc.constantFrom('a', 'b', 'web') }, storableText)
        : fc.string({
            unit: 'grapheme',
            minLength: schema.minLength ?? 0,
            maxLength: Math.min(schema.maxLength ?? 50, 50),
          })
    case 'array': {
      const items = inner(schema.items ?? {}, '')
      const some = fc.array(items, { minLength: 1, maxLength: Math.min(schema.maxItems ?? 2, 2) })
      return (schema.minItems ?? 0) > 0 ? some : fc.oneof({ weight: 6, arbitrary: some }, fc.constant([]))
    }
    case 'object': {
      const properties = Object.entries(schema.properties ?? {})
      if (properties.length > 0) {
        const model = Object.fromEntries(properties.map(([called, one]) => [called, inner(one, called)]))
        // Some leave nothing out: only such requests get as far as the last checks.
        const whole = fc.record(model)
        const partial = fc.record(model, { requiredKeys: [...(schema.required ?? [])] })
        return properties.length > 16 ? partial : fc.oneof({ weight: 5, arbitrary: whole }, partial)
      }
      const values =
        typeof schema.additionalProperties === 'object' ? inner(schema.additionalProperties, '') : plainValue
      return fc.dictionary(
        fc.oneof(
          { weight: 8, arbitrary: fc.constantFrom('a', 'cpu', 'constructor') },
          fc.constantFrom('k8s.io/x', '__proto__', '', '0'),
        ),
        values,
        { maxKeys: 2 },
      )
    }
    default:
      throw new Error(`a type that the generator does not know: ${type}`)
  }
}

type Change =
  | { readonly kind: 'replace'; readonly value: unknown }
  | { readonly kind: 'remove' }
  | { readonly kind: 'add'; readonly name: string; readonly value: unknown }
  | { readonly kind: 'wrap'; readonly into: 'array' | 'object' }
  | { readonly kind: 'repeat'; readonly times: number }

const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('replace' as const), value: oddValue }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'remove' as const }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('add' as const),
      name: fc.constantFrom(
        '__proto__',
        'constructor',
        'toString',
        'hasOwnProperty',
        'length',
        'ID',
        'x',
        '',
        '\u0000',
      ),
      value: oddValue,
    }),
  },
  fc.record({ kind: fc.constant('wrap' as const), into: fc.constantFrom('array' as const, 'object' as const) }),
  fc.record({ kind: fc.constant('repeat' as const), times: fc.constantFrom(2, 201, 501) }),
)

/** Conforming values with one to three things wrong somewhere in them. */
export const mutated = (schema: Schema, components: Components): fc.Arbitrary<unknown> =>
  fc
    .tuple(conforming(schema, components), fc.array(fc.tuple(fc.nat(), change), { minLength: 1, maxLength: 3 }))
    .map(([value, changes]) => changes.reduce((body, [where, one]) => changeAt(body, where, one), value))

/** Applies a change to the n-th node of a value (counted around), root included; returns the new root. */
function changeAt(root: unknown, n: number, one: Change): unknown {
  const holder = { root: structuredClone(root) }
  const places: { readonly parent: Record<string, unknown>; readonly key: string }[] = []
  const visit = (parent: Record<string, unknown>, key: string, depth: number) => {
    places.push({ parent, key })
    const value = parent[key]
    if (typeof value === 'object' && value !== null && depth < 40)
      for (const child of Object.keys(value)) visit(value as Record<string, unknown>, child, depth + 1)
  }
  visit(holder, 'root', 0)
  const place = places[n % places.length]
  if (place === undefined) return root
  const { parent, key } = place
  const value = parent[key]
  if (one.kind === 'replace') define(parent, key, one.value)
  else if (one.kind === 'wrap') define(parent, key, one.into === 'array' ? [value] : { a: value })
  else if (one.kind === 'remove') {
    if (Array.isArray(parent)) parent.splice(Number(key), 1)
    else delete parent[key]
  } else if (one.kind === 'add') {
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      define(value as Record<string, unknown>, one.name, one.value)
    else define(parent, key, { [one.name]: value })
  } else if (Array.isArray(value))
    define(
      parent,
      key,
      Array.from({ length: one.times }, (_, i) => value[i % value.length]),
    )
  return holder.root
}

/** Assignment that makes `__proto__` a member like any other. */
const define = (object: Record<string, unknown>, key: string, value: unknown) =>
  Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true })
