import { named, PoolScaling, PoolScalingQuery, scalingSchemas } from '@podyard/contract'
import Type from 'typebox'
import { v1Errors } from '../errors.ts'
import type { Access } from '../http/caller.ts'
import { problemResponse, problemSchema } from '../http/problem.ts'
import { type App, checkAccess, denyAsProblem } from '../http/server.ts'
import type { ScalingService } from './scaling-service.ts'

/** `/v1/pools/{id}/scaling`. Errors are problem documents. */
export async function registerScalingRoutes(
  app: App,
  options: { readonly service: ScalingService; readonly access: Access },
): Promise<void> {
  await app.register(async (scope: App) => {
    for (const schema of [...scalingSchemas, problemSchema]) scope.addSchema(schema)
    scope.addHook('onRequest', async (request) => checkAccess(options.access, request, denyAsProblem))
    scope.get(
      '/v1/pools/:id/scaling',
      {
        schema: {
          operationId: 'readPoolScaling',
          summary: 'How many pods a pool is to have, and why',
          description:
            'What autoscaling wants now, and every decision that changed it, with what it was made of; kept for some days after the pool is gone.',
          tags: ['pools'],
          params: Type.Object({ id: Type.String() }),
          querystring: PoolScalingQuery,
          response: {
            200: { ...named(PoolScaling), description: 'The present state and a page of decisions, newest first.' },
            400: problemResponse('A limit or cursor that cannot be, or broken percent-encoding.'),
            401: problemResponse('Credentials are required, or are not valid.'),
            403: problemResponse('A foreign host name or page, while Podyard runs open.'),
            404: problemResponse('No pool has or had this id.'),
            503: problemResponse('The database cannot be reached.'),
          },
        },
      },
      async (request) => {
        const { before, limit } = request.query
        const scaling = await options.service.read(request.params.id, { before, limit: limit ?? 100 })
        if (scaling === undefined) throw v1Errors.notFound('no pool has or had this id')
        return scaling as PoolScaling
      },
    )
  })
}
