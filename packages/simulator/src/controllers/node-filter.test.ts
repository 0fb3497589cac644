import { describe, expect, test } from 'vitest'
import type { Node, Pod, PodSpec, Taint } from '../validation/kube-types.ts'
import { type FilterContext, filterNodes, tolerates, unschedulableMessage } from './node-filter.ts'
import { type NodeInfo, nodeInfo, podRequests } from './node-info.ts'
import { bestNode } from './node-score.ts'
import { PodCounts } from './pod-counts.ts'

function node(name: string, more: { labels?: object; allocatable?: object; taints?: readonly Taint[] } = {}): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      uid: name,
      resourceVersion: '1',
      creationTimestamp: '',
      labels: { 'kubernetes.io/hostname': name, ...more.labels },
    },
    spec: { ...(more.taints === undefined ? {} : { taints: more.taints }) },
    status: { allocatable: { cpu: '4', memory: '8Gi', pods: '3', ...more.allocatable } },
  }
}

let serial = 0
function pod(spec: Partial<PodSpec> = {}, labels: Readonly<Record<string, string>> = {}): Pod {
  const uid = `pod-${serial++}`
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: uid, namespace: 'n', uid, resourceVersion: '1', creationTimestamp: '', labels },
    spec: { containers: [{ name: 'c' }], ...spec },
  }
}

const asking = (requests: Readonly<Record<string, string>>, more: Partial<PodSpec> = {}) =>
  pod({ containers: [{ name: 'c', resources: { requests } }], ...more })

function contextOf(nodes: readonly NodeInfo[]): FilterContext {
  const counts = new PodCounts()
  const running = nodes.flatMap((info) => [...info.pods.values()])
  for (const one of running) counts.set(one, true)
  return {
    nodes,
    count: (question) => counts.perNode(question),
    namespacesMatching: () => [],
    antiAffine: running.filter((one) => one.spec.affinity?.podAntiAffinity !== undefined),
  }
}

function place(wanted: Pod, nodes: readonly NodeInfo[]): string {
  const context = contextOf(nodes)
  const { fitting, refusals } = filterNodes(wanted, context)
  return bestNode(wanted, fitting, context)?.node.metadata.name ?? unschedulableMessage(refusals)
}

const HOPELESS =
  'no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.'
const NO_VICTIMS =
  'no new claims to deallocate, preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.'

describe('fit', () => {
  test.each([
    ['too much cpu ever', asking({ cpu: '5' }), [], `Insufficient cpu. ${HOPELESS}`],
    ['too much cpu now', asking({ cpu: '3' }), [asking({ cpu: '2' })], `Insufficient cpu. ${NO_VICTIMS}`],
    ['unknown resource', asking({ 'example.com/gpu': '1' }), [], `Insufficient example.com/gpu. ${HOPELESS}`],
    ['too many pods', pod(), [pod(), pod(), pod()], `Too many pods. ${NO_VICTIMS}`],
    [
      'a taken host port',
      pod({ containers: [{ name: 'c', ports: [{ containerPort: 80, hostPort: 80 }] }] }),
      [pod({ containers: [{ name: 'c', ports: [{ containerPort: 80, hostPort: 80 }] }] })],
      `node(s) didn't have free ports for the requested pod ports. ${NO_VICTIMS}`,
    ],
  ])('%s', (_name, wanted, running, reason) => {
    expect(place(wanted, [nodeInfo(node('a'), running)])).toBe(`0/1 nodes are available: 1 ${reason}`)
  })

  test('the last millicore is used', () => {
    expect(place(asking({ cpu: '2' }), [nodeInfo(node('a'), [asking({ cpu: '2000m' })])])).toBe('a')
  })

  test('a pod in the way of another keeps it out', () => {
    const lonely = pod({
      affinity: {
        podAntiAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [
            { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app: 'x' } } },
          ],
        },
      },
    })
    expect(place(pod({}, { app: 'x' }), [nodeInfo(node('a'), [lonely])])).toBe(
      `0/1 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity rules. ${NO_VICTIMS}`,
    )
    expect(place(pod({}, { app: 'y' }), [nodeInfo(node('a'), [lonely])])).toBe('a')
  })

  test('required affinity: with the others, or anywhere for the first of a group', () => {
    const near = (labels: Readonly<Record<string, string>>) =>
      pod(
        {
          affinity: {
            podAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: [
                { topologyKey: 'zone', labelSelector: { matchLabels: { app: 'x' } } },
              ],
            },
          },
        },
        labels,
      )
    const zones = [
      nodeInfo(node('a', { labels: { zone: '1' } })),
      nodeInfo(node('b', { labels: { zone: '2' } }), [pod({}, { app: 'x' })]),
    ]
    expect(place(near({ app: 'y' }), zones)).toBe('b')
    expect(place(near({ app: 'x' }), [nodeInfo(node('a', { labels: { zone: '1' } }))])).toBe('a')
    expect(place(near({ app: 'y' }), [nodeInfo(node('a', { labels: { zone: '1' } }))])).toContain(
      "1 node(s) didn't match pod affinity rules",
    )
  })

  test('spread: no domain gets ahead of the emptiest by more than the skew', () => {
    const spread = pod(
      {
        topologySpreadConstraints: [
          {
            maxSkew: 1,
            topologyKey: 'zone',
            whenUnsatisfiable: 'DoNotSchedule',
            labelSelector: { matchLabels: { app: 'x' } },
          },
        ],
      },
      { app: 'x' },
    )
    const one = nodeInfo(node('a', { labels: { zone: '1' } }), [pod({}, { app: 'x' })])
    const empty = nodeInfo(node('b', { labels: { zone: '2' }, allocatable: { cpu: '1' } }))
    expect(place(spread, [one, empty])).toBe('b')
    expect(place(spread, [one])).toBe('a')
  })

  test('no nodes at all', () => {
    expect(place(pod(), [])).toBe('no nodes available to schedule pods')
  })

  test('reasons are counted and sorted', () => {
    const nodes = [
      nodeInfo(node('a', { taints: [{ key: 'x', effect: 'NoSchedule' }] })),
      nodeInfo(node('b')),
      nodeInfo(node('c')),
    ]
    expect(place(asking({ cpu: '9', memory: '9Gi' }), nodes)).toBe(
      '0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu, 2 Insufficient memory. no new claims to deallocate, preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.',
    )
  })
})

