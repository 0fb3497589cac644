import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Static, TSchema } from 'typebox'
import { type CmdbLanguage, cmdbLanguage, cmdbMessage } from '../cmdb-messages.ts'
import { AppError, cmdbErrors, type ErrorDetail, type StorageOperation } from '../errors.ts'
import type { Access, Caller } from './caller.ts'
import { type BodyCheck, bodyCheck } from './cmdb-body.ts'
import { documented, inventoryErrorSchema } from './cmdb-document.ts'
import { BodyError, parseJsonBody } from './json-body.ts'
import { JsonText } from './json-text.ts'
import { knownError } from './problem.ts'
import { type App, checkAccess } from './server.ts'

/** What a handler knows of the request beside its body. */
export type InventoryCall = {
  readonly caller: Caller
  /** Path parameters; through ESB they come from the body. Absent ones are ''. */
  readonly params: Readonly<Record<string, string>>
  readonly language: CmdbLanguage
  readonly requestId: string
  /** Aborts when the connection is gone: for what waits before it answers. */
  readonly gone: () => AbortSignal
}

export type OperationSpec<Body extends TSchema> = {
  /** The ESB and gateway name, such as `batch_create_kube_pod`; also the operationId. */
  readonly name: string
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** After /api/v3, in Fastify's form: `/createmany/kube/workload/:kind`. */
  readonly path: string
  /** Other paths of the same operation, such as `/app/:acc` beside `/biz/:acc`; not in the OpenAPI document. */
  readonly otherPaths?: readonly string[]
  /** Served as POST /api/c/compapi/v2/cc/<name>/ too. */
  readonly esb: boolean
  /** Turns ESB's form of the body into the path's form, where they differ (`{data: row}` of businesses and hosts). */
  readonly fromEsb?: (body: Readonly<Record<string, unknown>>) => unknown
  /** Which storage code a database that is down gets (container API reference 3.2). */
  readonly storage: StorageOperation
  readonly summary: string
  readonly description?: string
  /**
   * The types of the body's members, every one optional and nullable: what is required, and in which order it is looked
   * at, are the use case's rules. `additionalProperties` stays open: unknown members are ignored.
   */
  readonly body: Body
  /** The schema of `data`, for the document. */
  readonly data: TSchema
  /** Answers `data`; a `JsonText` goes out as it stands. */
  readonly handle: (call: InventoryCall, body: Static<Body>) => Promise<unknown>
}

/** One operation of the inventory; made by `operation`. */
export type InventoryOperation = Omit<OperationSpec<TSchema>, 'handle'> & {
  readonly handle: (call: InventoryCall, body: never) => Promise<unknown>
}

/** Describes one operation; the handler's body has the schema's type. */
export function operation<Body extends TSchema>(spec: OperationSpec<Body>): InventoryOperation {
  return spec
}

export type CmdbDialectOptions = {
  readonly access: Access
  readonly language: CmdbLanguage
  readonly operations: readonly InventoryOperation[]
  /** Told after each operation that has changed something. */
  readonly onWritten?: () => void
}

/** Where the operations' paths hang; the first one is the one of the OpenAPI document (container API reference 2.1). */
const roots = ['/api/v3', '/topo/v3', '/host/v3', '/:stage/api/v3', '/api/bk-cmdb/:stage/api/v3'] as const
const esbRoot = '/api/c/compapi/v2/cc'

/**
 * Serves the operations under every root of the originals, with the envelope, the codes and the languages of container
 * API reference 3. The routes share one compiled check of the body; only /api/v3 shows in the OpenAPI document.
 */
export async function registerCmdbDialect(app: App, options: CmdbDialectOptions): Promise<void> {
  for (const beginning of ['/api/', '/topo/v3/', '/host/v3/'])
    app.pathErrorHandlers.set(beginning, (error, request, reply) => {
      const noRoute = cmdbErrors.noRoute(request.method, request.url.slice(0, 128))
      const isBroken = knownError(error)?.status === 400
      return sendError(options, isBroken ? brokenPath : noRoute, 'select', request, reply)
    })
  const served = options.operations.map((o) => ({ operation: o, check: bodyCheck(o.body) }))
  for (const root of roots)
    await app.register(
      async (scope) => {
        addDialectHooks(scope as never, options)
        if (root === '/api/v3') scope.addSchema(inventoryErrorSchema)
        for (const { operation: o, check } of served)
          for (const path of [o.path, ...(o.otherPaths ?? [])])
            scope.route({
              method: o.method,
              url: path,
              exposeHeadRoute: false,
              ...(root === '/api/v3' && path === o.path ? documented(o) : { schema: { hide: true } }),
              handler: (request, reply) => answer(options, o, check, request, reply, false),
            })
      },
      { prefix: root },
    )
  await app.register(
    async (scope) => {
      addDialectHooks(scope as never, options)
      for (const { operation: o, check } of served.filter((s) => s.operation.esb))
        for (const path of [`/${o.name}/`, `/${o.name}`])
          scope.route({
            method: 'POST',
            url: path,
            schema: { hide: true },
            handler: (request, reply) => answer(options, o, check, request, reply, true),
          })
    },
    { prefix: esbRoot },
  )
}

const brokenPath = cmdbErrors.other(1199000, [], {
  status: 400,
  details: [{ path: '', message: 'the path has broken percent-encoding' }],
})

