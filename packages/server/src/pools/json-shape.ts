/**
 * Whether parsed JSON has the types that Kubernetes' Go decoder asks for. Pure.
 *
 * A pool's JSON texts that cannot be parsed are ignored; what parses but breaks a rule (a weight of 200) is left for the
 * cluster to refuse. Members that are not named here are left alone, as the decoder leaves them.
 */
export type Shape =
  | 'string'
  | 'integer'
  | 'boolean'
  | 'object'
  | { readonly list: Shape }
  | { readonly map: Shape }
  | { readonly members: Readonly<Record<string, Shape>> }

export type JsonObject = Readonly<Record<string, unknown>>

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What is wrong, such as `nodeAffinity is not an object`; undefined when it fits. Null fits everywhere: not given. */
export function mismatch(shape: Shape, value: unknown, path: string): string | undefined {
  if (value === null || value === undefined) return undefined
  if (shape === 'integer') return Number.isInteger(value) ? undefined : `${path} is not an integer`
  if (shape === 'object') return isObject(value) ? undefined : `${path} is not an object`
  if (shape === 'string' || shape === 'boolean') return typeof value === shape ? undefined : `${path} is not a ${shape}`
  if ('list' in shape) {
    if (!Array.isArray(value)) return `${path} is not a list`
    return first(value.map((item, i) => mismatch(shape.list, item, `${path}[${i}]`)))
  }
  if (!isObject(value)) return `${path} is not an object`
  if ('map' in shape) return first(Object.entries(value).map(([key, v]) => mismatch(shape.map, v, join(path, key))))
  return first(Object.entries(shape.members).map(([name, s]) => mismatch(s, own(value, name), join(path, name))))
}

/** A member of the object itself, never one of its prototype. */
export function own(value: JsonObject, name: string): unknown {
  return Object.hasOwn(value, name) ? value[name] : undefined
}

/** Parses a JSON text; the reason when it is none. */
export function parseJson(
  text: string,
): { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly reason: string } {
  try {
    return { ok: true, value: JSON.parse(text) }
  } catch {
    return { ok: false, reason: 'it is not JSON' }
  }
}

const join = (path: string, name: string) => (path === '' ? name : `${path}.${name}`)
const first = (found: readonly (string | undefined)[]) => found.find((text) => text !== undefined)
