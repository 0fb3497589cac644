import { badRequest } from '../store/refusals.ts'
import { StatusError } from '../store/status-error.ts'
import type { Kind, NewObject } from '../store/types.ts'
import { decodeObject, rootOf, structOf, type Type } from '../validation/decode.ts'

/** `fieldValidation`: what becomes of members that the kind does not have, and of members that are there twice. */
export type FieldValidation = 'Ignore' | 'Warn' | 'Strict'

type OptionsKind = 'CreateOptions' | 'UpdateOptions' | 'PatchOptions'

/** Reads `fieldValidation` of a query. Throws the API server's 422 for other words. */
export function parseFieldValidation(query: URLSearchParams, kind: OptionsKind): FieldValidation {
  const sent = query.get('fieldValidation') ?? ''
  if (sent === '' || sent === 'Warn') return 'Warn'
  if (sent === 'Ignore' || sent === 'Strict') return sent
  const message = `Unsupported value: ${JSON.stringify(sent)}: supported values: "", "Ignore", "Strict", "Warn"`
  throw new StatusError(422, 'Invalid', `${kind}.meta.k8s.io "" is invalid: fieldValidation: ${message}`, {
    group: 'meta.k8s.io',
    kind,
    causes: [{ reason: 'FieldValueNotSupported', message, field: 'fieldValidation' }],
  })
}

/**
 * Checks the body of a create or replace. Gives the warnings.
 *
 * @throws StatusError 400 when the validation is strict and there is something to say
 */
export function checkBody(kind: Kind, object: NewObject, body: string, validation: FieldValidation): readonly string[] {
  if (validation === 'Ignore') return []
  const problems = strictProblems(kind, body)
  if (problems.length === 0 || validation === 'Warn') return problems
  // A wrong type is told first.
  decodeObject(kind, object)
  throw badRequest(
    `${kind.kind} in version ${JSON.stringify(kind.version)} cannot be handled as a ${kind.kind}: ${strictText(problems)}`,
  )
}

export function strictText(problems: readonly string[]): string {
  return `strict decoding error: ${problems.join(', ')}`
}

/** What a strict decoder says of a valid JSON text, in the order of the text. */
export function strictProblems(kind: { readonly plural: string }, text: string): readonly string[] {
  const go = rootOf(kind)
  if (go === undefined) return []
  const walker = new Walker(text)
  walker.value({ form: 'struct', go }, '')
  return walker.problems
}

/** Goes through a JSON text that JSON.parse has accepted: only the text still knows members that are there twice. */
class Walker {
  readonly problems: string[] = []
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  value(type: Type | undefined, path: string): void {
    this.#space()
    const start = this.#text[this.#at]
    if (start === '{' && (type?.form === 'struct' || type?.form === 'map')) this.#object(type, path)
    else if (start === '[' && type?.form === 'list') this.#list(type, path)
    else this.#skip()
  }

  /** Past a value that nothing is known of, however deep it is. */
  #skip(): void {
    let depth = 0
    do {
      this.#space()
      const character = this.#text[this.#at] ?? ''
      if (character === '"') this.#string()
      else {
        this.#at += 1
        if (character === '{' || character === '[') depth += 1
        else if (character === '}' || character === ']') depth -= 1
        else while (/[\w.+-]/.test(this.#text[this.#at] ?? '')) this.#at += 1
      }
    } while (depth > 0 && this.#at < this.#text.length)
  }

  #object(type: Type | undefined, path: string): void {
    const seen = new Set<string>()
    this.#at += 1
    for (;;) {
      this.#space()
      if (this.#text[this.#at] !== '"') break
      const name = this.#string()
      this.#space()
      this.#at += 1
      this.#member(type, path === '' ? name : `${path}.${name}`, name, seen)
      this.#space()
      if (this.#text[this.#at] !== ',') break
      this.#at += 1
    }
    this.#at += 1
  }

  #member(type: Type | undefined, path: string, name: string, seen: Set<string>): void {
    const isNew = !seen.has(name)
    seen.add(name)
    const field = type?.form === 'struct' ? structOf(type.go).byName.get(name) : undefined
    const isKnown = field !== undefined || type?.form !== 'struct'
    if (!isKnown && isNew) this.problems.push(`unknown field ${JSON.stringify(path)}`)
    if (isKnown && !isNew && type !== undefined) this.problems.push(`duplicate field ${JSON.stringify(path)}`)
    this.value(type?.form === 'map' ? type.of : field?.type, path)
  }

  #list(type: Type | undefined, path: string): void {
    this.#at += 1
    for (let index = 0; ; index += 1) {
      this.#space()
      if (this.#text[this.#at] === ']') break
      this.value(type?.form === 'list' ? type.of : undefined, `${path}[${index}]`)
      this.#space()
      if (this.#text[this.#at] !== ',') break
      this.#at += 1
    }
    this.#at += 1
  }

  #string(): string {
    const start = this.#at
    this.#at += 1
    while (this.#text[this.#at] !== '"') this.#at += this.#text[this.#at] === '\\' ? 2 : 1
    this.#at += 1
    return JSON.parse(this.#text.slice(start, this.#at)) as string
  }

  #space(): void {
    while (' \t\r\n'.includes(this.#text[this.#at] ?? 'x')) this.#at += 1
  }
}
