import Type, { type Static, type TSchema } from 'typebox'

/** A `$ref` to a schema with `$id` that keeps its static type: OpenAPI gets a named component, handlers stay typed. */
export function named<T extends TSchema>(schema: T) {
  const id = (schema as { readonly $id?: string }).$id
  if (id === undefined) throw new Error('schema has no $id')
  return Type.Unsafe<Static<T>>({ $ref: id })
}

/** One of these words; a plain `enum` in OpenAPI, where a union of literals would become an `anyOf`. */
export function StringEnum<const T extends readonly string[]>(values: T, options: Record<string, unknown> = {}) {
  return Type.Unsafe<T[number]>({ type: 'string', enum: [...values], ...options })
}

/** An integer that JavaScript holds exactly. */
export const SafeInteger = (options: Record<string, unknown> = {}) =>
  Type.Integer({ minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER, ...options })

/** Absent and null mean the same on both originals' wires. */
export const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
