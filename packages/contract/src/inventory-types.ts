import Type, { type Static, type TSchema, type TUnsafe } from 'typebox'

/*
 * Building blocks of the inventory's schemas. They say types only: every member may be absent or null, unknown members
 * are ignored, and what is required (and in which order it is looked at) are rules of the server, because the original's
 * codes depend on that order (container API reference 4).
 *
 * `x-zero` tells what becomes of a member whose value is zero or that is absent when a nested structure is stored
 * (reference 1.2): left out (no `x-zero`), `keep` (stays when it was given), `write` (always there), `null` (stays when it
 * was given, else null).
 */

/** A JSON object whose members nobody looks at by name. */
export type JsonObject = { readonly [name: string]: unknown }

export const text = (description?: string): TUnsafe<string | null> =>
  Type.Unsafe({ type: ['string', 'null'], ...described(description) })

export const flag = (description?: string): TUnsafe<boolean | null> =>
  Type.Unsafe({ type: ['boolean', 'null'], ...described(description) })

/** A 64-bit integer of the original; beyond 2^53 it is refused before it gets here. */
export const int64 = (description?: string): TUnsafe<number | null> =>
  Type.Unsafe({
    type: ['integer', 'null'],
    minimum: Number.MIN_SAFE_INTEGER,
    maximum: Number.MAX_SAFE_INTEGER,
    ...described(description),
  })

export const int32 = (description?: string): TUnsafe<number | null> =>
  Type.Unsafe({ type: ['integer', 'null'], minimum: -2147483648, maximum: 2147483647, ...described(description) })

/** Text by free names: labels, taints, selectors. */
export const textMap = (description?: string): TUnsafe<Readonly<Record<string, string>> | null> =>
  Type.Unsafe({ type: ['object', 'null'], additionalProperties: text(), ...described(description) })

export const list = <Item extends TSchema>(
  items: Item,
  description?: string,
): TUnsafe<readonly Static<Item>[] | null> => Type.Unsafe({ type: ['array', 'null'], items, ...described(description) })

/** A Kubernetes quantity: text as Kubernetes writes it, or a number; stored as sent. */
export const quantity = (): TUnsafe<string | number | null> => Type.Unsafe({ type: ['string', 'number', 'null'] })

export const quantities = (description?: string): TUnsafe<Readonly<Record<string, string | number>> | null> =>
  Type.Unsafe({ type: ['object', 'null'], additionalProperties: quantity(), ...described(description) })

/** An object with these members, each optional. */
export const members = <P extends Record<string, TSchema>>(
  properties: P,
  description?: string,
): TUnsafe<{ readonly [K in keyof P]?: Static<P[K]> | undefined } | null> =>
  Type.Unsafe({ type: ['object', 'null'], properties, ...described(description) })

/** What nested structures may look like on the wire: their members are checked, but no rule reads them. */
export type Structure = TUnsafe<JsonObject | null>

export type StructureOptions = {
  /** Written even when absent or zero. */
  readonly write?: readonly string[]
  /** Written whenever given, zero or not (optional pointers of the original). */
  readonly keep?: readonly string[]
  /** Written as null when absent. */
  readonly writeNull?: readonly string[]
}

/** A nested structure, with what happens to its zero members. */
export function structure(properties: Readonly<Record<string, TSchema>>, options: StructureOptions = {}): Structure {
  const marked = Object.fromEntries(
    Object.entries(properties).map(([name, schema]) => {
      const zero = options.write?.includes(name)
        ? 'write'
        : options.keep?.includes(name)
          ? 'keep'
          : options.writeNull?.includes(name)
            ? 'null'
            : undefined
      return [name, zero === undefined ? schema : { ...schema, 'x-zero': zero }]
    }),
  )
  return Type.Unsafe({ type: ['object', 'null'], properties: marked })
}

/** An array of structures; a single one without the array around it is taken as one element. */
export const oneOrMany = (item: Structure, description?: string): TUnsafe<readonly JsonObject[] | JsonObject | null> =>
  Type.Unsafe({
    type: ['array', 'object', 'null'],
    items: item,
    properties: (item as { readonly properties?: unknown }).properties,
    ...described(description),
  })

const described = (description: string | undefined) => (description === undefined ? {} : { description })
