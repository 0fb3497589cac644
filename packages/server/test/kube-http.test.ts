import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { RequestRecord } from '../src/kube/index.ts'
import { createKubeClient, type KubeClient, KubeConnectionError, KubeError, resources } from '../src/kube/index.ts'
import {
  type Script,
  type ScriptedServer,
  sendJson,
  sendStatus,
  startScriptedServer,
  until,
} from './support/scripted-api-server.ts'

const started: { close(): Promise<void> }[] = []

afterEach(async () => {
  for (const each of started.splice(0).reverse()) await each.close()
})

/** A scripted server and a client for it, both closed after the test. */
async function serve(
  script: Script,
  options: { token?: string; tokenFile?: string; connections?: number } = {},
): Promise<{ server: ScriptedServer; client: KubeClient; records: RequestRecord[] }> {
  const server = await startScriptedServer(script)
  const records: RequestRecord[] = []
  const { connections, ...credentials } = options
  const client = createKubeClient(
    { server: server.url, namespace: 'default', ...credentials },
    {
      onRequest: (record) => records.push(record),
      // No jitter: repeats come at once.
      random: () => 0,
      ...(connections === undefined ? {} : { connections }),
    },
  )
  started.push(server, client)
  return { server, client, records }
}

/** What a promise rejects with. */
async function failure(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    () => {
      throw new Error('expected a rejection')
    },
    (error: unknown) => error,
  )
}

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

  test('a server address with a path keeps it', async () => {
    const { server } = await serve((_, response) => sendJson(response, 200, {}))
    const client = createKubeClient({ server: `${server.url}/k8s/clusters/c-1/`, namespace: 'default' })
    started.push(client)
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

describe('no answer', () => {
  test('a broken connection: a GET is repeated, a POST is not', async () => {
    const { server, client } = await serve((request, response, index) => {
      if (request.method === 'POST' || index < 2) return void response.socket?.destroy()
      sendJson(response, 200, { metadata: { name: 'p' } })
    })
    expect((await client.get(resources.pods, pod)).metadata?.name).toBe('p')
    expect(server.requests).toHaveLength(3)
    const error = await failure(client.create(resources.pods, { metadata: { name: 'p', namespace: 'a' } }))
    expect(error).toBeInstanceOf(KubeConnectionError)
    expect(error).toMatchObject({
      message: `the Kubernetes API at ${server.url} did not answer POST /api/v1/namespaces/a/pods: the connection was closed before the answer was complete`,
      cause: expect.any(Error),
    })
    expect(server.requests).toHaveLength(4)
  })

  test('an answer cut off in the middle is repeated', async () => {
    const { client, server } = await serve((_, response, index) => {
      if (index > 0) return sendJson(response, 200, { whole: true })
      response.writeHead(200, { 'content-length': '1000' }).write('{"whole":')
      setImmediate(() => response.socket?.destroy())
    })
    expect(await client.raw('/version')).toEqual({ whole: true })
    expect(server.requests).toHaveLength(2)
  })

  test('nobody listens: a clear message after a few tries', async () => {
    const unused = createServer()
    await new Promise<void>((resolve) => unused.listen(0, '127.0.0.1', resolve))
    const { port } = unused.address() as { port: number }
    await new Promise((resolve) => unused.close(resolve))
    const records: RequestRecord[] = []
    const client = createKubeClient(
      { server: `http://127.0.0.1:${port}`, namespace: 'default', token: 'secret' },
      { random: () => 0, onRequest: (record) => records.push(record) },
    )
    started.push(client)
    const error = await failure(client.get(resources.pods, pod))
    expect(error).toMatchObject({
      message: `the Kubernetes API at http://127.0.0.1:${port} did not answer GET /api/v1/namespaces/a/pods/p: connection refused`,
    })
    expect(records.map((each) => each.code)).toEqual([0, 0, 0, 0, 0])
  })

  test('a slow server: the timeout ends the call and its connection', async () => {
    const { server, client } = await serve(() => {})
    const error = await failure(client.get(resources.pods, pod, { timeoutMs: 60 }))
    expect(error).toBeInstanceOf(KubeConnectionError)
    expect((error as Error).message).toContain('no answer within 60 ms')
    await until('the connection is closed', () => server.openConnections === 0)
  })

  test('an answer that never ends is a timeout too', async () => {
    const { client } = await serve((_, response) => void response.writeHead(200).write('{'))
    const error = await failure(client.raw('/version', { timeoutMs: 60 }))
    expect((error as Error).message).toContain('no answer within 60 ms')
  })

  test("the caller's signal ends a call with its own reason: before it, in it, and in a wait", async () => {
    const { server, client } = await serve((request, response) => {
      if (request.path === '/later') sendStatus(response, 429, 'TooManyRequests', '', { 'retry-after': '20' })
    })
    const reason = new Error('enough')
    expect(await failure(client.raw('/never', { signal: AbortSignal.abort(reason) }))).toBe(reason)
    expect(server.requests).toHaveLength(0)
    for (const path of ['/never', '/later']) {
      const controller = new AbortController()
      const pending = failure(client.raw(path, { signal: controller.signal }))
      await until('the request has arrived', () => server.requests.at(-1)?.path === path)
      controller.abort(reason)
      expect(await pending).toBe(reason)
    }
  })

  test('an answer that is not JSON', async () => {
    const { client } = await serve((_, response) => void response.writeHead(200).end('<html>private</html>'))
    const { message } = (await failure(client.raw('/version'))) as Error
    expect(message).toContain('did not answer GET /version: the answer is not JSON')
    expect(message).not.toContain('private')
  })

  test('a closed client says so', async () => {
    const { client } = await serve((_, response) => sendJson(response, 200, {}))
    await client.close()
    expect(((await failure(client.raw('/version'))) as Error).message).toContain('the client is closed')
  })
})

describe('a token file', () => {
  test('is read again at a 401, once, and the request repeated', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'podyard-token-'))
    started.push({ close: () => rm(directory, { recursive: true }) })
    const tokenFile = join(directory, 'token')
    await writeFile(tokenFile, 'first\n')
    let valid = 'first'
    const { server, client } = await serve(
      (request, response) =>
        request.headers.authorization === `Bearer ${valid}`
          ? sendJson(response, 200, {})
          : sendStatus(response, 401, 'Unauthorized', 'Unauthorized'),
      { tokenFile },
    )
    const sent = () => server.requests.map((each) => each.headers.authorization)
    await client.raw('/version')
    await writeFile(tokenFile, 'second\n')
    valid = 'second'
    await Promise.all([client.raw('/version'), client.raw('/version')])
    expect(sent().at(-1)).toBe('Bearer second')
    expect(sent().filter((each) => each === 'Bearer first').length).toBeLessThanOrEqual(3)

    // Refused with a token that the file still holds: no second try.
    valid = 'third'
    const before = server.requests.length
    expect(await failure(client.raw('/version'))).toMatchObject({ code: 401 })
    expect(server.requests).toHaveLength(before + 1)

    // A file that went away: the last token is used on.
    await rm(tokenFile)
    valid = 'second'
    await client.raw('/version')
  })

  test('that cannot be read is told by its name', async () => {
    const { server, client } = await serve(() => {}, { tokenFile: '/nowhere/token' })
    expect(((await failure(client.raw('/version'))) as Error).message).toBe(
      'the token file /nowhere/token cannot be read: ENOENT',
    )
    expect(server.requests).toHaveLength(0)
  })
})
