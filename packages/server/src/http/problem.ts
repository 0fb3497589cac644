import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { AppError, v1Errors } from '../errors.ts'
import { bodyLimitBytes } from './limits.ts'

/** RFC 9457: the errors of `/v1` and of everything outside both dialects. */
export type Problem = {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly code: number
  readonly detail: string
  readonly requestId: string
  readonly errors?: readonly { readonly path: string; readonly message: string }[]
}

/** `Problem` in the OpenAPI document. */
export const problemSchema = {
  $id: 'Problem',
  type: 'object',
  description: 'An error as RFC 9457 has it.',
  required: ['type', 'title', 'status', 'code', 'detail', 'requestId'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer', description: 'the HTTP status' },
    code: { type: 'integer', description: 'the HTTP status, or the code of the storage' },
    detail: { type: 'string' },
    requestId: { type: 'string' },
    errors: {
      type: 'array',
      description: 'which parts of the request are wrong, at most 20',
      items: {
        type: 'object',
        required: ['path', 'message'],
        properties: { path: { type: 'string' }, message: { type: 'string' } },
      },
    },
  },
}

/** An error answer of a documented route; its scope must know `problemSchema`. */
export const problemResponse = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: { $ref: problemSchema.$id } } },
})

const titles: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
}

/** An error as the dialects see it: Fastify's own become AppErrors, anything unknown stays a defect (undefined). */
export function knownError(error: unknown): AppError | undefined {
  if (error instanceof AppError) return error
  const e = error as FastifyError
  if (e?.code === 'FST_ERR_CTP_BODY_TOO_LARGE') return v1Errors.tooLarge(bodyLimitBytes)
  // Fastify's own texts for these two repeat the whole path. What is between two slashes is an id.
  if (e?.code === 'FST_ERR_MAX_PARAM_LENGTH') return v1Errors.notFound('a part of the path is longer than any id')
  if (e?.code === 'FST_ERR_BAD_URL') return v1Errors.invalid('the path has broken percent-encoding')
  if (Array.isArray(e?.validation))
    return v1Errors.invalid(
      e.message,
      e.validation.map((v) => ({ path: v.instancePath, message: v.message ?? 'is not valid' })),
    )
  if (typeof e?.statusCode === 'number' && e.statusCode >= 400 && e.statusCode < 500)
    return new AppError({ family: 'v1', code: e.statusCode, status: e.statusCode, publicMessage: e.message })
  return undefined
}

export function problemErrorHandler(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const known = knownError(error)
  if (known === undefined) request.log.error({ requestId: request.id, err: error }, 'unexpected error')
  const status = known?.status ?? 500
  if (known?.retryAfterSeconds !== undefined) reply.header('retry-after', String(known.retryAfterSeconds))
  const problem: Problem = {
    type: 'about:blank',
    title: titles[status] ?? 'Error',
    status,
    code: known?.code ?? 500,
    detail: known?.publicMessage ?? 'an unexpected error; quote the request id when you report it',
    requestId: String(request.id),
    ...(known !== undefined && known.details.length > 0 ? { errors: known.details } : {}),
  }
  return reply.code(status).type('application/problem+json; charset=utf-8').send(JSON.stringify(problem))
}

export function problemNotFound(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  return problemErrorHandler(
    v1Errors.notFound(`no route ${request.method} ${request.url.split('?', 1)[0]}; the API is described at /docs`),
    request,
    reply,
  )
}
