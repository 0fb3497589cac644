import { StatusError } from '../store/status-error.ts'
import type { Kind, NewObject } from '../store/types.ts'
import { roots, structs } from './go-types.ts'
import { parseQuantity } from './quantity.ts'

/**
 * Decodes an object as the API server's Go decoder does: unknown members are dropped, null is absent, quantities get
 * their canonical text, empty members that Go would omit go, and a wrong type is a 400 in the decoder's words.
 */

type Members = { readonly [member: string]: unknown }
/** A member of a Go struct, as JSON has it. */
export type Field = {
  readonly name: string
  readonly type: Type
  readonly omit: boolean
  readonly omitZero: boolean
  readonly pointer: boolean
  readonly embedded: string
}
export type Struct = {
  readonly name: string
  readonly short: string
  readonly fields: readonly Field[]
  readonly byName: ReadonlyMap<string, Field>
}
export type Type =
  | { readonly form: 'struct'; readonly go: string }
  | { readonly form: 'list'; readonly go: string; readonly of: Type }
  | { readonly form: 'map'; readonly go: string; readonly of: Type }
  | { readonly form: 'string'; readonly go: string }
  | { readonly form: 'int'; readonly go: string; readonly min: number; readonly max: number }
  | { readonly form: 'bool' | 'bytes' | 'quantity' | 'intOrString' | 'time' | 'microTime' | 'any' }

class DecodeError extends Error {}

const compiled = new Map<string, Struct>()

/** Whether a Go type's name is that of a struct in the table. */
export function isStruct(go: string): boolean {
  return Object.hasOwn(structs, go)
}

/** A Go struct by its name in the table, such as `v1.Pod`. */
export function structOf(go: string): Struct {
  const known = compiled.get(go)
  if (known !== undefined) return known
  const table = Object.hasOwn(structs, go) ? structs[go] : undefined
  if (table === undefined) throw new Error(`no struct ${go}`)
  const fields = table.map(parseField)
  const struct = {
    name: go,
    short: go.slice(go.indexOf('.') + 1),
    fields,
    byName: new Map(fields.map((field) => [field.name, field])),
  }
  compiled.set(go, struct)
  return struct
}

function parseField(line: string): Field {
  const [name = '', type = '', flags = '', embedded = ''] = line.split(' ')
  return {
    name,
    type: parseType(type),
    omit: flags.includes('o'),
    omitZero: flags.includes('z'),
    pointer: flags.includes('p'),
    embedded,
  }
}

function parseType(text: string): Type {
  if (text.startsWith('@')) return { form: 'struct', go: text.slice(1) }
  if (text.startsWith('[')) {
    const end = text.indexOf(']', 3)
    return { form: 'list', go: text.slice(1, end), of: parseType(text.slice(end + 1)) }
  }
  if (text.startsWith('{')) {
    const end = text.indexOf('}')
    return { form: 'map', go: text.slice(1, end), of: parseType(text.slice(end + 1)) }
  }
  if (text.startsWith('string:')) return { form: 'string', go: text.slice(7) }
  if (text === 'int32') return { form: 'int', go: text, min: -2147483648, max: 2147483647 }
  if (text === 'int64') return { form: 'int', go: text, min: -(2 ** 63), max: 2 ** 63 }
  switch (text) {
    case 'string':
      return { form: 'string', go: 'string' }
    case 'bool':
    case 'bytes':
    case 'quantity':
    case 'intOrString':
    case 'time':
    case 'microTime':
    case 'any':
      return { form: text }
  }
  throw new Error(`no type ${text}`)
}

function jsonKind(value: unknown): string {
  if (Array.isArray(value)) return 'array'
  switch (typeof value) {
    case 'boolean':
      return 'bool'
    case 'number':
      return 'number'
    case 'string':
      return 'string'
    default:
      return 'object'
  }
}

/** Where a value stands, for the error text only; built when an error is. */
type Place = { readonly struct: string; readonly path: string }

function mismatch(value: unknown, type: string, place: Place, kind = jsonKind(value)): DecodeError {
  const target =
    place.path === '' ? `Go value of type ${type}` : `Go struct field ${place.struct}.${place.path} of type ${type}`
  return new DecodeError(`json: cannot unmarshal ${kind} into ${target}`)
}

function decodeStruct(value: unknown, go: string, place: Place): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw mismatch(value, go, place)
  const struct = structOf(go)
  const source = value as Members
  const found: Record<string, unknown> = {}
  // Members in the order they were sent: the first wrong one is the error.
  for (const name of Object.keys(source)) {
    const field = struct.byName.get(name)
    if (field === undefined) continue
    const member = source[name]
    if (member === null || member === undefined) continue
    const path = place.path === '' ? `${field.embedded}${name}` : `${place.path}.${field.embedded}${name}`
    found[name] = decodeValue(member, field.type, { struct: struct.short, path })
  }
  const result: Record<string, unknown> = {}
  for (const field of struct.fields) {
    const kept = keep(field, found[field.name])
    if (kept !== undefined) result[field.name] = kept
  }
  return result
}