function addDialectHooks(scope: App, options: CmdbDialectOptions): void {
  scope.addHook('preValidation', async (request) => {
    const bytes = request.body
    const problem = Buffer.isBuffer(bytes) && bytes.length > 0 ? decode(request, bytes) : undefined
    if (problem !== undefined || !Buffer.isBuffer(bytes) || bytes.length === 0) request.body = undefined
    // A body that cannot be read may hold no credentials, but those of the headers still come first.
    checkAccess(options.access, request, cmdbErrors.denied)
    if (problem !== undefined) throw problem
  })
  scope.setErrorHandler((error, request, reply) => sendError(options, error, 'select', request, reply))
  scope.setNotFoundHandler((request, reply) =>
    sendError(
      options,
      cmdbErrors.noRoute(request.method, request.url.split('?', 1)[0] ?? ''),
      'select',
      request,
      reply,
    ),
  )
}

/** Puts the parsed body in place of its bytes; returns what is wrong with it. */
function decode(request: FastifyRequest, bytes: Buffer): AppError | undefined {
  const contentType = request.headers['content-type']
  if (
    contentType !== undefined &&
    !/^\s*(application\/(json|[\w.-]+\+json|x-www-form-urlencoded)|text\/json)\s*(;|$)/i.test(contentType)
  )
    return cmdbErrors.unsupportedMediaType()
  try {
    request.body = parseJsonBody(bytes)
    return undefined
  } catch (error) {
    if (error instanceof BodyError) return cmdbErrors.undecodable([{ path: '', message: error.message }])
    throw error
  }
}

async function answer(
  options: CmdbDialectOptions,
  op: InventoryOperation,
  check: BodyCheck,
  request: FastifyRequest,
  reply: FastifyReply,
  esb: boolean,
): Promise<FastifyReply> {
  try {
    // Nothing and null are a body with nothing given: the rules then name what is missing first.
    const sent = request.body ?? {}
    const body = esb && op.fromEsb !== undefined && isRecord(sent) ? op.fromEsb(sent) : sent
    if (!check.fits(body)) throw cmdbErrors.undecodable(check.problems(body))
    const data = await op.handle(
      {
        caller: request.caller,
        params: esb ? paramsFromBody(op.path, sent) : (request.params as Record<string, string>),
        language: languageOf(request, options),
        requestId: request.id,
        gone: () => goneSignal(reply),
      },
      body as never,
    )
    if (op.storage !== 'select') options.onWritten?.()
    return reply.type(jsonType).send(envelopeText(true, 0, 'success', data, request.id))
  } catch (error) {
    return sendError(options, error, op.storage, request, reply)
  }
}

function goneSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController()
  if (reply.raw.destroyed) gone.abort()
  reply.raw.once('close', () => gone.abort())
  return gone.signal
}

const jsonType = 'application/json; charset=utf-8'
const storageCodes = { select: 1199017, insert: 1199018, update: 1199020, delete: 1199021 } as const

/** Both name pairs of the envelope: the one of the components and the one of ESB and gateway (container API reference 3.1). */
function envelopeText(
  result: boolean,
  code: number,
  message: string,
  data: unknown,
  requestId: string,
  details: readonly ErrorDetail[] = [],
): string {
  const text = JSON.stringify({
    result,
    code,
    message,
    bk_error_code: code,
    bk_error_msg: message,
    permission: null,
    ...(data instanceof JsonText ? {} : { data: data ?? null }),
    request_id: requestId,
    ...(details.length > 0 ? { details } : {}),
  })
  return data instanceof JsonText ? `${text.slice(0, -1)},"data":${data.text}}` : text
}

function sendError(
  options: CmdbDialectOptions,
  error: unknown,
  storage: StorageOperation,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const { status, code, args, details, data, retryAfterSeconds } = inDialect(error, storage, request)
  if (retryAfterSeconds !== undefined) reply.header('retry-after', String(retryAfterSeconds))
  const message = cmdbMessage(code, languageOf(request, options), args)
  return reply
    .code(status)
    .type(jsonType)
    .send(envelopeText(false, code, message, data, request.id, details))
}

/** An error of whatever origin as one of this dialect; what is not known is a defect: logged, 1199999 with the request id. */
function inDialect(error: unknown, storage: StorageOperation, request: FastifyRequest): AppError {
  const known = knownError(error)
  if (known?.family === 'cmdb') return known
  if (known?.family === 'storage') {
    request.log.error({ requestId: request.id, err: known.cause ?? known }, 'storage is unavailable')
    return cmdbErrors.other(storageCodes[storage], [], { status: 503 })
  }
  if (known?.status === 413) return cmdbErrors.tooLarge()
  if (known?.status === 415) return cmdbErrors.unsupportedMediaType()
  if (known?.status === 429)
    return new AppError({
      family: 'cmdb',
      code: 1199997,
      status: 429,
      publicMessage: known.publicMessage,
      retryAfterSeconds: known.retryAfterSeconds ?? 1,
    })
  if (known !== undefined && known.status < 500)
    return cmdbErrors.undecodable([{ path: '', message: known.publicMessage }])
  request.log.error({ requestId: request.id, err: error }, 'unexpected error')
  return cmdbErrors.other(1199999, [request.id], { status: 500 })
}

function languageOf(request: FastifyRequest, options: CmdbDialectOptions): CmdbLanguage {
  return cmdbLanguage((name) => {
    const value = request.headers[name]
    return Array.isArray(value) ? value[0] : value
  }, options.language)
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function paramsFromBody(path: string, body: unknown): Record<string, string> {
  const params: Record<string, string> = {}
  for (const [, name] of path.matchAll(/:(\w+)/g)) {
    if (name === undefined) continue
    const value = isRecord(body) && Object.hasOwn(body, name) ? body[name] : undefined
    params[name] = typeof value === 'string' || typeof value === 'number' ? String(value) : ''
  }
  return params
}
