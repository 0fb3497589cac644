import { expect, test } from 'vitest'
import type { StoredObject } from '../store/types.ts'
import { humanDuration } from './age.ts'
import { podCells } from './pod-cells.ts'

const now = new Date('2026-01-01T00:10:00Z')

function cells(status: object, metadata: object = {}, spec: object = {}) {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', creationTimestamp: '2026-01-01T00:00:00Z', ...metadata },
    spec: { containers: [{}, {}], ...spec },
    status,
  } as unknown as StoredObject
  return podCells(pod, now)
}

const running = { ready: true, restartCount: 0, state: { running: {} } }
const deleted = { deletionTimestamp: '2026-01-01T00:11:00Z' }

test('status, readiness and restarts', () => {
  expect(cells({ phase: 'Pending' })).toEqual([
    'p',
    '0/2',
    'Pending',
    '0',
    '10m',
    '<none>',
    '<none>',
    '<none>',
    '<none>',
  ])
  expect(
    cells(
      { phase: 'Running', podIP: '10.0.0.1', containerStatuses: [running, running] },
      {},
      { nodeName: 'node-1' },
    ).slice(1, 7),
  ).toEqual(['2/2', 'Running', '0', '10m', '10.0.0.1', 'node-1'])
  const waiting = (reason: string) => ({ ready: false, restartCount: 0, state: { waiting: { reason } } })
  expect(cells({ phase: 'Pending', containerStatuses: [waiting('ImagePullBackOff'), running] })[2]).toBe(
    'ImagePullBackOff',
  )
  const ended = { ready: false, restartCount: 0, state: { terminated: { reason: 'Completed', exitCode: 0 } } }
  expect(cells({ phase: 'Succeeded', containerStatuses: [ended, ended] })[2]).toBe('Completed')
  expect(cells({ phase: 'Running', containerStatuses: [ended, running] }).slice(1, 3)).toEqual(['1/2', 'NotReady'])
  expect(cells({ phase: 'Running', containerStatuses: [running, running] }, deleted)[2]).toBe('Terminating')
  expect(cells({ phase: 'Failed', reason: 'Evicted' }, deleted)[2]).toBe('Evicted')
  const restarted = { ...running, restartCount: 3, lastState: { terminated: { finishedAt: '2026-01-01T00:09:00Z' } } }
  expect(cells({ phase: 'Running', containerStatuses: [restarted, running] })[3]).toBe('3 (60s ago)')
  const init = { state: { waiting: { reason: 'PodInitializing' } } }
  expect(cells({ phase: 'Pending', initContainerStatuses: [init] }, {}, { initContainers: [{}] })[2]).toBe('Init:0/1')
  expect(cells({ phase: 'Pending', initContainerStatuses: [waiting('ErrImagePull')] })[2]).toBe('Init:ErrImagePull')
  const gates = { readinessGates: [{ conditionType: 'a' }, { conditionType: 'b' }] }
  expect(cells({ conditions: [{ type: 'a', status: 'True' }] }, {}, gates)[8]).toBe('1/2')
})

test('ages', () => {
  const second = 1000
  const minute = 60 * second
  const hour = 60 * minute
  const day = 24 * hour
  const cases: readonly (readonly [number, string])[] = [
    [-5 * second, '<invalid>'],
    [-1 * second, '0s'],
    [0, '0s'],
    [119 * second, '119s'],
    [120 * second, '2m'],
    [150 * second, '2m30s'],
    [10 * minute + 5 * second, '10m'],
    [179 * minute, '179m'],
    [3 * hour, '3h'],
    [3 * hour + 5 * minute, '3h5m'],
    [47 * hour, '47h'],
    [50 * hour, '2d2h'],
    [9 * day, '9d'],
    [800 * day, '2y70d'],
    [3000 * day, '8y'],
  ]
  for (const [duration, text] of cases) expect(humanDuration(duration), text).toBe(text)
})
