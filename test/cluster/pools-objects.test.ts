/** What the real controllers do around a pool: rollouts, garbage collection, the autoscaler. */
import { describe, expect, test } from 'vitest'
import { resources } from '../../packages/server/src/kube/index.ts'
import { eventually } from '../../packages/server/test/support/pool-cluster.ts'
import { seed } from '../../packages/server/test/support/pool-lifecycle.ts'
import { useRealPools } from './support/real-pools.ts'

const c = useRealPools()
const at = (id: string) => ({ namespace: c.namespace, name: `function-agent-${id}` })
const hashOf = (pod: { readonly metadata?: { readonly labels?: Record<string, string> } } | undefined) =>
  pod?.metadata?.labels?.['pod-template-hash']

describe('a rollout', () => {
  test('that somebody began is taken back: every pod is of the template that the pool asked for', async () => {
    await c.create({ id: 'rolled', size: 3 })
    await c.reaches('rolled', 4)
    const hash = hashOf((await c.pods('rolled'))[0])
    expect(hash).toMatch(/^[0-9a-z]+$/)
    const operations = [{ op: 'replace', path: '/spec/template/spec/containers/0/image', value: 'other:v2' }] as const
    await c.kube.patch(resources.deployments, at('rolled'), { type: 'json', operations })
    await eventually('restored', async () => {
      const story = await c.story('rolled')
      return { isDone: story.includes('Restored'), value: story }
    })
    await eventually('the old pods, and only they', async () => {
      const pods = await c.pods('rolled')
      const deployment = await c.deployment('rolled')
      const { status } = deployment ?? {}
      const isSettled = status?.observedGeneration === deployment?.metadata?.generation && status?.updatedReplicas === 3
      const isDone = isSettled && pods.length === 3 && pods.every((pod) => hashOf(pod) === hash)
      return { isDone, value: { status, pods: pods.map(hashOf) } }
    })
    await eventually('three ready', async () => {
      const view = await c.view('rolled')
      return { isDone: view?.ready_count === 3 && view.status === 4 && view.msg === 'Running', value: view }
    })
  })

  test('of kubectl (an annotation on the template) is no edit of ours: the new pods are counted', async () => {
    await c.create({ id: 'restarted', size: 2 })
    await c.reaches('restarted', 4)
    const hash = hashOf((await c.pods('restarted'))[0])
    const annotations = { 'kubectl.kubernetes.io/restartedAt': '2026-01-01T00:00:00Z' }
    const body = { spec: { template: { metadata: { annotations } } } }
    await c.kube.patch(resources.deployments, at('restarted'), { type: 'merge', body })
    await eventually('two new pods ready', async () => {
      const pods = await c.pods('restarted')
      const view = await c.view('restarted')
      const isDone = pods.length === 2 && pods.every((pod) => hashOf(pod) !== hash) && view?.ready_count === 2
      return { isDone, value: { pods: pods.map(hashOf), view } }
    })
    expect(await c.story('restarted')).not.toContain('Restored')
  })
})

describe('garbage collection', () => {
  test('takes the pods of a scalable pool with their Deployment: they name it as their owner', async () => {
    await c.create({ id: 'owned', size: 2, max_size: 4 })
    await c.reaches('owned', 4)
    const deployment = await c.deployment('owned')
    for (const pod of await c.pods('owned')) {
      const owner = { kind: 'Deployment', uid: deployment?.metadata?.uid, controller: true, blockOwnerDeletion: true }
      expect(pod.metadata?.ownerReferences).toEqual([expect.objectContaining(owner)])
      expect(hashOf(pod)).toBeUndefined()
    }
    await c.service.remove({ id: 'owned', group: '' })
    await c.isRemoved('owned')
    await eventually('nothing left', async () => {
      const pods = await c.pods('owned')
      return { isDone: pods.length === 0, value: pods.map((pod) => pod.metadata?.name) }
    })
  })

  test.each([
    ['a fixed pool', 'orphan', {}],
    ['a scalable pool', 'orphan-s', { max_size: 4 }],
  ])('that somebody prevented (kubectl delete --cascade=orphan) leaves no pod of %s behind', async (_, id, sizes) => {
    await c.create({ id, size: 2, ...sizes })
    await c.reaches(id, 4)
    await c.kube.delete(resources.deployments, at(id), { propagationPolicy: 'Orphan' })
    expect(await c.reaches(id, 5)).toMatchObject({ msg: 'deployment is deleted' })
    await eventually('the Deployment gone', async () => {
      const deployment = await c.deployment(id)
      return { isDone: deployment === undefined, value: deployment?.metadata }
    })
    await c.put(id, { size: 2, ...sizes })
    await c.reaches(id, 4)
    const settled = () =>
      eventually('two pods of the new Deployment, none else', async () => {
        const pods = await c.pods(id)
        const view = await c.view(id)
        const isDone = pods.length === 2 && pods.every((pod) => pod.metadata?.ownerReferences?.length === 1)
        return { isDone: isDone && view?.ready_count === 2, value: pods.map((pod) => pod.metadata) }
      })
    await settled()
    await c.service.remove({ id, group: '' })
    await c.isRemoved(id)
    await eventually('nothing left', async () => {
      const pods = await c.pods(id)
      return { isDone: pods.length === 0, value: pods.map((pod) => pod.metadata) }
    })
  })

  test('in the foreground, begun by somebody, is waited for', async () => {
    await c.create({ id: 'foreground', size: 2 })
    await c.reaches('foreground', 4)
    await c.kube.delete(resources.deployments, at('foreground'), { propagationPolicy: 'Foreground' })
    await c.reaches('foreground', 5)
    await c.put('foreground', { size: 2 })
    expect(await c.reaches('foreground', 4)).toMatchObject({ ready_count: 2 })
    await eventually('two pods', async () => {
      const pods = await c.pods('foreground')
      return { isDone: pods.length === 2, value: pods.length }
    })
  })
})

