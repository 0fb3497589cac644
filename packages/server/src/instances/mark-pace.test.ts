import { expect, test } from 'vitest'
import { createMarkPace } from './mark-pace.ts'

function clock() {
  let at = 1_000
  const pace = createMarkPace(() => at)
  return {
    pace,
    /** So many claims, evenly over so many milliseconds. */
    claims(count: number, ms: number) {
      for (let i = 0; i < count; i += 1) {
        at += ms / count
        pace.claimed()
      }
    },
    pass(ms: number) {
      at += ms
    },
  }
}

test('500 claims a second are no burst, however long', () => {
  const { pace, claims } = clock()
  claims(5_000, 10_000)
  expect(pace.isBurst()).toBe(false)
})

test('300 at once are one, and 50 ms after the last it is over', () => {
  const { pace, claims, pass } = clock()
  claims(300, 1)
  expect(pace.isBurst()).toBe(true)
  pass(49)
  expect(pace.isBurst()).toBe(true)
  pass(1)
  expect(pace.isBurst()).toBe(false)
})

test('a peak stays one as long as it lasts', () => {
  const { pace, claims } = clock()
  for (let i = 0; i < 100; i += 1) {
    claims(200, 40)
    expect(pace.isBurst()).toBe(true)
  }
})

test('a quiet while before does not hide a burst', () => {
  const { pace, claims, pass } = clock()
  claims(1, 1)
  pass(10_000)
  claims(50, 10)
  expect(pace.isBurst()).toBe(true)
})
