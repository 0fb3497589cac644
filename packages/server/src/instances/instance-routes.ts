import {
  InstanceAnswer,
  InstanceBatchAnswer,
  InstanceClaimBody,
  InstanceError,
  InstanceEventQuery,
  InstanceListAnswer,
  InstanceListQuery,
  instanceSchemas,
  named,
} from '@podyard/contract'
import type { FastifyRequest } from 'fastify'
import Type from 'typebox'
import { AppError, instanceErrors } from '../errors.ts'
import { BodyError } from '../http/json-body.ts'
import { bodyLimitBytes } from '../http/limits.ts'
import type { App } from '../http/server.ts'
import { queryOf, serverlessErrorHandler, success } from '../http/serverless-dialect.ts'
import { ClaimBodyError, readClaim } from './claim-body.ts'
import type { Claim, Refusal } from './instance.ts'
import { type StreamLog, streamInstanceEvents } from './instance-events.ts'
import { InstanceQueryError, readInstanceQuery } from './instance-query.ts'
import type { Client, InstanceService } from './instance-service.ts'
import { toInstanceView } from './instance-view.ts'

const error = (description: string) => ({ ...named(InstanceError), description })
const tags = ['instances']
const common = {
  401: error('Credentials are required, or are not valid: code 1014.'),
  403: error('A foreign host name or page, while Podyard runs open: code 1014.'),
  503: error('The database cannot be reached (122002), or this process stops (1002).'),
}
const params = Type.Object({ id: Type.String() })

/** `/v1/instances` in the serverless scope: see `registerServerless`. */
export function addInstanceRoutes(
  parent: App,
  options: { readonly service: InstanceService; readonly events: StreamLog },
): void {
  const { service } = options
  const onError: typeof serverlessErrorHandler = (thrown, request, reply) =>
    serverlessErrorHandler(toInstanceError(thrown), request, reply)
  parent.pathErrorHandlers.set('/serverless/v1/instances', onError)
  parent.register(async (scope: App) => {
    // As the dialect's own: a scope with schemas of its own has compilers of its own.
    scope.setValidatorCompiler(() => () => true)
    scope.setSerializerCompiler(() => (data) => JSON.stringify(data))
    for (const schema of instanceSchemas) scope.addSchema(schema)
    // What is wrong with a body or a parameter is 1001 in this family, and an id too long for any is 1003.
    scope.setErrorHandler(onError)

    scope.post(
      '/v1/instances',
      {
        config: { frequent: true },
        schema: {
          operationId: 'claimInstances',
          summary: 'Claim a pod for an instance, or pods for a batch',
          description:
            'Answers when the claim is bound, else waits in line. A claim that is answered is in the database; the labels of the pod follow.',
          tags,
          body: named(InstanceClaimBody),
          response: {
            200: {
              ...Type.Union([named(InstanceAnswer), named(InstanceBatchAnswer)]),
              description: 'Bound. With `count` the result is {instances}.',
            },
            400: error('A bad body: code 1001.'),
            404: error('No such pool or group: code 4120.'),
            409: error(
              'The id is taken or the request id had another body (1004); or the pool failed, is deleted or drained (1002).',
            ),
            413: error('The body is over 8 MiB.'),
            422: error('It can never fit: code 1006.'),
            429: error('The line is full: code 1002, with Retry-After.'),
            504: error('Nothing came free in time: code 1002.'),
            ...common,
          },
        },
      },
      async (request) => {
        const claim = readClaim(request.body, service.newId)
        const client = clientOf(request)
        const outcome = await service.claim(claim, client).finally(client.forget)
        if (outcome.kind === 'refused') throw refusalError(outcome.refusal, claim)
        const views = outcome.instances.map(toInstanceView)
        return success(claim.isBatch ? { instances: views } : views[0]) as never
      },
    )

    addReadRoutes(scope, service)
    addEventRoute(scope, options.events)

    scope.put(
      '/v1/instances/:id/lease',
      {
        config: { frequent: true },
        schema: {
          operationId: 'keepInstanceAlive',
          summary: 'Keep the lease of an instance alive',
          description: 'Starts the lease anew from now. Call it every `keepalive_ms`; no body is needed.',
          tags,
          params,
          response: {
            200: { ...named(InstanceAnswer), description: 'The lease runs anew.' },
            400: error('The instance has no lease, or broken percent-encoding: code 1001.'),
            404: error('No such instance, or it has ended: code 1003.'),
            ...common,
          },
        },
      },
      async (request) => {
        const renewal = await service.renew(idOf(request))
        if (renewal.kind === 'renewed') return success(toInstanceView(renewal.instance))
        if (renewal.kind === 'no lease') throw instanceErrors.invalid('the instance has no lease: lease_seconds was 0')
        throw renewal.kind === 'ended'
          ? instanceErrors.notFound(`the instance has ended: ${renewal.reason}`)
          : instanceErrors.notFound()
      },
    )

    scope.delete(
      '/v1/instances/:id',
      {
        config: { frequent: true },
        schema: {
          operationId: 'releaseInstance',
          summary: 'Release an instance',
          description:
            'The pod of an exclusive instance is deleted; what a shared one held is free. Releasing twice is the same as once.',
          tags,
          params,
          response: {
            200: { ...named(InstanceAnswer), description: 'The instance as it ended.' },
            400: error('Broken percent-encoding: code 1001.'),
            404: error('No such instance: code 1003.'),
            ...common,
          },
        },
      },
      async (request) => {
        const instance = await service.release(idOf(request))
        if (instance === undefined) throw instanceErrors.notFound()
        return success(toInstanceView(instance))
      },
    )
  })
}