/** What Go writes back for a field: omitted, its zero value, or its value. */
function keep(field: Field, value: unknown): unknown {
  if (value === undefined) {
    if (field.omitZero || field.pointer) return undefined
    // Go leaves out no struct that is empty, and these are structs to it.
    if (field.omit && !STRUCTS.has(field.type.form)) return undefined
    return zeroValue(field.type)
  }
  if (!field.omit || field.pointer) return value
  if (value === '' || value === 0 || value === false) return undefined
  // An autoscaler's empty policies differ from absent ones: the latter get a default.
  if (Array.isArray(value) && value.length === 0) return field.name === 'policies' ? value : undefined
  if (field.type.form === 'map' && Object.keys(value as object).length === 0) return undefined
  return value
}

const STRUCTS: ReadonlySet<Type['form']> = new Set(['struct', 'quantity', 'time', 'microTime', 'intOrString'])

function zeroValue(type: Type): unknown {
  switch (type.form) {
    case 'struct':
      return decodeStruct({}, type.go, { struct: '', path: '' })
    case 'string':
      return ''
    case 'int':
      return 0
    case 'bool':
      return false
    case 'quantity':
      return '0'
    case 'intOrString':
      return 0
    case 'time':
    case 'microTime':
      return null
    default:
      return undefined
  }
}

function decodeValue(value: unknown, type: Type, place: Place): unknown {
  switch (type.form) {
    case 'struct':
      return decodeStruct(value, type.go, place)
    case 'list': {
      if (!Array.isArray(value)) throw mismatch(value, type.go, place)
      return value.map((item) => {
        if (item !== null) return decodeValue(item, type.of, place)
        return type.of.form === 'struct' ? decodeStruct({}, type.of.go, place) : zeroValue(type.of)
      })
    }
    case 'map': {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) throw mismatch(value, type.go, place)
      const entries = Object.entries(value).map(([key, item]) => [
        key,
        item === null ? zeroValue(type.of) : decodeValue(item, type.of, place),
      ])
      return Object.fromEntries(entries)
    }
    case 'string':
      if (typeof value !== 'string') throw mismatch(value, type.go, place)
      return value
    case 'int':
      return decodeInt(value, type, place)
    case 'bool':
      if (typeof value !== 'boolean') throw mismatch(value, 'bool', place)
      return value
    case 'bytes':
      if (typeof value !== 'string') throw mismatch(value, '[]uint8', place)
      return value
    case 'quantity': {
      const parsed = parseQuantity(typeof value === 'string' ? value.trim() : JSON.stringify(value))
      if (typeof parsed === 'string') throw new DecodeError(parsed)
      return parsed.text
    }
    case 'intOrString':
      return typeof value === 'string' ? value : decodeInt(value, INT32, place)
    case 'time':
    case 'microTime':
      if (typeof value !== 'string') throw mismatch(value, 'string', place)
      return decodeTime(value, type.form === 'microTime')
    case 'any':
      return value
  }
}

type IntType = Extract<Type, { form: 'int' }>
const INT32: IntType = { form: 'int', go: 'int32', min: -2147483648, max: 2147483647 }

function decodeInt(value: unknown, type: IntType, place: Place): number {
  if (typeof value !== 'number') throw mismatch(value, type.go, place)
  if (!Number.isInteger(value) || value < type.min || value > type.max) {
    throw mismatch(value, type.go, place, `number ${goNumber(value)}`)
  }
  return value
}

function goNumber(value: number): string {
  const text = String(value)
  return text.includes('e') ? BigInt(Math.trunc(value)).toString() : text
}

const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})$/

function decodeTime(value: string, micro: boolean): string {
  const layout = micro ? '2006-01-02T15:04:05.000000Z07:00' : '2006-01-02T15:04:05Z07:00'
  if (!TIME.test(value) || Number.isNaN(Date.parse(value))) {
    throw new DecodeError(
      `parsing time ${JSON.stringify(value)} as "${layout}": cannot parse ${JSON.stringify(value)} as "2006"`,
    )
  }
  if (micro) return value
  return new Date(value).toISOString().replace(/\.\d{3}Z$/, 'Z')
}

/** Decodes a sent object of a kind. Kinds without a table pass as they are. */
export function decodeObject(kind: Kind, object: NewObject): NewObject {
  const root = rootOf(kind)
  if (root === undefined) return object
  try {
    const decoded = decodeStruct(object, root, { struct: '', path: '' })
    return { ...decoded, apiVersion: object.apiVersion, kind: object.kind } as NewObject
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    throw new StatusError(
      400,
      'BadRequest',
      `${kind.kind} in version ${JSON.stringify(kind.version)} cannot be handled as a ${kind.kind}: ${error.message}`,
    )
  }
}

/** The struct that objects of a kind are decoded into; undefined for kinds without a table. */
export function rootOf(kind: { readonly plural: string }): string | undefined {
  return Object.hasOwn(roots, kind.plural) ? roots[kind.plural] : undefined
}
