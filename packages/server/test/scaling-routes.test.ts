import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createAccess } from '../src/access/access.ts'
import { buildServer } from '../src/http/server.ts'
import { createPoolChanges } from '../src/pools/pool-changes.ts'
import { createPoolService } from '../src/pools/pool-service.ts'
import { decide } from '../src/scaling/decide.ts'
import { registerScalingRoutes } from '../src/scaling/scaling-routes.ts'
import { createScalingService } from '../src/scaling/scaling-service.ts'
import { writeScaling } from '../src/scaling/scaling-store.ts'
import { openDatabase } from '../src/store/database.ts'
import { createLogger } from '../src/telemetry/logger.ts'
import { createMetrics } from '../src/telemetry/metrics.ts'
import { useApp } from './support/app.ts'
import { resources } from './support/pools-api.ts'

const app = useApp()
const autoscaling = { buffer: '20%', demand: { window_seconds: 60 } }
const at = Date.parse('2026-11-22T12:00:00Z')
let pool: { id: number; uid: string }

const get = (url: string) => app.send({ method: 'GET', url })

beforeAll(() => app.reset())
beforeEach(async () => {
  await app.db.query('truncate pool, autoscale_state, autoscale_decision')
  const body = { pools: [{ id: 'p', size: 1, max_size: 9, resources, autoscaling }] }
  expect((await app.send({ method: 'POST', url: '/serverless/v1/podpools', body })).status).toBe(200)
  const [row] = await app.db.query<{ id: number; uid: string }>(`select id, uid from pool where name = 'p'`)
  if (row === undefined) throw new Error('no pool')
  pool = row
})

/** As many decisions, the number of held pods growing from 0; and a state. */
async function decided(count: number) {
  const inputs = (held: number) => ({
    size: 1,
    maxSize: 9,
    autoscaling,
    held,
    waiting: 0,
    scheduled: undefined,
    claims: { count: 6, seconds: 60 },
    refillMs: 12_345.6,
  })
  await writeScaling(app.db, undefined, {
    states: [
      {
        poolId: pool.id,
        state: { wanted: 3, surplus: { sinceMs: at, pods: 2 }, refillMs: 12_345.6, countedSince: at },
      },
    ],
    decisions: Array.from({ length: count }, (_, held) => ({
      poolUid: pool.uid,
      poolName: 'p',
      at: at + held,
      wantedBefore: held === 0 ? null : held,
      decision: decide(inputs(held)),
      inputs: inputs(held),
    })),
    forgotten: [],
  })
}

describe('200', () => {
  test('of a pool that nothing was decided about', async () => {
    const answer = await get('/v1/pools/p/scaling')
    expect(answer.status).toBe(200)
    expect(answer.json).toEqual({
      autoscaling,
      wanted: null,
      surplus: null,
      refill_seconds: null,
      decisions: [],
      next_before: null,
    })
  })

  test('the present state, and each decision with what it was made of', async () => {
    await decided(1)
    expect((await get('/v1/pools/p/scaling')).json).toEqual({
      autoscaling,
      wanted: 3,
      surplus: { pods: 2, since: '2026-11-22T12:00:00.000Z' },
      refill_seconds: 12.346,
      decisions: [
        {
          id: expect.any(Number),
          pool_uid: pool.uid,
          at: '2026-11-22T12:00:00.000Z',
          wanted_before: null,
          wanted: 2,
          decided_by: 'demand',
          inputs: {
            size: 1,
            max_size: 9,
            autoscaling,
            held: 0,
            waiting: 0,
            claims: { count: 6, seconds: 60 },
            refill_seconds: 12.346,
            asks: { size: 1, buffer: 1, demand: 2 },
          },
        },
      ],
      next_before: null,
    })
  })

  test('newest first, in pages', async () => {
    await decided(5)
    type Page = { decisions: { inputs: { held: number } }[]; next_before: number | null }
    const page = async (query: string) => (await get(`/v1/pools/p/scaling${query}`)).json as Page
    const held = ({ decisions }: Page) => decisions.map(({ inputs }) => inputs.held)
    const first = await page('?limit=2')
    expect(held(first)).toEqual([4, 3])
    const second = await page(`?limit=2&before=${first.next_before}`)
    expect(held(second)).toEqual([2, 1])
    const last = await page(`?limit=2&before=${second.next_before}`)
    expect(held(last)).toEqual([0])
    expect(last.next_before).toBeNull()
    expect(held(await page('?before=1'))).toEqual([])
  })

  test('decisions outlive the pool', async () => {
    await decided(1)
    await app.db.query('truncate pool')
    expect((await get('/v1/pools/p/scaling')).json).toMatchObject({
      autoscaling: null,
      wanted: null,
      decisions: [{ wanted: 2 }],
    })
  })
})

describe('400', () => {
  test.each(['?limit=0', '?limit=1001', '?limit=x', '?before=0', '?before=x', '?before=9007199254740993'])(
    '%s',
    async (query) => {
      const answer = await get(`/v1/pools/p/scaling${query}`)
      expect(answer.status).toBe(400)
      expect(answer.type).toMatch(/^application\/problem\+json/)
    },
  )
})

describe('404', () => {
  test.each(['q', '%00', 'p%00'])('%s', async (id) => {
    const answer = await get(`/v1/pools/${id}/scaling`)
    expect(answer.status).toBe(404)
    expect(answer.json).toMatchObject({ code: 404, detail: 'no pool has or had this id' })
  })
})

describe('without a database, or without permission', () => {
  async function build(access: Parameters<typeof createAccess>[0], db = app.db) {
    const given = createAccess(access)
    const pools = createPoolService(db, createPoolChanges(db, 'test'), { close: async () => {} } as never)
    const built = await buildServer({
      version: '0.0.0',
      logger: createLogger({ level: 'silent' }),
      metrics: createMetrics(),
      access: given,
      notReadyBecause: async () => undefined,
      routes: (server) => registerScalingRoutes(server, { service: createScalingService(db, pools), access: given }),
    })
    await built.ready()
    return built
  }

  test('401 and 403', async () => {
    const token = await build({ kind: 'token', token: 'a-long-token' })
    expect((await token.inject({ url: '/v1/pools/p/scaling' })).statusCode).toBe(401)
    await token.close()
    const open = await build({ kind: 'open' })
    const headers = { host: 'evil.example' }
    expect((await open.inject({ url: '/v1/pools/p/scaling', headers })).statusCode).toBe(403)
    await open.close()
  })

  test('503', async () => {
    const db = openDatabase({ connection: { host: '/nowhere', port: 1, database: 'x', user: 'x' }, max: 1 })
    const built = await build({ kind: 'open' }, db)
    const answer = await built.inject({ url: '/v1/pools/p/scaling', headers: { host: 'localhost' } })
    expect(answer.statusCode).toBe(503)
    await built.close()
    await db.close()
  })
})
