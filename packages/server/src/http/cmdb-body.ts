import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import type { ErrorDetail } from '../errors.ts'

/** Checks the types of an operation's bodies. */
export type BodyCheck = {
  /** A quick yes or no. */
  fits(body: unknown): boolean
  /** Where types are wrong, as `data[0].pods[3].name`, 20 places at most. */
  problems(body: unknown): ErrorDetail[]
}

/** Compiled at the first request of the operation (45 ms for pods): most processes see few of them. */
export function bodyCheck(schema: TSchema): BodyCheck {
  let lazily: Validator | undefined
  const compiled = () => {
    lazily ??= Compile(schema)
    return lazily
  }
  return {
    fits: (body) => compiled().Check(body),
    problems: (body) => {
      const found = new Map<string, string>()
      for (const error of compiled().Errors(body)) {
        // These two only repeat what the errors below them say.
        if (error.keyword === 'anyOf' || error.keyword === 'additionalProperties') continue
        if (!found.has(error.instancePath)) found.set(error.instancePath, error.message)
        if (found.size >= 20) break
      }
      return [...found].map(([pointer, message]) => ({ path: pathOf(pointer), message }))
    },
  }
}

type Validator = {
  Check(value: unknown): boolean
  Errors(
    value: unknown,
  ): readonly { readonly keyword: string; readonly instancePath: string; readonly message: string }[]
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
