import { StatusError } from '../store/status-error.ts'
import type { FieldCause } from '../store/types.ts'

/** What a validation gathers: one cause per wrong field, in the API server's order and words. */
export type Causes = FieldCause[]

const QUOTED: Readonly<Record<string, string>> = {
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\b': '\\b',
  '\f': '\\f',
  '\v': '\\v',
  '\x07': '\\a',
}

/** A string as Go's `%q` prints it. */
export function goQuote(value: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what gets escaped
  const escaped = value.replace(/["\\]/g, '\\$&').replace(/[\x00-\x1f\x7f]/g, (character) => {
    return QUOTED[character] ?? `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`
  })
  return `"${escaped}"`
}

function shown(value: unknown): string {
  if (typeof value === 'string') return goQuote(value)
  // Go's JSON encoder escapes these three.
  return JSON.stringify(value ?? null).replace(/[<>&]/g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`)
}

const withDetail = (text: string, detail: string) => (detail === '' ? text : `${text}: ${detail}`)

export const required = (field: string, detail = ''): FieldCause => ({
  field,
  reason: 'FieldValueRequired',
  message: withDetail('Required value', detail),
})

export const invalid = (field: string, value: unknown, detail: string): FieldCause => ({
  field,
  reason: 'FieldValueInvalid',
  message: withDetail(`Invalid value: ${shown(value)}`, detail),
})

export const notSupported = (field: string, value: unknown, supported: readonly string[]): FieldCause => ({
  field,
  reason: 'FieldValueNotSupported',
  message: withDetail(
    `Unsupported value: ${shown(value)}`,
    supported.length === 0 ? '' : `supported values: ${supported.map(goQuote).join(', ')}`,
  ),
})

export const duplicate = (field: string, value: unknown): FieldCause => ({
  field,
  reason: 'FieldValueDuplicate',
  message: `Duplicate value: ${shown(value)}`,
})

export const notFound = (field: string, value: unknown): FieldCause => ({
  field,
  reason: 'FieldValueNotFound',
  message: `Not found: ${shown(value)}`,
})

export const forbidden = (field: string, detail: string): FieldCause => ({
  field,
  reason: 'FieldValueForbidden',
  message: withDetail('Forbidden', detail),
})

export const tooLong = (field: string, bytes: number): FieldCause => ({
  field,
  reason: 'FieldValueTooLong',
  message: `Too long: may not be more than ${bytes} bytes`,
})

/** The 422 Status that carries these causes: `Deployment.apps "x" is invalid: [a, b]`. */
export function invalidStatus(group: string, kind: string, name: string, causes: readonly FieldCause[]): StatusError {
  // Equal texts are shown once in the message and kept among the causes, as the server does.
  const texts = [...new Set(causes.map((cause) => `${cause.field}: ${cause.message}`))]
  const list = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`
  const qualified = group === '' ? kind : `${kind}.${group}`
  return new StatusError(422, 'Invalid', `${qualified} ${goQuote(name)} is invalid: ${list}`, {
    ...(name === '' ? {} : { name }),
    ...(group === '' ? {} : { group }),
    kind,
    causes: causes.map(({ reason, message, field }) => ({ reason, message, field })),
  })
}
