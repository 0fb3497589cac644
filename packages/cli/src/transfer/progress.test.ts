import { expect, test } from 'vitest'
import { barText, Progress } from './progress.ts'

test('the bar tells what is done, how fast and how long it takes', () => {
  expect(barText('pod', 520_000, 1_000_000, 520_000, 62, 100)).toBe(
    'pod [#####################-------------------]  52 %  520,000 rows  8,387/s  0:57 left',
  )
  expect(barText('host', 0, 0, 0, 0, 80)).toBe('host [----------------------------------------]   0 %  0 rows  0/s')
  expect(barText('pod', 1, 2, 10, 7_200, 100)).toContain('2:00:00 left')
})

test('the bar fits its terminal', () => {
  for (const columns of [10, 40, 60, 200])
    expect(barText('gameStatefulSet', 1, 3, 1_234_567, 12, columns).length).toBeLessThan(Math.max(11, columns))
})

test('it is drawn on a terminal only, ten times a second at most, and taken away before other words', () => {
  const written: string[] = []
  let now = 0
  const terminal = { isTTY: true, columns: 80, write: (text: string) => written.push(text) }
  const progress = new Progress(terminal, () => now)
  for (; now < 1_000; now += 10) progress.show('pod', now, 1_000, now)
  expect(written).toHaveLength(10)
  progress.clear()
  progress.clear()
  expect(written.slice(10)).toEqual(['\r\u001b[K'])
  const silent = new Progress({ ...terminal, isTTY: false }, () => now)
  silent.show('pod', 1, 2, 3)
  silent.clear()
  expect(written).toHaveLength(11)
})
