import { afterAll, beforeAll } from 'vitest'
import { createAccess } from '../../src/access/access.ts'
import type { Access } from '../../src/http/caller.ts'
import { type App, buildServer } from '../../src/http/server.ts'
import { registerServerless } from '../../src/http/serverless-dialect.ts'
import { addInstanceRoutes } from '../../src/instances/instance-routes.ts'
import { createInstanceService, type InstanceService } from '../../src/instances/instance-service.ts'
import type { Database } from '../../src/store/database.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { useDatabase } from './database.ts'

export const instancesPath = '/serverless/v1/instances'

export async function buildInstancesApp(
  service: InstanceService,
  access: Access = createAccess({ kind: 'open' }),
): Promise<{ readonly app: App; readonly logged: string[] }> {
  const logged: string[] = []
  const app = await buildServer({
    version: '0.0.0',
    logger: createLogger({ level: 'warn', destination: { write: (line: string) => void logged.push(line) } }),
    metrics: createMetrics(),
    access,
    notReadyBecause: async () => undefined,
    routes: async (server) => {
      await registerServerless(server, { access, routes: (scope) => addInstanceRoutes(scope, service) })
    },
  })
  await app.ready()
  return { app, logged }
}

export type InstanceAnswer = {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly json: { readonly code: number; readonly message: string; readonly result?: Record<string, unknown> }
}

/** The instance routes over a database of the test file's own, without a controller: pods are put there by SQL. */
export function useInstancesApi() {
  const t = useDatabase({ max: 10 })
  const state = {
    app: undefined as unknown as App,
    service: undefined as unknown as InstanceService,
    get db(): Database {
      return t.db
    },
    send,
    claim: (body: unknown) => send('POST', instancesPath, body),
    get: (id: string) => send('GET', `${instancesPath}/${id}`),
    release: (id: string) => send('DELETE', `${instancesPath}/${id}`),
  }
  async function send(method: string, url: string, body?: unknown): Promise<InstanceAnswer> {
    const answer = await state.app.inject({
      method: method as 'GET',
      url,
      headers: { host: '127.0.0.1:8080' },
      ...(body === undefined ? {} : { payload: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    return { status: answer.statusCode, headers: answer.headers, json: JSON.parse(answer.body) }
  }
  beforeAll(async () => {
    state.service = createInstanceService({ db: t.db })
    const built = await buildInstancesApp(state.service)
    state.app = built.app
  })
  afterAll(async () => {
    await state.app?.close()
    await state.service?.stop()
  })
  return state
}
