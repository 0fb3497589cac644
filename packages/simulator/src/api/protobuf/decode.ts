import { apiVersionOf, kinds } from '../../store/kinds.ts'
import { rootOf, structOf, type Type } from '../../validation/decode.ts'
import { fieldNumbers } from './field-numbers.ts'
import { ProtobufError, readFields, type WireField } from './wire.ts'

/**
 * Kubernetes' protobuf form of an object, which kubectl's typed commands send (`create deployment`, `create configmap`,
 * `drain`): four magic bytes, and a wrapper with kind, apiVersion and the object's message. Answers are always JSON,
 * which those clients accept.
 */

export const PROTOBUF_TYPE = 'application/vnd.kubernetes.protobuf'
const MAGIC = Buffer.from('k8s\0')

type Member = { readonly name: string; readonly type: Type }
type Layout = { readonly members: ReadonlyMap<number, Member>; readonly embedded: ReadonlyMap<number, Layout> }

const text: Type = { form: 'string', go: 'string' }
const int64: Type = { form: 'int', go: 'int64', min: -(2 ** 63), max: 2 ** 63 }
const struct = (go: string): Type => ({ form: 'struct', go })

/** Messages of requests that are about an object rather than one themselves. */
const otherMessages: Readonly<Record<string, readonly (readonly [number, string, Type])[]>> = {
  DeleteOptions: [
    [1, 'gracePeriodSeconds', int64],
    [2, 'preconditions', struct('Preconditions')],
    [3, 'orphanDependents', { form: 'bool' }],
    [4, 'propagationPolicy', text],
    [5, 'dryRun', { form: 'list', go: '[]string', of: text }],
  ],
  Preconditions: [
    [1, 'uid', text],
    [2, 'resourceVersion', text],
  ],
  Eviction: [
    [1, 'metadata', struct('v1.ObjectMeta')],
    [2, 'deleteOptions', struct('DeleteOptions')],
  ],
  Binding: [
    [1, 'metadata', struct('v1.ObjectMeta')],
    [2, 'target', struct('v1.ObjectReference')],
  ],
}

/** The object as JSON. Throws ProtobufError when the bytes are not in this form, or of a kind that is not known. */
export function protobufToJson(body: Buffer): string {
  if (!body.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw new ProtobufError('provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]')
  }
  let apiVersion = ''
  let kind = ''
  let raw: Buffer = Buffer.alloc(0)
  for (const { number, bytes } of readFields(body.subarray(MAGIC.length))) {
    if (number === 2) raw = bytes
    if (number !== 1) continue
    for (const field of readFields(bytes)) {
      if (field.number === 1) apiVersion = field.bytes.toString()
      if (field.number === 2) kind = field.bytes.toString()
    }
  }
  const served = kinds.find((each) => each.kind === kind && apiVersionOf(each) === apiVersion)
  const go = served === undefined ? (kind === 'Scale' ? 'v1.Scale' : kind) : rootOf(served)
  if (go === undefined || (served === undefined && kind !== 'Scale' && !Object.hasOwn(otherMessages, kind))) {
    throw new ProtobufError(`no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)}`)
  }
  return JSON.stringify({ kind, apiVersion, ...message(raw, layoutOf(go)) })
}

const layouts = new Map<string, Layout>()

function layoutOf(go: string): Layout {
  let layout = layouts.get(go)
  if (layout === undefined) {
    const other = Object.hasOwn(otherMessages, go) ? otherMessages[go] : undefined
    layout =
      other === undefined
        ? layoutFromTable(go)
        : { members: new Map(other.map(([number, name, type]) => [number, { name, type }])), embedded: new Map() }
    layouts.set(go, layout)
  }
  return layout
}

type GrowingLayout = { readonly members: Map<number, Member>; readonly embedded: Map<number, GrowingLayout> }

function layoutFromTable(go: string): Layout {
  const { byName } = structOf(go)
  const layout: GrowingLayout = { members: new Map(), embedded: new Map() }
  for (const entry of (fieldNumbers[go] ?? '').split(' ')) {
    const [name = '', path = ''] = entry.split('=')
    const field = byName.get(name)
    if (field === undefined) continue
    const steps = path.split('.').map(Number)
    let at = layout
    for (const step of steps.slice(0, -1)) {
      const below = at.embedded.get(step) ?? { members: new Map(), embedded: new Map() }
      at.embedded.set(step, below)
      at = below
    }
    at.members.set(steps.at(-1) ?? 0, { name, type: field.type })
  }
  return layout
}

function message(bytes: Buffer, layout: Layout): Readonly<Record<string, unknown>> {
  const found = new Map<string, unknown>()
  for (const field of readFields(bytes)) {
    const below = layout.embedded.get(field.number)
    if (below !== undefined) {
      for (const [name, value] of Object.entries(message(field.bytes, below))) found.set(name, value)
      continue
    }
    const member = layout.members.get(field.number)
    if (member === undefined) continue
    const { name, type } = member
    const before = found.get(name)
    if (type.form === 'list') found.set(name, [...(Array.isArray(before) ? before : []), single(field, type.of)])
    else if (type.form === 'map')
      found.set(name, { ...(before as object | undefined), ...mapEntry(field.bytes, type.of) })
    else found.set(name, single(field, type))
  }
  return Object.fromEntries(found)
}

function mapEntry(bytes: Buffer, of: Type): object {
  let key = ''
  let value: unknown = of.form === 'string' || of.form === 'bytes' ? '' : null
  for (const field of readFields(bytes)) {
    if (field.number === 1) key = field.bytes.toString()
    if (field.number === 2) value = single(field, of)
  }
  return Object.fromEntries([[key, value]])
}

function single({ integer, bytes }: WireField, type: Type): unknown {
  switch (type.form) {
    case 'struct':
      return message(bytes, layoutOf(type.go))
    case 'string':
      return bytes.toString()
    case 'int':
      return Number(integer)
    case 'bool':
      return integer !== 0n
    case 'bytes':
      return bytes.toString('base64')
    case 'quantity':
      return textOf(bytes, 1)
    case 'intOrString': {
      const parts = new Map([...readFields(bytes)].map((field) => [field.number, field]))
      return parts.get(1)?.integer === 1n ? textOf(bytes, 3) : Number(parts.get(2)?.integer ?? 0n)
    }
    case 'time':
    case 'microTime':
      return timeOf(bytes, type.form === 'microTime')
    case 'any':
      return rawJson(bytes)
    case 'list':
    case 'map':
      throw new ProtobufError(`a ${type.form} in a list or map`)
  }
}

function textOf(bytes: Buffer, number: number): string {
  return [...readFields(bytes)].find((field) => field.number === number)?.bytes.toString() ?? ''
}

/** A time that is not set is an empty message. */
function timeOf(bytes: Buffer, micro: boolean): string | null {
  if (bytes.length === 0) return null
  const parts = new Map([...readFields(bytes)].map((field) => [field.number, Number(field.integer)]))
  const date = new Date((parts.get(1) ?? 0) * 1000)
  if (Number.isNaN(date.getTime())) throw new ProtobufError('a time out of range')
  const whole = date.toISOString().slice(0, 19)
  return micro ? `${whole}.${String(Math.floor((parts.get(2) ?? 0) / 1000)).padStart(6, '0')}Z` : `${whole}Z`
}

function rawJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(textOf(bytes, 1))
  } catch {
    return null
  }
}
