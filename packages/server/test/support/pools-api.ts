import { afterAll, beforeAll } from 'vitest'
import { createAccess } from '../../src/access/access.ts'
import type { Access } from '../../src/http/caller.ts'
import { type App, buildServer } from '../../src/http/server.ts'
import { createPodCloser } from '../../src/instances/pod-holds.ts'
import { createPoolChanges, type PoolChanges } from '../../src/pools/pool-changes.ts'
import { registerPoolRoutes } from '../../src/pools/pool-routes.ts'
import { createPoolService } from '../../src/pools/pool-service.ts'
import type { Database } from '../../src/store/database.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { useDatabase } from './database.ts'

export const path = '/serverless/v1/podpools'
export const resources = { requests: { cpu: '600m' }, limits: { cpu: '600m' } }

/** The pool routes over a database, without a controller: pools stay where the API puts them. */
export async function buildPoolsApp(
  db: Database,
  access: Access = createAccess({ kind: 'open' }),
): Promise<{ readonly app: App; readonly changes: PoolChanges; readonly logged: string[] }> {
  const logged: string[] = []
  const changes = createPoolChanges(db, 'test')
  const service = createPoolService(db, changes, createPodCloser(db))
  const app = await buildServer({
    version: '0.0.0',
    logger: createLogger({ level: 'warn', destination: { write: (line: string) => void logged.push(line) } }),
    metrics: createMetrics(),
    access,
    notReadyBecause: async () => undefined,
    routes: async (server) => {
      await registerPoolRoutes(server, { service, access })
    },
  })
  await app.ready()
  return { app, changes, logged }
}

export type Answer = { readonly status: number; readonly type: string; readonly body: string; readonly json: unknown }

/** The pool routes over a database of the test file's own, emptied by `clear`. */
export function usePoolsApi() {
  const t = useDatabase()
  const state = {
    app: undefined as unknown as App,
    changes: undefined as unknown as PoolChanges,
    get db() {
      return t.db
    },
    send,
    /** Sends what is not a string or bytes as JSON. */
    create: (body: unknown) => send('POST', path, body),
    query: async (query = '') =>
      (await send('GET', `${path}${query}`)).json as {
        code: number
        result: { count: number; pools: Record<string, unknown>[] | null }
      },
    /** Puts pools into a state as the controller would. */
    setStatus: async (status: number, id?: string) => {
      await t.db.query(
        'update pool set status = $1, version = version + 1, valid_from = now() where $2::text is null or name = $2',
        [status, id ?? null],
      )
    },
    clear: async () => {
      await t.db.query('truncate pool, pool_event, event, history')
    },
  }
  async function send(method: string, url: string, body?: unknown, headers: Record<string, string> = {}) {
    const payload =
      body === undefined
        ? {}
        : { payload: typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body) }
    const answer = await state.app.inject({
      method: method as 'GET',
      url,
      headers: { host: '127.0.0.1:8080', ...headers },
      ...payload,
    })
    return {
      status: answer.statusCode,
      type: String(answer.headers['content-type']),
      location: answer.headers.location,
      body: answer.body,
      get json(): unknown {
        return JSON.parse(answer.body)
      },
    }
  }
  beforeAll(async () => {
    const built = await buildPoolsApp(t.db)
    state.app = built.app
    state.changes = built.changes
  })
  afterAll(() => state.app?.close())
  return state
}
