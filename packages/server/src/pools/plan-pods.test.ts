import { describe, expect, test } from 'vitest'
import { planPool } from './plan.ts'
import type { PodView, PoolAction, PoolDesired, PoolObserved } from './plan-types.ts'
import type { PoolSpec } from './pool.ts'

/** A scalable pool as requests and instances use it (pool API reference 5.1, 5.2), drained, and deleted. */
const now = Date.parse('2026-01-01T00:00:00Z')
const pool = (given: Partial<PoolDesired> & { size?: number; maxSize?: number } = {}): PoolDesired => {
  const { size = 1, maxSize = 3, ...more } = given
  return {
    id: 'p',
    uid: 'u',
    spec: { size, maxSize, podPendingDurationThreshold: 0 } as PoolSpec,
    scalable: true,
    draining: false,
    status: 4,
    word: 'Running',
    notes: [],
    readyCount: 0,
    observed: { deploymentUid: 'd' },
    ...more,
  }
}
const deployment = {
  uid: 'd',
  isOurs: true,
  isMadeHere: true,
  isDeleting: false,
  replicas: 0,
  drift: [],
  trouble: undefined,
}
const cluster = (given: Partial<PoolObserved> = {}): PoolObserved => ({
  deployment,
  hpa: undefined,
  hpaWanted: { kind: 'none' },
  pods: [],
  strays: [],
  creating: 0,
  mayCreate: 32,
  fieldNotes: [],
  failures: {},
  isClosed: true,
  ...given,
})
let names = 0
const pod = (given: Partial<PodView> = {}): PodView => {
  const name = `pod-${names++}`
  return {
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
    ...given,
  }
}
/** An exclusive instance has it. */
const held = () => pod({ isBusy: true, isDetached: true, ownerKind: '', ownerUid: '' })
const acts = (desired: PoolDesired, observed: PoolObserved): PoolAction[] =>
  planPool(desired, observed, now).filter(({ kind }) => kind !== 'write-status' && kind !== 'wait-until')
const notes = (desired: PoolDesired, observed: PoolObserved) => {
  for (const action of planPool(desired, observed, now)) if (action.kind === 'write-status') return action.write.notes
  return undefined
}

describe('what is held counts', () => {
  test('against the size: nothing is made for it', () => {
    expect(acts(pool({ size: 2 }), cluster({ pods: [held(), held()] }))).toEqual([])
  })
  test('against the maximum: steps wait for room', () => {
    const full = cluster({ pods: [held(), held(), held()], steps: 4 })
    expect(acts(pool(), full)).toEqual([])
    expect(acts(pool(), cluster({ pods: [held(), held()], steps: 4 }))).toEqual([{ kind: 'take-steps', limit: 1 }])
  })
  test('until it is told to go', () => {
    const leaving = pod({ isDeleting: true, isRetired: true, isReady: false })
    expect(acts(pool({ size: 2 }), cluster({ pods: [held(), leaving] }))).toEqual([
      { kind: 'create-pods', count: 1, isReserved: true },
    ])
  })
  test('as ready, if it is', () => {
    const [action] = planPool(pool({ size: 2 }), cluster({ pods: [held(), pod()] }), now)
    expect(action).toMatchObject({ kind: 'write-status', write: { readyCount: 2 } })
  })
  test('and is never taken away', () => {
    const idle = pod()
    const observed = cluster({ pods: [held(), held(), idle] })
    expect(acts(pool({ maxSize: 1 }), observed)).toEqual([
      { kind: 'delete-pods', pods: [idle], reason: 'above max_size' },
    ])
  })
})

describe('pods that only shared instances can have', () => {
  const used = () => pod({ isReady: true })
  const failure = { code: 403, message: 'forbidden', isFinal: false, retryAt: now + 1_000 }
  test('make room for requests that a full pool has no step for', () => {
    const full = { pods: [used(), used(), used()], idleShared: 2 }
    expect(acts(pool(), cluster({ ...full, steps: 1 }))).toEqual([{ kind: 'make-room', limit: 1 }])
    expect(acts(pool(), cluster({ ...full, steps: 5 }))).toEqual([{ kind: 'make-room', limit: 2 }])
    expect(acts(pool(), cluster(full))).toEqual([])
  })

  test('stay while the pool can grow, and while the cluster refuses deletions', () => {
    expect(acts(pool(), cluster({ pods: [used(), used()], idleShared: 2, steps: 1 }))).toEqual([
      { kind: 'take-steps', limit: 1 },
    ])
    const full = { pods: [used(), used(), used()], idleShared: 2, steps: 1 }
    expect(acts(pool(), cluster({ ...full, failures: { delete: failure } }))).toEqual([])
  })

  test('of a fixed pool go as long as no pod is on its way', () => {
    const fixed = pool({ scalable: false, size: 2, maxSize: 2 })
    const fixedCluster = (pods: PodView[], waiting: number) =>
      cluster({ pods, waiting, idleShared: 2, deployment: { ...deployment, replicas: 2 } })
    expect(acts(fixed, fixedCluster([used(), used()], 1))).toEqual([{ kind: 'make-room', limit: 1 }])
    expect(acts(fixed, fixedCluster([used(), pod({ isReady: false })], 1))).toEqual([])
    expect(acts(fixed, fixedCluster([used(), used()], 0))).toEqual([])
  })
})

