import { expect, test } from 'vitest'
import { configMap, configMaps, startApi } from './api-client.ts'

test('with a token every request must carry it', async () => {
  const { call, simulator } = await startApi({ token: 'secret-token' })
  for (const headers of [{}, { authorization: 'Bearer wrong' }, { authorization: 'Basic secret-token' }]) {
    const { status, body } = await call('GET', '/api/v1/pods', undefined, headers)
    expect([status, body]).toEqual([
      401,
      {
        kind: 'Status',
        apiVersion: 'v1',
        metadata: {},
        status: 'Failure',
        message: 'Unauthorized',
        reason: 'Unauthorized',
        code: 401,
      },
    ])
  }
  expect((await call('GET', '/api/v1/pods', undefined, { authorization: 'Bearer secret-token' })).status).toBe(200)
  const config = JSON.parse(simulator.kubeconfig())
  expect(config.clusters[0].cluster.server).toBe(simulator.url)
  expect(config.users[0].user.token).toBe('secret-token')
})

test('a fresh cluster has what the documented pool refers to', async () => {
  const { call } = await startApi({ namespace: 'pools' })
  const selector = encodeURIComponent('node-role.kubernetes.io/controlplane=true,node-type=system')
  const nodes = await call('GET', `/api/v1/nodes?labelSelector=${selector}`)
  expect(nodes.body.items).toHaveLength(3)
  for (const { status } of nodes.body.items as unknown as { status: { addresses: { address: string }[] } }[]) {
    expect(status.addresses[0]?.address).not.toMatch(/^127\./)
  }
  expect((await call('GET', '/apis/node.k8s.io/v1/runtimeclasses/runc')).body.handler).toBe('runc')
  for (const namespace of ['default', 'pools']) {
    const claim = await call('GET', `/api/v1/namespaces/${namespace}/persistentvolumeclaims/test-client-pvc-claim`)
    expect(claim.body.status).toMatchObject({ phase: 'Bound' })
    const volume = (claim.body.spec as { volumeName: string }).volumeName
    expect((await call('GET', `/api/v1/persistentvolumes/${volume}`)).body).toMatchObject({
      spec: { claimRef: { namespace, uid: claim.body.metadata.uid } },
      status: { phase: 'Bound' },
    })
  }
})

test('faults answer in the place of the server', async () => {
  const { call, watch, simulator } = await startApi()
  simulator.faults.inject({
    match: { method: 'POST', plural: 'configmaps' },
    answer: 429,
    retryAfterSeconds: 2,
    times: 1,
  })
  const limited = await call('POST', configMaps, configMap('a'))
  expect([limited.status, limited.headers.get('retry-after'), limited.headers.get('content-type')]).toEqual([
    429,
    '2',
    'text/plain; charset=utf-8',
  ])
  expect((await call('POST', configMaps, configMap('a'))).status).toBe(201)
  const remove = simulator.faults.inject({ match: { name: 'a' }, answer: 503 })
  expect((await call('GET', `${configMaps}/a`)).status).toBe(503)
  remove()
  simulator.faults.inject({ match: { method: 'PUT' }, answer: 409, times: 1 })
  expect((await call('PUT', `${configMaps}/a`, configMap('a'))).body.reason).toBe('Conflict')
  simulator.faults.inject({ match: { watch: true }, answer: 410, times: 1 })
  const stream = await watch(`${configMaps}?watch=1&resourceVersion=${simulator.store.revision}`)
  expect(await stream.next()).toMatchObject({ type: 'ERROR', object: { code: 410, reason: 'Expired' } })
  simulator.faults.inject({ match: { path: /^\/version$/ }, answer: 'drop', times: 1 })
  await expect(call('GET', '/version')).rejects.toThrow()
  expect((await call('GET', '/version')).status).toBe(200)
  simulator.faults.inject({ match: { plural: 'nodes' }, answer: 'drop', times: 1 })
  await expect(call('GET', '/api/v1/nodes')).rejects.toThrow()
  expect((await call('GET', '/api/v1/nodes')).status).toBe(200)
})

test('probes, version and old discovery', async () => {
  const { call } = await startApi()
  for (const path of ['/healthz', '/livez', '/readyz']) {
    const { status, body } = await call('GET', path)
    expect([status, body.text]).toEqual([200, 'ok'])
  }
  expect((await call('GET', '/version')).body).toMatchObject({ major: '1', minor: '36' })
  expect((await call('GET', '/api')).body).toMatchObject({ kind: 'APIVersions', versions: ['v1'] })
  const core = (await call('GET', '/api/v1')).body as unknown as {
    resources: { name: string; shortNames?: string[] }[]
  }
  expect(core.resources.find(({ name }) => name === 'pods')?.shortNames).toEqual(['po'])
  expect(core.resources.map(({ name }) => name)).toContain('pods/status')
  expect((await call('GET', '/apis/autoscaling')).body).toMatchObject({
    kind: 'APIGroup',
    preferredVersion: { groupVersion: 'autoscaling/v2' },
  })
})
