import type { ServerResponse } from 'node:http'
import { describe, expect, test } from 'vitest'
import { KubeConnectionError, type KubeObject, resources, type WatchEvent } from '../src/kube/index.ts'
import { sendJson, sendStatus, startWatch, until } from './support/scripted-api-server.ts'
import { useScriptedClients } from './support/scripted-kube-client.ts'

const { serve } = useScriptedClients()

function node(name: string, resourceVersion = '1'): KubeObject {
  return { metadata: { name, uid: name, resourceVersion } }
}

describe('list', () => {
  test('follows the pages, names the kind of each object and gives the version of the whole', async () => {
    const { server, client } = await serve((_, response, index) =>
      sendJson(response, 200, {
        metadata: { resourceVersion: '42', ...(index < 2 ? { continue: `page ${index + 1}` } : {}) },
        items: [node(`n${index}`)],
      }),
    )
    const list = await client.list(resources.deployments, {
      namespace: 'a',
      labelSelector: 'app=b,c in (d)',
      fieldSelector: 'metadata.name!=x',
      pageSize: 1,
    })
    expect(list.resourceVersion).toBe('42')
    expect(list.items.map((item) => item.metadata?.name)).toEqual(['n0', 'n1', 'n2'])
    expect(list.items[0]).toMatchObject({ apiVersion: 'apps/v1', kind: 'Deployment' })
    const selectors = { labelSelector: 'app=b,c in (d)', fieldSelector: 'metadata.name!=x', limit: '1' }
    expect(server.requests.map((request) => request.query)).toEqual([
      selectors,
      { ...selectors, continue: 'page 1' },
      { ...selectors, continue: 'page 2' },
    ])
    expect(server.requests[0]?.path).toBe('/apis/apps/v1/namespaces/a/deployments')
  })

  test('transforms each object, and takes `items: null` for none', async () => {
    const { client } = await serve((_, response, index) =>
      sendJson(response, 200, { metadata: { resourceVersion: '1' }, items: index === 0 ? [node('a')] : null }),
    )
    const transform = (object: KubeObject) => ({ ...object, metadata: { name: `${object.metadata?.name}!` } })
    expect((await client.list(resources.nodes, { transform })).items[0]?.metadata).toEqual({ name: 'a!' })
    expect(await client.list(resources.nodes)).toEqual({ items: [], resourceVersion: '1' })
  })

  test('starts again when the pages expire, and in the end asks for everything at once', async () => {
    const { server, client } = await serve((request, response) => {
      if (request.query.continue)
        return sendStatus(response, 410, 'Expired', 'The provided continue parameter is too old')
      const metadata = { resourceVersion: '7', ...(request.query.limit ? { continue: 'next' } : {}) }
      sendJson(response, 200, { metadata, items: [node('a'), ...(request.query.limit ? [] : [node('b')])] })
    })
    const list = await client.list(resources.nodes, { pageSize: 1 })
    expect(list.items.map((item) => item.metadata?.name)).toEqual(['a', 'b'])
    expect(server.requests.map(({ query }) => [query.limit, query.continue])).toEqual([
      ['1', undefined],
      ['1', 'next'],
      ['1', undefined],
      ['1', 'next'],
      [undefined, undefined],
    ])
  })

  test('one timeout holds for all pages together', async () => {
    const { client } = await serve((_, response) => {
      setTimeout(() => sendJson(response, 200, { metadata: { continue: 'for ever' }, items: [] }), 5)
    })
    await expect(client.list(resources.nodes, { timeoutMs: 100 })).rejects.toThrow('no answer within')
  })
})

/** A server whose watches the test answers by hand. */
async function serveWatch() {
  const answers: ServerResponse[] = []
  const { server, client } = await serve((_, response) => {
    answers.push(response)
    startWatch(response)
  })
  const controller = new AbortController()
  const got: WatchEvent<KubeObject>[] = []
  const open = (options: { readonly idleTimeoutMs?: number } = {}) => {
    const watched = client.watch(resources.nodes, { resourceVersion: '5', signal: controller.signal, ...options })
    return (async () => {
      for await (const event of watched) got.push(event)
    })()
  }
  return { server, client, controller, got, open, answers }
}

