import { expect, test } from 'vitest'
import type { Pod } from '../validation/kube-types.ts'
import { chooseVictims } from './replica-victims.ts'

const NOW = Date.parse('2026-01-01T12:00:00Z')

type Given = {
  readonly node?: string
  readonly phase?: string
  readonly readyAt?: string
  readonly cost?: string
  readonly restarts?: number
  readonly created?: string
}

function pod(uid: string, given: Given = {}): Pod {
  const { node = `node-${uid}`, phase = 'Running', readyAt = '2026-01-01T10:00:00Z', cost, restarts = 0 } = given
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: uid,
      uid,
      resourceVersion: '1',
      creationTimestamp: given.created ?? '2026-01-01T10:00:00Z',
      ...(cost === undefined ? {} : { annotations: { 'controller.kubernetes.io/pod-deletion-cost': cost } }),
    },
    spec: { containers: [], ...(node === '' ? {} : { nodeName: node }) },
    status: {
      phase,
      conditions: readyAt === '' ? [] : [{ type: 'Ready', status: 'True', lastTransitionTime: readyAt }],
      containerStatuses: [{ name: 'c', image: 'a', imageID: '', ready: true, restartCount: restarts }],
    },
  }
}

test.each([
  ['without a node before bound', pod('b', { node: '' }), pod('a')],
  ['pending before running', pod('b', { phase: 'Pending' }), pod('a')],
  ['not ready before ready', pod('b', { readyAt: '' }), pod('a')],
  ['cheaper before dearer', pod('b', { cost: '-5' }), pod('a')],
  [
    'cheap before a dear one that is younger',
    pod('b', { cost: '1' }),
    pod('a', { cost: '2', readyAt: '2026-01-01T11:59:59Z' }),
  ],
  ['ready for seconds before ready for hours', pod('b', { readyAt: '2026-01-01T11:59:50Z' }), pod('a')],
  ['more restarts before fewer', pod('b', { restarts: 3 }), pod('a')],
  ['younger before older', pod('b', { created: '2026-01-01T11:59:50Z' }), pod('a')],
  ['about the same age: by uid', pod('a', { readyAt: '2026-01-01T10:00:01Z' }), pod('b')],
])('%s', (_name, victim, kept) => {
  expect(chooseVictims([kept, victim], 1, NOW)).toEqual([victim])
  expect(chooseVictims([victim, kept], 1, NOW)).toEqual([victim])
})

test('pods that share a node go before one that is alone', () => {
  const pods = [pod('a', { node: 'x' }), pod('b', { node: 'y' }), pod('c', { node: 'y' })]
  expect(chooseVictims(pods, 1, NOW)[0]?.spec.nodeName).toBe('y')
})

test('no more than asked for', () => {
  expect(chooseVictims([pod('a'), pod('b'), pod('c')], 2, NOW)).toHaveLength(2)
  expect(chooseVictims([], 2, NOW)).toHaveLength(0)
})
