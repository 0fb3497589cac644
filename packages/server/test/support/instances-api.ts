import { afterAll, beforeAll } from 'vitest'
import { createAccess } from '../../src/access/access.ts'
import { createEventLog, type EventLog } from '../../src/events/event-log.ts'
import type { Access } from '../../src/http/caller.ts'
import { type App, buildServer } from '../../src/http/server.ts'
import { registerServerless } from '../../src/http/serverless-dialect.ts'
import type { StreamLog } from '../../src/instances/instance-events.ts'
import { addInstanceRoutes } from '../../src/instances/instance-routes.ts'
import { createInstanceService, type InstanceService } from '../../src/instances/instance-service.ts'
import type { Database } from '../../src/store/database.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { useDatabase } from './database.ts'

export const instancesPath = '/serverless/v1/instances'

export async function buildInstancesApp(
  service: InstanceService,
  events: StreamLog,
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
      await registerServerless(server, { access, routes: (scope) => addInstanceRoutes(scope, { service, events }) })
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
    events: undefined as unknown as EventLog,
    metrics: createMetrics(),
    logged: [] as string[],
    get db(): Database {
      return t.db
    },
    send,
    claim: (body: unknown) => send('POST', instancesPath, body),
    get: (id: string) => send('GET', `${instancesPath}/${id}`),
    release: (id: string) => send('DELETE', `${instancesPath}/${id}`),
    keepAlive: (id: string) => send('PUT', `${instancesPath}/${id}/lease`),
    list: (query = '') => send('GET', `${instancesPath}${query}`),
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
  const stopping = new AbortController()
  let loops: Promise<unknown> | undefined
  beforeAll(async () => {
    const logger = createLogger({
      level: 'warn',
      destination: { write: (line: string) => void state.logged.push(line) },
    })
    const events = createEventLog({ db: t.db, origin: 'test', logger, metrics: createMetrics() })
    state.events = events
    state.service = createInstanceService({
      db: t.db,
      metrics: state.metrics,
      wakeEvents: events.wake,
      onError: (error) => state.logged.push(String(error)),
    })
    loops = Promise.all([events.run(stopping.signal), state.service.run(stopping.signal)])
    const built = await buildInstancesApp(state.service, events)
    state.app = built.app
  })
  afterAll(async () => {
    await state.service?.standDown()
    stopping.abort()
    await loops
    await state.app?.close()
    await state.service?.stop()
  })
  return state
}
