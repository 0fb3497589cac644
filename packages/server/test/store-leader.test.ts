import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { runWhileLeading } from '../src/store/leader.ts'
import type { Lease } from '../src/store/lease.ts'
import { useDatabase } from './support/database.ts'

const t = useDatabase()

/** Waits for a condition; fails after five seconds. */
async function until(condition: () => boolean): Promise<void> {
  for (const end = performance.now() + 5_000; !condition(); ) {
    if (performance.now() > end) throw new Error('the condition did not come true')
    await delay(5)
  }
}

function contender(name: string, holder: string, alone = false) {
  const stop = new AbortController()
  const state = { lease: undefined as Lease | undefined, terms: 0 }
  const ended = runWhileLeading(
    t.db,
    { name, holder, seconds: 0.3, alone },
    async (lease, signal) => {
      state.lease = lease
      state.terms += 1
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
      state.lease = undefined
    },
    stop.signal,
  )
  return { state, stop: () => stop.abort(), ended }
}

test('one leads; when it stops the other takes over with a higher epoch', async () => {
  const a = contender('one', 'a')
  await until(() => a.state.lease !== undefined)
  const b = contender('one', 'b')
  await delay(400) // more than a term: a renews, b must not get in
  expect(b.state.terms).toBe(0)
  a.stop()
  await a.ended
  await until(() => b.state.lease !== undefined)
  expect(b.state.lease?.epoch).toBe(2)
  b.stop()
  await b.ended
})

test('a holder whose lease was taken stops its work', async () => {
  const a = contender('two', 'a')
  await until(() => a.state.lease !== undefined)
  const b = contender('two', 'b', true)
  await until(() => b.state.lease !== undefined && a.state.lease === undefined)
  expect(b.state.lease?.epoch).toBe(2)
  a.stop()
  b.stop()
  await Promise.all([a.ended, b.ended])
})
