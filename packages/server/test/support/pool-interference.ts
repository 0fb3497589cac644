import { describe, expect, test } from 'vitest'
import { resources } from '../../src/kube/index.ts'
import { defaultTemplate } from '../../src/pools/default-template.ts'
import { eventually, type PoolCluster } from './pool-cluster.ts'

const at = (c: PoolCluster, id: string) => ({ namespace: c.namespace, name: `function-agent-${id}` })

/** Waits until the pool's `msg` holds this text. */
export const says = (c: PoolCluster, id: string, text: string) =>
  eventually(`pool ${id} says ${text}`, async () => {
    const view = await c.view(id)
    return { isDone: view?.msg.includes(text) === true, value: view }
  })

/** What others do to a pool's Deployment, whatever the cluster; a controller runs on it. */
export function poolInterference(c: PoolCluster): void {
  describe('a Deployment', () => {
    test('that somebody removed fails the pool; a PUT makes it anew', async () => {
      await c.create({ id: 'removed', size: 1 })
      await c.reaches('removed', 4)
      await c.kube.delete(resources.deployments, at(c, 'removed'), { propagationPolicy: 'Background' })
      expect(await c.reaches('removed', 5)).toMatchObject({ msg: 'deployment is deleted', ready_count: 0 })
      expect(await c.deployment('removed')).toBeUndefined()
      await c.put('removed', { size: 1 })
      expect(await c.reaches('removed', 4)).toMatchObject({ msg: 'Running', ready_count: 1 })
    })

    test('that somebody edited is restored', async () => {
      await c.create({ id: 'edited', size: 1, node_selector: { 'node-type': 'system' } })
      await c.reaches('edited', 4)
      const operations = [
        { op: 'replace', path: '/spec/replicas', value: 3 },
        { op: 'replace', path: '/spec/template/spec/containers/0/image', value: 'other:v2' },
        { op: 'add', path: '/spec/template/spec/nodeSelector/x', value: 'y' },
      ] as const
      await c.kube.patch(resources.deployments, at(c, 'edited'), { type: 'json', operations })
      const restored = await eventually('restored', async () => {
        const deployment = await c.deployment('edited')
        const pod = deployment?.spec?.template.spec
        const isDone = deployment?.spec?.replicas === 1 && pod?.containers[0]?.image === 'runtime-manager:v1'
        return { isDone, value: deployment }
      })
      expect(restored.spec?.template.spec?.nodeSelector).toEqual({ 'node-type': 'system' })
      await eventually('told', async () => {
        const story = await c.story('edited')
        return { isDone: story.includes('Restored'), value: story }
      })
      expect((await c.view('edited'))?.status).toBe(4)
    })

    test('under an autoscaler keeps the replicas that somebody set', async () => {
      const horizontal_pod_autoscaler_spec = JSON.stringify({ minReplicas: 1, maxReplicas: 5 })
      await c.create({ id: 'auto', size: 1, horizontal_pod_autoscaler_spec })
      await c.reaches('auto', 4)
      const body = { spec: { replicas: 3 } }
      await c.kube.patch(resources.deployments, at(c, 'auto'), { type: 'merge', body })
      await eventually('three ready', async () => {
        const view = await c.view('auto')
        return { isDone: view?.ready_count === 3, value: view }
      })
      expect((await c.deployment('auto'))?.spec?.replicas).toBe(3)
    })

    test("of the same name that is somebody else's is never touched", async () => {
      const foreign = await c.kube.create(
        resources.deployments,
        {
          ...defaultTemplate,
          metadata: { name: 'function-agent-taken', namespace: c.namespace },
          spec: { ...(defaultTemplate.spec as object), replicas: 0 } as never,
        },
        { namespace: c.namespace },
      )
      await c.create({ id: 'taken', size: 1 })
      const failed = await c.reaches('taken', 5)
      expect(failed.msg).toBe(
        'pool already exists; a Deployment function-agent-taken is there that was not made for this pool',
      )
      await c.put('taken', { size: 2 })
      await c.reaches('taken', 5)
      await c.service.remove({ id: 'taken', group: '' })
      await c.isRemoved('taken')
      const left = await c.deployment('taken')
      expect(left?.metadata?.uid).toBe(foreign.metadata?.uid)
      expect(left?.metadata?.generation).toBe(foreign.metadata?.generation)
      expect(left?.metadata?.labels).toEqual(foreign.metadata?.labels)
    })

    test('without a pool is left alone', async () => {
      await c.kube.create(
        resources.deployments,
        { ...defaultTemplate, metadata: { name: 'function-agent-unknown', namespace: c.namespace } },
        { namespace: c.namespace },
      )
      await c.create({ id: 'beside' })
      await c.reaches('beside', 4)
      expect((await c.deployment('unknown'))?.metadata?.deletionTimestamp).toBeUndefined()
    })
  })
}

