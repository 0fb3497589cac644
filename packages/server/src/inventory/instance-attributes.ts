/**
 * Attributes of businesses and hosts (container API reference 10.2, 10.3): generic model instances, checked one
 * attribute at a time. Members that are no attribute are dropped.
 */

export type AttributeKind =
  /** At most 256 bytes, trimmed. */
  | 'text'
  /** At most 2,000 bytes, trimmed. */
  | 'long'
  /** User names, comma separated, at most 2,000 bytes. */
  | 'users'
  /** One of a list's words; which words a list has is not known here unless `words` says so. */
  | 'enum'
  /** A whole number from 1 on. */
  | 'count'
  | 'boolean'

export type Attribute = { readonly name: string; readonly kind: AttributeKind; readonly words?: readonly string[] }

/** A checked value, or what is wrong with it. Null stands for "not given". */
export type CheckedAttribute =
  | { readonly ok: true; readonly value: string | number | boolean | null }
  | { readonly ok: false; readonly problem: string }

export function checkAttribute(attribute: Attribute, given: unknown): CheckedAttribute {
  const problem = (text: string): CheckedAttribute => ({ ok: false, problem: `${attribute.name} ${text}` })
  if (given === null || given === undefined) return { ok: true, value: null }
  switch (attribute.kind) {
    case 'text':
    case 'long':
    case 'users': {
      if (typeof given !== 'string') return problem('must be a string')
      const value = given.trim()
      const limit = attribute.kind === 'text' ? 256 : 2_000
      return Buffer.byteLength(value) > limit ? problem(`exceeds ${limit} bytes`) : { ok: true, value }
    }
    case 'enum':
      if (typeof given !== 'string') return problem('must be a string')
      if (attribute.words !== undefined && !attribute.words.includes(given))
        return problem(`must be one of ${attribute.words.join(', ')}`)
      return Buffer.byteLength(given) > 256 ? problem('exceeds 256 bytes') : { ok: true, value: given }
    case 'count':
      if (typeof given !== 'number' || !Number.isSafeInteger(given) || given < 1)
        return problem('must be a whole number from 1 on')
      return { ok: true, value: given }
    case 'boolean':
      return typeof given === 'boolean' ? { ok: true, value: given } : problem('must be true or false')
  }
}

/** What an attribute that was never given looks like in an answer: text is empty, everything else null. */
export const absentValue = (kind: AttributeKind): '' | null => (kind === 'text' || kind === 'long' ? '' : null)
