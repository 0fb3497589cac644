import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { must, until } from './api.ts'
import { attachControlPlane, type ControlPlane } from './control-plane.ts'

let plane: ControlPlane
beforeAll(async () => {
  plane = await attachControlPlane(inject('controlPlaneRunDir'))
})
afterAll(() => plane?.api.close())

/** After a restart the controllers come back when they please: their pauses between tries grow to half a minute. */
const limit = { limitMs: 120_000 }
const pods = '/api/v1/namespaces/default/pods'
const configMaps = '/api/v1/namespaces/default/configmaps'

type Listed = { metadata: { resourceVersion: string; continue?: string }; items: PodObject[] }
type PodObject = {
  metadata: { name: string }
  spec: { nodeName?: string }
  status: { hostIP?: string; conditions?: { type: string; status: string }[] }
}
type NodeObject = {
  metadata: { name: string; labels: Record<string, string> }
  status: { addresses: { type: string; address: string }[]; conditions: { type: string; status: string }[] }
}

const deployment = (name: string, replicas: number) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'main', image: 'nginx' }] } },
  },
})
const readyPods = async (app: string) => {
  const { items } = await must<Listed>(plane.api, 'GET', `${pods}?labelSelector=app%3D${app}`)
  return items.filter(({ status }) => status.conditions?.some((one) => one.type === 'Ready' && one.status === 'True'))
}
const asNode = async () => (await must<{ items: NodeObject[] }>(plane.api, 'GET', '/api/v1/nodes')).items

test('nodes are Ready, with an address each outside of loopback and the labels that the seed selects', async () => {
  const nodes = await asNode()
  expect(nodes.map(({ metadata }) => metadata.name).sort()).toEqual(['node-1', 'node-2', 'node-3'])
  for (const { status } of nodes)
    expect(status.conditions).toContainEqual(expect.objectContaining({ type: 'Ready', status: 'True' }))
  const addresses = nodes.map(({ status }) =>
    status.addresses.filter(({ type }) => type === 'InternalIP').map((one) => one.address),
  )
  expect(addresses.flat().sort()).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3'])
  const suitable = nodes.filter(
    ({ metadata: { labels } }) =>
      labels['node-role.kubernetes.io/controlplane'] === 'true' && labels['node-type'] === 'system',
  )
  expect(suitable.length).toBeGreaterThanOrEqual(2)
})

test('a Deployment of three becomes three Ready pods at their nodes’ addresses', async () => {
  await must(plane.api, 'POST', '/apis/apps/v1/namespaces/default/deployments', deployment('three', 3))
  await until('three Ready pods', async () => (await readyPods('three')).length === 3, limit)
  const addressOf = new Map(
    (await asNode()).map(({ metadata, status }) => [metadata.name, status.addresses[0]?.address]),
  )
  for (const { spec, status } of await readyPods('three'))
    expect(status.hostIP).toBe(addressOf.get(spec.nodeName ?? ''))
  await must(plane.api, 'DELETE', '/apis/apps/v1/namespaces/default/deployments/three')
  await until('no pods', async () => (await readyPods('three')).length === 0, limit)
})

describe('admission is that of a real cluster', () => {
  const bare = (more: object = {}) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'bare' },
    spec: { containers: [{ name: 'main', image: 'nginx', ...more }] },
  })
  const inNamespace = async (name: string, labels: Record<string, string>, policy?: [path: string, object: object]) => {
    await must(plane.api, 'POST', '/api/v1/namespaces', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels },
    })
    const path = `/api/v1/namespaces/${name}`
    const account = async () => (await plane.api.request('GET', `${path}/serviceaccounts/default`)).status === 200
    await until('the ServiceAccount', account, limit)
    if (policy !== undefined) await must(plane.api, 'POST', `${path}/${policy[0]}`, policy[1])
    return (body: object) => plane.api.request('POST', `${path}/pods`, body)
  }

  test('PodSecurity', async () => {
    const create = await inNamespace('restricted', { 'pod-security.kubernetes.io/enforce': 'restricted' })
    const { status, text } = await create(bare())
    expect(status).toBe(403)
    expect(text).toContain('violates PodSecurity')
  })

  test('ResourceQuota', async () => {
    const create = await inNamespace('quota', {}, [
      'resourcequotas',
      { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'none' }, spec: { hard: { pods: '0' } } },
    ])
    let last: Awaited<ReturnType<typeof create>> | undefined
    // Until the quota's status is written, the answer is another refusal.
    await until(
      'the quota’s refusal',
      async () => {
        last = await create(bare())
        return last.text.includes('exceeded quota')
      },
      limit,
    )
    expect(last?.status).toBe(403)
  })

  test('LimitRange', async () => {
    const create = await inNamespace('limits', {}, [
      'limitranges',
      {
        apiVersion: 'v1',
        kind: 'LimitRange',
        metadata: { name: 'small' },
        spec: { limits: [{ type: 'Container', max: { memory: '1Gi' } }] },
      },
    ])
    const big = bare({ resources: { limits: { memory: '2Gi' } } })
    await until(
      'the limit’s refusal',
      async () => (await create(big)).text.includes('maximum memory usage per Container is 1Gi'),
      limit,
    )
    expect((await create(big)).status).toBe(403)
  })
})

