/** What admission refuses, and what becomes of the pool when that changes: quota, LimitRange, Pod Security, and pods as they are. */
import { describe, expect, test } from 'vitest'
import { resources } from '../../packages/server/src/kube/index.ts'
import { defaultTemplate } from '../../packages/server/src/pools/default-template.ts'
import { eventually } from '../../packages/server/test/support/pool-cluster.ts'
import { cannotStart, says } from '../../packages/server/test/support/pool-interference.ts'
import { must } from '../control-plane/api.ts'
import { type RealPools, useRealPools } from './support/real-pools.ts'

/** A ReplicaSet that was refused several times tries again only after a while, and up to half a minute after our fix. */
const recovers = (c: RealPools, id: string, readyCount: number) =>
  eventually(`pool ${id} running with ${readyCount}`, async () => {
    const view = await c.view(id)
    return { isDone: view?.status === 4 && view.ready_count === readyCount && view.msg === 'Running', value: view }
  })

/** What the API server says to a pod that it does not store. */
const tryPod = (c: RealPools, resources: object = { limits: { cpu: '1m' } }) =>
  c.api.request('POST', `/api/v1/namespaces/${c.namespace}/pods?dryRun=All`, {
    metadata: { name: 'tried' },
    spec: { containers: [{ name: 'main', image: 'image:v1', resources }] },
  })

/** Waits until admission knows what it has to refuse, and says so. */
const refusesPods = (c: RealPools, words: string, resources?: object) =>
  eventually(`pods refused: ${words}`, async () => {
    const { status, json } = await tryPod(c, resources)
    return { isDone: status === 403 && JSON.stringify(json).includes(words), value: json }
  })

describe('a ResourceQuota', () => {
  const c = useRealPools()

  test.each([
    ['fixed', 'q-fixed', { size: 3 }],
    ['scalable', 'q-scalable', { size: 3, max_size: 5 }],
  ])('stops a %s pool, which says so, keeps what it has, and goes on when it is raised', async (_, id, sizes) => {
    const quota = `/api/v1/namespaces/${c.namespace}/resourcequotas`
    const before = (await c.kube.list(resources.pods, { namespace: c.namespace })).items.length
    const set = async (pods: number) => {
      const patch = { spec: { hard: { pods: String(pods) } } }
      const answer = await c.api.request('PATCH', `${quota}/${id}`, patch, 'application/merge-patch+json')
      expect(answer.status).toBe(200)
    }
    // Admission hears of it a moment later.
    await must(c.api, 'POST', quota, { metadata: { name: id }, spec: { hard: { pods: String(before) } } })
    await refusesPods(c, `exceeded quota: ${id}`)
    await c.create({ id, ...sizes })
    const view = await says(c, id, `exceeded quota: ${id}, requested: pods=1, used: pods=`)
    expect(view).toMatchObject({ status: 1, ready_count: 0 })
    expect(await c.story(id)).toContain('PodsNotStarting')
    await set(before + 1)
    await eventually('one pod ready', async () => {
      const now = await c.view(id)
      return { isDone: now?.ready_count === 1 && now.status === 1, value: now }
    })
    await set(50)
    await recovers(c, id, 3)
    expect(await c.pods(id)).toHaveLength(3)
    await must(c.api, 'DELETE', `${quota}/${id}`)
  })
})

describe('a LimitRange', () => {
  const c = useRealPools()

  test('is said in its own words by a fixed pool and by a scalable one', async () => {
    const limits = [{ type: 'Container', max: { cpu: '1' } }]
    await c.make('/api/v1', 'limitranges', { metadata: { name: 'small' }, spec: { limits } })
    await refusesPods(c, 'maximum cpu usage per Container is 1', { requests: { cpu: '2' }, limits: { cpu: '2' } })
    const resources = { requests: { cpu: '2', memory: '1Mi' }, limits: { cpu: '2', memory: '1Mi' } }
    await cannotStart(c, 'too-large', { resources }, 'maximum cpu usage per Container is 1, but limit is 2')
  })

  test('that fills in what a pool leaves out is no edit to be restored', async () => {
    const limits = [{ type: 'Container', default: { memory: '64Mi' }, defaultRequest: { memory: '64Mi' } }]
    await c.make('/api/v1', 'limitranges', { metadata: { name: 'defaults' }, spec: { limits } })
    await eventually('admission fills in', async () => {
      const value = (await tryPod(c, { limits: { cpu: '1m' } })).json
      return { isDone: JSON.stringify(value).includes('"memory":"64Mi"'), value }
    })
    const resources = { requests: { cpu: '1m' }, limits: { cpu: '1m' } }
    await c.create({ id: 'filled', size: 1, resources }, { id: 'filled-s', size: 1, max_size: 2, resources })
    for (const id of ['filled', 'filled-s']) {
      expect(await c.reaches(id, 4)).toMatchObject({ msg: 'Running', ready_count: 1 })
      const [pod] = await c.pods(id)
      expect(pod?.spec?.containers[0]?.resources?.limits?.memory).toBe('64Mi')
      expect(await c.story(id)).not.toContain('Restored')
    }
  })
})

const restricted = { labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } }

describe('Pod Security `restricted`', () => {
  const c = useRealPools(restricted)

  test('refuses the pods of the built-in template, and the pools say what is missing', async () => {
    await cannotStart(c, 'loose', {}, 'violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false')
  })
})

describe('Pod Security `restricted` with a template that allows it', () => {
  const c = useRealPools({ ...restricted, template: strictTemplate() })

  test('lets both kinds of pool run', async () => {
    await c.create({ id: 'strict', size: 2 }, { id: 'strict-s', size: 2, max_size: 4 })
    for (const id of ['strict', 'strict-s']) expect(await c.reaches(id, 4)).toMatchObject({ ready_count: 2 })
  })
})

function strictTemplate(): object {
  const template = structuredClone(defaultTemplate)
  const pod = template.spec?.template.spec
  if (pod === undefined) throw new Error('a template without a pod')
  pod.securityContext = { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } }
  for (const container of [...pod.containers, ...(pod.initContainers ?? [])])
    container.securityContext = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } }
  return template
}

describe('the scheduler and the API server', () => {
  const c = useRealPools()

  test('do not start pods whose claim is missing', async () => {
    const volumes = '[{"name":"v","persistentVolumeClaim":{"claimName":"nowhere"}}]'
    await cannotStart(c, 'claimless', { volumes }, 'persistentvolumeclaim "nowhere" not found')
  })

  test('refuse an image with a space around it', async () => {
    await cannotStart(c, 'spaced', { image: ' image:v1' }, 'must not have leading or trailing whitespace')
  })

  test('start the pods as soon as a node fits', async () => {
    const node_selector = { moon: c.namespace }
    await c.create({ id: 'moon', size: 1, node_selector }, { id: 'moon-s', size: 1, max_size: 2, node_selector })
    for (const id of ['moon', 'moon-s']) await says(c, id, "didn't match Pod's node affinity/selector")
    const label = async (value: string | null) => {
      const body = { metadata: { labels: { moon: value } } }
      await c.api.request('PATCH', '/api/v1/nodes/node-3', body, 'application/merge-patch+json')
    }
    await label(c.namespace)
    for (const id of ['moon', 'moon-s']) await recovers(c, id, 1)
    await label(null)
  })
})
