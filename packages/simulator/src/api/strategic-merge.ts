import { jsonEqual } from '../store/json.ts'
import { badRequest } from '../store/refusals.ts'
import { StatusError } from '../store/status-error.ts'
import { rootOf, structOf, type Type } from '../validation/decode.ts'
import { goType } from './body.ts'
import { goJsonProblem } from './go-json.ts'
import { listKeys, patchMergeKeys, patchReplaces } from './managed/list-keys.ts'

/**
 * Strategic merge patch, kubectl's default: a merge patch whose lists are merged by a key of their items, with
 * directives. After apimachinery's `strategicpatch`.
 */

type Members = { readonly [member: string]: unknown }

const DIRECTIVE = '$patch'
const RETAIN = '$retainKeys'
const ORDER = '$setElementOrder/'
const DELETE_FROM = '$deleteFromPrimitiveList/'

/** Decodes the body of a strategic merge patch. Throws the API server's 400. */
export function parseStrategicPatch(body: string): Members {
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    throw badRequest(goJsonProblem(body))
  }
  if (isMap(value)) return value
  if (value === null) return {}
  throw badRequest(`json: cannot unmarshal ${goType(value)} into Go value of type map[string]interface {}`)
}

/**
 * The document with the patch.
 *
 * @param plural of the kind that the document is one of
 */
export function applyStrategicPatch(document: unknown, patch: Members, plural: string): unknown {
  const go = rootOf({ plural })
  return mergeMaps(isMap(document) ? document : {}, patch, go === undefined ? undefined : { form: 'struct', go })
}

function mergeMaps(original: Members, patch: Members, type: Type | undefined): Members {
  const { [DIRECTIVE]: directive, [RETAIN]: retain, ...changes } = patch
  if (directive === 'replace') return withoutDirectives(changes, type) as Members
  if (directive === 'delete') return {}
  if (directive !== undefined && directive !== 'merge') {
    throw new StatusError(500, '', `unknown patch type: ${goText(directive)} in map: ${goText(patch)}`)
  }
  const kept = Array.isArray(retain) ? Object.entries(original).filter(([name]) => retain.includes(name)) : undefined
  const result = new Map(kept ?? Object.entries(original))
  for (const [name, items] of Object.entries(changes)) {
    if (name.startsWith('$setElementOrder') && !name.startsWith(ORDER)) {
      throw badRequest('invalid patch format of setElementOrder list')
    }
    if (!name.startsWith(DELETE_FROM)) continue
    const list = result.get(name.slice(DELETE_FROM.length))
    if (!Array.isArray(list) || !Array.isArray(items)) continue
    const rest = list.filter((item) => !items.some((gone) => jsonEqual(item, gone)))
    result.set(name.slice(DELETE_FROM.length), rest)
  }
  for (const [name, value] of Object.entries(changes)) {
    if (name.startsWith(DELETE_FROM) || name.startsWith(ORDER)) continue
    if (value === null) result.delete(name)
    else result.set(name, mergeMember(result.get(name), value, memberOfType(type, name)))
  }
  for (const [name, order] of Object.entries(changes)) {
    if (!name.startsWith(ORDER)) continue
    const list = result.get(name.slice(ORDER.length))
    if (!Array.isArray(list) || !Array.isArray(order)) continue
    const before = original[name.slice(ORDER.length)]
    const { key } = memberOfType(type, name.slice(ORDER.length))
    result.set(name.slice(ORDER.length), inOrder(list, order, Array.isArray(before) ? before : [], key))
  }
  return Object.fromEntries(result)
}

type Place = {
  readonly type: Type | undefined
  /** How a list is merged: by this key, by the items themselves (''), or not at all. */
  readonly key: string | undefined
}

function memberOfType(type: Type | undefined, name: string): Place {
  if (type?.form === 'map') return { type: type.of, key: undefined }
  if (type?.form !== 'struct') return { type: undefined, key: undefined }
  const field = structOf(type.go).byName.get(name)
  const at = `${type.go}.${name}`
  return { type: field?.type, key: mergeKeyOf(at) }
}

function mergeKeyOf(at: string): string | undefined {
  if (Object.hasOwn(patchMergeKeys, at)) return patchMergeKeys[at]
  return patchReplaces.has(at) || !Object.hasOwn(listKeys, at) ? undefined : listKeys[at]?.[0]
}

