import { expect, test } from 'vitest'
import { runWhileLeading } from '../src/store/leader.ts'
import type { Lease } from '../src/store/lease.ts'
import { useDatabase } from './support/database.ts'
import { eventually } from './support/pool-cluster.ts'

const t = useDatabase()

const until = (what: string, isSo: () => boolean) => eventually(what, async () => ({ isDone: isSo(), value: what }))

/** A term that a machine which stands still for a few seconds does not end. */
const seconds = 6

function contender(name: string, holder: string, alone = false) {
  const stop = new AbortController()
  const state = { lease: undefined as Lease | undefined, terms: 0 }
  const ended = runWhileLeading(
    t.db,
    { name, holder, seconds, alone },
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

const endOfTerm = async (name: string) => {
  const [row] = await t.db.query<{ at: Date }>('select expires_at as at from lease where name = $1', [name])
  return row?.at.getTime() ?? 0
}

test('one leads, and renews; when it stops the other takes over with a higher epoch', async () => {
  const a = contender('one', 'a')
  await until('a leads', () => a.state.lease !== undefined)
  const b = contender('one', 'b')
  const first = await endOfTerm('one')
  await eventually('renewed', async () => {
    const value = await endOfTerm('one')
    return { isDone: value > first, value }
  })
  expect(b.state.terms).toBe(0)
  a.stop()
  await a.ended
  await until('b leads', () => b.state.lease !== undefined)
  expect(b.state.lease?.epoch).toBe(2)
  b.stop()
  await b.ended
})

test('a holder whose lease was taken stops its work', async () => {
  const a = contender('two', 'a')
  await until('a leads', () => a.state.lease !== undefined)
  const b = contender('two', 'b', true)
  await until('b leads alone', () => b.state.lease !== undefined && a.state.lease === undefined)
  expect(b.state.lease?.epoch).toBe(2)
  a.stop()
  b.stop()
  await Promise.all([a.ended, b.ended])
})
