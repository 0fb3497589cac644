import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import type { ErrorDetail } from '../errors.ts'

/** A quick yes or no over a body's types, compiled at the first request of the operation: most start-ups use few. */
export function compileBody(schema: TSchema): (body: unknown) => boolean {
  let compiled: { Check(value: unknown): boolean } | undefined
  return (body) => {
    compiled ??= Compile(schema)
    return compiled.Check(body)
  }
}

/** Where a body's types are wrong, as `data[0].pods[3].name`; only asked for when the quick check said no. */
export function bodyProblems(schema: TSchema, body: unknown): ErrorDetail[] {
  const found = new Map<string, string>()
  for (const error of Compile(schema).Errors(body)) {
    // These two only repeat what the errors below them say.
    if (error.keyword === 'anyOf' || error.keyword === 'additionalProperties') continue
    if (!found.has(error.instancePath)) found.set(error.instancePath, error.message)
    if (found.size >= 20) break
  }
  return [...found].map(([pointer, message]) => ({ path: pathOf(pointer), message }))
}

/** A JSON pointer as a path of members and indexes. */
function pathOf(pointer: string): string {
  let path = ''
  for (const part of pointer.split('/').slice(1)) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~')
    if (/^\d+$/.test(name)) path += `[${name}]`
    else path += path === '' ? name : `.${name}`
  }
  return path
}
