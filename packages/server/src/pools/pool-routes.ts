import {
  named,
  PoolCreateAnswer,
  PoolCreateBody,
  PoolDeleteQuery,
  PoolDone,
  type PoolEventList,
  PoolEventList as PoolEventListSchema,
  PoolEventQuery,
  PoolListAnswer,
  PoolListQuery,
  PoolUpdateBody,
  poolEventSchemas,
  ServerlessError,
  serverlessPoolSchemas,
} from '@podyard/contract'
import Type from 'typebox'
import { serverlessErrors, v1Errors } from '../errors.ts'
import type { Access } from '../http/caller.ts'
import { problemResponse, problemSchema } from '../http/problem.ts'
import { type App, checkAccess, denyAsProblem } from '../http/server.ts'
import { queryOf, registerServerless, success } from '../http/serverless-dialect.ts'
import type { PoolEvent } from './pool.ts'
import { readCreateBody, readUpdateBody } from './pool-body.ts'
import type { FailedPool, PoolService } from './pool-service.ts'
import { toPoolView } from './pool-view.ts'

const error = (description: string) => ({ ...named(ServerlessError), description })
const tags = ['pools']
const common = {
  401: error('Credentials are required, or are not valid: code 1014.'),
  403: error('A foreign host name or page, while Podyard runs open: code 1014.'),
  503: error('The database cannot be reached: code 122002.'),
}

/** Everything of the pool API: `/serverless/v1/podpools` and `/v1/pools/{id}/events`. */
export async function registerPoolRoutes(
  app: App,
  options: { readonly service: PoolService; readonly access: Access },
): Promise<void> {
  await registerServerless(app, { access: options.access, routes: (scope) => addPoolRoutes(scope, options.service) })
  await registerPoolEventRoute(app, options)
}

/** `/v1/podpools` in the serverless scope (pool API reference 1): see `registerServerless`. */
export function addPoolRoutes(scope: App, service: PoolService): void {
  for (const schema of serverlessPoolSchemas) scope.addSchema(schema)
  scope.post(
    '/v1/podpools',
    {
      schema: {
        operationId: 'createPools',
        summary: 'Create pools',
        description:
          'Stores each pool for itself: those that fail do not stop the others. The pods follow; GET tells how far they are.',
        tags,
        body: named(PoolCreateBody),
        response: {
          200: named(PoolCreateAnswer),
          400: Type.Union([named(PoolCreateAnswer), named(ServerlessError)], {
            description: 'No pool was made (4104), or the body cannot be decoded (130600, without `result`).',
          }),
          413: error('The body is over 8 MiB.'),
          ...common,
        },
      },
    },
    async (request, reply) => {
      const { created, failed } = await service.create(readCreateBody(decoded(request.body)))
      if (failed.length === 0) return success({ failed_pools: null })
      return reply.code(created.length === 0 ? 400 : 200).send(creationFailed(failed) as never)
    },
  )

  scope.get(
    '/v1/podpools',
    {
      exposeHeadRoute: false,
      schema: {
        operationId: 'listPools',
        summary: 'Query pools',
        description: 'Newest first, in pages; the order does not change while pools do.',
        tags,
        querystring: PoolListQuery,
        response: { 200: named(PoolListAnswer), 400: error('A limit or offset that is no integer.'), ...common },
      },
    },
    async (request) => {
      const query = queryOf(request)
      const { count, pools } = await service.list({
        id: query.get('id') ?? '',
        group: query.get('group') ?? '',
        limit: query.get('limit') ?? '',
        offset: query.get('offset') ?? '',
      })
      return success({ count, pools: pools?.map(toPoolView) ?? null })
    },
  )

  scope.put(
    '/v1/podpools/:id',
    {
      schema: {
        operationId: 'updatePool',
        summary: 'Update a pool',
        description:
          'Changes size, max_size, the HPA text, autoscaling and whether the pool is drained; everything else of a pool is fixed. On a failed pool it also makes anew what is missing on the cluster.',
        tags,
        params: Type.Object({ id: Type.String() }),
        body: named(PoolUpdateBody),
        response: {
          200: named(PoolDone),
          400: error('A size that cannot be (4104), or a body that cannot be decoded (130600).'),
          404: error('No such pool: code 4120.'),
          409: error('The pool is new, being deleted, or another change runs.'),
          413: error('The body is over 8 MiB.'),
          ...common,
        },
      },
    },
    async (request) => {
      await service.update(request.params.id, readUpdateBody(decoded(request.body)))
      return success(null)
    },
  )

  scope.delete(
    '/v1/podpools',
    {
      schema: {
        operationId: 'deletePools',
        summary: 'Delete pools',
        description: 'By id, by group, or both; all matches at once. A pool is listed with status 6 until it is gone.',
        tags,
        querystring: PoolDeleteQuery,
        response: {
          200: named(PoolDone),
          400: error('Neither id nor group, or broken percent-encoding: nothing is deleted.'),
          404: error('No match: code 4120.'),
          ...common,
        },
      },
    },
    async (request) => {
      const query = queryOf(request)
      await service.remove({ id: query.get('id') ?? '', group: query.get('group') ?? '' })
      return success(null)
    },
  )
}

