import { afterEach, describe, expect, test } from 'vitest'
import { type Pod, viewAs } from '../src/validation/kube-types.ts'
import { isPodReady, podSpecOf, TestCluster, until } from './controllers-support.ts'

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

describe('a pod on a node', () => {
  test('goes through its states and shows each', async () => {
    await started(1)
    const states: string[] = []
    cluster.store.subscribe('pods', ({ object, type }) => {
      const { spec, status } = viewAs<Pod>(object)
      const waiting = status?.containerStatuses?.[0]?.state?.waiting as { readonly reason?: string } | undefined
      const state = [type, status?.phase, spec.nodeName ?? '', waiting?.reason ?? '', isPodReady(viewAs<Pod>(object))]
      states.push(state.join(' '))
    })
    pod('a')
    await until('ready', () => isPodReady(cluster.pod('a')))
    expect(states).toEqual([
      'ADDED Pending   false',
      'MODIFIED Pending node-1  false',
      'MODIFIED Pending node-1 ContainerCreating false',
      'MODIFIED Running node-1  false',
      'MODIFIED Running node-1  true',
    ])
    expect(cluster.pod('a').status?.conditions?.map(({ type, status }) => `${type} ${status}`)).toEqual([
      'PodReadyToStartContainers True',
      'Initialized True',
      'Ready True',
      'ContainersReady True',
      'PodScheduled True',
    ])
    expect(cluster.pod('a').metadata.generation).toBe(1)
  })

  test('runs its init containers first', async () => {
    await started(1)
    pod('a', { initContainers: [{ name: 'i', image: 'init:1' }] })
    await until('ready', () => isPodReady(cluster.pod('a')))
    expect(cluster.pod('a').status?.initContainerStatuses?.[0]).toMatchObject({
      ready: true,
      state: { terminated: { exitCode: 0, reason: 'Completed' } },
    })
  })

  test('tells that its image name is no reference', async () => {
    await started(1)
    pod('a', { containers: [{ name: 'c', image: 'UPPER/Case image!!' }] })
    const reason = 'invalid reference format: repository name (Case image!!) must be lowercase'
    const message = `Failed to apply default image tag "UPPER/Case image!!": couldn't parse image name "UPPER/Case image!!": ${reason}`
    const waiting = () => cluster.pod('a').status?.containerStatuses?.[0]?.state?.waiting
    await until('refused', () => (waiting() as { reason?: string } | undefined)?.reason === 'InvalidImageName')
    expect(waiting()).toEqual({ reason: 'InvalidImageName', message })
    expect(cluster.pod('a').status?.phase).toBe('Pending')
    expect(cluster.eventReasons()).toEqual(expect.arrayContaining(['InspectFailed', 'Failed']))
  })

  test('waits for an image that cannot be pulled, and starts when it can', async () => {
    let broken = true
    await started(1, { imageFault: () => (broken ? 'no such host' : undefined) })
    pod('a')
    const waiting = () => cluster.pod('a').status?.containerStatuses?.[0]?.state?.waiting
    await until('refused', () => (waiting() as { reason?: string } | undefined)?.reason === 'ErrImagePull')
    expect(waiting()).toEqual({ reason: 'ErrImagePull', message: 'no such host' })
    broken = false
    await until('ready', () => isPodReady(cluster.pod('a')))
  })

  test('waits for the ConfigMap that it mounts', async () => {
    await started(1)
    pod('a', { volumes: [{ name: 'v', configMap: { name: 'm' } }] })
    await until('event', () => cluster.eventReasons().includes('FailedMount'))
    expect(cluster.pod('a').status?.phase).toBe('Pending')
    cluster.create('configmaps', { metadata: { name: 'm' } })
    await until('ready', () => isPodReady(cluster.pod('a')))
  })

  test('starts a container anew when its image is changed', async () => {
    await started(1)
    pod('a')
    await until('ready', () => isPodReady(cluster.pod('a')))
    const before = cluster.pod('a').status?.containerStatuses?.[0]
    cluster.change('pods', 'a', (current) => ({
      ...current,
      spec: { ...viewAs<Pod>(current).spec, containers: [{ name: 'c', image: 'app:2' }] },
    }))
    await until('anew', () => {
      const now = cluster.pod('a').status?.containerStatuses?.[0]
      return now?.image === 'app:2' && isPodReady(cluster.pod('a'))
    })
    const after = cluster.pod('a').status?.containerStatuses?.[0]
    expect(after?.restartCount).toBe(1)
    expect(after?.containerID).not.toBe(before?.containerID)
  })

  test('is gone after its deletion, at the latest after its grace period', async () => {
    await started(1, { delays: { scheduleMs: 0, pullMs: 0, readyMs: 0, terminateMs: 3_600_000 } })
    pod('a', { terminationGracePeriodSeconds: 0 })
    await until('ready', () => isPodReady(cluster.pod('a')))
    cluster.store.update('pods', { namespace: 'default', name: 'a' }, (current) => ({
      ...current,
      metadata: {
        ...current.metadata,
        deletionTimestamp: '2026-01-01T00:00:00Z',
        deletionGracePeriodSeconds: 0,
        finalizers: ['example.com/hold'],
      },
    }))
    expect(cluster.pods()).toHaveLength(1)
    cluster.store.update('pods', { namespace: 'default', name: 'a' }, (current) => ({
      ...current,
      metadata: { ...current.metadata, finalizers: [] },
    }))
    await until('gone', () => cluster.pods().length === 0)
  })
})
