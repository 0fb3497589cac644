import { jsonEqual } from '../../store/json.ts'
import { FieldSet } from './field-set.ts'
import { keyDefaults } from './list-keys.ts'
import { memberOf, type Shape } from './shape.ts'

/**
 * Values as trees of fields, after structured-merge-diff, which a kube-apiserver uses: which fields a value has, how two
 * values differ, one merged into another, and a value without some of its fields.
 */

type Members = Readonly<Record<string, unknown>>

export const isMap = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isEmptyValue = (value: unknown) =>
  value === undefined ||
  value === null ||
  (Array.isArray(value) ? value.length === 0 : isMap(value) && isEmptyMap(value))
const isEmptyMap = (value: Members) => Object.keys(value).length === 0

/** The step to an item of a list: by its keys, or by itself. */
export function itemStep(shape: Shape, item: unknown): string {
  if (shape.form !== 'list') return `v:${JSON.stringify(item)}`
  const members = isMap(item) ? item : {}
  const keys = shape.keys.toSorted().flatMap((key) => {
    const value = members[key] ?? keyDefaults[key]
    return value === undefined ? [] : [[key, value]]
  })
  return `k:${JSON.stringify(Object.fromEntries(keys))}`
}

/** The fields that an applied value has: its leaves, the items of lists and maps, and what is empty. */
export function fieldsOf(value: unknown, shape: Shape): FieldSet {
  const set = new FieldSet()
  if (shape.form === 'leaf' || value === null || value === undefined) {
    set.member = true
    return set
  }
  if (Array.isArray(value)) {
    for (const item of value) {
      const child = shape.form === 'list' ? fieldsOf(item, shape.of) : new FieldSet()
      child.member = true
      set.children.set(itemStep(shape, item), child)
    }
    return set
  }
  if (!isMap(value)) {
    set.member = true
    return set
  }
  for (const [name, item] of Object.entries(value)) {
    const below =
      shape.form === 'struct' ? memberOf(shape.go, name)?.shape : shape.form === 'map' ? shape.of : undefined
    const child = fieldsOf(item, below ?? { form: 'leaf' })
    if (shape.form === 'map' || item === null || (isMap(item) && isEmptyMap(item))) child.member = true
    if (!child.isEmpty) set.children.set(`f:${name}`, child)
  }
  return set
}

export type Comparison = { readonly added: FieldSet; readonly removed: FieldSet; readonly modified: FieldSet }

/** What became of each field. A container that came or went counts as a field of its own. */
export function compareFields(before: unknown, after: unknown, shape: Shape): Comparison {
  const result = { added: new FieldSet(), removed: new FieldSet(), modified: new FieldSet() }
  compareInto(result, [], before, after, shape)
  return result
}

function compareInto(result: Comparison, path: readonly string[], before: unknown, after: unknown, shape: Shape): void {
  if (before === undefined && after === undefined) return
  const leaf = shape.form === 'leaf' || (isEmptyValue(before) && isEmptyValue(after))
  if (leaf && before !== undefined && after !== undefined) {
    if (!jsonEqual(before, after)) result.modified.insert(path)
    return
  }
  if (!leaf) {
    for (const [step, old, now, below] of parts(before, after, shape)) {
      compareInto(result, [...path, step], old, now, below)
    }
  }
  if (before === undefined) result.added.insert(path)
  else if (after === undefined) result.removed.insert(path)
}

type Part = readonly [step: string, before: unknown, after: unknown, shape: Shape]

function* parts(before: unknown, after: unknown, shape: Shape): Generator<Part> {
  if (shape.form === 'list' || shape.form === 'set') {
    const of: Shape = shape.form === 'list' ? shape.of : { form: 'leaf' }
    const old = itemsByStep(before, shape)
    const now = itemsByStep(after, shape)
    for (const [step, item] of old) yield [step, item, now.get(step), of]
    for (const [step, item] of now) if (!old.has(step)) yield [step, undefined, item, of]
    return
  }
  const old = isMap(before) ? before : {}
  const now = isMap(after) ? after : {}
  for (const name of new Set([...Object.keys(old), ...Object.keys(now)])) {
    const member = shape.form === 'struct' ? memberOf(shape.go, name) : undefined
    const below: Shape = member?.shape ?? (shape.form === 'map' ? shape.of : { form: 'leaf' })
    // Go writes null for an empty list that is not omitted, so that the member is there all the same.
    const always = member !== undefined && !member.field.omit && !member.field.omitZero && !member.field.pointer
    const missing = (value: unknown, whole: unknown) => (value === undefined && always && isMap(whole) ? null : value)
    yield [`f:${name}`, missing(old[name], before), missing(now[name], after), below]
  }
}

