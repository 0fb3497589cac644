import { cmdbErrors } from '../../errors.ts'

/**
 * Values of one statement at most, twice what the largest filter needs. PostgreSQL's protocol counts them in 16 bits: with
 * more, the count wraps around, the message makes no sense and the connection is lost.
 */
const maxValues = 10_000

/** The values of a statement under construction. `add` returns the placeholder, with its type; 1199006 when there are too many. */
export type Parameters = { readonly values: readonly unknown[]; add(value: unknown, type: string): string }

export function createParameters(): Parameters {
  const values: unknown[] = []
  return {
    values,
    add(value, type) {
      if (values.length >= maxValues)
        throw cmdbErrors.mismatch('condition', [{ path: '', message: `more than ${maxValues} values in all` }])
      values.push(value)
      return `$${values.length}::${type}`
    },
  }
}
