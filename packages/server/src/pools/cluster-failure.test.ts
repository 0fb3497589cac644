import { describe, expect, test } from 'vitest'
import { KubeError } from '../kube/types.ts'
import { cleanText, isUnknown, pauseMsOf, toFailure } from './cluster-failure.ts'
import { createLimiter } from './limiter.ts'

const answer = (code: number, retryAfterSeconds?: number) =>
  new KubeError({ code, reason: '', message: 'words', retryAfterSeconds })

describe('a failure', () => {
  test.each([
    [400, true],
    [404, true],
    [422, true],
    [401, false],
    [403, false],
    [409, false],
    [429, false],
    [500, false],
    [503, false],
  ])('with %i is final: %s', (code, isFinal) => {
    expect(toFailure(answer(code), 0, 0, 0)).toMatchObject({ code, message: 'words', isFinal })
  })
  test('without an answer has no code, and its outcome is unknown, as after a 5xx', () => {
    expect(toFailure(new Error('gone'), 0, 0, 0)).toMatchObject({ code: undefined, isFinal: false })
    expect([new Error('gone'), answer(500), answer(422), answer(409)].map(isUnknown)).toEqual([
      true,
      true,
      false,
      false,
    ])
  })
  test('waits longer each time, up to a minute, and as long as the cluster asks', () => {
    const waits = [0, 1, 2, 3, 20].map((attempts) => toFailure(answer(500), attempts, 1_000, 1).retryAt - 1_000)
    expect(waits).toEqual([500, 1_000, 2_000, 4_000, 60_000])
    expect(toFailure(answer(500), 20, 0, 0).retryAt).toBe(30_000)
    expect(toFailure(answer(429, 9), 0, 0, 0).retryAt).toBe(9_000)
  })
  test('waits longer where many fail: together they ask 50 times a second at most', () => {
    expect(toFailure(answer(500), 0, 0, 1, undefined, 3_000).retryAt).toBe(60_000)
    expect(toFailure(answer(500), 20, 0, 1, undefined, 10_000).retryAt).toBe(200_000)
  })
  test('asks nobody to wait for more than a minute', () => {
    expect([pauseMsOf(answer(429, 9)), pauseMsOf(answer(429, 9_000)), pauseMsOf(answer(500))]).toEqual([
      9_000, 60_000, 0,
    ])
  })
  test('says what the database can store', () => {
    expect(cleanText('a\0b\ud800')).toBe('ab\ufffd')
    expect(cleanText('x'.repeat(5_000))).toHaveLength(1_000)
  })
})

test('a limiter runs no more than it may, in order, failures included', async () => {
  const limit = createLimiter(2)
  const started: number[] = []
  const gates = [0, 1, 2, 3].map(() => Promise.withResolvers<number>())
  const results = gates.map(({ promise }, i) =>
    limit(() => {
      started.push(i)
      return promise
    }),
  )
  await Promise.resolve()
  expect(started).toEqual([0, 1])
  gates[1]?.reject(new Error('no'))
  await expect(results[1]).rejects.toThrow('no')
  expect(started).toEqual([0, 1, 2])
  gates[0]?.resolve(0)
  await results[0]
  expect(started).toEqual([0, 1, 2, 3])
  gates[2]?.resolve(2)
  gates[3]?.resolve(3)
  expect(await Promise.all([results[2], results[3]])).toEqual([2, 3])
})

test('a limiter holds everybody back after a failure that asks for it', async () => {
  const stop = new AbortController()
  const limit = createLimiter(2, () => 3_600_000, stop.signal)
  await expect(limit(() => Promise.reject(new Error('later')))).rejects.toThrow('later')
  let hasBegun = false
  const next = limit(async () => {
    hasBegun = true
  })
  for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate)
  expect(hasBegun).toBe(false)
  stop.abort()
  await next
  expect(hasBegun).toBe(true)
})
