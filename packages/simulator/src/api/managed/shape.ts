import type { Kind } from '../../store/types.ts'
import { type Field, rootOf, structOf, type Type } from '../../validation/decode.ts'
import { atomicMembers, atomicStructs, granularMembers, listKeys, setLists } from './list-keys.ts'

/** How a value is divided into fields that have owners, each on its own. */
export type Shape =
  /** A scalar, or something that has one owner as a whole. */
  | { readonly form: 'leaf' }
  | { readonly form: 'struct'; readonly go: string }
  | { readonly form: 'map'; readonly of: Shape }
  /** A list whose items are told apart by their keys. */
  | { readonly form: 'list'; readonly keys: readonly string[]; readonly of: Shape }
  /** A list of scalars, each with owners of its own. */
  | { readonly form: 'set' }

const leaf: Shape = { form: 'leaf' }
const known = new Map<string, Shape>()

/** The shape of a kind's objects; undefined for kinds without a table. */
export function shapeOfKind(kind: Kind): Shape | undefined {
  const go = rootOf(kind)
  return go === undefined ? undefined : { form: 'struct', go }
}

/** The member of a struct, and its shape; undefined when the struct has no such member. */
export function memberOf(go: string, name: string): { readonly field: Field; readonly shape: Shape } | undefined {
  const field = structOf(go).byName.get(name)
  return field === undefined ? undefined : { field, shape: shapeOf(field.type, `${go}.${name}`) }
}

function shapeOf(type: Type, at: string): Shape {
  let shape = known.get(at)
  if (shape === undefined) {
    shape = newShape(type, at)
    known.set(at, shape)
  }
  return shape
}

function newShape(type: Type, at: string): Shape {
  if (atomicMembers.has(at)) return leaf
  switch (type.form) {
    case 'struct':
      return atomicStructs.has(type.go) && !granularMembers.has(at) ? leaf : { form: 'struct', go: type.go }
    case 'map':
      return { form: 'map', of: newShape(type.of, `${at}.*`) }
    case 'list': {
      if (setLists.has(at)) return { form: 'set' }
      const keys = Object.hasOwn(listKeys, at) ? listKeys[at] : undefined
      return keys === undefined ? leaf : { form: 'list', keys, of: newShape(type.of, `${at}[]`) }
    }
    default:
      return leaf
  }
}
