import type { V1Pod } from '@kubernetes/client-node'
import { describe, expect, test } from 'vitest'
import { podFailure, podTrouble, poolUidOfPod, replicaTrouble, toPodView } from './observed.ts'
import { createPodIndex, isNewer } from './pod-index.ts'

const readyStatus = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] }

function pod(given: { meta?: object; status?: object; uid?: string; version?: string } = {}): V1Pod {
  const { meta = {}, status = readyStatus, uid = 'p', version = '1' } = given
  return {
    metadata: {
      name: uid,
      uid,
      resourceVersion: version,
      labels: { 'app.kubernetes.io/managed-by': 'podyard' },
      annotations: { 'podyard.io/pool-uid': 'u' },
      ...meta,
    },
    status,
  } as V1Pod
}

describe('a pod', () => {
  test.each([
    ['running and ready', {}, readyStatus, true],
    ['running, not ready', {}, { phase: 'Running', conditions: [{ type: 'Ready', status: 'False' }] }, false],
    ['ready before it runs', {}, { phase: 'Pending', conditions: [{ type: 'Ready', status: 'True' }] }, false],
    ['on its way out', { deletionTimestamp: '2026-01-01T00:00:00Z' }, readyStatus, false],
    ['without a status', {}, {}, false],
  ])('%s', (_name, meta, status, isReady) => {
    expect(toPodView(pod({ meta, status })).isReady).toBe(isReady)
  })
  test("is a pool's by mark and annotation, both of them", () => {
    expect(poolUidOfPod(pod())).toBe('u')
    expect(poolUidOfPod(pod({ meta: { labels: {} } }))).toBeUndefined()
    expect(poolUidOfPod(pod({ meta: { annotations: {} } }))).toBeUndefined()
  })
  test('runs an instance when the marks of one are on it', () => {
    expect(toPodView(pod()).isBusy).toBe(false)
    expect(toPodView(pod({ meta: { labels: { instanceStatus: 'running' } } })).isBusy).toBe(true)
  })
})

