import fc from 'fast-check'
import { oddValue, storableText } from './odd-values.ts'
import { plainValue, plausible } from './plausible-values.ts'

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
        // Small ones: from -1 to 3, or those next to the minimum.
        { weight: 4, arbitrary: fc.integer({ min: Math.max(min, -1), max: Math.min(max, Math.max(min, -1) + 4) }) },
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
