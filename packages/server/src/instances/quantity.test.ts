import { describe, expect, test } from 'vitest'
import { cpuMillisOf, memoryBytesOf } from './quantity.ts'

describe('CPU', () => {
  test.each([
    ['600m', 600],
    ['0.5', 500],
    ['.29', 290],
    ['2', 2000],
    ['2.', 2000],
    ['1e1', 10_000],
    ['1e-3', 1],
    ['1500u', 2],
    ['0', 0],
  ])('%s', (text, millis) => expect(cpuMillisOf(text)).toBe(millis))

  test.each(['', '-1', 'm', '1 m', '1x', '1KI', '9E', '1e99', '1ee', '0x10', ' 1'])('%j is none', (text) =>
    expect(cpuMillisOf(text)).toBeUndefined(),
  )
})

describe('memory', () => {
  test.each([
    ['512Mi', 512 * 2 ** 20],
    ['6Gi', 6 * 2 ** 30],
    ['1k', 1000],
    ['100m', 1],
    ['1.5Gi', 1.5 * 2 ** 30],
    ['4Pi', 4 * 2 ** 50],
  ])('%s', (text, bytes) => expect(memoryBytesOf(text)).toBe(bytes))

  test('more than can be counted is none', () => expect(memoryBytesOf('8Pi')).toBeUndefined())
})
