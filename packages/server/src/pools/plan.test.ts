// One table of cases per state of a pool, in one file (over 300 lines): they share the sample pool and cluster.
import { describe, expect, test } from 'vitest'
import { planPool } from './plan.ts'
import type {
  DeploymentView,
  Failure,
  PodView,
  PoolAction,
  PoolDesired,
  PoolObserved,
  StatusWrite,
} from './plan-types.ts'
import type { PoolSpec, PoolStatus } from './pool.ts'

const now = Date.parse('2026-01-01T00:00:00Z')

type Given = Partial<Omit<PoolDesired, 'spec'>> & { readonly size?: number; readonly maxSize?: number }

function pool({ size = 2, maxSize = size, ...given }: Given = {}): PoolDesired {
  const status: PoolStatus = given.status ?? 0
  return {
    id: 'p',
    uid: 'u',
    spec: { size, maxSize, podPendingDurationThreshold: 0 } as PoolSpec,
    scalable: maxSize > size,
    draining: false,
    status,
    word: ['', 'Creating', 'Running', 'Updating', 'Running', 'pool already exists', 'Running'][status] ?? '',
    notes: [],
    readyCount: 0,
    observed: status === 0 || status === 5 ? {} : { deploymentUid: 'd' },
    ...given,
  }
}

const ours: DeploymentView = {
  uid: 'd',
  isOurs: true,
  isMadeHere: true,
  isDeleting: false,
  replicas: 2,
  drift: [],
  trouble: undefined,
}

function cluster(given: Partial<PoolObserved> = {}): PoolObserved {
  return {
    deployment: undefined,
    hpa: undefined,
    hpaWanted: { kind: 'none' },
    pods: [],
    strays: [],
    creating: 0,
    mayCreate: 32,
    fieldNotes: [],
    failures: {},
    ...given,
  }
}

