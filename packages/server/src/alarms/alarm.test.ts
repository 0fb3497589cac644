import { describe, expect, test } from 'vitest'
import type { PodView } from '../pools/plan-types.ts'
import type { Pool, PoolStatus } from '../pools/pool.ts'
import { type OpenAlarm, type WellSince, watchPods } from './alarm.ts'

const pod = (change: Partial<PodView> = {}): PodView => ({
  uid: 'a',
  name: 'a',
  ownerKind: '',
  ownerUid: '',
  createdAt: 1_000,
  isReady: false,
  isDeleting: false,
  isFinished: false,
  isBusy: false,
  trouble: undefined,
  ...change,
})
const scene = (pods: readonly PodView[], threshold = 0, status: PoolStatus = 4) => ({
  pool: { uid: 'u', id: 'p', status, spec: { podPendingDurationThreshold: threshold } } as unknown as Pool,
  pods,
  creating: 0,
})
const watch = (
  pods: readonly PodView[],
  now: number,
  given: { open?: OpenAlarm[]; well?: WellSince; threshold?: number; status?: PoolStatus } = {},
) => watchPods(given.open ?? [], given.well ?? new Map(), [scene(pods, given.threshold, given.status)], now, 60_000)
const open = (kind: OpenAlarm['kind']): OpenAlarm => ({ id: 1, kind, poolUid: 'u', podUid: 'a' })

describe('a pending pod', () => {
  const pending = pod({ isPending: true, trouble: '0/3 nodes are available' })
  test.each([
    [0, 120_999, 0],
    [0, 121_000, 1],
    [5, 5_999, 0],
    [5, 6_000, 1],
  ])('with a threshold of %i s, at %i ms: %i alarms', (threshold, now, count) => {
    expect(watch([pending], now, { threshold }).raise).toHaveLength(count)
  })
  test('raises once, with the reason and since when', () => {
    expect(watch([pending], 200_000).raise).toEqual([
      {
        kind: 'pending',
        pool: { uid: 'u', id: 'p' },
        pod: { uid: 'a', name: 'a' },
        cause: '0/3 nodes are available',
        since: 1_000,
      },
    ])
    expect(watch([pending], 200_000, { open: [open('pending')] })).toEqual({
      raise: [],
      clear: [],
      wellSince: new Map(),
    })
  })
  test('clears when it runs, is on its way out, or is gone; a pool that is being deleted has none', () => {
    const given = { open: [open('pending')] }
    expect(watch([pod()], 200_000, given).clear).toEqual([
      { alarm: open('pending'), because: 'the pod is pending no more' },
    ])
    expect(watch([{ ...pending, isDeleting: true }], 200_000, given).clear).toHaveLength(1)
    expect(watch([], 200_000, given).clear).toEqual([{ alarm: open('pending'), because: 'the pod is gone' }])
    expect(watch([pending], 200_000, { ...given, status: 6 }).clear).toHaveLength(1)
    expect(watch([pending], 200_000, { status: 6 }).raise).toEqual([])
  })
})

describe('a failing pod', () => {
  const failing = pod({ failing: 'CrashLoopBackOff', trouble: 'CrashLoopBackOff: back-off 5m0s' })
  const ready = pod({ isReady: true })
  test('raises at once', () => {
    expect(watch([failing], 1_000).raise).toMatchObject([{ kind: 'failed', cause: 'CrashLoopBackOff: back-off 5m0s' }])
    expect(watch([pod({ failing: 'Unknown' })], 1_000).raise).toMatchObject([{ cause: 'Unknown' }])
  })
  test('that also is pending for long raises both', () => {
    expect(watch([{ ...failing, isPending: true }], 200_000).raise.map(({ kind }) => kind)).toEqual([
      'pending',
      'failed',
    ])
    expect(watch([{ ...failing, isPending: true }], 200_000, { open: [open('failed')] }).raise).toMatchObject([
      { kind: 'pending' },
    ])
  })
  test('is well when it has been ready for a minute; between two crashes it is not', () => {
    const given = { open: [open('failed')] }
    // The container runs, and is not ready yet.
    expect(watch([pod()], 10_000, given)).toEqual({ raise: [], clear: [], wellSince: new Map() })
    const first = watch([ready], 20_000, given)
    expect(first.wellSince).toEqual(new Map([[1, 20_000]]))
    const crashed = watch([failing], 30_000, { ...given, well: first.wellSince })
    expect(crashed).toEqual({ raise: [], clear: [], wellSince: new Map() })
    const again = watch([ready], 40_000, { ...given, well: crashed.wellSince })
    expect(watch([ready], 99_999, { ...given, well: again.wellSince }).clear).toEqual([])
    expect(watch([ready], 100_000, { ...given, well: again.wellSince }).clear).toEqual([
      { alarm: open('failed'), because: 'the pod is ready' },
    ])
  })
  test('clears when it is gone', () => {
    expect(watch([], 10_000, { open: [open('failed')] }).clear).toMatchObject([{ because: 'the pod is gone' }])
  })
})
