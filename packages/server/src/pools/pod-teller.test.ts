import { expect, test } from 'vitest'
import type { PodState } from './pod-holds.ts'
import { createPodTeller } from './pod-teller.ts'

/** A teller whose pods are all unready; `tell` is what the tables do. */
function createTeller(tell: (uids: readonly string[]) => Promise<void>, signal = new AbortController().signal) {
  const uidOf = (state: PodState) => (state.kind === 'ready' ? state.pod.uid : state.uid)
  return createPodTeller({
    holds: { tell: (states) => tell(states.map(uidOf)) },
    stateOf: (uid) => ({ kind: 'unready', uid }),
    onTold: () => {},
    onError: () => false,
    signal,
  })
}

test('settles although more is added all the time: a new leader looks after the rest when it has', async () => {
  const told: string[] = []
  const stop = new AbortController()
  const teller = createTeller(async (uids) => {
    told.push(...uids)
    teller.add(`later-${told.length}`)
  }, stop.signal)
  for (const uid of ['a', 'b', 'c']) teller.add(uid)
  await teller.settled()
  expect(told.slice(0, 3)).toEqual(['a', 'b', 'c'])
  stop.abort()
})

test('waits for what is told at the time, for what was added to it, and for what had to be told again', async () => {
  const told: string[] = []
  let isFirst = true
  const begun = Promise.withResolvers<void>()
  const goOn = Promise.withResolvers<void>()
  const teller = createTeller(async (uids) => {
    if (isFirst) {
      isFirst = false
      begun.resolve()
      await goOn.promise
      throw new Error('the database is gone')
    }
    told.push(...uids)
  })
  teller.add('a')
  await begun.promise
  teller.add('b')
  const settled = teller.settled().then(() => [...told].sort())
  goOn.resolve()
  expect(await settled).toEqual(['a', 'b'])
})

test('settles at once when there is nothing, and when it must stop', async () => {
  const stop = new AbortController()
  const teller = createTeller(() => Promise.reject(new Error('the database is gone')), stop.signal)
  await teller.settled()
  teller.add('a')
  const settled = teller.settled()
  stop.abort()
  await settled
})
