import { Compile } from 'typebox/schema'
import type { AppAnswer } from './app.ts'
import type { Components, Schema } from './schema-arbitrary.ts'

type Media = { readonly schema?: Schema }
type Parameter = {
  readonly in: 'path' | 'query'
  readonly name: string
  readonly required?: boolean
  readonly schema: Schema
}
export type DescribedOperation = {
  readonly operationId?: string
  readonly summary?: string
  readonly tags?: readonly string[]
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly content: Readonly<Record<string, Media>> }
  readonly responses?: Readonly<
    Record<string, { readonly description?: string; readonly content?: Readonly<Record<string, Media>> }>
  >
}
export type Document = {
  readonly openapi: string
  readonly info: { readonly title: string; readonly version: string }
  readonly paths: Readonly<Record<string, Readonly<Record<string, DescribedOperation>>>>
  readonly components: { readonly schemas: Components }
}

/** One operation of the document. */
export type Operation = {
  readonly name: string
  readonly method: string
  readonly path: string
  readonly family: Family
  readonly described: DescribedOperation
  readonly parameters: readonly Parameter[]
  readonly body: Schema | undefined
}

/** Which envelope the answers under a path have. */
export type Family = 'serverless' | 'instances' | 'inventory' | 'v1'

export function familyOf(path: string): Family {
  if (/^\/(api|topo|host)\//.test(path)) return 'inventory'
  // The serverless dialect with codes of its own.
  if (path.startsWith('/serverless/v1/instances')) return 'instances'
  return path.startsWith('/serverless/') ? 'serverless' : 'v1'
}

export function operationsOf(document: Document): Operation[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, described]) => ({
      name: described.operationId ?? `${method} ${path}`,
      method: method.toUpperCase(),
      path,
      family: familyOf(path),
      described,
      parameters: described.parameters ?? [],
      body: described.requestBody?.content['application/json']?.schema,
    })),
  )
}

type Validator = { Check(value: unknown): boolean; Errors(value: unknown): unknown }
const validators = new Map<Schema, Validator>()

/** What is wrong with a value by a schema of the document; undefined when nothing is. */
export function schemaProblem(document: Document, schema: Schema, value: unknown): string | undefined {
  let validator = validators.get(schema)
  if (validator === undefined) {
    validator = Compile({ components: document.components, allOf: [schema] } as never) as Validator
    validators.set(schema, validator)
  }
  return validator.Check(value) ? undefined : JSON.stringify(validator.Errors(value)).slice(0, 2_000)
}

/**
 * What is wrong with an answer: a defect, a status that the operation does not document, another content type or form
 * than it documents for this status, no request id. undefined when nothing is.
 */
export function answerProblem(document: Document, operation: Operation, answer: AppAnswer): string | undefined {
  // 504 is a claim that waited in vain.
  if (answer.status >= 500 && answer.status !== 504) return `status ${answer.status}`
  if (!/^[\w.:/+=@-]{1,128}$/.test(String(answer.headers['x-request-id']))) return 'no x-request-id'
  if (isElsewhere(operation.family, answer)) return undefined
  const described = operation.described.responses?.[String(answer.status)]
  if (described === undefined) return `the status ${answer.status} is not documented`
  const [type, media] = Object.entries(described.content ?? {})[0] ?? []
  if (type === undefined || media?.schema === undefined) return `the status ${answer.status} has no schema`
  if (answer.type !== `${type}; charset=utf-8`) return `content type ${answer.type}, documented is ${type}`
  return schemaProblem(document, media.schema, type.includes('json') ? answer.json : answer.body)
}

/** The path was another one, or none: 404 as the family has it, and the redirects of the pool API. */
function isElsewhere(family: Family, { status, type, json, body, headers }: AppAnswer): boolean {
  // `/instances/events;x` is the path of an instance.
  if (family === 'instances' && status === 404 && (json as { code?: unknown } | undefined)?.code === 1003) return true
  if (family === 'serverless' || family === 'instances')
    return (
      (status === 404 && type.startsWith('text/plain') && body === '404 page not found') ||
      ((status === 301 || status === 307) && String(headers.location).startsWith('/serverless/'))
    )
  const { code } = (json ?? {}) as { code?: unknown }
  if (family === 'inventory') return status === 404 && type === 'application/json; charset=utf-8' && code === -1
  return status === 404 && type === 'application/problem+json; charset=utf-8' && code === 404
}
