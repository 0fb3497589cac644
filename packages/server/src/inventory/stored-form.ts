import type { TSchema } from 'typebox'

/**
 * Brings a nested value of a request into the form in which it is stored and answered (container API reference 1.2, 1.10,
 * 1.11): unknown members go, members with a zero value go unless the schema's `x-zero` says otherwise. Values of free form
 * (quantities, bare probe ports, claim templates) stay as they were sent. Expects a value that fits the schema, not null.
 * What has its form already comes back itself, which most values have: nothing is copied then.
 */
export type StoredForm = (value: unknown) => unknown

type Schema = {
  readonly type?: string | readonly string[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: Schema
  readonly items?: Schema
  readonly 'x-zero'?: 'write' | 'keep' | 'null'
}

/** Makes the form of a schema once; what needs nothing done comes back as undefined inside, and as identity here. */
export function storedForm(schema: TSchema): StoredForm {
  return compile(schema as Schema) ?? ((value) => value)
}

/** undefined: values of this schema are stored as they are. */
function compile(schema: Schema): StoredForm | undefined {
  const object = schema.properties === undefined ? compileMap(schema) : compileStructure(schema.properties)
  const array = schema.items === undefined ? undefined : compileArray(schema.items)
  if (array === undefined) return object === undefined ? undefined : (v) => (isObject(v) ? object(v) : v)
  if (object === undefined) return (v) => array(v as readonly unknown[])
  // A single object where an array belongs is one element of it.
  return (v) => array(Array.isArray(v) ? v : [v])
}

function compileArray(items: Schema): (value: readonly unknown[]) => unknown {
  const element = compile(items)
  const zero = zeroOf(items, element)
  return (value) => {
    if (element === undefined) return value.includes(null) ? value.map((v) => v ?? zero()) : value
    let out: unknown[] | undefined
    for (let i = 0; i < value.length; i += 1) {
      const v = value[i]
      const formed = v === null ? zero() : element(v)
      if (formed !== v) out ??= value.slice(0, i)
      out?.push(formed)
    }
    return out ?? value
  }
}

/** Maps of text: a null is the empty text. Copied only then, with `__proto__` kept an ordinary key. */
function compileMap(schema: Schema): ((value: object) => unknown) | undefined {
  if (schema.additionalProperties === undefined) return undefined
  const zero = zeroOf(schema.additionalProperties, undefined)
  return (value) => {
    for (const name in value)
      if ((value as Record<string, unknown>)[name] === null)
        return Object.fromEntries(Object.entries(value).map(([n, v]) => [n, v ?? zero()]))
    return value
  }
}

type Member = {
  readonly name: string
  readonly form: StoredForm | undefined
  readonly zero: () => unknown
  readonly write: boolean
  readonly keep: boolean
}

function compileStructure(properties: Readonly<Record<string, Schema>>): (value: object) => unknown {
  const members = Object.entries(properties).map(([name, schema]): Member => {
    const form = compile(schema)
    const zero = schema['x-zero']
    return {
      name,
      form,
      zero: zero === 'null' || isPointer(schema) ? () => null : zeroOf(schema, form),
      write: zero === 'write' || zero === 'null',
      keep: zero === 'keep' || schema.properties !== undefined,
    }
  })
  const names = new Map(members.map((member) => [member.name, member]))
  const written = members.filter((member) => member.write)
  return (value) => {
    const given = value as Readonly<Record<string, unknown>>
    let out: Record<string, unknown> | undefined
    for (const name in given) {
      const v = given[name]
      const member = names.get(name)
      if (member === undefined || v === null || v === undefined || (!member.write && !member.keep && isZero(v))) {
        out ??= membersBefore(given, name)
        continue
      }
      const formed = member.form === undefined ? v : member.form(v)
      if (formed !== v) out ??= membersBefore(given, name)
      if (out !== undefined) out[name] = formed
    }
    for (const member of written) {
      if ((out ?? given)[member.name] !== undefined) continue
      out ??= { ...given }
      out[member.name] = member.zero()
    }
    return out ?? given
  }
}

/** A copy of the members that come before this one. */
function membersBefore(value: Readonly<Record<string, unknown>>, end: string): Record<string, unknown> {
  const out: Record<string, unknown> = {}
  for (const name in value) {
    if (name === end) break
    out[name] = value[name]
  }
  return out
}

/** Structures inside structures are pointers in the original, but for the ports that may also be written bare. */
function isPointer(schema: Schema): boolean {
  return schema.properties !== undefined && !(schema.type ?? []).includes('string')
}

const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function isZero(value: unknown): boolean {
  if (typeof value === 'object' && value !== null)
    return Array.isArray(value) ? value.length === 0 : Object.keys(value).length === 0
  return value === '' || value === 0 || value === false
}

/** What an absent member is written as: the original's zero value of its type. */
function zeroOf(schema: Schema, form: StoredForm | undefined): () => unknown {
  const types = typeof schema.type === 'string' ? [schema.type] : (schema.type ?? [])
  if (types.includes('array')) return () => null
  if (types.includes('object'))
    return schema.properties !== undefined && form !== undefined ? () => form({}) : () => null
  if (types.includes('string')) return () => ''
  if (types.includes('boolean')) return () => false
  return () => 0
}

/**
 * The form of an object's own members at the top of a row: null and absent go, given ones stay whatever their value, each
 * in its stored form. Only the schema's members come through, or those of `names`. What has this form already comes back
 * itself: do not change it.
 */
export function memberForms(
  schema: TSchema,
  names: readonly string[] = Object.keys((schema as Schema).properties ?? {}),
): (value: object) => Readonly<Record<string, unknown>> {
  const forms = new Map(names.map((name) => [name, compile((schema as Schema).properties?.[name] ?? {})]))
  return (value) => {
    const given = value as Readonly<Record<string, unknown>>
    let isFormed = true
    for (const name in given) {
      const v = given[name]
      const form = forms.get(name)
      isFormed &&= v !== null && v !== undefined && forms.has(name) && (form === undefined || form(v) === v)
      if (!isFormed) break
    }
    if (isFormed) return given
    const out: Record<string, unknown> = {}
    for (const [name, form] of forms) {
      const v = given[name]
      if (v !== undefined && v !== null) out[name] = form === undefined ? v : form(v)
    }
    return out
  }
}
