import { parseJsonBody } from './json-body.ts'

/** A number that was written with a fraction or an exponent (`1.0`, `1e2`): no integer to Go's decoder. */
export class WrittenNumber {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

const fractions = /\d(?:\.\d|[eE])/

/**
 * A serverless body: as parseJsonBody, but numbers written with a fraction or an exponent come as `WrittenNumber`.
 * So whoever reads an integer can refuse them by the field's name, and nobody minds them in unknown members (which
 * `plainIntegers` of parseJsonBody would refuse, without a name). The second pass runs only when there are some.
 */
export function parseServerlessBody(bytes: Buffer): unknown {
  const value = parseJsonBody(bytes, { infinite: true })
  const text = bytes.toString('utf8')
  if (value === undefined || !fractions.test(text)) return value
  const revive = (_key: string, member: unknown, context: { readonly source?: string }) =>
    typeof member === 'number' && fractions.test(context.source ?? '')
      ? new WrittenNumber(String(context.source))
      : member
  return JSON.parse(text, revive as (key: string, member: unknown) => unknown)
}