describe('steps', () => {
  test('are one pod each, beside those within the size', () => {
    expect(acts(pool(), cluster({ steps: 1 }))).toEqual([
      { kind: 'create-pods', count: 1, isReserved: true },
      { kind: 'take-steps', limit: 1 },
    ])
    expect(acts(pool(), cluster({ creating: 1, owed: 1 }))).toEqual([
      { kind: 'create-pods', count: 1, isReserved: false },
    ])
  })
  test('that are owed are not taken again', () => {
    expect(acts(pool({ size: 0, maxSize: 2 }), cluster({ owed: 1, steps: 5 }))).toEqual([
      { kind: 'create-pods', count: 1, isReserved: false },
      { kind: 'take-steps', limit: 1 },
    ])
  })
  test('wait while creations rest after a refusal', () => {
    const failure = { code: 403, message: 'quota', isFinal: false, retryAt: now + 1_000 }
    expect(acts(pool({ size: 0 }), cluster({ owed: 1, steps: 1, failures: { pods: failure } }))).toEqual([])
  })
  test.each([0, 1, 2, 3, 5, 6] as const)('of a pool in status %d', (status) => {
    const desired = pool({ size: 0, status })
    const made = acts(desired, cluster({ steps: 1, isClosed: true })).filter(({ kind }) => kind === 'take-steps')
    expect(made).toHaveLength(status === 5 || status === 6 ? 0 : 1)
  })
})

describe('a pod that was made for a request', () => {
  const young = { isOnDemand: true, isReady: false }
  test('is given up when it was not ready in 5 minutes', () => {
    const stuck = pod({ ...young, createdAt: now - 300_000 })
    const observed = cluster({ pods: [pod(), stuck, pod({ ...young, createdAt: now - 299_000 })] })
    expect(acts(pool(), observed)).toEqual([{ kind: 'delete-pods', pods: [stuck], reason: 'never ready' }])
    expect(planPool(pool(), observed, now)).toContainEqual({ kind: 'wait-until', time: now + 1_000 })
  })
  test.each([
    ['was ready before', { hasBeenReady: true }],
    ['is held', { isBusy: true }],
    ['is kept within the size', { isOnDemand: false }],
  ])('stays when it %s', (_, given) => {
    const observed = cluster({ pods: [pod(), pod({ ...young, createdAt: 0, ...given })] })
    expect(acts(pool(), observed)).toEqual([])
  })
})

describe('whoever waits', () => {
  const failure = { code: 403, message: 'exceeded quota', isFinal: false, retryAt: now + 1_000 }
  test('is told at once why no pod comes', () => {
    const observed = cluster({ waiting: 1, owed: 1, failures: { pods: failure } })
    expect(notes(pool({ size: 0 }), observed)).toEqual(['exceeded quota'])
    expect(
      notes(pool({ size: 0 }), cluster({ waiting: 1, pods: [pod({ isReady: false, trouble: 'ErrImagePull' })] })),
    ).toEqual(['ErrImagePull'])
  })
  test('nobody: then the pool is as it should be', () => {
    expect(notes(pool({ size: 0 }), cluster({ failures: { pods: failure } }))).toBeUndefined()
  })
})

describe('a drained pool', () => {
  test('gives up its idle pods, makes none, and says what is held', () => {
    const idle = [pod({ isReady: false }), pod()]
    const observed = cluster({ pods: [held(), ...idle], steps: 3, owed: 1 })
    const desired = pool({ size: 3, draining: true })
    expect(acts(desired, observed)).toEqual([{ kind: 'delete-pods', pods: idle, reason: 'drained' }])
    expect(notes(desired, observed)).toEqual(['draining: nothing new is handed out, 1 pod is held'])
  })
  test('of a fixed size has replicas for what is held in it', () => {
    const set = (given: Partial<PodView> = {}) => pod({ ownerKind: 'ReplicaSet', ...given })
    const idle = set()
    const observed = cluster({ deployment: { ...deployment, replicas: 2 }, pods: [set({ isBusy: true }), idle] })
    const desired = pool({ size: 2, maxSize: 2, scalable: false, draining: true })
    expect(acts(desired, observed)).toEqual([
      { kind: 'scale-deployment', from: 2, to: 1, victims: [idle], leaving: [] },
    ])
    const done = cluster({ deployment: { ...deployment, replicas: 0 }, detached: 2 })
    expect(acts(desired, done)).toEqual([])
    expect(notes(desired, done)).toEqual(['draining: nothing new is handed out, 2 pods are held'])
  })
  test('under an autoscaler, too', () => {
    const hpa = { isOurs: true, isDeleting: false, drift: [] }
    const observed = cluster({ deployment: { ...deployment, replicas: 2 }, hpa, hpaWanted: { kind: 'wanted' } })
    const [action] = acts(pool({ size: 2, maxSize: 2, scalable: false, draining: true }), observed)
    expect(action).toMatchObject({ kind: 'scale-deployment', to: 0 })
  })
})

describe('a pool that is deleted', () => {
  test('is closed first: what exclusive instances have is to survive its Deployment', () => {
    const desired = pool({ status: 6 })
    expect(acts(desired, cluster({ isClosed: false }))).toEqual([{ kind: 'close-pool' }])
    expect(acts(desired, cluster())).toEqual([{ kind: 'delete-deployment' }])
  })
  test('waits before it tries to close again', () => {
    const failure = { code: 500, message: 'no', isFinal: false, retryAt: now + 1_000 }
    expect(acts(pool({ status: 6 }), cluster({ isClosed: false, failures: { delete: failure } }))).toEqual([])
  })
})
