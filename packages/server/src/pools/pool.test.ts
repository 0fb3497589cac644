import { expect, test } from 'vitest'
import { pendingThresholdSeconds, statusMessage } from './pool.ts'

test.each([
  ['Running', [], 'Running'],
  ['Running', ['volumes is not JSON: ignored', 'b'], 'Running; volumes is not JSON: ignored; b'],
  ['', [], ''],
  ['', ['a'], 'a'],
  ['Running', [''], 'Running'],
])('msg of %j and %j', (word, notes, text) => {
  expect(statusMessage(word, notes)).toBe(text)
})

test('the pending threshold is 120 seconds unless one is given', () => {
  expect(pendingThresholdSeconds({ podPendingDurationThreshold: 0 })).toBe(120)
  expect(pendingThresholdSeconds({ podPendingDurationThreshold: 1 })).toBe(1)
})