/** What every API server refuses, and what no scheduler can place. */
export function poolRefusals(c: PoolCluster): void {
  describe('what the cluster refuses becomes status and msg in its own words, and the pool can be deleted', () => {
    test.each([
      [
        'limits below requests',
        { resources: { requests: { cpu: '2' }, limits: { cpu: '1' } } },
        'Create Deployment Failed, ErrorCode is 422; ',
        'must be less than or equal to cpu limit',
      ],
      [
        'a mount without its volume',
        { volume_mounts: '[{"name":"nowhere","mountPath":"/x"}]' },
        'Create Deployment Failed, ErrorCode is 422; ',
        'Not found: "nowhere"',
      ],
      [
        'maxReplicas below minReplicas',
        { horizontal_pod_autoscaler_spec: '{"minReplicas":5,"maxReplicas":2}' },
        'create HPA failed; ',
        'must be greater than or equal to `minReplicas`',
      ],
      [
        'an HPA text that is none',
        { horizontal_pod_autoscaler_spec: '{' },
        'invalid HPA spec, create HPA failed; ',
        'it is not JSON',
      ],
    ])('%s', async (name, pool, word, words) => {
      const id = name.toLowerCase().replaceAll(/[^a-z]+/g, '-')
      await c.create({ id, size: 1, ...pool })
      const failed = await c.reaches(id, 5)
      expect(failed.msg.startsWith(word)).toBe(true)
      expect(failed.msg).toContain(words)
      expect(await c.deployment(id)).toBeUndefined()
      expect(await c.hpa(id)).toBeUndefined()
      expect(await c.story(id)).toContain('Failed')
      await c.service.remove({ id, group: '' })
      await c.isRemoved(id)
    })

    test.each([
      ['no node that fits', { node_selector: { moon: 'base' } }, "didn't match Pod's node affinity/selector"],
      ['a runtime class that is missing', { runtime_class_name: 'nope' }, 'RuntimeClass "nope" not found'],
    ])('%s: of a fixed pool and of a scalable one', async (name, pool, words) => {
      await cannotStart(c, name.toLowerCase().replaceAll(/[^a-z]+/g, '-'), pool, words)
    })

    test('a Deployment whose autoscaler was made first: that goes again', async () => {
      const resources = { requests: { cpu: '2' }, limits: { cpu: '1' } }
      await c.create({ id: 'halfway', size: 1, resources, horizontal_pod_autoscaler_spec: '{"maxReplicas":2}' })
      await c.reaches('halfway', 5)
      await eventually('no autoscaler', async () => {
        const hpa = await c.hpa('halfway')
        return { isDone: hpa === undefined, value: hpa }
      })
      await eventually('told', async () => {
        const story = await c.story('halfway')
        return { isDone: story.includes('HpaDeleted'), value: story }
      })
    })

    test('a pool that was repaired by a PUT', async () => {
      await c.create({ id: 'repaired', size: 1, horizontal_pod_autoscaler_spec: '{"minReplicas":5,"maxReplicas":2}' })
      await c.reaches('repaired', 5)
      await c.put('repaired', { size: 1, horizontal_pod_autoscaler_spec: '{"maxReplicas":2}' })
      expect(await c.reaches('repaired', 4)).toMatchObject({ msg: 'Running', ready_count: 1 })
    })
  })
}

/** A fixed pool and a scalable one that cannot start: they say why, stay at it, and can be deleted. */
export async function cannotStart(c: PoolCluster, id: string, pool: object, words: string): Promise<void> {
  await c.create({ id, size: 1, ...pool }, { id: `${id}-s`, size: 1, max_size: 2, ...pool })
  for (const one of [id, `${id}-s`]) {
    const view = await says(c, one, words)
    expect(view).toMatchObject({ status: 1, ready_count: 0 })
    expect(view.msg.startsWith('Creating; ')).toBe(true)
    await c.service.remove({ id: one, group: '' })
    await c.isRemoved(one)
  }
}
