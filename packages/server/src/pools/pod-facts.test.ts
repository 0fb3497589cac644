import type { V1Node, V1Pod } from '@kubernetes/client-node'
import { describe, expect, test } from 'vitest'
import {
  costPatch,
  deletionCostOf,
  detachPatch,
  idleSecondsOf,
  isDetached,
  isMarked,
  readyPodOf,
  takesPods,
} from './pod-facts.ts'

const pod = (labels: Record<string, string> = {}, annotations: Record<string, string> = {}): V1Pod => ({
  metadata: { name: 'pod-1', namespace: 'n', uid: 'u', labels, annotations },
  spec: {
    nodeName: 'node-1',
    containers: [
      { name: 'function-agent', resources: { requests: { cpu: '9', memory: '9Gi' } } },
      { name: 'runtime-manager', resources: { requests: { cpu: '600m', memory: '512Mi' } } },
    ],
  },
  status: { podIP: '10.1.0.1', hostIP: '10.0.0.1' },
})

test('a ready pod offers what its runtime container requests', () => {
  expect(readyPodOf(pod({ 'yr-idle-to-recycle': '5' }), 7)).toEqual({
    poolId: 7,
    uid: 'u',
    name: 'pod-1',
    namespace: 'n',
    ip: '10.1.0.1',
    node: 'node-1',
    hostIp: '10.0.0.1',
    cpuMillis: 600,
    memoryBytes: 512 * 2 ** 20,
    idleSeconds: 5,
    isMarked: false,
  })
})

test.each([
  [{ cpu: '0.29', memory: '1e3' }, 290, 1000],
  [{ cpu: '1', memory: '1.5Gi' }, 1000, 1.5 * 2 ** 30],
  [{ cpu: '1n', memory: '1m' }, 1, 1],
  [{ cpu: 'much', memory: '-1' }, 0, 0],
  [{}, 0, 0],
])('requests of %j', (requests, cpuMillis, memoryBytes) => {
  const source = pod()
  const [, runtime] = source.spec?.containers ?? []
  if (runtime !== undefined) runtime.resources = { requests: requests as Record<string, string> }
  expect(readyPodOf(source, 1)).toMatchObject({ cpuMillis, memoryBytes })
})

test.each([
  ['unlimited', -1],
  ['5', 5],
  ['+5', 5],
  ['005', 5],
  ['99999999999', 2 ** 31 - 1],
  ['0', null],
  ['-1', null],
  ['5s', null],
  ['5,6', null],
  ['', null],
  [undefined, null],
])('the idle label %j means %j', (label, seconds) => {
  expect(idleSecondsOf(label)).toBe(seconds)
})

describe('marks', () => {
  test.each([
    ['instanceStatus', pod({ instanceStatus: 'running' }), true],
    ['monopoly', pod({ 'schedule-policy': 'monopoly' }), true],
    ['its own name as app', pod({ app: 'pod-1' }), true],
    ['an instance', pod({}, { 'podyard.io/instance': 'i' }), true],
    ['labels of a shared instance', pod({}, { 'yr-labels-i': '{}' }), true],
    ['none', pod({ app: 'function-agent-p' }, { 'yr-default': 'yr-default' }), false],
    // A template may say so of every pod.
    ['not to be evicted', pod({}, { 'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false' }), false],
  ])('%s', (_, source, marked) => {
    expect(isMarked(source)).toBe(marked)
  })

  test('a pod is detached by its own name', () => {
    expect([isDetached(pod({ app: 'pod-1' })), isDetached(pod({ app: 'pod' })), isDetached(pod())]).toEqual([
      true,
      false,
      false,
    ])
    expect(detachPatch({ uid: 'u', name: 'pod-1' })).toEqual({
      metadata: { uid: 'u', ownerReferences: null, labels: { app: 'pod-1' } },
    })
  })

  test('a cost is read as it is written', () => {
    const { metadata } = costPatch('u', -1000) as { metadata: { annotations: Record<string, string> } }
    expect(deletionCostOf(pod({}, metadata.annotations))).toBe(-1000)
    expect(deletionCostOf(pod())).toBe(0)
    expect(deletionCostOf(pod({}, { 'controller.kubernetes.io/pod-deletion-cost': 'x' }))).toBe(0)
  })
})

describe('a node takes pods', () => {
  const node = (ready: string | undefined, unschedulable?: boolean): V1Node => ({
    spec: unschedulable === undefined ? {} : { unschedulable },
    status: { conditions: ready === undefined ? [] : [{ type: 'Ready', status: ready }] },
  })
  test.each([
    ['ready', node('True'), true],
    ['uncordoned', node('True', false), true],
    ['cordoned', node('True', true), false],
    ['not ready', node('False'), false],
    ['unknown', node('Unknown'), false],
    ['silent', node(undefined), false],
  ])('%s', (_, source, takes) => {
    expect(takesPods(source)).toBe(takes)
  })
})
