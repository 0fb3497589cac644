import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createWorkQueue } from './work-queue.ts'

beforeEach(() => {
  vi.useFakeTimers({ now: 0 })
})
afterEach(() => {
  vi.useRealTimers()
})

function start(process: (key: string) => Promise<void>, concurrency = 2) {
  const stop = new AbortController()
  const errors: string[] = []
  const queue = createWorkQueue({
    process,
    concurrency,
    restMs: 10,
    longRestMs: 50,
    backoff: { baseMs: 100, maxMs: 1_000 },
    onError: (key) => errors.push(key),
    random: () => 0,
    now: Date.now,
  })
  return { queue, errors, stop, ended: queue.run(stop.signal) }
}

test('adds of one key while it runs or rests are one more run', async () => {
  const runs: number[] = []
  const gate = Promise.withResolvers<void>()
  const { queue } = start(async () => {
    runs.push(Date.now())
    if (runs.length === 1) await gate.promise
  })
  queue.add('a')
  queue.add('a')
  queue.add('a')
  await vi.advanceTimersByTimeAsync(5)
  gate.resolve()
  await vi.advanceTimersByTimeAsync(100)
  // It took 5 ms, and rests for four times as long.
  expect(runs).toEqual([0, 25])
})

test.each([
  { took: 0, next: 10 },
  { took: 2, next: 12 },
  { took: 7, next: 35 },
  { took: 500, next: 600 },
])('after a run of $took ms the next begins at $next', async ({ took, next }) => {
  const runs: number[] = []
  const { queue } = start(async () => {
    runs.push(Date.now())
    if (runs.length === 1 && took > 0) await new Promise((resolve) => setTimeout(resolve, took))
  })
  queue.add('a')
  await vi.advanceTimersByTimeAsync(0)
  queue.add('a')
  await vi.advanceTimersByTimeAsync(1_000)
  expect(runs).toEqual([0, next])
})

test('lazy adds alone wait for the long rest, and any other add brings the run forward', async () => {
  const runs: number[] = []
  const { queue } = start(async () => {
    runs.push(Date.now())
    // Told while it runs, as an event may come at any time.
    if (runs.length === 1) queue.addLazily('a')
    await new Promise((resolve) => setTimeout(resolve, 1))
  })
  queue.addLazily('a')
  await vi.advanceTimersByTimeAsync(2)
  expect(queue.isAtRest('a')).toBe(false)
  await vi.advanceTimersByTimeAsync(78)
  expect(queue.isAtRest('a')).toBe(true)
  expect(runs).toEqual([0, 51])
  queue.addLazily('a')
  queue.add('a')
  await vi.advanceTimersByTimeAsync(1_000)
  expect(runs).toEqual([0, 51, 80])
  queue.addLazily('a')
  await vi.advanceTimersByTimeAsync(0)
  expect(runs).toEqual([0, 51, 80, 1_080])
})

test('no more keys at once than allowed', async () => {
  let running = 0
  let most = 0
  const done: string[] = []
  const { queue } = start(async (key) => {
    most = Math.max(most, ++running)
    await new Promise((resolve) => setTimeout(resolve, 5))
    running -= 1
    done.push(key)
  })
  for (const key of 'abcdef') queue.add(key)
  await vi.advanceTimersByTimeAsync(100)
  expect(most).toBe(2)
  expect(done.sort().join('')).toBe('abcdef')
})

test('a failure waits longer each time, and an add does not overtake the wait', async () => {
  const runs: number[] = []
  const { queue, errors } = start(async () => {
    runs.push(Date.now())
    if (runs.length < 3) throw new Error('no')
  })
  queue.add('a')
  await vi.advanceTimersByTimeAsync(1)
  queue.add('a')
  await vi.advanceTimersByTimeAsync(1_000)
  expect(runs).toEqual([0, 100, 200])
  expect(errors).toEqual(['a', 'a'])
})

test('a time is kept, and an earlier wish comes first', async () => {
  const runs: number[] = []
  const { queue } = start(async () => {
    runs.push(Date.now())
  })
  queue.addAt('a', 500)
  queue.addAt('a', 50)
  await vi.advanceTimersByTimeAsync(1_000)
  expect(runs).toEqual([50])
  queue.addAt('b', 2_000)
  queue.forget('b')
  await vi.advanceTimersByTimeAsync(2_000)
  expect(runs).toEqual([50])
})

test('the end waits for what runs and starts nothing more', async () => {
  let ran = 0
  const { queue, stop, ended } = start(async () => {
    ran += 1
    await new Promise((resolve) => setTimeout(resolve, 20))
  }, 1)
  queue.add('a')
  queue.add('b')
  let isOver = false
  void ended.then(() => {
    isOver = true
  })
  await vi.advanceTimersByTimeAsync(1)
  stop.abort()
  await vi.advanceTimersByTimeAsync(10)
  expect(isOver).toBe(false)
  await vi.advanceTimersByTimeAsync(100)
  expect(isOver).toBe(true)
  expect(ran).toBe(1)
})