describe('watch', () => {
  test('asks for bookmarks from the version on; chunks may cut anything', async () => {
    const { server, got, open, answers } = await serveWatch()
    const done = open()
    await until('the watch is open', () => answers.length === 1)
    const named = { type: 'MODIFIED', object: { metadata: { name: 'n', resourceVersion: '6', labels: { a: '池😀' } } } }
    const bookmark = { type: 'BOOKMARK', object: { kind: 'Node', metadata: { resourceVersion: '9' } } }
    const bytes = Buffer.from(
      `${JSON.stringify(named)}\n${JSON.stringify(bookmark)}\n{"type":"NEW","object":{}}\n${JSON.stringify({ ...named, type: 'DELETED' })}\n`,
    )
    for (let at = 0; at < bytes.length; at += 7) {
      answers[0]?.write(bytes.subarray(at, at + 7))
      await new Promise(setImmediate)
    }
    answers[0]?.end()
    await done
    expect(got).toEqual([named, { type: 'BOOKMARK', resourceVersion: '9' }, { ...named, type: 'DELETED' }])
    expect(server.requests[0]).toMatchObject({
      path: '/api/v1/nodes',
      query: { watch: 'true', allowWatchBookmarks: 'true', resourceVersion: '5', timeoutSeconds: '300' },
    })
  })

  test('an ERROR event is the error that it tells', async () => {
    const { open, answers } = await serveWatch()
    const done = open()
    await until('the watch is open', () => answers.length === 1)
    const status = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version: 5 (90)' }
    answers[0]?.write(`${JSON.stringify({ type: 'ERROR', object: status })}\n`)
    await expect(done).rejects.toMatchObject({
      name: 'KubeError',
      code: 410,
      reason: 'Expired',
      message: status.message,
    })
  })

  test('a refusal to watch is a KubeError with the time to wait', async () => {
    const { client } = await serve((_, response) =>
      sendStatus(response, 429, 'TooManyRequests', 'slow down', { 'retry-after': '7' }),
    )
    const watched = client.watch(resources.nodes, { resourceVersion: '5', signal: new AbortController().signal })
    await expect(watched[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 429, retryAfterSeconds: 7 })
  })

  test('a connection that breaks in the middle of a line gives what was whole, then fails', async () => {
    const { got, open, answers, server } = await serveWatch()
    const done = open()
    await until('the watch is open', () => answers.length === 1)
    answers[0]?.write(`${JSON.stringify({ type: 'ADDED', object: node('a') })}\n{"type":"ADDED","obj`)
    await until('the event has arrived', () => got.length === 1)
    answers[0]?.socket?.destroy()
    await expect(done).rejects.toBeInstanceOf(KubeConnectionError)
    await expect(done).rejects.toThrow(`the Kubernetes API at ${server.url} did not answer GET /api/v1/nodes`)
    expect(got).toHaveLength(1)
  })

  test('a stream that ends in the middle of a line, as some proxies do it, is an end', async () => {
    const { got, open, answers } = await serveWatch()
    const done = open()
    await until('the watch is open', () => answers.length === 1)
    answers[0]?.end(`${JSON.stringify({ type: 'ADDED', object: node('a') })}\n{"type":"ADDED","obj`)
    await done
    expect(got).toHaveLength(1)
  })

  test('a line that is not JSON is told without being quoted', async () => {
    const { open, answers } = await serveWatch()
    const done = open()
    await until('the watch is open', () => answers.length === 1)
    answers[0]?.write('<html>private</html>\n')
    await expect(done).rejects.toThrow(/^the watch sent a line that is not JSON$/)
  })

  test('silence ends it', async () => {
    const { open, server } = await serveWatch()
    await expect(open({ idleTimeoutMs: 50 })).rejects.toThrow('nothing was heard for too long')
    await until('the connection is closed', () => server.openConnections === 0)
  })

  test("the signal ends it with the signal's reason and closes the connection, before and after the first event", async () => {
    for (const write of [false, true]) {
      const { open, answers, controller, got, server } = await serveWatch()
      const done = open()
      await until('the watch is open', () => answers.length === 1)
      if (write) {
        answers[0]?.write(`${JSON.stringify({ type: 'ADDED', object: node('a') })}\n`)
        await until('the event has arrived', () => got.length === 1)
      }
      const reason = new Error('enough')
      controller.abort(reason)
      await expect(done).rejects.toBe(reason)
      await until('the connection is closed', () => server.openConnections === 0)
    }
  })

  test('a consumer that stops early closes the connection', async () => {
    const { client, answers, server } = await serveWatch()
    const watched = client.watch(resources.nodes, { resourceVersion: '5', signal: new AbortController().signal })
    const first = (async () => {
      for await (const event of watched) return event
    })()
    await until('the watch is open', () => answers.length === 1)
    answers[0]?.write(`${JSON.stringify({ type: 'ADDED', object: node('a') })}\n`)
    expect(await first).toMatchObject({ type: 'ADDED' })
    await until('the connection is closed', () => server.openConnections === 0)
  })

  test('watches never wait for each other or for calls: each has its own connection', async () => {
    const watchConnections: number[] = []
    const { client } = await serve(
      (request, response) => {
        if (request.query.watch) {
          watchConnections.push(request.connection)
          startWatch(response, { type: 'ADDED', object: node('a') })
        } else sendJson(response, 200, { connection: request.connection })
      },
      { connections: 2 },
    )
    const controller = new AbortController()
    const watches = Array.from({ length: 20 }, () =>
      client.watch(resources.nodes, { resourceVersion: '5', signal: controller.signal })[Symbol.asyncIterator](),
    )
    // More watches than the two connections that calls may have.
    const events = await Promise.all(watches.map((each) => each.next()))
    expect(events.every((each) => each.done === false)).toBe(true)
    const { connection } = (await client.raw('/version')) as { connection: number }
    expect(new Set([...watchConnections, connection]).size).toBe(21)
    controller.abort()
    const ends = await Promise.allSettled(watches.map((each) => each.next()))
    expect(ends.every((each) => each.status === 'rejected')).toBe(true)
  })
})
