import type { StoredObject } from './types.ts'

/**
 * An object's JSON, made once per version and shared by the journal, every answer and every watcher. Kept without the
 * leading kind and apiVersion, because the items of a list go out without them.
 */
const cache = new WeakMap<StoredObject, string>()

/** `"metadata":{...},"spec":{...}}`: everything after kind and apiVersion, with the closing brace. */
function tailJson(object: StoredObject): string {
  let tail = cache.get(object)
  if (tail === undefined) {
    const { apiVersion: _apiVersion, kind: _kind, ...rest } = object
    tail = JSON.stringify(rest).slice(1)
    cache.set(object, tail)
  }
  return tail
}

export function objectJson(object: StoredObject): string {
  return `{"kind":${JSON.stringify(object.kind)},"apiVersion":${JSON.stringify(object.apiVersion)},${tailJson(object)}`
}

/** As an item of a list: without kind and apiVersion. */
export function itemJson(object: StoredObject): string {
  return `{${tailJson(object)}`
}

/** Equality of two JSON values; the order of members does not matter. Absent and undefined members are equal. */
export function jsonEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false
    return a.every((value, index) => jsonEqual(value, b[index]))
  }
  const left = a as Readonly<Record<string, unknown>>
  const right = b as Readonly<Record<string, unknown>>
  for (const key of Object.keys(left)) {
    if (!jsonEqual(left[key], Object.hasOwn(right, key) ? right[key] : undefined)) return false
  }
  for (const key of Object.keys(right)) {
    if (right[key] !== undefined && !Object.hasOwn(left, key)) return false
  }
  return true
}
