import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createKubeClient, KubeConnectionError, type RequestRecord, resources } from '../src/kube/index.ts'
import { sendJson, sendStatus, until } from './support/scripted-api-server.ts'
import { failure, useScriptedClients } from './support/scripted-kube-client.ts'

const { serve, closing } = useScriptedClients()

const pod = { namespace: 'a', name: 'p' }

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
    closing(client)
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
    closing({ close: () => rm(directory, { recursive: true }) })
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