function mergeMember(original: unknown, value: unknown, { type, key }: Place): unknown {
  if (isMap(value)) return mergeMaps(isMap(original) ? original : {}, value, type)
  if (!Array.isArray(value) || key === undefined || !Array.isArray(original)) return withoutDirectives(value, type)
  const items: readonly unknown[] = original
  if (items.length > 0 && value.some((item) => elementType(item) !== elementType(items[0]))) {
    throw new StatusError(500, '', `list element types are not identical: [${goText(items)} ${goText(value)}]`)
  }
  if (key === '') {
    const added = value.filter((item) => !items.some((held) => jsonEqual(held, item)))
    return inOrder([...items, ...added], value, items, key)
  }
  const merged = mergeItems(items, value, key, type?.form === 'list' ? type.of : undefined)
  return inOrder(merged, value, items, key)
}

function elementType(item: unknown): string {
  if (Array.isArray(item)) return 'list'
  return isMap(item) ? 'map' : 'scalar'
}

function mergeItems(
  original: readonly unknown[],
  patch: readonly unknown[],
  key: string,
  of: Type | undefined,
): unknown[] {
  const sent = patch.map((item) => (isMap(item) ? item : {}))
  const replaces = sent.some((item) => item[DIRECTIVE] === 'replace')
  const changes = sent.filter((item) => item[DIRECTIVE] !== 'replace')
  let result: unknown[] = replaces ? [] : [...original]
  const keyOf = (item: Members): unknown => {
    if (Object.hasOwn(item, key)) return item[key]
    throw new StatusError(500, '', `map: ${goText(item)} does not contain declared merge key: ${key}`)
  }
  for (const item of changes) {
    if (item[DIRECTIVE] !== 'delete') continue
    const gone = keyOf(item)
    result = result.filter((held) => !(isMap(held) && jsonEqual(held[key], gone)))
  }
  for (const item of changes) {
    if (item[DIRECTIVE] === 'delete') continue
    const wanted = keyOf(item)
    const at = result.findIndex((held) => isMap(held) && jsonEqual(held[key], wanted))
    if (at < 0) result.push(mergeMaps({}, item, of))
    else result[at] = mergeMaps(result[at] as Members, item, of)
  }
  return result
}

/** The list in the order that the patch gives; items that it does not name stay before what they were before. */
function inOrder(
  list: readonly unknown[],
  order: readonly unknown[],
  before: readonly unknown[],
  key: string | undefined,
) {
  const idOf = (item: unknown) => (key === undefined || key === '' || !isMap(item) ? item : item[key])
  const rankOf = (item: unknown) => order.findIndex((each) => jsonEqual(idOf(each), idOf(item)))
  const wasAt = (item: unknown) => before.findIndex((each) => jsonEqual(idOf(each), idOf(item)))
  const named = list.filter((item) => rankOf(item) >= 0).toSorted((a, b) => rankOf(a) - rankOf(b))
  const others = list.filter((item) => rankOf(item) < 0).toSorted((a, b) => wasAt(a) - wasAt(b))
  const result: unknown[] = []
  while (named.length > 0 || others.length > 0) {
    const other = others.length === 0 ? -1 : wasAt(others[0])
    const next = named.length === 0 ? -1 : wasAt(named[0])
    // An item that was not there before has no place among the others, and goes first.
    const otherFirst = named.length === 0 || (other >= 0 && next >= 0 && other < next)
    result.push((others.length > 0 && otherFirst ? others : named).shift())
  }
  return result
}

function withoutDirectives(value: unknown, type: Type | undefined): unknown {
  if (isMap(value)) return mergeMaps({}, value, type)
  if (!Array.isArray(value)) return value
  const of = type?.form === 'list' ? type.of : undefined
  return value
    .filter((item) => !(isMap(item) && Object.hasOwn(item, DIRECTIVE)))
    .map((item) => withoutDirectives(item, of))
}

/** A value as Go's `%v` prints it. */
export function goText(value: unknown): string {
  if (value === null || value === undefined) return '<nil>'
  if (Array.isArray(value)) return `[${value.map(goText).join(' ')}]`
  if (!isMap(value)) return String(value)
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `map[${members.map(([name, member]) => `${name}:${goText(member)}`).join(' ')}]`
}

function isMap(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
