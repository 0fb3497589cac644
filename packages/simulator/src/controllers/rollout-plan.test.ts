import { describe, expect, test } from 'vitest'
import {
  isScaling,
  type PlannedSet,
  planRolling,
  planScaling,
  type RolloutState,
  rollingBounds,
} from './rollout-plan.ts'

const rolling = (maxSurge: number | string, maxUnavailable: number | string) => ({
  type: 'RollingUpdate',
  rollingUpdate: { maxSurge, maxUnavailable },
})

const set = (name: string, replicas: number, available = replicas, more: Partial<PlannedSet> = {}): PlannedSet => ({
  name,
  replicas,
  available,
  created: name.charCodeAt(0),
  ...more,
})

const state = (
  replicas: number,
  newSet: PlannedSet | undefined,
  oldSets: readonly PlannedSet[],
  strategy = rolling('25%', '25%'),
) => ({ replicas, strategy, newSet, oldSets, statusReplicas: 0 }) satisfies RolloutState

test.each([
  [rolling('25%', '25%'), 10, 3, 2],
  [rolling('25%', '25%'), 1, 1, 0],
  [rolling(0, 0), 5, 0, 1],
  [rolling('0%', '10%'), 5, 0, 1],
  [rolling(2, 9), 3, 2, 3],
  [{ type: 'Recreate' }, 3, 0, 0],
])('bounds of %j with %i', (strategy, replicas, maxSurge, maxUnavailable) => {
  expect(rollingBounds(strategy, replicas)).toEqual({ maxSurge, maxUnavailable })
})

describe('the next step of a rolling update', () => {
  test.each([
    ['a new set comes up as far as the surge allows', state(4, set('n', 0), [set('a', 4)]), [['n', 1]]],
    ['old pods go when new ones are available', state(4, set('n', 1), [set('a', 4)]), [['a', 2]]],
    ['nothing while the new pods start and the old ones are needed', state(4, set('n', 2, 0), [set('a', 3)]), []],
    ['up goes before down', state(4, set('n', 1), [set('a', 3)]), [['n', 2]]],
    ['unhealthy old pods go first', state(10, set('n', 3, 3), [set('a', 10, 6)]), [['a', 5]]],
    [
      'the oldest set shrinks first',
      state(4, set('n', 4), [set('b', 1), set('a', 1)]),
      [
        ['b', 0],
        ['a', 0],
      ],
    ],
    ['a new set that is too large shrinks', state(2, set('n', 5), []), [['n', 2]]],
    ['nothing when all is done', state(3, set('n', 3), [set('a', 0)]), []],
    ['nothing without a new set', state(3, undefined, [set('a', 3)]), []],
  ] as const)('%s', (_name, given, expected) => {
    expect(planRolling(given).map(({ name, replicas }) => [name, replicas])).toEqual(expected)
  })

  test('never too many pods, never too few available ones, and it ends', () => {
    for (const replicas of [1, 2, 3, 7, 10, 50]) {
      for (const strategy of [rolling('25%', '25%'), rolling(1, 0), rolling(0, 1), rolling('100%', '50%')]) {
        const { maxSurge, maxUnavailable } = rollingBounds(strategy, replicas)
        let now = { newSet: set('n', 0), old: set('a', replicas) }
        for (let step = 0; step < 500; step++) {
          const plan = planRolling(state(replicas, now.newSet, [now.old], strategy))
          if (plan.length === 0 && now.newSet.available === now.newSet.replicas) break
          const size = (name: string, before: number) => plan.find((one) => one.name === name)?.replicas ?? before
          const newSize = size('n', now.newSet.replicas)
          const oldSize = size('a', now.old.replicas)
          // Pods that go, go at once; one new pod becomes available at a time.
          const available = Math.min(newSize, now.newSet.available + (plan.length === 0 ? 1 : 0))
          now = { newSet: set('n', newSize, available), old: set('a', oldSize) }
          expect(newSize + oldSize).toBeLessThanOrEqual(replicas + maxSurge)
          expect(available + oldSize).toBeGreaterThanOrEqual(replicas - maxUnavailable)
        }
        expect([now.newSet.replicas, now.old.replicas]).toEqual([replicas, 0])
      }
    }
  })
})

describe('a changed number of replicas', () => {
  const then = (replicas: number) => ({ desiredThen: replicas, maxThen: replicas + Math.ceil(replicas / 4) })

  test('is seen by what the sets were scaled for', () => {
    expect(isScaling(state(4, set('n', 2, 2, then(2)), []))).toBe(true)
    expect(isScaling(state(2, set('n', 2, 2, then(2)), []))).toBe(false)
    expect(isScaling(state(4, set('n', 0, 0, then(2)), []))).toBe(false)
  })

  test('goes to the only set', () => {
    expect(planScaling(state(4, set('n', 2, 2, then(2)), [set('a', 0)]))).toEqual([{ name: 'n', replicas: 4 }])
  })

  test('is shared in the middle of a rollout, and the rest goes to the largest', () => {
    const middle = state(20, set('n', 5, 5, then(10)), [set('a', 8, 8, then(10))])
    const sizes = planScaling(middle)
    expect(sizes.reduce((sum, { replicas }) => sum + replicas, 0)).toBe(25)
    expect(sizes).toEqual([
      { name: 'a', replicas: 15 },
      { name: 'n', replicas: 10 },
    ])
  })

  test('to zero takes all', () => {
    const middle = state(0, set('n', 5, 5, then(10)), [set('a', 8, 8, then(10))])
    expect(planScaling(middle)).toEqual([
      { name: 'a', replicas: 0 },
      { name: 'n', replicas: 0 },
    ])
  })

  test('removes old sets when the new one is complete', () => {
    const done = state(3, set('n', 3, 3, then(3)), [set('a', 2, 2, then(9))])
    expect(planScaling(done)).toEqual([{ name: 'a', replicas: 0 }])
  })
})