describe('requests', () => {
  test('are those of all containers, or of the hungriest init container', () => {
    const spec: PodSpec = {
      initContainers: [
        { name: 'i', resources: { requests: { cpu: '5', memory: '1Gi' } } },
        { name: 's', restartPolicy: 'Always', resources: { requests: { cpu: '1' } } },
      ],
      containers: [
        { name: 'a', resources: { requests: { cpu: '1', memory: '1Gi' } } },
        { name: 'b', resources: { requests: { cpu: '1', memory: '1Gi' } } },
      ],
      overhead: { cpu: '100m' },
    }
    const requests = podRequests(spec)
    expect(requests.get('cpu')).toBe(5_100_000_000n)
    expect(requests.get('memory')).toBe(2n * 1024n ** 3n * 1_000_000_000n)
  })
})

test.each([
  [{ operator: 'Exists' }, true],
  [{ key: 'a', operator: 'Exists' }, true],
  [{ key: 'a', operator: 'Exists', effect: 'NoExecute' }, false],
  [{ key: 'a', value: 'b' }, true],
  [{ key: 'a', operator: 'Equal', value: 'c' }, false],
  [{ key: 'z', operator: 'Exists' }, false],
  [{ operator: 'Equal', value: 'b' }, false],
])('%j bears a=b:NoSchedule: %s', (toleration, expected) => {
  expect(tolerates([toleration], { key: 'a', value: 'b', effect: 'NoSchedule' })).toBe(expected)
})

describe('score', () => {
  test('prefers room, preferred labels, and nodes without soft taints', () => {
    const roomy = [nodeInfo(node('a'), [asking({ cpu: '3', memory: '6Gi' })]), nodeInfo(node('b'))]
    expect(place(asking({ cpu: '1', memory: '1Gi' }), roomy)).toBe('b')
    const soft = [
      nodeInfo(node('a', { taints: [{ key: 'x', effect: 'PreferNoSchedule' }] })),
      nodeInfo(node('b'), [asking({ cpu: '1' })]),
    ]
    expect(place(asking({ cpu: '1' }), soft)).toBe('b')
    const preferring = asking(
      { cpu: '1' },
      {
        affinity: {
          nodeAffinity: {
            preferredDuringSchedulingIgnoredDuringExecution: [
              { weight: 1, preference: { matchExpressions: [{ key: 'disk', operator: 'In', values: ['ssd'] }] } },
            ],
          },
        },
      },
    )
    const disks = [nodeInfo(node('a')), nodeInfo(node('b', { labels: { disk: 'ssd' } }), [asking({ cpu: '1' })])]
    expect(place(preferring, disks)).toBe('b')
  })

  test('equal nodes: the one with fewer pods, then the first name', () => {
    expect(place(pod(), [nodeInfo(node('b')), nodeInfo(node('a'))])).toBe('a')
    expect(place(pod(), [nodeInfo(node('a'), [pod()]), nodeInfo(node('b'))])).toBe('b')
  })
})
