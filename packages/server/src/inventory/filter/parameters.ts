/** The values of a statement under construction. `add` returns the placeholder, with its type. */
export type Parameters = { readonly values: readonly unknown[]; add(value: unknown, type: string): string }

export function createParameters(): Parameters {
  const values: unknown[] = []
  return {
    values,
    add(value, type) {
      values.push(value)
      return `$${values.length}::${type}`
    },
  }
}
