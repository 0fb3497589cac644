import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { resources } from '../src/kube/index.ts'
import { defaultTemplate } from '../src/pools/default-template.ts'
import { eventually, type RunningController, usePoolCluster } from './support/pool-cluster.ts'

const c = usePoolCluster()
let controller: RunningController
beforeAll(async () => {
  controller = await c.start()
})
afterAll(async () => {
  await controller.stop()
})
afterEach(() => {
  c.simulator.faults.clear()
})

const at = (id: string) => ({ namespace: 'default', name: `function-agent-${id}` })
const says = (id: string, text: string) =>
  eventually(`pool ${id} says ${text}`, async () => {
    const view = await c.view(id)
    return { isDone: view?.msg.includes(text) === true, value: view }
  })

describe('a Deployment', () => {
  test('that somebody removed fails the pool; a PUT makes it anew', async () => {
    await c.create({ id: 'removed', size: 1 })
    await c.reaches('removed', 4)
    await c.kube.delete(resources.deployments, at('removed'), { propagationPolicy: 'Background' })
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
    await c.kube.patch(resources.deployments, at('edited'), { type: 'json', operations })
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
    await c.kube.patch(resources.deployments, at('auto'), { type: 'merge', body })
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
        metadata: { name: 'function-agent-taken', namespace: 'default' },
        spec: { ...(defaultTemplate.spec as object), replicas: 0 } as never,
      },
      { namespace: 'default' },
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
      { ...defaultTemplate, metadata: { name: 'function-agent-unknown', namespace: 'default' } },
      { namespace: 'default' },
    )
    await c.create({ id: 'beside' })
    await c.reaches('beside', 4)
    expect((await c.deployment('unknown'))?.metadata?.deletionTimestamp).toBeUndefined()
  })
})

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
    ['an image that does not parse', { image: '!!!' }, 'InvalidImageName'],
    ['a runtime class that is missing', { runtime_class_name: 'nope' }, 'RuntimeClass "nope" not found'],
  ])('%s: of a fixed pool and of a scalable one', async (name, pool, words) => {
    const id = name.toLowerCase().replaceAll(/[^a-z]+/g, '-')
    await c.create({ id, size: 1, ...pool }, { id: `${id}-s`, size: 1, max_size: 2, ...pool })
    for (const one of [id, `${id}-s`]) {
      const view = await says(one, words)
      expect(view).toMatchObject({ status: 1, ready_count: 0 })
      expect(view.msg.startsWith('Creating; ')).toBe(true)
      await c.service.remove({ id: one, group: '' })
      await c.isRemoved(one)
    }
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

describe('a cluster in trouble', () => {
  test('that answers 500 is said and tried again until it works', async () => {
    c.simulator.faults.inject({ match: { method: 'POST', plural: 'deployments' }, answer: 500 })
    await c.create({ id: 'flaky', size: 1 })
    expect(await says('flaky', 'injected fault')).toMatchObject({ status: 1 })
    c.simulator.faults.clear()
    expect(await c.reaches('flaky', 4)).toMatchObject({ msg: 'Running', ready_count: 1 })
  })

  test('that cuts connections makes no surplus pod', async () => {
    c.simulator.faults.inject({ match: { method: 'POST', plural: 'pods' }, answer: 'drop', times: 4 })
    await c.create({ id: 'cut', size: 4, max_size: 9 })
    expect(await c.reaches('cut', 4)).toMatchObject({ ready_count: 4 })
    expect(await c.pods('cut')).toHaveLength(4)
  })

  test('that refuses a deletion is said in status 6, and the pool goes when it may', async () => {
    await c.create({ id: 'sticky', size: 1 })
    await c.reaches('sticky', 4)
    c.simulator.faults.inject({ match: { method: 'DELETE', plural: 'deployments' }, answer: 500 })
    await c.service.remove({ id: 'sticky', group: '' })
    expect(await says('sticky', 'Delete Deployment Failed, ErrorCode is 500; ')).toMatchObject({ status: 6 })
    c.simulator.faults.clear()
    await c.isRemoved('sticky')
  })

  test('whose watches are cut is followed again', async () => {
    await c.create({ id: 'watched', size: 1 })
    await c.reaches('watched', 4)
    c.simulator.dropWatches()
    await c.put('watched', { size: 3 })
    expect(await c.reaches('watched', 4)).toMatchObject({ ready_count: 3 })
  })
})
