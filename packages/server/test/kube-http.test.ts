import type { V1Deployment } from '@kubernetes/client-node'
import { describe, expect, test } from 'vitest'
import { createKubeClient, KubeError, resources } from '../src/kube/index.ts'
import { sendJson, sendStatus } from './support/scripted-api-server.ts'
import { failure, useScriptedClients } from './support/scripted-kube-client.ts'

const { serve, closing } = useScriptedClients()

const pod = { namespace: 'a', name: 'p' }

describe('requests', () => {
  test('each verb as the API server wants it', async () => {
    const { server, client } = await serve((_, response) => sendJson(response, 200, { metadata: { name: 'p' } }), {
      token: 'secret',
      connections: 1,
    })
    await client.get(resources.pods, pod)
    await client.create(resources.pods, { metadata: { name: 'p', namespace: 'a' } }, { dryRun: true })
    await client.create(resources.deployments, { metadata: { name: 'd' } }, { namespace: 'b' })
    await client.patch(
      resources.deployments,
      pod,
      { type: 'merge', body: { spec: { replicas: 2 } } },
      { subresource: 'scale' },
    )
    const operations = [{ op: 'remove', path: '/metadata/labels/x' }] as const
    await client.patch(resources.pods, pod, { type: 'json', operations })
    await client.delete(resources.pods, pod, {
      preconditions: { uid: 'u' },
      propagationPolicy: 'Background',
      gracePeriodSeconds: 0,
    })
    await client.delete(resources.nodes, { name: 'n' })
    await client.raw('/version')
    expect(server.requests.map(({ method, path, query, body }) => ({ method, path, query, body }))).toEqual([
      { method: 'GET', path: '/api/v1/namespaces/a/pods/p', query: {}, body: undefined },
      {
        method: 'POST',
        path: '/api/v1/namespaces/a/pods',
        query: { dryRun: 'All' },
        body: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', namespace: 'a' } },
      },
      {
        method: 'POST',
        path: '/apis/apps/v1/namespaces/b/deployments',
        query: {},
        body: { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'd' } },
      },
      {
        method: 'PATCH',
        path: '/apis/apps/v1/namespaces/a/deployments/p/scale',
        query: {},
        body: { spec: { replicas: 2 } },
      },
      { method: 'PATCH', path: '/api/v1/namespaces/a/pods/p', query: {}, body: operations },
      {
        method: 'DELETE',
        path: '/api/v1/namespaces/a/pods/p',
        query: {},
        body: {
          apiVersion: 'v1',
          kind: 'DeleteOptions',
          preconditions: { uid: 'u' },
          propagationPolicy: 'Background',
          gracePeriodSeconds: 0,
        },
      },
      { method: 'DELETE', path: '/api/v1/nodes/n', query: {}, body: { apiVersion: 'v1', kind: 'DeleteOptions' } },
      { method: 'GET', path: '/version', query: {}, body: undefined },
    ])
    expect(server.requests.map((each) => each.headers['content-type'])).toEqual([
      undefined,
      'application/json',
      'application/json',
      'application/merge-patch+json',
      'application/json-patch+json',
      'application/json',
      'application/json',
      undefined,
    ])
    expect(new Set(server.requests.map((each) => each.headers.authorization))).toEqual(new Set(['Bearer secret']))
    // The one connection is kept.
    expect(new Set(server.requests.map((each) => each.connection))).toEqual(new Set([1]))
  })

  test('an apply is a patch of its own kind', async () => {
    const { server, client } = await serve((_, response) => sendJson(response, 200, { metadata: { name: 'd' } }))
    const object = { metadata: { name: 'd', namespace: 'a' }, spec: { replicas: 2 } } as V1Deployment
    await client.apply(resources.deployments, object, { fieldManager: 'podyard' })
    await client.apply(resources.nodes, { metadata: { name: 'n' } }, { fieldManager: 'p', force: true, dryRun: true })
    expect(server.requests.map(({ method, path, query, body }) => ({ method, path, query, body }))).toEqual([
      {
        method: 'PATCH',
        path: '/apis/apps/v1/namespaces/a/deployments/d',
        query: { fieldManager: 'podyard' },
        body: { apiVersion: 'apps/v1', kind: 'Deployment', ...object },
      },
      {
        method: 'PATCH',
        path: '/api/v1/nodes/n',
        query: { fieldManager: 'p', force: 'true', dryRun: 'All' },
        body: { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n' } },
      },
    ])
    expect(server.requests.map(({ headers }) => headers['content-type'])).toEqual(
      Array(2).fill('application/apply-patch+yaml'),
    )
    const nameless = client.apply(resources.nodes, { metadata: {} }, { fieldManager: 'p' })
    expect(await failure(nameless)).toBeInstanceOf(TypeError)
    expect(await failure(client.apply(resources.deployments, object, { fieldManager: '' }))).toBeInstanceOf(TypeError)
    expect(server.requests).toHaveLength(2)
  })

  test('a server address with a path keeps it', async () => {
    const { server } = await serve((_, response) => sendJson(response, 200, {}))
    const client = createKubeClient({ server: `${server.url}/k8s/clusters/c-1/`, namespace: 'default' })
    closing(client)
    await client.raw('/version')
    expect(server.requests[0]?.path).toBe('/k8s/clusters/c-1/version')
  })

  test('no more calls run at once than there are connections, and all are answered', async () => {
    let running = 0
    let most = 0
    const { client, records } = await serve(
      (_, response) => {
        running += 1
        most = Math.max(most, running)
        setImmediate(() => {
          running -= 1
          sendJson(response, 200, {})
        })
      },
      { connections: 3 },
    )
    await Promise.all(Array.from({ length: 40 }, () => client.raw('/version')))
    expect(most).toBeLessThanOrEqual(3)
    expect(records).toHaveLength(40)
  })

  test('each request is recorded', async () => {
    const { client, records } = await serve((request, response) =>
      request.method === 'GET' ? sendJson(response, 200, { items: [] }) : sendStatus(response, 409, 'Conflict', 'no'),
    )
    await client.list(resources.pods)
    await failure(client.delete(resources.pods, pod))
    expect(records).toEqual([
      { verb: 'list', resource: 'pods', code: 200, seconds: expect.any(Number) },
      { verb: 'delete', resource: 'pods', code: 409, seconds: expect.any(Number) },
    ])
  })
})

