import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { backoffMs } from './backoff.ts'

const backoff = { baseMs: 200, maxMs: 30_000 }

describe('backoffMs', () => {
  test('doubles the span with each attempt, up to the maximum', () => {
    expect([0, 1, 2, 3, 7, 8, 1000].map((attempt) => backoffMs(backoff, attempt, 0.5))).toEqual([
      100, 200, 400, 800, 12_800, 15_000, 15_000,
    ])
  })

  test('is never negative, never above the maximum and never NaN', () => {
    fc.assert(
      fc.property(fc.nat(), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (attempt, random) => {
        const ms = backoffMs(backoff, attempt, random)
        expect(ms).toBeGreaterThanOrEqual(0)
        expect(ms).toBeLessThanOrEqual(backoff.maxMs)
      }),
    )
  })
})
