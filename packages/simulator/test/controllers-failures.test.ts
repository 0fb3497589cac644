import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { beginDeletion } from '../src/controllers/deletion.ts'
import { MemoryStore } from '../src/store/object-store.ts'
import type { StoredObject } from '../src/store/types.ts'
import { type Node, type Pod, viewAs } from '../src/validation/kube-types.ts'
import { conditionText, deploymentOf, isPodReady, podSpecOf, TestCluster, until } from './controllers-support.ts'

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

describe('failures around pods', () => {
  const setReady = (name: string, status: string) =>
    cluster.store.update('nodes', { name }, (current) => ({
      ...current,
      status: { ...viewAs<Node>(current).status, conditions: [{ type: 'Ready', status }] },
    }))

  test('a node that is not ready makes its pods so, until it is back', async () => {
    await started(1)
    pod('a')
    await until('ready', () => isPodReady(cluster.pod('a')))
    setReady('node-1', 'False')
    await until('not ready', () => conditionText(cluster.pod('a'), 'Ready').startsWith('False'))
    const taints = () => viewAs<Node>(cluster.store.get('nodes', { name: 'node-1' }) as StoredObject).spec?.taints
    await until('tainted', () => taints()?.length === 2)
    pod('b')
    await until('refused', () => unscheduled('b').includes('1 node(s) had untolerated taint(s)'))
    beginDeletion(cluster.store, 'pods', { namespace: 'default', name: 'a' }, new Date())
    setReady('node-1', 'True')
    await until(
      'as before',
      () => taints() === undefined && isPodReady(cluster.pod('b')) && cluster.pods().length === 1,
    )
  })

  test('a taint evicts the pods that do not bear it', async () => {
    await started(1)
    pod('weak')
    pod('strong', { tolerations: [{ operator: 'Exists' }] })
    await until('ready', () => cluster.pods().every(isPodReady))
    cluster.store.update('nodes', { name: 'node-1' }, (current) => ({
      ...current,
      spec: { taints: [{ key: 'x', effect: 'NoExecute' }] },
    }))
    await until('evicted', () => cluster.pods().length === 1)
    expect(cluster.pods()[0]?.metadata.name).toBe('strong')
  })

  test('pods of a node that is gone go too and are replaced elsewhere', async () => {
    await started(2)
    cluster.create('deployments', deploymentOf('web', 2))
    await until('two', () => cluster.pods().filter(isPodReady).length === 2)
    cluster.store.remove('nodes', { name: 'node-1' })
    await until(
      'moved',
      () => cluster.pods().filter((one) => isPodReady(one) && one.spec.nodeName === 'node-2').length === 2,
    )
  })

  test('an object whose owner never was is collected', async () => {
    await started(1)
    const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'none', uid: 'gone' }
    pod('a', {}, { ownerReferences: [owner] })
    await until('collected', () => cluster.pods().length === 0)
  })

  test('a namespace that is deleted takes all it holds', async () => {
    await started(1)
    cluster.create('namespaces', { metadata: { name: 'other' } })
    await until(
      'furnished',
      () => cluster.store.get('configmaps', { namespace: 'other', name: 'kube-root-ca.crt' }) !== undefined,
    )
    cluster.create('deployments', { ...deploymentOf('web', 2), metadata: { name: 'web', namespace: 'other' } })
    await until(
      'running',
      () => cluster.store.list('pods', 'other').filter((one) => isPodReady(viewAs<Pod>(one))).length === 2,
    )
    beginDeletion(cluster.store, 'namespaces', { name: 'other' }, new Date())
    await until('gone', () => cluster.store.get('namespaces', { name: 'other' }) === undefined)
    for (const plural of ['pods', 'deployments', 'replicasets', 'serviceaccounts', 'configmaps']) {
      expect(cluster.store.list(plural, 'other')).toHaveLength(0)
    }
  })
})

describe('autoscalers', () => {
  test('keep the replicas within their bounds and tell that there are no metrics', async () => {
    await started(1)
    cluster.create('deployments', deploymentOf('web', 1))
    cluster.create('horizontalpodautoscalers', {
      metadata: { name: 'web' },
      spec: {
        minReplicas: 3,
        maxReplicas: 5,
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      },
    })
    await until('three', () => cluster.deployment('web').status?.availableReplicas === 3)
    const status = () =>
      cluster.store.get('horizontalpodautoscalers', { namespace: 'default', name: 'web' })?.status as {
        readonly conditions?: readonly { readonly reason: string }[]
      }
    await until('told', () => status().conditions?.length === 2)
    expect(status()).toMatchObject({ currentReplicas: 3, desiredReplicas: 3 })
    expect(status().conditions?.map(({ reason }) => reason)).toEqual(['SucceededGetScale', 'FailedGetResourceMetric'])
  })
})

describe('after a restart', () => {
  test('pods in the middle of anything go on', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'controllers-'))
    try {
      const journal = join(folder, 'journal')
      const slow = { scheduleMs: 0, pullMs: 3_600_000, readyMs: 0, terminateMs: 3_600_000 }
      const first = new TestCluster({ delays: slow }, new MemoryStore({ journal })).start()
      first.node('node-1')
      await until('service account', () => first.store.count('serviceaccounts') === 1)
      first.create('deployments', deploymentOf('web', 3))
      first.create('pods', { metadata: { name: 'ending' }, spec: podSpecOf() })
      const creating = () => first.pods().filter((one) => one.status?.startTime !== undefined).length
      await until('creating', () => creating() === 4)
      beginDeletion(first.store, 'pods', { namespace: 'default', name: 'ending' }, new Date())
      await first.stop()
      first.store.close()

      cluster = new TestCluster({}, new MemoryStore({ journal })).start()
      await until('as wanted', () => {
        return cluster.pods().length === 3 && cluster.deployment('web').status?.availableReplicas === 3
      })
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

describe('many pods', () => {
  test('two thousand become ready, and go again', async () => {
    cluster = new TestCluster().start()
    for (let index = 0; index < 20; index++) cluster.node(`node-${index}`, { cpu: '100' })
    await until('service account', () => cluster.store.count('serviceaccounts') === 1)
    for (let index = 0; index < 10; index++) cluster.create('deployments', deploymentOf(`web-${index}`, 200))
    await until('ready', () => cluster.pods().filter(isPodReady).length === 2000, 120_000)
    for (let index = 0; index < 10; index++) {
      beginDeletion(cluster.store, 'deployments', { namespace: 'default', name: `web-${index}` }, new Date())
    }
    await until('gone', () => cluster.pods().length === 0, 120_000)
  })
})
