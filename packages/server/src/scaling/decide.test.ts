import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decide, meanRefill, type ScalingInputs, settleSurplus } from './decide.ts'

const none: ScalingInputs = {
  size: 2,
  maxSize: 20,
  autoscaling: {},
  held: 0,
  waiting: 0,
  scheduled: undefined,
  claims: undefined,
  refillMs: undefined,
}
const wanted = (inputs: Partial<ScalingInputs>) => decide({ ...none, ...inputs }).wanted

describe('a buffer', () => {
  test.each([
    // held, waiting, wanted
    [0, 0, 5],
    [3, 0, 8],
    [3, 2, 10],
    [15, 0, 20],
    [100, 0, 20],
  ])('of 5 with %i held and %i waiting: %i pods', (held, waiting, pods) => {
    expect(wanted({ autoscaling: { buffer: 5 }, held, waiting })).toBe(pods)
  })
  test.each([
    ['10%', 0, 1],
    ['10%', 9, 10],
    ['10%', 10, 12],
    ['10%', 90, 100],
    ['50%', 7, 14],
    ['99%', 1, 100],
    ['1%', 1, 2],
  ])('of %s with %i in use: %i pods', (buffer, held, pods) => {
    expect(wanted({ autoscaling: { buffer }, held, size: 0, maxSize: 1_000 })).toBe(pods)
  })
  test('of 0 is no more than what is in use', () => {
    expect(wanted({ autoscaling: { buffer: 0 }, held: 7 })).toBe(7)
  })
})

describe('a schedule', () => {
  const scheduled = { size: 9, cron: '0 8 * * *', since: '2026-01-01T08:00:00.000Z' }
  test('is the number of all pods, in use or not', () => {
    expect(wanted({ autoscaling: { schedule: [] }, scheduled })).toBe(9)
    expect(wanted({ autoscaling: { schedule: [] }, scheduled, held: 9 })).toBe(9)
  })
  test('below the size is the size, above the maximum the maximum', () => {
    expect(wanted({ autoscaling: { schedule: [] }, scheduled: { ...scheduled, size: 1 } })).toBe(2)
    expect(wanted({ autoscaling: { schedule: [] }, scheduled: { ...scheduled, size: 99 } })).toBe(20)
  })
  test('whose time has not come yet says nothing', () => {
    expect(wanted({ autoscaling: { schedule: [] } })).toBe(2)
  })
})

describe('demand', () => {
  const demand = { window_seconds: 60 }
  test.each([
    // claims in 60 s, milliseconds of a refill, held, wanted
    [60, 5_000, 0, 5],
    [60, 5_001, 0, 6],
    [30, 5_000, 0, 3],
    [1, 100, 0, 2],
    [60, 5_000, 8, 13],
    [0, 5_000, 8, 8],
  ])('of %i claims and refills of %i ms with %i held: %i pods', (count, refillMs, held, pods) => {
    expect(wanted({ autoscaling: { demand }, claims: { count, seconds: 60 }, refillMs, held })).toBe(pods)
  })
  test('that is not measured yet says nothing', () => {
    expect(wanted({ autoscaling: { demand }, claims: { count: 60, seconds: 60 }, held: 9 })).toBe(2)
    expect(wanted({ autoscaling: { demand }, refillMs: 1_000, held: 9 })).toBe(2)
  })
})

test('the greatest part decides, and each is told', () => {
  const inputs = {
    ...none,
    autoscaling: { buffer: 3, schedule: [], demand: { window_seconds: 60 } },
    held: 4,
    scheduled: { size: 6, cron: '* * * * *', since: '' },
    claims: { count: 60, seconds: 60 },
    refillMs: 6_000,
  }
  expect(decide(inputs)).toEqual({
    wanted: 10,
    by: 'demand',
    asks: { size: 2, schedule: 6, buffer: 7, demand: 10 },
  })
  expect(decide({ ...inputs, refillMs: 3_000 }).by).toBe('buffer')
  expect(decide({ ...inputs, scheduled: { ...inputs.scheduled, size: 10 } }).by).toBe('schedule')
})

test('what is not declared does not count, whatever is measured', () => {
  const measured = { scheduled: { size: 9, cron: '', since: '' }, claims: { count: 999, seconds: 1 }, refillMs: 9_000 }
  expect(decide({ ...none, ...measured, held: 9 })).toEqual({ wanted: 2, by: 'size', asks: { size: 2 } })
  expect(decide({ ...none, ...measured, held: 9, autoscaling: null }).wanted).toBe(2)
})

test('never below the size, never above the maximum, never fewer for a greater part', () => {
  const amount = fc.nat({ max: 1_000 })
  const inputs = fc.record({
    size: amount,
    more: amount,
    held: amount,
    waiting: amount,
    buffer: fc.oneof(
      amount,
      fc.integer({ min: 1, max: 99 }).map((n) => `${n}%`),
    ),
    scheduled: fc.option(
      amount.map((size) => ({ size, cron: '', since: '' })),
      { nil: undefined },
    ),
    claims: fc.option(fc.record({ count: amount, seconds: fc.integer({ min: 10, max: 3_600 }) }), { nil: undefined }),
    refillMs: fc.option(fc.nat({ max: 100_000 }), { nil: undefined }),
  })
  fc.assert(
    fc.property(inputs, ({ more, buffer, ...rest }) => {
      const autoscaling = { buffer, schedule: [], demand: { window_seconds: 60 } }
      const given = { ...rest, autoscaling, maxSize: rest.size + more }
      const { wanted: pods, by, asks } = decide(given)
      expect(pods).toBeGreaterThanOrEqual(given.size)
      expect(pods).toBeLessThanOrEqual(given.maxSize)
      expect(pods).toBe(Math.min(Math.max(...Object.values(asks)), given.maxSize))
      expect(asks[by]).toBe(Math.max(...Object.values(asks)))
      expect(decide({ ...given, held: given.held + 1 }).wanted).toBeGreaterThanOrEqual(pods)
    }),
  )
})

describe('too many pods', () => {
  const windowMs = 300_000
  test('are taken when there were too many all the time, as many as there were at least', () => {
    let surplus = settleSurplus(undefined, 5, 0, windowMs).surplus
    expect(surplus).toEqual({ sinceMs: 0, pods: 5 })
    surplus = settleSurplus(surplus, 3, 100_000, windowMs).surplus
    surplus = settleSurplus(surplus, 9, 299_999, windowMs).surplus
    expect(surplus).toEqual({ sinceMs: 0, pods: 3 })
    expect(settleSurplus(surplus, 9, 300_000, windowMs)).toEqual({ surplus: undefined, take: 3 })
  })
  test('are counted anew after a moment without', () => {
    expect(settleSurplus({ sinceMs: 0, pods: 5 }, 0, 299_999, windowMs)).toEqual({ surplus: undefined, take: 0 })
    expect(settleSurplus({ sinceMs: 0, pods: 5 }, -1, 400_000, windowMs)).toEqual({ surplus: undefined, take: 0 })
    expect(settleSurplus(undefined, 5, 300_000, windowMs).take).toBe(0)
  })
})

test('the mean of refills follows what is measured', () => {
  expect(meanRefill(undefined, [])).toBeUndefined()
  expect(meanRefill(undefined, [1_000])).toBe(1_000)
  expect(meanRefill(1_000, [2_000])).toBe(1_200)
  expect(meanRefill(1_000, Array(50).fill(2_000))).toBeCloseTo(2_000, -1)
})
