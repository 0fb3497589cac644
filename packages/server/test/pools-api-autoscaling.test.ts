import { beforeEach, describe, expect, test } from 'vitest'
import { path, resources, usePoolsApi } from './support/pools-api.ts'

const api = usePoolsApi()
beforeEach(() => api.clear())

const pool = async (id = 'p') => (await api.query(`?id=${id}`)).result.pools?.[0] ?? {}
const create = (autoscaling: unknown) =>
  api.create({ pools: [{ id: 'p', size: 1, max_size: 9, resources, autoscaling }] })

const whole = {
  buffer: '10%',
  schedule: [
    { cron: '0 8 * * 1-5', time_zone: 'Europe/Berlin', size: 5 },
    { cron: '0 20 * * *', size: 0 },
  ],
  demand: { window_seconds: 60 },
}

describe('what is given is stored and comes back', () => {
  test.each([whole, { buffer: 0 }, { buffer: 5 }, { schedule: [] }, { demand: { window_seconds: 3600 } }, {}])(
    '%j',
    async (autoscaling) => {
      expect((await create(autoscaling)).json).toMatchObject({ code: 0 })
      expect((await pool()).autoscaling).toEqual(autoscaling)
    },
  )

  test.each([[undefined], [null]])('%j: not given, and not shown', async (autoscaling) => {
    expect((await create(autoscaling)).status).toBe(200)
    expect(await pool()).not.toHaveProperty('autoscaling')
  })

  test('unknown members and members that are null are left out', async () => {
    await create({ buffer: 2, schedule: null, other: 1, demand: null })
    expect((await pool()).autoscaling).toEqual({ buffer: 2 })
  })
})

describe('a change', () => {
  const put = async (body: unknown) => {
    await api.setStatus(4)
    return api.send('PUT', `${path}/p`, body)
  }
  beforeEach(() => create({ buffer: 2 }))

  test('replaces it as a whole and leaves the sizes', async () => {
    expect((await put({ autoscaling: { demand: { window_seconds: 30 } } })).status).toBe(200)
    expect(await pool()).toMatchObject({ size: 1, max_size: 9, autoscaling: { demand: { window_seconds: 30 } } })
    expect((await pool()).autoscaling).not.toHaveProperty('buffer')
  })

  test('null removes it and leaves the sizes', async () => {
    expect((await put({ autoscaling: null })).status).toBe(200)
    expect(await pool()).toMatchObject({ size: 1, max_size: 9 })
    expect(await pool()).not.toHaveProperty('autoscaling')
  })

  test('absence keeps it', async () => {
    await put({ size: 3 })
    expect(await pool()).toMatchObject({ size: 3, autoscaling: { buffer: 2 } })
  })

  test('is told in the story of the pool', async () => {
    await put({ autoscaling: { buffer: 4 } })
    await put({ autoscaling: null })
    const { events } = (await api.send('GET', '/v1/pools/p/events')).json as { events: { message: string }[] }
    expect(events.slice(-2).map(({ message }) => message)).toEqual([
      'update: autoscaling {"buffer":4}',
      'update: autoscaling removed',
    ])
  })

  test('that is refused leaves it', async () => {
    const answer = await put({ autoscaling: { buffer: -1 } })
    expect(answer.status).toBe(400)
    expect(answer.json).toEqual({
      code: 4104,
      message:
        'failed to update pod pool, err: autoscaling.buffer should be from 0 to 1000000, or a percentage. check input parameters',
    })
    expect((await pool()).autoscaling).toEqual({ buffer: 2 })
  })
})

describe('4104, naming the member', () => {
  const entry = (change: object) => ({
    schedule: [
      { cron: '* * * * *', size: 1 },
      { cron: '* * * * *', size: 1, ...change },
    ],
  })
  test.each([
    [{ buffer: -1 }, 'autoscaling.buffer should be from'],
    [{ buffer: 1_000_001 }, 'autoscaling.buffer should be from'],
    ...['0%', '100%', '5', '5.5%', '', '-1%', ' 5%'].map((buffer) => [
      { buffer },
      'autoscaling.buffer should be a number',
    ]),
    [entry({ size: -1 }), 'autoscaling.schedule[1].size is less than 0'],
    ...['Nowhere/Land', '', '+01:00', 'Europe/Berlin '].map((name) => [
      entry({ time_zone: name }),
      'autoscaling.schedule[1].time_zone is not',
    ]),
    ...[
      '',
      '* * * *',
      '0 * * * * *',
      '60 * * * *',
      '@daily',
      '? * * * *',
      '2026-01-01T00:00:00',
      'a b c d e',
      '5-1 * * * *',
    ].map((cron) => [entry({ cron }), 'autoscaling.schedule[1].cron should have five fields']),
    [
      { schedule: Array(101).fill({ cron: '* * * * *', size: 1 }) },
      'autoscaling.schedule should not have more than 100',
    ],
    [{ demand: {} }, 'autoscaling.demand.window_seconds should be from 10 to 3600'],
    [{ demand: { window_seconds: 9 } }, 'autoscaling.demand.window_seconds should be from 10 to 3600'],
    [{ demand: { window_seconds: 3601 } }, 'autoscaling.demand.window_seconds should be from 10 to 3600'],
  ] as [object, string][])('%j', async (autoscaling, message) => {
    const answer = await create(autoscaling)
    expect(answer.status).toBe(400)
    expect(answer.json).toMatchObject({
      code: 4104,
      message: expect.stringContaining(`failed to create pod pool, id: p, err: ${message}`),
      result: { failed_pools: ['p'] },
    })
    expect(await pool()).toEqual({})
  })
})

describe('130600, naming the member', () => {
  test.each([
    [5, 'autoscaling must be an object'],
    [[], 'autoscaling must be an object'],
    [{ buffer: true }, 'autoscaling.buffer must be an integer'],
    [{ schedule: {} }, 'autoscaling.schedule must be an array'],
    [{ schedule: [5] }, 'autoscaling.schedule[0] must be an object'],
    [{ schedule: [{ cron: 5 }] }, 'autoscaling.schedule[0].cron must be a string'],
    [{ schedule: [{ time_zone: 5 }] }, 'autoscaling.schedule[0].time_zone must be a string'],
    [{ schedule: [{ size: '5' }] }, 'autoscaling.schedule[0].size must be an integer'],
    [{ demand: 60 }, 'autoscaling.demand must be an object'],
    [{ demand: { window_seconds: '60' } }, 'autoscaling.demand.window_seconds must be an integer'],
  ])('%j', async (autoscaling, message) => {
    const answer = await create(autoscaling)
    expect(answer.status).toBe(400)
    expect(answer.json).toEqual({ code: 130600, message: `pools[0].${message}` })
  })

  test('a fraction is no integer', async () => {
    const answer = await api.create(
      '{"pools":[{"id":"p","resources":{"requests":{},"limits":{}},"autoscaling":{"buffer":5.0}}]}',
    )
    expect(answer.json).toEqual({ code: 130600, message: 'pools[0].autoscaling.buffer must be an integer' })
  })
})