let names = 0
function pod(given: Partial<PodView> = {}): PodView {
  const name = given.name ?? `pod-${names++}`
  return {
    uid: name,
    name,
    ownerKind: 'ReplicaSet',
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
const pods = (count: number, given: Partial<PodView> = {}) => Array.from({ length: count }, () => pod(given))

const refusal = (given: Partial<Failure> = {}): Failure => ({
  code: 422,
  message: 'the cluster says no',
  isFinal: true,
  retryAt: now + 1_000,
  ...given,
})

const kinds = (actions: readonly PoolAction[]) => actions.map((action) => action.kind)
function written(actions: readonly PoolAction[]): StatusWrite | undefined {
  const found = actions.filter((action) => action.kind === 'write-status')
  expect(found.length).toBeLessThan(2)
  return found[0]?.write
}

describe('a new pool', () => {
  test('gets its Deployment', () => {
    expect(planPool(pool(), cluster(), now)).toEqual([{ kind: 'create-deployment' }])
  })
  test('gets its autoscaler first', () => {
    const hpaWanted = { kind: 'wanted' } as const
    expect(planPool(pool(), cluster({ hpaWanted }), now)).toEqual([{ kind: 'create-hpa' }])
    const hpa = { isOurs: true, isDeleting: false, drift: [] }
    expect(planPool(pool(), cluster({ hpaWanted, hpa }), now)).toEqual([{ kind: 'create-deployment' }])
  })
  test('is creating as soon as the Deployment is there, and says what of it has no effect', () => {
    expect(written(planPool(pool(), cluster({ deployment: ours, fieldNotes: ['x is ignored'] }), now))).toEqual({
      status: 1,
      word: 'Creating',
      notes: ['x is ignored'],
      observed: { deploymentUid: 'd', belowSince: '2026-01-01T00:00:00.000Z' },
      events: [{ type: 'Warning', reason: 'FieldIgnored', message: 'x is ignored' }],
    })
  })
  test('of size 0 is running at once', () => {
    const deployment = { ...ours, replicas: 0 }
    expect(written(planPool(pool({ size: 0 }), cluster({ deployment }), now))).toMatchObject({
      status: 4,
      word: 'Running',
    })
  })
  test('whose Deployment was made before a restart takes it over', () => {
    const plan = planPool(pool(), cluster({ deployment: { ...ours, isMadeHere: false } }), now)
    expect(kinds(plan)).toEqual(['write-status', 'wait-until'])
    expect(written(plan)?.events?.[0]?.reason).toBe('Adopted')
  })
  test.each([
    [
      "a Deployment of that name is somebody else's",
      cluster({ deployment: { ...ours, isOurs: false } }),
      'pool already exists',
      'a Deployment function-agent-p is there that was not made for this pool',
    ],
    [
      'the HPA text cannot be read',
      cluster({ hpaWanted: { kind: 'invalid', reason: 'why' } }),
      'invalid HPA spec, create HPA failed',
      'why',
    ],
    [
      'the HPA is refused',
      cluster({ hpaWanted: { kind: 'wanted' }, failures: { hpa: refusal() } }),
      'create HPA failed',
      'the cluster says no',
    ],
    [
      "the HPA is somebody else's",
      cluster({ hpaWanted: { kind: 'wanted' }, hpa: { isOurs: false, isDeleting: false, drift: [] } }),
      'create HPA failed',
      'a HorizontalPodAutoscaler function-agent-p-hpa is there that was not made for this pool',
    ],
    [
      'the Deployment is refused',
      cluster({ failures: { deployment: refusal() } }),
      'Create Deployment Failed, ErrorCode is 422',
      'the cluster says no',
    ],
  ])('fails when %s', (_why, observed, word, note) => {
    const plan = planPool(pool(), observed, now)
    expect(kinds(plan)).toEqual(['write-status'])
    expect(written(plan)).toMatchObject({ status: 5, word, notes: [note], events: [{ reason: 'Failed' }] })
  })
  test('waits when the cluster does not answer, says so, and tries again', () => {
    const failures = { deployment: refusal({ code: undefined, isFinal: false, message: 'no answer' }) }
    const plan = planPool(pool(), cluster({ failures }), now)
    expect(written(plan)).toMatchObject({ status: 1, word: 'Creating', notes: ['no answer'] })
    expect(plan.at(-1)).toEqual({ kind: 'wait-until', time: now + 1_000 })
    const waiting = pool({ status: 1, observed: {}, notes: ['no answer'] })
    expect(planPool(waiting, cluster({ failures }), now + 1_000)).toEqual([{ kind: 'create-deployment' }])
  })
})

describe('a pool that starts', () => {
  const starting = pool({ status: 1, observed: { deploymentUid: 'd', belowSince: new Date(now).toISOString() } })
  test('is running when enough pods are ready', () => {
    const plan = planPool(starting, cluster({ deployment: ours, pods: pods(2) }), now)
    expect(written(plan)).toEqual({
      status: 4,
      word: 'Running',
      readyCount: 2,
      observed: { deploymentUid: 'd' },
      events: [{ type: 'Normal', reason: 'Running', message: '2 of 2 pods ready' }],
    })
  })
  test('counts ready pods meanwhile', () => {
    const observed = cluster({ deployment: ours, pods: [pod(), pod({ isReady: false })] })
    expect(written(planPool(starting, observed, now))).toEqual({ readyCount: 1 })
  })
  test("names the cluster's reasons at once, the most frequent first", () => {
    const observed = cluster({
      deployment: { ...ours, trouble: 'quota' },
      pods: [pod({ isReady: false, trouble: 'no node' }), pod({ isReady: false, trouble: 'no node' })],
      failures: { pods: refusal({ message: 'forbidden' }) },
    })
    expect(written(planPool(starting, observed, now))?.notes).toEqual(['no node', 'forbidden', 'quota'])
  })
  test('says after the threshold how far it is', () => {
    const observed = cluster({ deployment: ours, pods: pods(1) })
    const before = planPool(starting, observed, now + 119_999)
    expect(before.at(-1)).toEqual({ kind: 'wait-until', time: now + 120_000 })
    expect(written(planPool(starting, observed, now + 120_000))).toMatchObject({
      notes: ['1 of 2 pods ready for more than 120 s'],
      observed: { isDegraded: true },
      events: [{ type: 'Warning', reason: 'Degraded' }],
    })
  })
  test('with nothing new plans nothing but the threshold', () => {
    expect(kinds(planPool(starting, cluster({ deployment: ours }), now))).toEqual(['wait-until'])
  })
})

describe('a running pool', () => {
  const running = pool({ status: 4, readyCount: 2 })
  test('with everything in place plans nothing', () => {
    expect(planPool(running, cluster({ deployment: ours, pods: pods(2) }), now)).toEqual([])
  })
  test('stays running when pods are lost; the reason is said after the threshold only', () => {
    const observed = cluster({ deployment: ours, pods: [pod(), pod({ isReady: false, trouble: 'back-off' })] })
    const first = written(planPool(running, observed, now))
    expect(first).toEqual({ readyCount: 1, observed: { deploymentUid: 'd', belowSince: '2026-01-01T00:00:00.000Z' } })
    const later = pool({ status: 4, readyCount: 1, observed: { ...first?.observed } })
    expect(written(planPool(later, observed, now + 120_000))?.notes).toEqual([
      '1 of 2 pods ready for more than 120 s',
      'back-off',
    ])
  })
  test('that recovers says that, too', () => {
    const degraded = pool({
      status: 4,
      readyCount: 1,
      notes: ['1 of 2 pods ready for more than 120 s'],
      observed: { deploymentUid: 'd', belowSince: new Date(now).toISOString(), isDegraded: true },
    })
    expect(written(planPool(degraded, cluster({ deployment: ours, pods: pods(2) }), now))).toEqual({
      notes: [],
      readyCount: 2,
      observed: { deploymentUid: 'd' },
      events: [{ type: 'Normal', reason: 'Recovered', message: '2 of 2 pods ready' }],
    })
  })
  test.each([
    ['is gone', undefined],
    ['is on its way out', { ...ours, isDeleting: true }],
  ])('fails when its Deployment %s', (_how, deployment) => {
    const plan = planPool(running, cluster({ deployment }), now)
    expect(kinds(plan)).toEqual(['write-status'])
    expect(written(plan)).toMatchObject({ status: 5, word: 'deployment is deleted', readyCount: 0, observed: {} })
  })
  test('restores what was edited, replicas included', () => {
    const deployment = { ...ours, replicas: 7, drift: ['spec.x'] }
    expect(planPool(running, cluster({ deployment, pods: pods(2) }), now)).toMatchObject([
      { kind: 'restore-deployment', fields: ['spec.x'] },
      { kind: 'scale-deployment', from: 7, to: 2 },
    ])
  })
  test('leaves replicas to the autoscaler, and is satisfied with what that wants', () => {
    const hpa = { isOurs: true, isDeleting: false, drift: [] }
    const observed = cluster({
      deployment: { ...ours, replicas: 1 },
      pods: pods(1),
      hpa,
      hpaWanted: { kind: 'wanted' },
    })
    expect(planPool({ ...running, readyCount: 1 }, observed, now)).toEqual([])
  })
  test('gets its autoscaler back', () => {
    const observed = cluster({ deployment: ours, pods: pods(2), hpaWanted: { kind: 'wanted' } })
    expect(planPool(running, observed, now)).toEqual([{ kind: 'create-hpa' }])
  })
})

describe('an update', () => {
  test('scales up, and is updating', () => {
    const updated = pool({ status: 2, size: 4, readyCount: 2 })
    expect(planPool(updated, cluster({ deployment: ours, pods: pods(2) }), now)).toEqual([
      { kind: 'scale-deployment', from: 2, to: 4, victims: [], leaving: [] },
    ])
    const scaled = cluster({ deployment: { ...ours, replicas: 4 }, pods: pods(2) })
    expect(written(planPool(updated, scaled, now))).toMatchObject({ status: 3, word: 'Updating' })
  })
  test('that changes nothing is running at once', () => {
    const updated = pool({ status: 2, readyCount: 2 })
    expect(written(planPool(updated, cluster({ deployment: ours, pods: pods(2) }), now))).toMatchObject({ status: 4 })
  })
  test('scales down by idle pods, the unready and the newest first', () => {
    const [old, busy] = [pod({ name: 'old', createdAt: 1 }), pod({ name: 'busy', createdAt: 9, isBusy: true })]
    const fresh = pod({ name: 'new', createdAt: 5 })
    const starting = pod({ name: 'starting', createdAt: 0, isReady: false })
    const observed = cluster({ deployment: { ...ours, replicas: 4 }, pods: [old, busy, fresh, starting] })
    expect(planPool(pool({ status: 2, size: 2 }), observed, now)).toEqual([
      { kind: 'scale-deployment', from: 4, to: 2, victims: [starting, fresh], leaving: [] },
    ])
  })
  test('scales down by as many as there are too many, those that leave anyway among them', () => {
    const leaving = pod({ isDeleting: true, isRetired: true, isReady: false })
    const observed = cluster({ deployment: { ...ours, replicas: 5 }, pods: [leaving, ...pods(2)] })
    const [action] = planPool(pool({ status: 2, size: 1 }), observed, now)
    expect(action).toMatchObject({ from: 5, to: 1, victims: [observed.pods[1]], leaving: [leaving] })
  })
  test('never has fewer replicas than pods are in use', () => {
    const observed = cluster({ deployment: { ...ours, replicas: 4 }, pods: [...pods(3, { isBusy: true }), pod()] })
    expect(planPool(pool({ status: 2, size: 1 }), observed, now)[0]).toMatchObject({ from: 4, to: 3 })
    const gone = cluster({ deployment: { ...ours, replicas: 3 }, pods: [...pods(2, { isBusy: true }), pod()] })
    expect(planPool(pool({ status: 3, size: 1 }), gone, now)[0]).toMatchObject({ from: 3, to: 2 })
  })
  test('sets replicas once under an autoscaler', () => {
    const hpa = { isOurs: true, isDeleting: false, drift: [] }
    const observed = cluster({ deployment: ours, pods: pods(2), hpa, hpaWanted: { kind: 'wanted' } })
    expect(kinds(planPool(pool({ status: 2, size: 5 }), observed, now))).toEqual(['scale-deployment'])
    expect(kinds(planPool(pool({ status: 3, size: 5 }), observed, now))).not.toContain('scale-deployment')
  })
  test('that the cluster refuses is updating, with the reason, and is tried again', () => {
    const observed = cluster({ deployment: ours, pods: pods(2), failures: { deployment: refusal() } })
    const plan = planPool(pool({ status: 2, size: 4, readyCount: 2 }), observed, now)
    expect(written(plan)).toMatchObject({ status: 3, word: 'Updating', notes: ['the cluster says no'] })
    expect(plan.at(-1)).toEqual({ kind: 'wait-until', time: now + 1_000 })
  })
  test('to fewer pods that the cluster refuses is not running before it is made', () => {
    const undone = cluster({ deployment: { ...ours, replicas: 4 }, pods: pods(4), failures: { deployment: refusal() } })
    const first = planPool(pool({ status: 2, size: 2, readyCount: 4 }), undone, now)
    expect(written(first)).toMatchObject({ status: 3, word: 'Updating', notes: ['the cluster says no'] })
    const waiting = pool({ status: 3, word: 'Updating', notes: ['the cluster says no'], size: 2, readyCount: 4 })
    expect(kinds(planPool(waiting, undone, now + 1_000))).toEqual(['scale-deployment'])
    const done = cluster({ deployment: { ...ours, replicas: 2 }, pods: pods(4) })
    expect(written(planPool(waiting, done, now + 1_000))).toMatchObject({ status: 4, word: 'Running', notes: [] })
  })
  test('of the HPA text patches it; a refusal fails the pool', () => {
    const hpa = { isOurs: true, isDeleting: false, drift: ['spec'] }
    const observed = cluster({ deployment: ours, pods: pods(2), hpa, hpaWanted: { kind: 'wanted' } })
    expect(planPool(pool({ status: 2 }), observed, now)).toEqual([{ kind: 'patch-hpa', fields: ['spec'] }])
    expect(written(planPool(pool({ status: 2 }), { ...observed, failures: { hpa: refusal() } }, now))).toMatchObject({
      status: 5,
      word: 'update HPA failed',
    })
    expect(
      written(planPool(pool({ status: 2 }), { ...observed, hpaWanted: { kind: 'invalid', reason: 'r' } }, now)),
    ).toMatchObject({ status: 5, word: 'invalid HPA spec, update HPA failed' })
  })
  test('of a pool without a Deployment makes it', () => {
    expect(planPool(pool({ status: 2, observed: {} }), cluster(), now)).toEqual([{ kind: 'create-deployment' }])
  })
  test('waits for a former Deployment to go', () => {
    const deployment = { ...ours, isDeleting: true }
    expect(planPool(pool({ status: 2, observed: {} }), cluster({ deployment }), now)).toEqual([])
  })
})

test('a failure of what turns out to be done is not said any more', () => {
  const lost = refusal({ code: undefined, message: 'no answer' })
  const observed = cluster({ deployment: ours, pods: pods(2), failures: { deployment: lost, hpa: lost } })
  expect(planPool(pool({ status: 4, readyCount: 2 }), observed, now)).toEqual([])
  const undone = cluster({ deployment: { ...ours, replicas: 3 }, pods: pods(2), failures: { deployment: lost } })
  expect(written(planPool(pool({ status: 4, readyCount: 2 }), undone, now))?.notes).toEqual(['no answer'])
})

test('what somebody changes again and again is left for a while, and said', () => {
  const edited = { ...ours, replicas: 5, drift: ['x'] }
  const restore = { ...refusal(), message: 'somebody changes x again and again' }
  const plan = (time: number, status: 2 | 4) =>
    planPool(pool({ status }), cluster({ deployment: edited, pods: pods(2), failures: { restore } }), time)
  expect(kinds(plan(now, 4))).toEqual(['write-status', 'wait-until'])
  expect(written(plan(now, 4))?.notes).toEqual(['somebody changes x again and again'])
  expect(kinds(plan(restore.retryAt, 4))).toContain('restore-deployment')
  expect(kinds(plan(now, 2))).toContain('restore-deployment')
})

describe('a scalable pool', () => {
  const none = { ...ours, replicas: 0 }
  const owned = { ownerKind: 'Deployment' }
  test('makes its reserved pods in one go, within what is allowed', () => {
    const scalable = pool({ status: 1, size: 5, maxSize: 8 })
    expect(planPool(scalable, cluster({ deployment: none }), now)[0]).toEqual({
      kind: 'create-pods',
      count: 5,
      isReserved: true,
    })
    const observed = cluster({
      deployment: none,
      pods: pods(1, { ...owned, isReady: false }),
      creating: 2,
      mayCreate: 1,
    })
    expect(planPool(scalable, observed, now)[0]).toEqual({ kind: 'create-pods', count: 1, isReserved: true })
  })
  test('does not count pods that are ending, and takes the dead ones away', () => {
    const dead = pod({ ...owned, isReady: false, isFinished: true, name: 'dead' })
    const observed = cluster({ deployment: none, pods: [dead, pod({ ...owned, isDeleting: true, isReady: false })] })
    expect(planPool(pool({ status: 4, size: 2, maxSize: 3 }), observed, now)).toMatchObject([
      { kind: 'delete-pods', pods: [{ name: 'dead' }], reason: 'finished' },
      { kind: 'create-pods', count: 2 },
      { kind: 'write-status' },
      { kind: 'wait-until' },
    ])
  })
  test('makes none while the last refusal is fresh', () => {
    const observed = cluster({ deployment: none, failures: { pods: refusal() } })
    const plan = planPool(pool({ status: 1, size: 1, maxSize: 2 }), observed, now)
    expect(kinds(plan)).toEqual(['write-status', 'wait-until'])
    expect(written(plan)?.notes).toEqual(['the cluster says no'])
    expect(kinds(planPool(pool({ status: 1, size: 1, maxSize: 2 }), observed, now + 1_000))).toContain('create-pods')
  })
  test('shows with one pod whether they start again after some ended at once, then makes the others', () => {
    const start = refusal({ waitMs: 500 })
    const desired = pool({ status: 4, size: 3, maxSize: 6 })
    const at = (time: number, pods: readonly PodView[]) =>
      planPool(desired, cluster({ deployment: none, pods, failures: { start } }), time).filter(
        (action) => action.kind === 'create-pods',
      )
    const later = start.retryAt
    expect(at(now, [])).toEqual([])
    expect(at(later, [])).toEqual([{ kind: 'create-pods', count: 1, isReserved: true }])
    expect(at(later, [pod({ ...owned, isReady: false })])).toEqual([])
    expect(at(later, [pod({ ...owned, readySince: later - 499 })])).toEqual([])
    expect(at(later, [pod({ ...owned, readySince: later - 500 })])).toEqual([
      { kind: 'create-pods', count: 2, isReserved: true },
    ])
    // The one that was to show it has ended as well: the next one waits until that has been counted.
    expect(at(later, [pod({ ...owned, isFinished: true, isReady: false })])).toEqual([])
  })
  test('deletes one pod to see whether that is possible again', () => {
    const finished = pods(3, { ...owned, isFinished: true, isReady: false })
    const failure = refusal()
    const observed = cluster({ deployment: none, pods: finished, failures: { delete: failure } })
    const plan = planPool(pool({ status: 4, size: 0, maxSize: 6 }), observed, failure.retryAt)
    expect(plan).toContainEqual({ kind: 'delete-pods', pods: finished.slice(0, 1), reason: 'finished' })
  })
  test('takes away idle pods that were left behind by a Deployment before this one', () => {
    const stray = pod({ ownerKind: '', ownerUid: '' })
    const observed = cluster({ deployment: none, strays: [stray, pod({ ownerKind: '', isBusy: true })] })
    const plan = planPool(pool({ status: 4, size: 0, maxSize: 2 }), observed, now)
    expect(plan).toEqual([{ kind: 'delete-pods', pods: [stray], reason: 'deployment is gone' }])
  })
  test('takes idle pods away above max_size, and only those', () => {
    const idle = pod({ ...owned, name: 'idle' })
    const observed = cluster({ deployment: none, pods: [...pods(3, { ...owned, isBusy: true }), idle] })
    const plan = planPool(pool({ status: 4, size: 0, maxSize: 2, readyCount: 4 }), observed, now)
    expect(plan).toEqual([{ kind: 'delete-pods', pods: [idle], reason: 'above max_size' }])
  })
  test('keeps what is between size and max_size', () => {
    const observed = cluster({ deployment: none, pods: pods(3, owned) })
    expect(planPool(pool({ status: 4, size: 1, maxSize: 3, readyCount: 3 }), observed, now)).toEqual([])
  })
  test('has no replicas, whatever somebody set', () => {
    expect(planPool(pool({ status: 4, size: 0, maxSize: 3 }), cluster({ deployment: ours }), now)[0]).toEqual({
      kind: 'scale-deployment',
      from: 2,
      to: 0,
      victims: [],
      leaving: [],
    })
  })
})

describe('a failed pool', () => {
  test('stays as it is, whatever the cluster shows', () => {
    const failed = pool({ status: 5 })
    expect(planPool(failed, cluster({ deployment: { ...ours, drift: ['x'], replicas: 9 } }), now)).toEqual([])
    expect(planPool(failed, cluster({ deployment: { ...ours, isOurs: false } }), now)).toEqual([])
  })
  test('counts what is ready', () => {
    expect(planPool(pool({ status: 5 }), cluster({ deployment: ours, pods: pods(2) }), now)).toEqual([
      { kind: 'write-status', write: { readyCount: 2 } },
    ])
  })
  test('takes its autoscaler away when it has no Deployment', () => {
    const hpa = { isOurs: true, isDeleting: false, drift: [] }
    expect(planPool(pool({ status: 5 }), cluster({ hpa }), now)).toEqual([{ kind: 'delete-hpa' }])
    expect(planPool(pool({ status: 5 }), cluster({ hpa: { ...hpa, isOurs: false } }), now)).toEqual([])
  })
})

describe('a pool that is deleted', () => {
  const deleted = pool({ status: 6 })
  const hpa = { isOurs: true, isDeleting: false, drift: [] }
  test('takes Deployment and autoscaler with it', () => {
    expect(kinds(planPool(deleted, cluster({ deployment: ours, hpa }), now))).toEqual([
      'delete-deployment',
      'delete-hpa',
    ])
  })
  test('stays until they are gone', () => {
    const deployment = { ...ours, isDeleting: true }
    expect(planPool(deleted, cluster({ deployment, hpa: { ...hpa, isDeleting: true } }), now)).toEqual([])
    expect(planPool(deleted, cluster({ creating: 1 }), now)).toEqual([])
  })
  test("is removed when nothing of it is left; what is somebody else's does not count", () => {
    expect(planPool(deleted, cluster(), now)).toEqual([{ kind: 'remove-pool' }])
    const foreign = cluster({ deployment: { ...ours, isOurs: false }, hpa: { ...hpa, isOurs: false } })
    expect(planPool(deleted, foreign, now)).toEqual([{ kind: 'remove-pool' }])
  })
  test('takes pods that were left behind away', () => {
    const stray = pod({ ownerKind: 'Deployment', ownerUid: 'gone' })
    expect(planPool(deleted, cluster({ strays: [stray] }), now)).toEqual([
      { kind: 'delete-pods', pods: [stray], reason: 'deployment is gone' },
    ])
  })
  test('says why it cannot be, keeps status 6, and tries again', () => {
    const failures = { delete: refusal({ code: 403 }) }
    const plan = planPool(deleted, cluster({ deployment: ours, failures }), now)
    expect(plan).toEqual([
      {
        kind: 'write-status',
        write: { word: 'Delete Deployment Failed, ErrorCode is 403', notes: ['the cluster says no'] },
      },
      { kind: 'wait-until', time: now + 1_000 },
    ])
    expect(kinds(planPool(deleted, cluster({ deployment: ours, failures }), now + 1_000))).toContain(
      'delete-deployment',
    )
  })
})