describe('why a pod does not start', () => {
  const waiting = (reason: string, message?: string) => ({ state: { waiting: { reason, message } } })
  test.each([
    [
      { conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/3 nodes' }] },
      '0/3 nodes',
    ],
    [{ containerStatuses: [waiting('ContainerCreating')] }, undefined],
    [{ initContainerStatuses: [waiting('PodInitializing')] }, undefined],
    [{ containerStatuses: [waiting('ErrImagePull', 'not found')] }, 'ErrImagePull: not found'],
    [{ initContainerStatuses: [waiting('InvalidImageName')] }, 'InvalidImageName'],
    [{ phase: 'Failed', reason: 'Evicted', message: 'disk' }, 'Evicted: disk'],
    [{ phase: 'Pending' }, undefined],
  ])('%j', (status, text) => expect(podTrouble(pod({ status }))).toBe(text))
  test.each([
    [{ phase: 'Failed' }, 'Failed'],
    [{ phase: 'Unknown' }, 'Unknown'],
    [{ phase: 'Succeeded' }, undefined],
    [{ phase: 'Pending' }, undefined],
    [{ phase: 'Running', containerStatuses: [waiting('CrashLoopBackOff')] }, 'CrashLoopBackOff'],
    [{ phase: 'Pending', initContainerStatuses: [waiting('ImagePullBackOff')] }, 'ImagePullBackOff'],
    [{ phase: 'Pending', containerStatuses: [waiting('ErrImagePull')] }, undefined],
    [{ phase: 'Pending', containerStatuses: [waiting('ContainerCreating')] }, undefined],
  ])('as it is it cannot be of use: %j', (status, word) => {
    expect(podFailure(pod({ status }))).toBe(word)
    expect(toPodView(pod({ status })).failing).toBe(word)
    expect(toPodView(pod({ status, meta: { deletionTimestamp: '2026-01-01T00:00:00Z' } })).failing).toBeUndefined()
  })
  test('a Deployment whose pods cannot be made says so in a condition', () => {
    const condition = (status: string) => ({
      status: { conditions: [{ type: 'ReplicaFailure', status, message: 'quota' }] },
    })
    expect(replicaTrouble(condition('True') as never)).toBe('quota')
    expect(replicaTrouble(condition('False') as never)).toBeUndefined()
  })
})

describe('the index', () => {
  const readyIn = (index: ReturnType<typeof createPodIndex>) => [...index.podsOf('u')].map((view) => view.isReady)
  test('keeps the newest state, in whatever order they come', () => {
    const index = createPodIndex()
    index.putPod(pod({ version: '10' }), 0)
    index.putPod(pod({ version: '9', status: {} }), 0)
    expect(readyIn(index)).toEqual([true])
    index.putPod(pod({ version: '11', status: {} }), 0)
    expect(readyIn(index)).toEqual([false])
  })
  test('does not bring a deleted pod back for a late answer', () => {
    const index = createPodIndex()
    index.putPod(pod(), 0)
    expect(index.removePod(pod(), 0)).toBe('u')
    expect(index.putPod(pod(), 0)).toBeUndefined()
    expect(readyIn(index)).toEqual([])
    index.forgetRemoved(1)
    expect(index.putPod(pod(), 0)).toBe('u')
  })
  test('measures from creation to first readiness, once, and only what it saw coming', () => {
    const index = createPodIndex()
    const created = (at: string) => ({ creationTimestamp: at })
    const start = Date.parse('2026-01-01T00:00:10Z')
    index.putPod(pod({ uid: 'quick', version: '1', status: {}, meta: created('2026-01-01T00:00:09Z') }), start)
    index.putPod(pod({ uid: 'old', version: '1', status: {}, meta: created('2026-01-01T00:00:00Z') }), start)
    index.putPod(pod({ uid: 'before', version: '1' }), start)
    expect(index.takeRefills()).toEqual([])
    for (const uid of ['quick', 'old', 'before']) {
      const meta = created(uid === 'old' ? '2026-01-01T00:00:00Z' : '2026-01-01T00:00:09Z')
      index.putPod(pod({ uid, version: '2', meta }), start + 300)
      index.putPod(pod({ uid, version: '3', status: {}, meta }), start + 400)
      index.putPod(pod({ uid, version: '4', meta }), start + 500)
    }
    expect(index.takeRefills()).toEqual([
      { poolUid: 'u', milliseconds: 300 },
      { poolUid: 'u', milliseconds: 10_300 },
    ])
    expect(index.takeRefills()).toEqual([])
  })
  test('gives up what never showed up', () => {
    const index = createPodIndex()
    index.putPod(pod({ uid: 'seen' }), 0)
    index.putPod(pod({ uid: 'phantom' }), 0)
    index.putPod(pod({ uid: 'fresh' }), 5)
    expect(index.dropPhantoms('u', 5, (view) => view.uid === 'seen')).toBe(1)
    expect([...index.podsOf('u')].map((view) => view.uid)).toEqual(['seen', 'fresh'])
  })
  test('knows the Deployment of a ReplicaSet, and why it makes no pods', () => {
    const index = createPodIndex()
    const set = (conditions: object[]) =>
      ({
        metadata: { uid: 'rs', ownerReferences: [{ kind: 'Deployment', uid: 'd', controller: true }] },
        status: { conditions },
      }) as never
    index.putReplicaSet(set([{ type: 'ReplicaFailure', status: 'True', message: 'quota' }]))
    expect(index.deploymentOf('rs')).toBe('d')
    expect(index.troubleOf('d')).toBe('quota')
    index.putReplicaSet(set([]))
    expect(index.troubleOf('d')).toBeUndefined()
    index.removeReplicaSet(set([]))
    expect(index.deploymentOf('rs')).toBeUndefined()
  })
  test.each([
    ['9', '10', false],
    ['10', '9', true],
    ['9007199254740993', '9007199254740992', true],
    ['5', '5', false],
  ])('version %s is newer than %s: %s', (a, b, answer) => expect(isNewer(a, b)).toBe(answer))
})
