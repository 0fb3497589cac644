import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, expect, test, vi } from 'vitest'
import { WorkQueue } from './queue.ts'

const queues: WorkQueue[] = []
afterEach(() => {
  for (const queue of queues.splice(0)) queue.stop()
})

function queueOf(sync: (key: string) => void): { queue: WorkQueue; lines: string[] } {
  const lines: string[] = []
  const queue = new WorkQueue({ name: 'test', sync, log: (line) => lines.push(line) })
  queues.push(queue)
  return { queue, lines }
}

test('a key that is added often is looked at once, and again when added meanwhile', async () => {
  const seen: string[] = []
  const { queue } = queueOf((key) => {
    seen.push(key)
    if (key === 'b' && seen.length < 3) queue.add('a')
  })
  for (const key of ['a', 'a', 'b', 'a']) queue.add(key)
  expect(seen).toEqual([])
  await turn()
  await turn()
  expect(seen).toEqual(['a', 'b', 'a'])
})

test('what fails is told and tried again', async () => {
  let tries = 0
  const { queue, lines } = queueOf(() => {
    tries++
    if (tries < 3) throw new Error('not yet')
  })
  queue.add('a')
  await vi.waitUntil(() => tries === 3, { interval: 1 })
  expect(lines).toEqual(['test: a: not yet', 'test: a: not yet'])
})

test('the earlier of two times counts', async () => {
  let seen = 0
  const { queue } = queueOf(() => {
    seen++
  })
  queue.addAfter('a', 3_600_000)
  queue.addAfter('a', 1)
  queue.addAfter('a', 3_600_000)
  await vi.waitUntil(() => seen === 1, { interval: 1 })
})

test('nothing happens after stop', async () => {
  let seen = 0
  const { queue } = queueOf(() => {
    seen++
  })
  queue.add('a')
  queue.stop()
  queue.add('b')
  queue.addAfter('c', 0)
  await turn()
  await turn()
  expect(seen).toBe(0)
})
