import { describe, expect, test } from 'vitest'
import { planPool } from './plan.ts'
import { keptPods } from './plan-pods.ts'
import type { PodView, PoolDesired, PoolObserved } from './plan-types.ts'

const now = 1_000_000
const desired = {
  id: 'p',
  uid: 'u',
  spec: { size: 2, maxSize: 6, podPendingDurationThreshold: 0 },
  scalable: true,
  draining: false,
  status: 4,
  word: 'Running',
  notes: [],
  readyCount: 2,
  observed: { deploymentUid: 'd' },
} as unknown as PoolDesired

const pod = (name: string, change: Partial<PodView> = {}): PodView => ({
  uid: name,
  name,
  ownerKind: 'Deployment',
  ownerUid: 'd',
  createdAt: 0,
  isReady: true,
  isDeleting: false,
  isFinished: false,
  isBusy: false,
  trouble: undefined,
  ...change,
})

const observed = (wanted: number | undefined, pods: number, creating = 0): PoolObserved => ({
  deployment: {
    uid: 'd',
    isOurs: true,
    isMadeHere: true,
    isDeleting: false,
    replicas: 0,
    drift: [],
    trouble: undefined,
  },
  hpa: undefined,
  hpaWanted: { kind: 'none' },
  pods: Array.from({ length: pods }, (_, i) => pod(`p${i}`)),
  strays: [],
  creating,
  wanted,
  mayCreate: 32,
  fieldNotes: [],
  failures: {},
})

test.each([
  [undefined, 2],
  [0, 2],
  [4, 4],
  [9, 6],
])('wanted %s: %i are kept', (wanted, kept) => {
  expect(keptPods(desired.spec, wanted)).toBe(kept)
})

describe('a scalable pool', () => {
  const created = (wanted: number | undefined, pods: number, creating = 0) =>
    planPool(desired, observed(wanted, pods, creating), now).find((action) => action.kind === 'create-pods')
  test('has as many pods as are wanted beyond its size, of the kind that is kept', () => {
    expect(created(5, 2)).toEqual({ kind: 'create-pods', count: 3, isReserved: true })
    expect(created(5, 2, 2)).toEqual({ kind: 'create-pods', count: 1, isReserved: true })
    expect(created(5, 5)).toBeUndefined()
    expect(created(50, 2)).toEqual({ kind: 'create-pods', count: 4, isReserved: true })
  })
  test('lets none go by itself because fewer are wanted', () => {
    expect(planPool({ ...desired, readyCount: 5 }, observed(2, 5), now)).toEqual([])
    expect(planPool({ ...desired, readyCount: 5 }, observed(undefined, 5), now)).toEqual([])
  })
  describe('when told that some are not wanted', () => {
    const taken = (surplus: number, pods: readonly PodView[], wanted = 3) =>
      planPool(desired, { ...observed(wanted, 0), pods, surplus }, now).flatMap((action) =>
        action.kind === 'delete-pods' ? [action.reason, ...action.pods.map(({ name }) => name)] : [],
      )
    const five = ['a', 'b', 'c', 'd', 'e'].map((name, i) => pod(name, { createdAt: i }))
    test('gives back idle ones, the newest first', () => {
      expect(taken(2, five)).toEqual(['not wanted', 'e', 'd'])
      expect(taken(1, [...five, pod('late', { isReady: false })])).toEqual(['not wanted', 'late'])
    })
    test('keeps those that are wanted, in use, or that a request asked for', () => {
      expect(taken(9, five)).toEqual(['not wanted', 'e', 'd'])
      expect(
        taken(
          2,
          five.map((one) => ({ ...one, isBusy: true })),
        ),
      ).toEqual([])
      expect(
        taken(
          2,
          five.map((one) => ({ ...one, isOnDemand: true })),
        ),
      ).toEqual([])
      expect(taken(0, five)).toEqual([])
    })
  })
})
