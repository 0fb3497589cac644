import { describe, expect, test } from 'vitest'
import { createScheduleReader } from './schedule.ts'

const at = (text: string) => Date.parse(text)
const read = (entries: { cron: string; time_zone?: string; size: number }[], time: string) =>
  createScheduleReader()(entries, at(time))

describe('office hours', () => {
  const hours = [
    { cron: '0 8 * * 1-5', time_zone: 'Europe/Berlin', size: 50 },
    { cron: '0 20 * * *', time_zone: 'Europe/Berlin', size: 5 },
  ]
  test.each([
    // A Monday in winter: Berlin is an hour ahead.
    ['2026-11-23T06:59:59.999Z', 5],
    ['2026-11-23T07:00:00.000Z', 50],
    ['2026-11-23T18:59:59.999Z', 50],
    ['2026-11-23T19:00:00.000Z', 5],
    // The weekend
    ['2026-11-28T12:00:00.000Z', 5],
    // A Monday in summer: two hours.
    ['2026-07-20T05:59:59.999Z', 5],
    ['2026-07-20T06:00:00.000Z', 50],
  ])('at %s: %i', (time, size) => expect(read(hours, time)?.size).toBe(size))
  test('tell since when, and by which entry', () => {
    expect(read(hours, '2026-11-23T12:00:00Z')).toEqual({
      size: 50,
      cron: '0 8 * * 1-5',
      since: '2026-11-23T07:00:00.000Z',
    })
  })
})

test('without a zone times are UTC', () => {
  const entry = [{ cron: '0 8 * * *', size: 1 }]
  expect(read(entry, '2026-11-23T08:00:00Z')?.since).toBe('2026-11-23T08:00:00.000Z')
})

test('of entries whose time comes together the greatest counts', () => {
  const entry = (size: number) => ({ cron: '0 8 * * *', size })
  expect(read([entry(1), entry(9), entry(3)], '2026-11-23T09:00:00Z')?.size).toBe(9)
})

describe('when the clock is put forward or back', () => {
  const night = [{ cron: '30 2 * * *', time_zone: 'Europe/Berlin', size: 1 }]
  test('a time that is skipped comes right after', () => {
    expect(read(night, '2026-03-29T00:59:59Z')?.since).toBe('2026-03-28T01:30:00.000Z')
    expect(read(night, '2026-03-29T12:00:00Z')?.since.slice(0, 10)).toBe('2026-03-29')
  })
  test('a time that comes twice counts once', () => {
    const since = read(night, '2026-10-25T12:00:00Z')?.since
    expect(since).toBe('2026-10-25T00:30:00.000Z')
    expect(read(night, '2026-10-25T01:45:00Z')?.since).toBe(since)
  })
})

test('a day that no year has never comes', () => {
  expect(read([{ cron: '0 0 31 2 *', size: 9 }], '2026-03-01T00:00:00Z')).toBeUndefined()
})

test('what is remembered does not change what is said', () => {
  const entries = [
    { cron: '*/7 * * * *', size: 1 },
    { cron: '13 */3 * * *', time_zone: 'Asia/Kolkata', size: 2 },
    { cron: '0 0 1 * *', time_zone: 'America/New_York', size: 3 },
  ]
  const remembering = createScheduleReader()
  const times = Array.from({ length: 200 }, (_, i) => at('2026-10-24T00:00:00Z') + i * 1_234_567)
  // Back and forth: a replica's clock may be behind the one before.
  for (const time of [...times, ...times.toReversed()])
    expect(remembering(entries, time)).toEqual(createScheduleReader()(entries, time))
})
