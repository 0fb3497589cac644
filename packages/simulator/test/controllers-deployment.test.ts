import { afterEach, describe, expect, test } from 'vitest'
import { beginDeletion } from '../src/controllers/deletion.ts'
import { type Deployment, viewAs } from '../src/validation/kube-types.ts'
import { conditionText, deploymentOf, isPodReady, podSpecOf, TestCluster, until } from './controllers-support.ts'

let cluster: TestCluster
afterEach(() => cluster?.stop())

function started(options: ConstructorParameters<typeof TestCluster>[0] = {}): TestCluster {
  cluster = new TestCluster(options).start()
  for (const name of ['node-1', 'node-2', 'node-3']) cluster.node(name)
  return cluster
}

const reasonOf = (name: string, type: string) =>
  cluster.deployment(name).status?.conditions?.find((condition) => condition.type === type)?.reason

const isDone = (name: string) => reasonOf(name, 'Progressing') === 'NewReplicaSetAvailable'

const withService = async () => {
  await until(
    'service account',
    () => cluster.store.get('serviceaccounts', { namespace: 'default', name: 'default' }) !== undefined,
  )
}

describe('deployments', () => {
  test('become available with the status of a real one', async () => {
    started()
    await withService()
    cluster.create('deployments', deploymentOf('web', 3))
    await until('available', () => isDone('web') && cluster.deployment('web').status?.availableReplicas === 3)
    const { status, metadata } = cluster.deployment('web')
    expect(metadata.annotations).toEqual({ 'deployment.kubernetes.io/revision': '1' })
    expect(status).toMatchObject({
      observedGeneration: 1,
      replicas: 3,
      updatedReplicas: 3,
      readyReplicas: 3,
      availableReplicas: 3,
      terminatingReplicas: 0,
    })
    expect(status).not.toHaveProperty('unavailableReplicas')
    const [set] = cluster.sets()
    expect(status?.conditions?.map(({ type, reason, message }) => ({ type, reason, message }))).toEqual([
      {
        type: 'Available',
        reason: 'MinimumReplicasAvailable',
        message: 'Deployment has minimum availability.',
      },
      {
        type: 'Progressing',
        reason: 'NewReplicaSetAvailable',
        message: `ReplicaSet "${set?.metadata.name}" has successfully progressed.`,
      },
    ])
    expect(set?.metadata.name).toMatch(/^web-[bcdfghjklmnpqrstvwxz2456789]{5,10}$/)
    expect(set?.metadata.annotations).toEqual({
      'deployment.kubernetes.io/desired-replicas': '3',
      'deployment.kubernetes.io/max-replicas': '4',
      'deployment.kubernetes.io/revision': '1',
    })
    const [pod] = cluster.pods()
    expect(pod?.metadata.name).toMatch(new RegExp(`^${set?.metadata.name}-[a-z0-9]{5}$`))
    expect(pod?.metadata.labels).toMatchObject({ app: 'web', 'pod-template-hash': expect.any(String) })
    expect(pod?.status?.phase).toBe('Running')
    expect(pod?.status?.containerStatuses?.[0]).toMatchObject({
      ready: true,
      started: true,
      containerID: expect.stringMatching(/^containerd:\/\/[0-9a-f]{64}$/),
      imageID: expect.stringContaining('docker.io/library/app@sha256:'),
    })
  })

  test('spread over the nodes and get addresses of their own', async () => {
    started()
    await withService()
    cluster.create('deployments', deploymentOf('web', 6))
    await until('ready', () => cluster.pods().filter(isPodReady).length === 6)
    const perNode = Map.groupBy(cluster.pods(), (pod) => pod.spec.nodeName)
    expect([...perNode.values()].map((pods) => pods.length)).toEqual([2, 2, 2])
    expect(new Set(cluster.pods().map((pod) => pod.status?.podIP)).size).toBe(6)
  })

  test('scale up and down', async () => {
    started()
    await withService()
    cluster.create('deployments', deploymentOf('web', 2))
    await until('two', () => isDone('web'))
    const scale = (replicas: number) =>
      cluster.change('deployments', 'web', (current) => ({
        ...current,
        spec: { ...viewAs<Deployment>(current).spec, replicas },
      }))
    scale(5)
    await until('five', () => cluster.deployment('web').status?.availableReplicas === 5)
    scale(1)
    await until('one', () => cluster.pods().length === 1 && cluster.deployment('web').status?.replicas === 1)
    scale(0)
    await until('none', () => cluster.pods().length === 0 && cluster.deployment('web').status?.replicas === undefined)
    expect(cluster.sets()).toHaveLength(1)
  })

  test('roll a changed template out without ever having too few or too many', async () => {
    started({ delays: { scheduleMs: 0, pullMs: 3, readyMs: 3, terminateMs: 3 } })
    await withService()
    cluster.create('deployments', deploymentOf('web', 4))
    await until('first', () => isDone('web') && cluster.deployment('web').status?.availableReplicas === 4)
    let least = 4
    let most = 4
    const stops = ['pods', 'replicasets'].map((plural) =>
      cluster.store.subscribe(plural, () => {
        const wanted = cluster.sets().reduce((sum, set) => sum + (set.spec.replicas ?? 0), 0)
        const live = cluster.pods().filter((pod) => pod.metadata.deletionTimestamp === undefined)
        most = Math.max(most, wanted)
        least = Math.min(least, live.filter(isPodReady).length)
      }),
    )
    cluster.change('deployments', 'web', (current) => ({
      ...current,
      spec: deploymentOf('web', 4, podSpecOf({ containers: [{ name: 'c', image: 'app:2' }] })).spec,
    }))
    await until('second', () => {
      const images = cluster.pods().map((pod) => pod.spec.containers?.[0]?.image)
      return images.length === 4 && images.every((image) => image === 'app:2') && isDone('web')
    })
    for (const stop of stops) stop()
    expect(most).toBe(5)
    expect(least).toBe(3)
    const revisions = cluster.sets().map((set) => set.metadata.annotations?.['deployment.kubernetes.io/revision'])
    expect(revisions.toSorted()).toEqual(['1', '2'])
    expect(cluster.deployment('web').metadata.annotations?.['deployment.kubernetes.io/revision']).toBe('2')
  })

  test('a rollback takes the old set again under a new revision', async () => {
    started()
    await withService()
    const image = (text: string) => deploymentOf('web', 2, podSpecOf({ containers: [{ name: 'c', image: text }] })).spec
    cluster.create('deployments', { ...deploymentOf('web', 2), spec: image('app:1') })
    await until('first', () => isDone('web'))
    cluster.change('deployments', 'web', (current) => ({ ...current, spec: image('app:2') }))
    await until('second', () => cluster.sets().length === 2 && isDone('web') && cluster.pods().length === 2)
    cluster.change('deployments', 'web', (current) => ({ ...current, spec: image('app:1') }))
    await until('back', () => {
      const images = cluster.pods().map((pod) => pod.spec.containers?.[0]?.image)
      return images.length === 2 && images.every((text) => text === 'app:1')
    })
    expect(cluster.sets()).toHaveLength(2)
    expect(cluster.deployment('web').metadata.annotations?.['deployment.kubernetes.io/revision']).toBe('3')
  })

  test('Recreate has no old and new pods at once', async () => {
    started({ delays: { scheduleMs: 0, pullMs: 0, readyMs: 0, terminateMs: 5 } })
    await withService()
    const spec = (image: string) => ({
      ...(deploymentOf('web', 3, podSpecOf({ containers: [{ name: 'c', image }] })).spec as object),
      strategy: { type: 'Recreate' },
    })
    cluster.create('deployments', { metadata: { name: 'web' }, spec: spec('app:1') })
    await until('first', () => isDone('web'))
    let mixed = false
    const stop = cluster.store.subscribe('pods', () => {
      mixed ||= new Set(cluster.pods().map((pod) => pod.spec.containers?.[0]?.image)).size > 1
    })
    cluster.change('deployments', 'web', (current) => ({ ...current, spec: spec('app:2') }))
    await until('second', () => {
      const ready = cluster.pods().filter(isPodReady)
      return ready.length === 3 && ready.every((pod) => pod.spec.containers?.[0]?.image === 'app:2')
    })
    stop()
    expect(mixed).toBe(false)
  })

  test('tell why no pod can be made, and go on when the reason is gone', async () => {
    started()
    await withService()
    cluster.create('deployments', deploymentOf('web', 2, podSpecOf({ runtimeClassName: 'none' })))
    await until('failure', () => reasonOf('web', 'ReplicaFailure') === 'FailedCreate')
    const [set] = cluster.sets()
    const failure = cluster.deployment('web').status?.conditions?.find(({ type }) => type === 'ReplicaFailure')
    expect(failure?.message).toBe(
      `pods "${set?.metadata.name}-" is forbidden: pod rejected: RuntimeClass "none" not found`,
    )
    expect(set?.status).toMatchObject({ replicas: 0, conditions: [{ type: 'ReplicaFailure', reason: 'FailedCreate' }] })
    expect(cluster.eventReasons()).toContain('FailedCreate')
    cluster.create('runtimeclasses', { metadata: { name: 'none' }, handler: 'none' })
    await until('available', () => cluster.deployment('web').status?.availableReplicas === 2)
    await until('no failure', () => reasonOf('web', 'ReplicaFailure') === undefined)
  })

  test('replace pods that go, adopt orphans that fit, let go of those that no longer do', async () => {
    started()
    await withService()
    cluster.create('deployments', deploymentOf('web', 2))
    await until('two', () => isDone('web'))
    const [first, second] = cluster.pods()
    cluster.store.remove('pods', first?.metadata ?? { name: '' })
    await until('replaced', () => cluster.pods().filter(isPodReady).length === 2)
    cluster.change('pods', second?.metadata.name ?? '', (current) => ({
      ...current,
      metadata: { ...current.metadata, labels: { app: 'other' } },
    }))
    await until('released', () => cluster.pods().length === 3)
    const released = cluster.pod(second?.metadata.name ?? '')
    expect(released.metadata.ownerReferences).toBeUndefined()
    const [set] = cluster.sets()
    cluster.change('pods', released.metadata.name, (current) => ({
      ...current,
      metadata: { ...current.metadata, labels: set?.spec.template.metadata?.labels ?? {} },
    }))
    await until('adopted', () => cluster.pods().length === 2)
    expect(cluster.pods().every((pod) => pod.metadata.ownerReferences?.[0]?.uid === set?.metadata.uid)).toBe(true)
  })

  test('give up the pods with the lowest deletion cost', async () => {
    started()
    await withService()
    cluster.create('deployments', deploymentOf('web', 4))
    await until('four', () => cluster.deployment('web').status?.availableReplicas === 4)
    const [kept] = cluster.pods()
    cluster.change('pods', kept?.metadata.name ?? '', (current) => ({
      ...current,
      metadata: { ...current.metadata, annotations: { 'controller.kubernetes.io/pod-deletion-cost': '100' } },
    }))
    cluster.change('deployments', 'web', (current) => ({
      ...current,
      spec: { ...viewAs<Deployment>(current).spec, replicas: 1 },
    }))
    await until('one', () => cluster.pods().length === 1)
    expect(cluster.pods()[0]?.metadata.name).toBe(kept?.metadata.name)
  })

  test('keep no more old sets than the history says', async () => {
    started()
    await withService()
    const spec = (image: string) =>
      deploymentOf('web', 1, podSpecOf({ containers: [{ name: 'c', image }] }), { revisionHistoryLimit: 1 }).spec
    cluster.create('deployments', { metadata: { name: 'web' }, spec: spec('app:1') })
    for (const image of ['app:2', 'app:3', 'app:4']) {
      await until('before', () => isDone('web') && cluster.pods().length === 1)
      cluster.change('deployments', 'web', (current) => ({ ...current, spec: spec(image) }))
      await until(image, () =>
        cluster.pods().some((pod) => pod.spec.containers?.[0]?.image === image && isPodReady(pod)),
      )
    }
    await until('history', () => cluster.sets().length === 2)
  })

  test('a paused one makes no new set until it is resumed', async () => {
    started()
    await withService()
    cluster.create('deployments', deploymentOf('web', 1, {}, { paused: true }))
    await until('paused', () => reasonOf('web', 'Progressing') === 'DeploymentPaused')
    expect(cluster.sets()).toHaveLength(0)
    cluster.change('deployments', 'web', (current) => ({
      ...current,
      spec: { ...viewAs<Deployment>(current).spec, paused: false },
    }))
    await until('available', () => cluster.deployment('web').status?.availableReplicas === 1)
  })

  test('go with all they own, in the background and in the foreground', async () => {
    started()
    await withService()
    for (const propagation of ['Background', 'Foreground'] as const) {
      cluster.create('deployments', deploymentOf('web', 3))
      await until('three', () => cluster.pods().filter(isPodReady).length === 3)
      beginDeletion(cluster.store, 'deployments', { namespace: 'default', name: 'web' }, new Date(), propagation)
      if (propagation === 'Foreground') expect(cluster.store.count('deployments')).toBe(1)
      await until(`gone, ${propagation}`, () => {
        return cluster.pods().length + cluster.sets().length + cluster.store.count('deployments') === 0
      })
    }
  })

  test('leave their sets behind when they are told to orphan them', async () => {
    started()
    await withService()
    cluster.create('deployments', deploymentOf('web', 1))
    await until('one', () => isDone('web'))
    beginDeletion(cluster.store, 'deployments', { namespace: 'default', name: 'web' }, new Date(), 'Orphan')
    await until('gone', () => cluster.store.count('deployments') === 0)
    expect(cluster.sets()).toHaveLength(1)
    expect(cluster.sets()[0]?.metadata.ownerReferences).toBeUndefined()
    expect(conditionText(cluster.pods()[0] as never, 'Ready')).toBe('True')
  })
})