function itemsByStep(value: unknown, shape: Shape): ReadonlyMap<string, unknown> {
  return new Map((Array.isArray(value) ? value : []).map((item: unknown) => [itemStep(shape, item), item]))
}

/** `live` with what `applied` says. Items keep the applied order; others stay where they were. */
export function mergeFields(live: unknown, applied: unknown, shape: Shape): unknown {
  if (live === undefined || live === null || shape.form === 'leaf') return applied
  if ((shape.form === 'list' || shape.form === 'set') && Array.isArray(live) && Array.isArray(applied)) {
    return mergeItems(live, applied, shape)
  }
  if (!isMap(live) || !isMap(applied)) return applied
  const result = new Map(Object.entries(live))
  for (const [name, value] of Object.entries(applied)) {
    const below =
      shape.form === 'struct' ? memberOf(shape.go, name)?.shape : shape.form === 'map' ? shape.of : undefined
    result.set(name, mergeFields(result.get(name), value, below ?? { form: 'leaf' }))
  }
  return Object.fromEntries(result)
}

function mergeItems(live: readonly unknown[], applied: readonly unknown[], shape: Shape): unknown[] {
  const wanted = itemsByStep(applied, shape)
  const held = itemsByStep(live, shape)
  const merged = (step: string, item: unknown) =>
    shape.form === 'list' && held.has(step) ? mergeFields(held.get(step), item, shape.of) : item
  const result: unknown[] = []
  const queue = [...wanted]
  for (const item of live) {
    const step = itemStep(shape, item)
    if (!wanted.has(step)) {
      result.push(item)
      continue
    }
    // Everything that is applied before this one, and this one, unless it went out already.
    const upTo = queue.findIndex(([each]) => each === step)
    for (const [each, value] of queue.splice(0, upTo + 1)) result.push(merged(each, value))
  }
  for (const [step, item] of queue) result.push(merged(step, item))
  return result
}

/** The value without the fields that are members of `gone`, and all below those. Undefined when nothing is left. */
export function removeFields(value: unknown, gone: FieldSet, shape: Shape): unknown {
  if (gone.children.size === 0 || shape.form === 'leaf') return value
  if (Array.isArray(value)) {
    const kept = value.flatMap((item: unknown) => {
      const below = gone.children.get(itemStep(shape, item))
      if (below?.member === true) return []
      return [below === undefined || shape.form !== 'list' ? item : removeFields(item, below, shape.of)]
    })
    return kept.length === 0 ? undefined : kept
  }
  if (!isMap(value)) return value
  const kept = Object.entries(value).flatMap(([name, item]) => {
    const below = gone.children.get(`f:${name}`)
    if (below?.member === true) return []
    if (below === undefined) return [[name, item]]
    const inside =
      shape.form === 'struct' ? memberOf(shape.go, name)?.shape : shape.form === 'map' ? shape.of : undefined
    const rest = removeFields(item, below, inside ?? { form: 'leaf' })
    return rest === undefined ? [] : [[name, rest]]
  })
  return kept.length === 0 ? undefined : Object.fromEntries(kept)
}

/** The set with the structs' members that lead to its fields: whoever owns `spec.strategy.type` owns `spec.strategy`. */
export function withNamedParents(set: FieldSet): FieldSet {
  const result = new FieldSet()
  result.member = set.member
  for (const [step, child] of set.children) {
    const below = withNamedParents(child)
    if (step.startsWith('f:')) below.member = true
    result.children.set(step, below)
  }
  return result
}
