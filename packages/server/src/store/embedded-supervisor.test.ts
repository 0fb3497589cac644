import { expect, test } from 'vitest'
import { sharedBuffersMiB } from './embedded-supervisor.ts'

test.each([
  [512 * 2 ** 20, 128],
  [8 * 2 ** 30, 512],
  [24 * 2 ** 30, 1_536],
  [512 * 2 ** 30, 2_048],
])('of %d bytes of memory the database takes %d MiB for its pages at most', (memory, wanted) => {
  expect(sharedBuffersMiB(memory)).toBe(wanted)
})