function addReadRoutes(scope: App, service: InstanceService): void {
  scope.get(
    '/v1/instances',
    {
      exposeHeadRoute: false,
      schema: {
        operationId: 'listInstances',
        summary: 'Query the ledger: every instance, alive or past',
        description:
          'Newest first, in pages or by cursor. Every claim that was ever bound is in it, for as long as it is kept.',
        tags,
        querystring: InstanceListQuery,
        response: {
          200: { ...named(InstanceListAnswer), description: 'A page, newest first.' },
          400: error('A parameter that cannot be: code 1001.'),
          ...common,
        },
      },
    },
    async (request) => {
      const { count, instances, nextCursor } = await service.list(readInstanceQuery(queryOf(request)))
      return success({
        ...(count === undefined ? {} : { count }),
        instances: instances.map(toInstanceView),
        next_cursor: nextCursor,
      })
    },
  )

  scope.get(
    '/v1/instances/:id',
    {
      exposeHeadRoute: false,
      config: { frequent: true },
      schema: {
        operationId: 'getInstance',
        summary: 'Get an instance, alive or past',
        tags,
        params,
        response: {
          200: { ...named(InstanceAnswer), description: 'The instance.' },
          400: error('Broken percent-encoding: code 1001.'),
          404: error('No such instance: code 1003.'),
          ...common,
        },
      },
    },
    async (request) => {
      const instance = await service.get(idOf(request))
      if (instance === undefined) throw instanceErrors.notFound()
      return success(toInstanceView(instance))
    },
  )
}

function addEventRoute(scope: App, events: StreamLog): void {
  scope.get(
    '/v1/instances/events',
    {
      exposeHeadRoute: false,
      schema: {
        operationId: 'watchInstances',
        summary: 'Follow the state changes of instances as server-sent events',
        description:
          'An event is named after the state (running, released, expired, lost) and carries the instance. With Last-Event-ID it goes on after that event, and misses none; 0 is the oldest that is kept.',
        tags,
        querystring: InstanceEventQuery,
        response: {
          200: {
            description: 'A stream that does not end by itself.',
            content: { 'text/event-stream': { schema: Type.String() } },
          },
          400: error('A Last-Event-ID that cannot be: code 1001.'),
          410: error('Events after it have been swept: code 1001.'),
          ...common,
        },
      },
    },
    async (request, reply) => {
      const query = queryOf(request)
      const after = readEventId(request.headers['last-event-id'] ?? (query.get('after') || undefined))
      const gone = new AbortController()
      request.raw.on('close', () => gone.abort())
      const headers = { 'x-request-id': String(request.id) }
      const filter = {
        pool: given(query, 'pool'),
        group: given(query, 'group'),
        tenant: given(query, 'tenant'),
        state: given(query, 'state'),
      }
      await streamInstanceEvents(
        events,
        { raw: reply.raw, headers, begin: () => reply.hijack() },
        { filter, after, signal: gone.signal },
      )
    },
  )
}