test('an API server that was ended, or crashed, comes back at the same address with everything it held', async () => {
  const path = `${configMaps}/kept`
  await must(plane.api, 'POST', configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'kept' } })
  await plane.stopApiServer('SIGKILL')
  await expect(plane.api.request('GET', path)).rejects.toThrow(/ECONNREFUSED|ECONNRESET|EPIPE|socket hang up/)
  await plane.startApiServer()
  expect((await plane.api.request('GET', path)).status).toBe(200)
  await plane.restartApiServer()
  expect((await plane.api.request('GET', path)).status).toBe(200)
  // The controllers and KWOK have found it again, too.
  await must(plane.api, 'POST', '/apis/apps/v1/namespaces/default/deployments', deployment('after', 1))
  await until('a Ready pod', async () => (await readyPods('after')).length === 1, limit)
})

test('a frozen API server accepts connections and answers when it is thawed', async () => {
  plane.freeze('kube-apiserver')
  const answer = plane.api.request('GET', '/version')
  const first = await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 300, 'nothing yet'))])
  plane.thaw('kube-apiserver')
  expect(first).toBe('nothing yet')
  expect((await answer).status).toBe(200)
})

test('after a compaction and a restart, an old version is 410 for a watch and for the rest of a list', async () => {
  for (const name of ['page-1', 'page-2'])
    await must(plane.api, 'POST', configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } })
  const page = await must<Listed>(plane.api, 'GET', `${configMaps}?limit=1`)
  await must(plane.api, 'DELETE', `${configMaps}/page-2`)
  const compacted = await plane.compact()
  expect(compacted).toBeGreaterThan(Number(page.metadata.resourceVersion))
  expect(await plane.revision()).toBeGreaterThanOrEqual(compacted)
  // Asked for twice it is as well as once.
  expect(await plane.compact(compacted)).toBe(compacted)
  await plane.restartApiServer()

  const rest = await plane.api.request('GET', `${configMaps}?limit=1&continue=${page.metadata.continue}`)
  expect(rest.status).toBe(410)
  expect(rest.json).toMatchObject({ kind: 'Status', reason: 'Expired', code: 410 })
  const watch = await plane.api.request(
    'GET',
    `${configMaps}?watch=1&timeoutSeconds=5&resourceVersion=${page.metadata.resourceVersion}`,
  )
  const [event] = watch.text.split('\n')
  expect(JSON.parse(event ?? '')).toMatchObject({ type: 'ERROR', object: { code: 410, reason: 'Expired' } })
})

describe('the user without rights', () => {
  const statusWith = async (token: string, path = configMaps) => {
    const api = plane.openApi(token)
    try {
      return (await api.request('GET', path)).status
    } finally {
      api.close()
    }
  }

  test('gets rights by a binding, and loses a token by rotation', async () => {
    const [old, next] = plane.user.tokens
    expect(await statusWith(old)).toBe(403)
    await must(plane.api, 'POST', '/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings', {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name: 'viewer' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: plane.user.name }],
    })
    await until('the binding to hold', async () => (await statusWith(old)) === 200, limit)
    expect(await statusWith(next)).toBe(200)
    expect(await statusWith('unknown')).toBe(401)

    await plane.restartApiServer({ refuseTokens: [old] })
    expect(await statusWith(old)).toBe(401)
    await until('the other token to hold', async () => (await statusWith(next)) === 200, limit)
    await plane.restartApiServer()
    await until('both tokens to hold', async () => (await statusWith(old)) === 200, limit)
  })

  test('is told 429 when fairness is turned down, and nobody else is', async () => {
    const api = plane.openApi(plane.user.tokens[0])
    const ask = () => api.request('GET', '/version')
    await plane.throttleUser(0)
    await until('a free seat', async () => (await ask()).status === 200, limit)
    const release = await plane.occupySeat()
    const refused = await ask()
    expect(refused.status).toBe(429)
    expect(refused.headers['retry-after']).toBe('1')
    expect((await plane.api.request('GET', '/version')).status).toBe(200)
    release()
    await until('the seat to be free', async () => (await ask()).status === 200, limit)
    await plane.throttleUser(undefined)
    await until(
      'sixteen at once to be answered',
      async () => (await Promise.all(Array.from({ length: 16 }, ask))).every(({ status }) => status === 200),
      limit,
    )
    api.close()
  })
})