describe('refusals', () => {
  test('carry the words of the Status', async () => {
    const { client } = await serve((_, response) => sendStatus(response, 403, 'Forbidden', 'pods "p" is forbidden'))
    const error = await failure(client.get(resources.pods, pod))
    expect(error).toBeInstanceOf(KubeError)
    expect(error).toMatchObject({ code: 403, reason: 'Forbidden', message: 'pods "p" is forbidden' })
  })

  test('a delete of what is not there is no failure, a delete on a wrong path is', async () => {
    const { client } = await serve((request, response) =>
      request.path.endsWith('/p')
        ? sendStatus(response, 404, 'NotFound', 'pods "p" not found')
        : void response.writeHead(404).end('404 page not found\n'),
    )
    expect(await client.delete(resources.pods, pod)).toBe('not-found')
    expect(await failure(client.delete(resources.nodes, { name: 'n' }))).toMatchObject({
      code: 404,
      message: 'HTTP 404: 404 page not found',
    })
  })

  test('429 and 503 with Retry-After are waited for and repeated, writes too', async () => {
    const { server, client, records } = await serve((_, response, index) => {
      if (index === 0) return sendStatus(response, 429, 'TooManyRequests', 'slow down', { 'retry-after': '0' })
      if (index === 1) return sendStatus(response, 503, 'ServiceUnavailable', 'later', { 'retry-after': '0' })
      sendJson(response, 201, { metadata: { name: 'p', uid: 'u' } })
    })
    const created = await client.create(resources.pods, { metadata: { name: 'p', namespace: 'a' } })
    expect(created.metadata?.uid).toBe('u')
    expect(server.requests.map((each) => each.body)).toEqual(Array(3).fill(server.requests[0]?.body))
    expect(records.map((each) => each.code)).toEqual([429, 503, 201])
  })

  test('a wait that the call has no time for ends it at once with the refusal', async () => {
    const { server, client } = await serve((_, response) =>
      sendStatus(response, 429, 'TooManyRequests', 'slow down', { 'retry-after': '3600' }),
    )
    expect(await failure(client.get(resources.pods, pod))).toMatchObject({ code: 429, retryAfterSeconds: 3600 })
    expect(server.requests).toHaveLength(1)
  })

  test('a 503 without Retry-After is not repeated', async () => {
    const { server, client } = await serve((_, response) => void response.writeHead(503).end())
    expect(await failure(client.get(resources.pods, pod))).toMatchObject({ code: 503, message: 'HTTP 503' })
    expect(server.requests).toHaveLength(1)
  })
})