const given = (query: ReadonlyMap<string, string>, name: string) => query.get(name) || undefined

function readEventId(text: unknown): number | undefined {
  if (text === undefined) return undefined
  if (typeof text !== 'string' || !/^\d{1,15}$/.test(text))
    throw instanceErrors.invalid('Last-Event-ID must be the id of an event')
  return Number(text)
}

/** What no id looks like is the id of no instance; those of a batch have a number behind them. */
function idOf(request: { readonly params: { readonly id: string } }): string {
  const { id } = request.params
  if (!/^[\w.:@-]{1,140}$/.test(id)) throw instanceErrors.notFound()
  return id
}

function toInstanceError(thrown: unknown): unknown {
  if (thrown instanceof ClaimBodyError || thrown instanceof InstanceQueryError)
    return instanceErrors.invalid(thrown.message)
  if (thrown instanceof BodyError) return instanceErrors.invalid(thrown.message)
  const { code } = (thrown ?? {}) as { code?: unknown }
  if (code === 'FST_ERR_MAX_PARAM_LENGTH') return instanceErrors.notFound()
  if (code === 'FST_ERR_BAD_URL') return instanceErrors.invalid('the path has broken percent-encoding')
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE')
    return instanceErrors.invalid(`the request body exceeds ${bodyLimitBytes} bytes`, 413)
  // What the dialect itself refuses: broken percent-encoding, parameters that cannot be.
  if (thrown instanceof AppError && thrown.family === 'serverless' && thrown.code === 4104)
    return instanceErrors.invalid(thrown.publicMessage, thrown.status)
  return thrown
}

/** The connection that a request came on tells whether somebody still waits for its answer. */
function clientOf(request: FastifyRequest): Client & { readonly forget: () => void } {
  const { socket } = request.raw
  let onClose: (() => void) | undefined
  return {
    isGone: () => socket.destroyed,
    signal() {
      const gone = new AbortController()
      onClose = () => gone.abort()
      if (socket.destroyed) gone.abort()
      else socket.once('close', onClose)
      return gone.signal
    },
    forget() {
      if (onClose !== undefined) socket.off('close', onClose)
    },
  }
}

/** Seconds after which a client may try a full line again. */
const retryAfterSeconds = 5

/** A refusal on the wire (the table in docs/guide/instances.md). */
export function refusalError(refusal: Refusal, claim: Pick<Claim, 'id'>): AppError {
  switch (refusal.kind) {
    case 'unknown':
      return instanceErrors.noPool(`${refusal.what} does not exist or has been deleted`)
    case 'taken':
      return instanceErrors.duplicated(`the id ${claim.id} is taken`)
    case 'other body':
      return instanceErrors.duplicated('the request id came with another body before')
    case 'never':
      return instanceErrors.neverFits(refusal.reason)
    case 'closed':
      return instanceErrors.notEnough(409, refusal.reason)
    case 'line full':
      return instanceErrors.notEnough(429, refusal.reason, retryAfterSeconds)
    case 'timeout':
      return instanceErrors.notEnough(504, refusal.reason)
    case 'stopping':
      return instanceErrors.notEnough(503, 'this process stops: try again', 1)
    // Nobody reads it.
    case 'left':
      return instanceErrors.notEnough(503, 'the client left')
  }
}
