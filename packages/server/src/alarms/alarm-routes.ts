import { AlarmList, AlarmQuery, alarmSchemas, named } from '@podyard/contract'
import type { Access } from '../http/caller.ts'
import { problemResponse, problemSchema } from '../http/problem.ts'
import { type App, checkAccess, denyAsProblem } from '../http/server.ts'
import type { AlarmService } from './alarm-service.ts'

/** `/v1/alarms`. Errors are problem documents. */
export async function registerAlarmRoutes(
  app: App,
  options: { readonly service: AlarmService; readonly access: Access },
): Promise<void> {
  await app.register(async (scope: App) => {
    for (const schema of [...alarmSchemas, problemSchema]) scope.addSchema(schema)
    scope.addHook('onRequest', async (request) => checkAccess(options.access, request, denyAsProblem))
    scope.get(
      '/v1/alarms',
      {
        schema: {
          operationId: 'listAlarms',
          summary: 'What is or was wrong with the pods of pools',
          description: 'Each alarm is raised once and cleared once; cleared ones are kept for some weeks.',
          tags: ['pools'],
          querystring: AlarmQuery,
          response: {
            200: { ...named(AlarmList), description: 'A page of alarms, newest first.' },
            400: problemResponse('A state, limit or cursor that cannot be.'),
            401: problemResponse('Credentials are required, or are not valid.'),
            403: problemResponse('A foreign host name or page, while Podyard runs open.'),
            503: problemResponse('The database cannot be reached.'),
          },
        },
      },
      async (request) => {
        const { pool, state, before, limit } = request.query
        return options.service.list({ pool, state }, { before, limit: limit ?? 100 })
      },
    )
  })
}
