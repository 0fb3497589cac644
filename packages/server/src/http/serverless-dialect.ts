import type { FastifyError, FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import { type AppError, serverlessErrors } from '../errors.ts'
import { TransactionRace } from '../store/database.ts'
import type { Access } from './caller.ts'
import { BodyError } from './json-body.ts'
import { bodyLimitBytes } from './limits.ts'
import { knownError } from './problem.ts'
import { type App, checkAccess } from './server.ts'
import { parseServerlessBody } from './serverless-body.ts'

/**
 * The dialect of everything under `/serverless`: the envelope {code, message, result}, errors {code, message}, bodies of
 * any content type, strict percent-encoding, and the answers to unknown paths (pool API reference 1, 1.1, 3).
 */

/** The envelope of a request that succeeded. */
export const success = <T>(result: T) => ({ code: 0, message: '', result })

/** Registers serverless routes below `/serverless`; `routes` gets a scope in which paths begin there. */
export async function registerServerless(
  app: App,
  options: { readonly access: Access; readonly routes: (scope: App) => void | Promise<void> },
): Promise<void> {
  app.pathErrorHandlers.set('/serverless/', serverlessErrorHandler)
  await app.register(
    async (scope: App) => {
      const known: { readonly method: string; readonly path: RegExp }[] = []
      scope.addHook('onRoute', (route) => {
        known.push(...toPatterns(route))
      })
      scope.addHook('onRequest', async (request, reply) => {
        // Never looked at; Fastify would refuse one that it cannot read.
        delete request.raw.headers['content-type']
        if (request.is404) return
        // A parameter with a slash in it, or without anything in it: to the original another path, which is none.
        if (/%2f|\/$/i.test(pathOf(request))) return reply.callNotFound()
        checkAccess(options.access, request, serverlessErrors.denied)
        queryOf(request)
      })
      scope.addHook('preValidation', async (request) => {
        if (Buffer.isBuffer(request.body) && request.method !== 'DELETE')
          request.body = parseServerlessBody(request.body)
      })
      scope.setErrorHandler(serverlessErrorHandler)
      scope.setNotFoundHandler((request, reply) => notFound(known, request, reply))
      // Bodies and queries are decoded by the capability, in the original's order of checks; what goes out is what the
      // handler made. The schemas are the document's.
      scope.setValidatorCompiler(() => () => true)
      scope.setSerializerCompiler(() => (data) => JSON.stringify(data))
      await options.routes(scope)
    },
    { prefix: '/serverless' },
  )
}

const pathOf = (request: FastifyRequest) => request.raw.url?.split('?', 1)[0] ?? ''

/**
 * The query's parameters by exact name, the first of a repeated one; read from the raw URL, because a parameter with
 * broken percent-encoding must not vanish: `DELETE ?id=%zz&group=g` would delete the group.
 */
export function queryOf(request: FastifyRequest): ReadonlyMap<string, string> {
  const url = request.raw.url ?? ''
  const start = url.indexOf('?')
  const query = new Map<string, string>()
  if (start < 0) return query
  for (const pair of url.slice(start + 1).split('&')) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const name = decode(equals < 0 ? pair : pair.slice(0, equals))
    const value = decode(equals < 0 ? '' : pair.slice(equals + 1))
    if (!query.has(name)) query.set(name, value)
  }
  return query
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    throw serverlessErrors.invalid(`the query has broken percent-encoding: ${JSON.stringify(text.slice(0, 100))}`)
  }
}

function toPatterns(route: RouteOptions): { readonly method: string; readonly path: RegExp }[] {
  const path = new RegExp(`^${route.url.replace(/:\w+/g, '[^/]+')}$`)
  return [route.method].flat().map((method) => ({ method, path }))
}

/** 404 in plain text, and a redirect to where a path without its last slash would have been a route. */
function notFound(
  known: readonly { readonly method: string; readonly path: RegExp }[],
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const path = pathOf(request)
  const shorter = path.slice(0, -1)
  if (path.endsWith('/') && known.some((route) => route.method === request.method && route.path.test(shorter))) {
    const query = request.raw.url?.slice(path.length) ?? ''
    return reply
      .code(request.method === 'GET' ? 301 : 307)
      .header('location', `${shorter}${query}`)
      .send()
  }
  return reply.code(404).type('text/plain').send('404 page not found')
}

/** The error as this dialect has it; undefined for a defect. */
function toServerless(error: unknown): AppError | undefined {
  if (error instanceof BodyError) return serverlessErrors.undecodable(error.message)
  if (error instanceof TransactionRace) return serverlessErrors.race(error)
  const { code } = (error ?? {}) as Partial<FastifyError>
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return serverlessErrors.tooLarge(bodyLimitBytes)
  // An id longer than any that exists; the only parameters of this family are ids.
  if (code === 'FST_ERR_MAX_PARAM_LENGTH') return serverlessErrors.notFound()
  const known = knownError(error)
  if (known === undefined || known.family === 'serverless') return known
  if (known.family === 'storage') return serverlessErrors.storage(known)
  return serverlessErrors.invalid(known.publicMessage, known.status)
}

/** Errors as {code, message}. A defect tells nothing but the request's id. */
export function serverlessErrorHandler(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const known = toServerless(error)
  if (known === undefined) request.log.error({ requestId: request.id, err: error }, 'unexpected error')
  else if (known.status >= 500) request.log.warn({ requestId: request.id, err: known.cause }, known.publicMessage)
  if (known?.retryAfterSeconds !== undefined) reply.header('retry-after', String(known.retryAfterSeconds))
  return reply
    .code(known?.status ?? 500)
    .type('application/json; charset=utf-8')
    .send(
      JSON.stringify({
        code: known?.code ?? 500,
        message: known?.publicMessage ?? `an unexpected error; quote the request id ${request.id} when you report it`,
      }),
    )
}
