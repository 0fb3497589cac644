import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAccess } from '../src/access/access.ts'
import { registerAlarmRoutes } from '../src/alarms/alarm-routes.ts'
import { createAlarmService } from '../src/alarms/alarm-service.ts'
import { type App, buildServer } from '../src/http/server.ts'
import { openDatabase } from '../src/store/database.ts'
import { createLogger } from '../src/telemetry/logger.ts'
import { createMetrics } from '../src/telemetry/metrics.ts'
import { useDatabase } from './support/database.ts'

const t = useDatabase()
const headers = { host: 'localhost' }
let app: App

async function build(access: Parameters<typeof createAccess>[0], db = t.db): Promise<App> {
  const given = createAccess(access)
  const built = await buildServer({
    version: '0.0.0',
    logger: createLogger({ level: 'silent' }),
    metrics: createMetrics(),
    access: given,
    notReadyBecause: async () => undefined,
    routes: (server) => registerAlarmRoutes(server, { service: createAlarmService(db), access: given }),
  })
  await built.ready()
  return built
}

beforeAll(async () => {
  app = await build({ kind: 'open' })
  // Of pool a: 1 open, 2 cleared, 3 open; of pool b: 4 cleared.
  await t.db.query(`insert into alarm (kind, pool_uid, pool_name, pod_uid, pod_name, namespace, cause, since, raised_at,
      cleared_at, cleared_because)
    select 'failed', '00000000-0000-0000-0000-000000000001', case when n = 4 then 'b' else 'a' end, 'u' || n, 'pod' || n,
      'ns', 'why', '2027-01-01T00:00:00Z', '2027-01-01T00:02:00Z',
      case when n % 2 = 0 then timestamptz '2027-01-01T00:03:00Z' end, case when n % 2 = 0 then 'the pod is gone' else '' end
    from generate_series(1, 4) n`)
})
afterAll(() => app.close())

type Page = { readonly alarms: readonly { readonly id: number }[]; readonly next_before: number | null }
async function list(query = '') {
  const answer = await app.inject({ url: `/v1/alarms${query}`, headers })
  expect(answer.statusCode).toBe(200)
  const page = answer.json() as Page
  return { ids: page.alarms.map(({ id }) => id), next: page.next_before, page }
}

describe('200', () => {
  test('newest first, every member', async () => {
    const { ids, next, page } = await list()
    expect(ids).toEqual([4, 3, 2, 1])
    expect(next).toBeNull()
    expect(page.alarms.slice(0, 2)).toEqual([
      {
        id: 4,
        kind: 'failed',
        state: 'cleared',
        pool: 'b',
        pool_uid: '00000000-0000-0000-0000-000000000001',
        pod: { name: 'pod4', namespace: 'ns', uid: 'u4' },
        cause: 'why',
        since: '2027-01-01T00:00:00.000Z',
        raised_at: '2027-01-01T00:02:00.000Z',
        cleared_at: '2027-01-01T00:03:00.000Z',
        cleared_because: 'the pod is gone',
      },
      expect.objectContaining({ id: 3, state: 'open', cleared_at: null, cleared_because: '' }),
    ])
  })

  test.each([
    ['?state=open', [3, 1]],
    ['?state=cleared', [4, 2]],
    ['?pool=a', [3, 2, 1]],
    ['?pool=a&state=cleared', [2]],
    ['?pool=none', []],
    ['?pool=', []],
    ['?pool=%00', []],
    ['?other=1', [4, 3, 2, 1]],
  ])('%s', async (query, ids) => expect((await list(query)).ids).toEqual(ids))

  test('in pages', async () => {
    const first = await list('?limit=3')
    expect([first.ids, first.next]).toEqual([[4, 3, 2], 2])
    const second = await list(`?limit=3&before=${first.next}`)
    expect([second.ids, second.next]).toEqual([[1], null])
    expect((await list('?limit=4')).next).toBeNull()
  })
})

describe('400', () => {
  test.each(['?state=closed', '?state=', '?limit=0', '?limit=1001', '?limit=x', '?before=0', '?before=x'])(
    '%s',
    async (query) => {
      const answer = await app.inject({ url: `/v1/alarms${query}`, headers })
      expect(answer.statusCode).toBe(400)
      expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
    },
  )
})

test('401 without credentials', async () => {
  const guarded = await build({ kind: 'token', token: 'a-long-token' })
  expect((await guarded.inject({ url: '/v1/alarms', headers })).statusCode).toBe(401)
  const authorization = { ...headers, authorization: 'Bearer a-long-token' }
  expect((await guarded.inject({ url: '/v1/alarms', headers: authorization })).statusCode).toBe(200)
  await guarded.close()
})

test('403 for a foreign page while open', async () => {
  expect((await app.inject({ url: '/v1/alarms', headers: { host: 'evil.example' } })).statusCode).toBe(403)
})

test('503 without a database', async () => {
  const db = openDatabase({ connection: { host: '/nowhere', port: 1, database: 'x', user: 'x' }, max: 1 })
  const broken = await build({ kind: 'open' }, db)
  expect((await broken.inject({ url: '/v1/alarms', headers })).statusCode).toBe(503)
  await broken.close()
  await db.close()
})