describe('an autoscaler', () => {
  // Word for word that of the documentation's example.
  const text =
    '{"minReplicas": 1, "maxReplicas": 2, "metrics":[{"resource": {"name":"cpu", "target":{"averageUtilization":20, "type":"Utilization"}}, "type":"Resource"}, {"resource": {"name":"memory", "target":{"averageUtilization":50, "type":"Utilization"}}, "type":"Resource"}]}'

  test("from the documentation's text is accepted, with the example's whole pool", async () => {
    await c.create({ ...seed, id: 'auto', size: 2, max_size: 2, horizontal_pod_autoscaler_spec: text })
    expect(await c.reaches('auto', 4)).toMatchObject({ ready_count: 2, scalable: false, msg: 'Running' })
    const hpa = await c.hpa('auto')
    expect(hpa).toMatchObject({ apiVersion: 'autoscaling/v2', spec: JSON.parse(text) as object })
    expect(hpa?.spec?.scaleTargetRef).toEqual({ apiVersion: 'apps/v1', kind: 'Deployment', name: at('auto').name })
    // The real controller works on it. (Without a metrics server it cannot say how many there should be.)
    await eventually('the autoscaler looked at', async () => {
      const conditions = (await c.hpa('auto'))?.status?.conditions ?? []
      const isDone = conditions.some((one) => one.type === 'AbleToScale' && one.status === 'True')
      return { isDone, value: conditions }
    })
    expect(await c.story('auto')).not.toContain('Restored')
  })

  test('sets the replicas, and Podyard leaves them to it', async () => {
    const spec = JSON.stringify({ minReplicas: 3, maxReplicas: 6 })
    await c.create({ id: 'least', size: 1, horizontal_pod_autoscaler_spec: spec })
    // Raising to minReplicas needs no metrics: the real HPA controller does that itself.
    await eventually('three pods, as the autoscaler wants', async () => {
      const view = await c.view('least')
      const replicas = (await c.deployment('least'))?.spec?.replicas
      return { isDone: replicas === 3 && view?.ready_count === 3 && view.status === 4, value: { replicas, view } }
    })
    expect(await c.story('least')).not.toContain('Restored')
    await c.service.remove({ id: 'least', group: '' })
    await c.isRemoved('least')
    expect(await c.hpa('least')).toBeUndefined()
  })

  test.each([
    ['no maxReplicas', '{"minReplicas":1}', 'spec.maxReplicas: Required value'],
    [
      'minReplicas 0',
      '{"minReplicas":0,"maxReplicas":2}',
      'spec.minReplicas: Invalid value: 0: must be greater than or equal to 1',
    ],
    [
      'an unknown kind of metric',
      '{"maxReplicas":2,"metrics":[{"type":"Moon"}]}',
      'spec.metrics[0].type: Unsupported value: "Moon"',
    ],
    [
      'a metric without its target',
      '{"maxReplicas":2,"metrics":[{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization"}}}]}',
      'must set either a target raw value or a target utilization',
    ],
    [
      'a member of another type',
      '{"maxReplicas":2,"metrics":[{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":"20%"}}}]}',
      'cannot unmarshal string into Go struct field',
    ],
  ])('that the API server refuses (%s) fails the pool in its words', async (name, spec, words) => {
    const id = `hpa-${name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}`
    await c.create({ id, size: 1, horizontal_pod_autoscaler_spec: spec })
    const failed = await c.reaches(id, 5)
    expect(failed.msg.startsWith('create HPA failed; ')).toBe(true)
    expect(failed.msg).toContain(words)
    expect(await c.deployment(id)).toBeUndefined()
    await c.put(id, { size: 1, horizontal_pod_autoscaler_spec: '{"maxReplicas":2}' })
    await c.reaches(id, 4)
    await c.service.remove({ id, group: '' })
    await c.isRemoved(id)
  })
})
