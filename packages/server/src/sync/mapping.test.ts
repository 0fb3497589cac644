import type { V1OwnerReference, V1Pod } from '@kubernetes/client-node'
import { describe, expect, test } from 'vitest'
import { deploymentFacts, nodeFacts, type PodReading, readPod, workloadOf } from './mapping.ts'

const owner = (kind: string, name: string, apiVersion = 'apps/v1'): V1OwnerReference => ({
  apiVersion,
  kind,
  name,
  uid: `${kind}-${name}`,
  controller: true,
})
const pod = (reference?: V1OwnerReference, labels: Record<string, string> = {}): V1Pod => ({
  metadata: { name: 'p', namespace: 'ns', uid: 'u', labels, ...(reference ? { ownerReferences: [reference] } : {}) },
  spec: { nodeName: 'node-1', containers: [{ name: 'main', image: 'img' }] },
})
const unknown = () => undefined

describe('workloadOf', () => {
  test.each([
    ['no controller', pod(), unknown, { kind: 'pods', namespace: 'ns', name: 'pods' }],
    [
      'a ReplicaSet of a Deployment',
      pod(owner('ReplicaSet', 'web-1')),
      () => owner('Deployment', 'web'),
      { kind: 'deployment', namespace: 'ns', name: 'web' },
    ],
    [
      'a ReplicaSet of its own',
      pod(owner('ReplicaSet', 'bare')),
      () => null,
      { kind: 'pods', namespace: 'ns', name: 'pods' },
    ],
    [
      'a ReplicaSet not seen yet, by its hash',
      pod(owner('ReplicaSet', 'web-7f'), { 'pod-template-hash': '7f' }),
      unknown,
      { kind: 'deployment', namespace: 'ns', name: 'web' },
    ],
    [
      'a Deployment itself, as a scalable pool has it',
      pod(owner('Deployment', 'function-agent-p')),
      unknown,
      { kind: 'deployment', namespace: 'ns', name: 'function-agent-p' },
    ],
    ['a StatefulSet', pod(owner('StatefulSet', 'db')), unknown, { kind: 'statefulSet', namespace: 'ns', name: 'db' }],
    [
      'a Job of a CronJob',
      pod(owner('Job', 'night-1', 'batch/v1')),
      () => owner('CronJob', 'night', 'batch/v1'),
      { kind: 'cronJob', namespace: 'ns', name: 'night' },
    ],
    ['a Job', pod(owner('Job', 'once', 'batch/v1')), unknown, { kind: 'job', namespace: 'ns', name: 'once' }],
    [
      'anything else',
      pod(owner('Sandbox', 's1', 'x.io/v1')),
      unknown,
      { kind: 'customResource', namespace: 'ns', name: 's1', cr_kind: 'Sandbox', cr_api_version: 'x.io/v1' },
    ],
  ])('%s', (_what, from, lookup, expected) => expect(workloadOf(readPod(from) as PodReading, lookup)).toEqual(expected))
})

describe('readPod', () => {
  test('a pod without a node is not in the inventory yet', () => {
    expect(readPod({ metadata: { name: 'p' }, spec: { containers: [] } })).toBeUndefined()
  })

  test('a container without a runtime id is named by the pod; with one, by it', () => {
    const starting = pod()
    expect(readPod(starting)?.containers[0]).toMatchObject({ container_uid: 'u/main', started: null })
    const running: V1Pod = {
      ...starting,
      status: {
        podIP: '10.0.0.9',
        podIPs: [{ ip: '10.0.0.9' }],
        containerStatuses: [
          {
            name: 'main',
            image: 'img',
            imageID: '',
            ready: true,
            restartCount: 0,
            containerID: 'containerd://abc',
            state: { running: { startedAt: '2026-01-05T09:30:00Z' as never } },
          },
        ],
      },
    }
    const facts = readPod(running)
    expect(facts).toMatchObject({ ip: '10.0.0.9', ips: [{ ip: '10.0.0.9' }] })
    expect(facts?.containers[0]).toMatchObject({ container_uid: 'containerd://abc', started: 1767605400 })
  })
})

test('node roles, taints and addresses', () => {
  expect(
    nodeFacts({
      metadata: { name: 'n', uid: 'u', labels: { 'node-role.kubernetes.io/controlplane': 'true' } },
      spec: { taints: [{ key: 'k', value: 'v', effect: 'NoSchedule' }], podCIDR: '10.1.0.0/24' },
      status: {
        addresses: [
          { type: 'InternalIP', address: '10.10.0.1' },
          { type: 'Hostname', address: 'n' },
        ],
      },
    }),
  ).toMatchObject({
    roles: 'master',
    taints: { k: 'v' },
    internal_ip: ['10.10.0.1'],
    hostname: 'n',
    pod_cidr: '10.1.0.0/24',
  })
})

test('a deployment in the inventory’s words', () => {
  expect(
    deploymentFacts({
      metadata: { name: 'd', namespace: 'ns', uid: 'u' },
      spec: {
        replicas: 2,
        selector: { matchLabels: { app: 'd' } },
        template: {},
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: 1 } },
      },
    }),
  ).toMatchObject({
    kind: 'deployment',
    replicas: 2,
    selector: { match_labels: { app: 'd' }, match_expressions: null },
    rolling_update_strategy: {
      max_unavailable: { type: 0, int_val: 1, str_val: '' },
      max_surge: { type: 1, int_val: 0, str_val: '25%' },
    },
  })
})
