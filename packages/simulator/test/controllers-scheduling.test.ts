import { afterEach, describe, expect, test } from 'vitest'
import { beginDeletion } from '../src/controllers/deletion.ts'
import { conditionText, isPodReady, podSpecOf, TestCluster, until } from './controllers-support.ts'

let cluster: TestCluster
afterEach(() => cluster?.stop())

async function started(nodes = 3, options: ConstructorParameters<typeof TestCluster>[0] = {}): Promise<TestCluster> {
  cluster = new TestCluster(options).start()
  for (let index = 1; index <= nodes; index++) cluster.node(`node-${index}`)
  await until('service account', () => cluster.store.count('serviceaccounts') === 1)
  return cluster
}

const pod = (name: string, spec: { readonly [member: string]: unknown } = {}, metadata: object = {}) =>
  cluster.create('pods', { metadata: { name, ...metadata }, spec: podSpecOf(spec) })

const unscheduled = (name: string) => conditionText(cluster.pod(name), 'PodScheduled')
const PREEMPTION = 'no new claims to deallocate, preemption: 0/3 nodes are available:'

describe('scheduling', () => {
  test('honours selector, affinity, taints, cordons and resources', async () => {
    await started(0)
    cluster.node('plain')
    cluster.node('special', { labels: { kind: 'special', size: '5' } })
    cluster.node('tainted', { labels: { kind: 'tainted' }, taints: [{ key: 'a', value: 'b', effect: 'NoSchedule' }] })
    const required = (rule: object) => ({
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [rule] }] },
        },
      },
    })
    pod('selected', { nodeSelector: { kind: 'special' } })
    pod('greater', required({ key: 'size', operator: 'Gt', values: ['4'] }))
    pod('without', required({ key: 'kind', operator: 'DoesNotExist' }))
    pod('tolerant', { nodeSelector: { kind: 'tainted' }, tolerations: [{ key: 'a', operator: 'Equal', value: 'b' }] })
    pod('intolerant', { nodeSelector: { kind: 'tainted' } })
    pod('nowhere', { nodeSelector: { kind: 'none' } })
    pod('hungry', { containers: [{ name: 'c', image: 'a', resources: { requests: { cpu: '9', memory: '1Ti' } } }] })
    await until('all tried', () => cluster.pods().every((one) => conditionText(one, 'PodScheduled') !== ''))
    const nodeOf = (name: string) => cluster.pod(name).spec.nodeName
    expect([nodeOf('selected'), nodeOf('greater'), nodeOf('without'), nodeOf('tolerant')]).toEqual([
      'special',
      'special',
      'plain',
      'tainted',
    ])
    const hopeless = `${PREEMPTION} 3 Preemption is not helpful for scheduling.`
    const mismatch = "node(s) didn't match Pod's node affinity/selector"
    expect(unscheduled('intolerant')).toBe(
      `False Unschedulable 0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 ${mismatch}. ${hopeless}`,
    )
    expect(unscheduled('nowhere')).toBe(
      `False Unschedulable 0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 ${mismatch}. ${hopeless}`,
    )
    expect(unscheduled('hungry')).toBe(
      `False Unschedulable 0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu, 2 Insufficient memory. ${hopeless}`,
    )
    expect(cluster.eventReasons()).toContain('FailedScheduling')
  })

  test('keeps pods apart that ask for it, and tells the one too many', async () => {
    await started()
    const apart = {
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app: 'x' } } },
        ],
      },
    }
    for (const name of ['a', 'b', 'c', 'd']) pod(name, { affinity: apart }, { labels: { app: 'x' } })
    await until('all tried', () => cluster.pods().every((one) => conditionText(one, 'PodScheduled') !== ''))
    const placed = cluster.pods().filter((one) => one.spec.nodeName !== undefined)
    expect(placed.map((one) => one.spec.nodeName).toSorted()).toEqual(['node-1', 'node-2', 'node-3'])
    const left = cluster.pods().find((one) => one.spec.nodeName === undefined)
    expect(unscheduled(left?.metadata.name ?? '')).toBe(
      `False Unschedulable 0/3 nodes are available: 3 node(s) didn't match pod anti-affinity rules. ${PREEMPTION} 3 No preemption victims found for incoming pod.`,
    )
    // Room for it again: it is tried once more.
    cluster.store.remove('pods', placed[0]?.metadata ?? { name: '' })
    await until('placed', () => cluster.pod(left?.metadata.name ?? '').spec.nodeName !== undefined)
  })

  test('spreads by preferred anti-affinity and by constraints', async () => {
    await started()
    const soft = {
      podAntiAffinity: {
        preferredDuringSchedulingIgnoredDuringExecution: [
          {
            weight: 100,
            podAffinityTerm: { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app: 'x' } } },
          },
        ],
      },
    }
    for (let index = 0; index < 6; index++) pod(`soft-${index}`, { affinity: soft }, { labels: { app: 'x' } })
    const constraint = {
      maxSkew: 1,
      topologyKey: 'kubernetes.io/hostname',
      whenUnsatisfiable: 'DoNotSchedule',
      labelSelector: { matchLabels: { app: 'y' } },
    }
    for (let index = 0; index < 6; index++) {
      pod(`hard-${index}`, { topologySpreadConstraints: [constraint] }, { labels: { app: 'y' } })
    }
    await until('placed', () => cluster.pods().every((one) => one.spec.nodeName !== undefined))
    for (const prefix of ['soft', 'hard']) {
      const placed = cluster.pods().filter((one) => one.metadata.name.startsWith(prefix))
      const counts = [...Map.groupBy(placed, (one) => one.spec.nodeName).values()].map((some) => some.length)
      expect(counts).toEqual([2, 2, 2])
    }
    const missing = { ...constraint, topologyKey: 'zone' }
    pod('lost', { topologySpreadConstraints: [missing] }, { labels: { app: 'y' } })
    await until('tried', () => unscheduled('lost') !== '')
    expect(unscheduled('lost')).toBe(
      `False Unschedulable 0/3 nodes are available: 3 node(s) didn't match pod topology spread constraints (missing required label). ${PREEMPTION} 3 Preemption is not helpful for scheduling.`,
    )
  })

  test('waits for claims and for nodes', async () => {
    await started(0)
    pod('a')
    await until('no node', () => unscheduled('a') === 'False Unschedulable no nodes available to schedule pods')
    cluster.node('node-1')
    await until('ready', () => isPodReady(cluster.pod('a')))
    pod('b', { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }] })
    await until('no claim', () => unscheduled('b') !== '')
    expect(unscheduled('b')).toBe(
      'False Unschedulable 0/1 nodes are available: persistentvolumeclaim "data" not found. not found',
    )
    const claim = (name: string, spec: object) =>
      cluster.create('persistentvolumeclaims', {
        metadata: { name },
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
      })
    claim('data', { storageClassName: '' })
    await until('unbound', () => unscheduled('b').includes('pod has unbound immediate PersistentVolumeClaims'))
    cluster.create('persistentvolumes', {
      metadata: { name: 'disk' },
      spec: { capacity: { storage: '2Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/d' } },
    })
    await until('ready', () => isPodReady(cluster.pod('b')))
    expect(cluster.store.get('persistentvolumes', { name: 'disk' })?.status).toMatchObject({ phase: 'Bound' })
    claim('made', { storageClassName: 'fast' })
    await until('made', () => {
      const made = cluster.store.get('persistentvolumeclaims', { namespace: 'default', name: 'made' })
      return (made?.status as { readonly phase?: string } | undefined)?.phase === 'Bound'
    })
    // A claim in use stays until its last pod is gone.
    const key = { namespace: 'default', name: 'data' }
    beginDeletion(cluster.store, 'persistentvolumeclaims', key, new Date())
    expect(cluster.store.get('persistentvolumeclaims', key)).toBeDefined()
    beginDeletion(cluster.store, 'pods', { namespace: 'default', name: 'b' }, new Date())
    await until('released', () => cluster.store.get('persistentvolumeclaims', key) === undefined)
  })
})