/** What Go's decoder says of an empty body; a `null` body is an empty object. */
function decoded(body: unknown): unknown {
  if (body === undefined) throw serverlessErrors.undecodable('EOF')
  return body
}

/** Messages in one answer at most; the ids in `failed_pools` are always all. */
const maxMessages = 1_000

function creationFailed(failed: readonly FailedPool[]) {
  const messages = failed.slice(0, maxMessages).map(({ message }) => message)
  if (failed.length > maxMessages) messages.push(`and ${failed.length - maxMessages} more`)
  const { code, publicMessage } = serverlessErrors.invalid(messages.join(';'))
  return { code, message: publicMessage, result: { failed_pools: failed.map(({ id }) => id) } }
}

/** `/v1/pools/{id}/events`: what neither original has, so errors are problem documents. */
export async function registerPoolEventRoute(
  app: App,
  options: { readonly service: PoolService; readonly access: Access },
): Promise<void> {
  await app.register(async (scope: App) => {
    for (const schema of [...poolEventSchemas, problemSchema]) scope.addSchema(schema)
    scope.addHook('onRequest', async (request) => checkAccess(options.access, request, denyAsProblem))
    addEventRoute(scope, options.service)
  })
}

function addEventRoute(scope: App, service: PoolService): void {
  scope.get(
    '/v1/pools/:id/events',
    {
      schema: {
        operationId: 'listPoolEvents',
        summary: 'What was done to a pool, and why',
        description:
          'In order, newest last; kept for some days after the pool is gone. An event that repeats is counted in the one before it.',
        tags,
        params: Type.Object({ id: Type.String() }),
        querystring: PoolEventQuery,
        response: {
          200: { ...named(PoolEventListSchema), description: 'A part of the story, oldest first.' },
          400: problemResponse('A limit or cursor that cannot be, or broken percent-encoding.'),
          401: problemResponse('Credentials are required, or are not valid.'),
          403: problemResponse('A foreign host name or page, while Podyard runs open.'),
          404: problemResponse('No pool has or had this id.'),
          503: problemResponse('The database cannot be reached.'),
        },
      },
    },
    async (request) => {
      const { after, limit } = request.query
      const events = await service.events(request.params.id, { after, limit: limit ?? 100 })
      if (events === undefined) throw v1Errors.notFound('no pool has or had this id')
      return toEventList(events, after)
    },
  )
}

function toEventList(events: readonly PoolEvent[], after: number | undefined): PoolEventList {
  return {
    events: events.map((event) => ({
      id: event.seq,
      pool_uid: event.poolUid,
      at: event.at.toISOString(),
      last_at: event.lastAt.toISOString(),
      count: event.count,
      type: event.type,
      reason: event.reason,
      message: event.message,
    })),
    next_after: events.at(-1)?.seq ?? after ?? 0,
  }
}
