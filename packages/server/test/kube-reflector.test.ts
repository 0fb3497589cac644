// One file although long: every case is a few lines of script for the same harness, and they are read side by side.
import type { ServerResponse } from 'node:http'
import { afterEach, describe, expect, test } from 'vitest'
import {
  type Change,
  createKubeClient,
  createReflector,
  type KubeObject,
  type Reflector,
  type ReflectorOptions,
  type ReflectorTrouble,
  resources,
  withoutManagedFields,
} from '../src/kube/index.ts'
import {
  type ScriptedRequest,
  type ScriptedServer,
  sendJson,
  sendStatus,
  startScriptedServer,
  startWatch,
  until,
} from './support/scripted-api-server.ts'

type Handlers = {
  /** Answers the n-th list, from 0. */
  readonly list: (response: ServerResponse, index: number) => void
  /** Answers the n-th watch, from 0. */
  readonly watch: (response: ServerResponse, index: number, request: ScriptedRequest) => void
}

type Running = {
  readonly server: ScriptedServer
  readonly reflector: Reflector<KubeObject>
  /** `+a1` new, `~a1>a2` changed, `-a2` gone; names with their versions. */
  readonly changes: string[]
  readonly troubles: [ReflectorTrouble, string][]
  readonly stop: () => Promise<void>
  watches(): ScriptedRequest[]
  lists(): ScriptedRequest[]
}

const running: Running[] = []

afterEach(async () => {
  for (const each of running.splice(0)) await each.stop()
})

async function reflect(handlers: Handlers, options: ReflectorOptions<KubeObject> = {}): Promise<Running> {
  let listed = 0
  let watched = 0
  const server = await startScriptedServer((request, response) => {
    if (request.query.watch) handlers.watch(response, watched++, request)
    else handlers.list(response, listed++)
  })
  const client = createKubeClient({ server: server.url, namespace: 'default' }, { random: () => 0 })
  const troubles: [ReflectorTrouble, string][] = []
  const reflector = createReflector<KubeObject>(client, resources.pods, {
    random: () => 0,
    onError: (error, trouble) => troubles.push([trouble, (error as Error).message]),
    ...options,
  })
  const changes: string[] = []
  reflector.subscribe((change) => changes.push(describeChange(change)))
  const controller = new AbortController()
  const run = reflector.run(controller.signal)
  const it: Running = {
    server,
    reflector,
    changes,
    troubles,
    async stop() {
      controller.abort()
      await run
      await client.close()
      await server.close()
    },
    watches: () => server.requests.filter((request) => request.query.watch),
    lists: () => server.requests.filter((request) => !request.query.watch),
  }
  running.push(it)
  return it
}

function describeChange({ before, after }: Change<KubeObject>): string {
  if (before === undefined) return `+${label(after)}`
  return after === undefined ? `-${label(before)}` : `~${label(before)}>${label(after)}`
}

function label(object: KubeObject | undefined): string {
  return `${object?.metadata?.name}${object?.metadata?.resourceVersion}`
}

function pod(name: string, resourceVersion: string | number, uid = `uid of ${name}`): KubeObject {
  return { metadata: { namespace: 'x', name, uid, resourceVersion: String(resourceVersion) } }
}

function sendList(response: ServerResponse, resourceVersion: string | number, ...items: KubeObject[]): void {
  sendJson(response, 200, { metadata: { resourceVersion: String(resourceVersion) }, items })
}

const added = (object: KubeObject) => ({ type: 'ADDED', object })
const modified = (object: KubeObject) => ({ type: 'MODIFIED', object })
const deleted = (object: KubeObject) => ({ type: 'DELETED', object })
const bookmark = (version: number) => ({ type: 'BOOKMARK', object: { metadata: { resourceVersion: String(version) } } })
const expired = {
  type: 'ERROR',
  object: { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' },
}

describe('a reflector', () => {
  test('lists, watches from there on, and tells each change after it is in the copy', async () => {
    const it = await reflect({
      list: (response) => sendList(response, 10, pod('a', 1), pod('b', 2)),
      watch: (response) => startWatch(response, added(pod('c', 11)), modified(pod('a', 12)), deleted(pod('b', 13))),
    })
    expect(it.reflector.isSynced).toBe(false)
    await it.reflector.synced
    expect(it.reflector.isSynced).toBe(true)
    await until('all changes are told', () => it.changes.length === 5)
    expect(it.changes).toEqual(['+a1', '+b2', '+c11', '~a1>a12', '-b2'])
    expect([...it.reflector.values()].map(label)).toEqual(['a12', 'c11'])
    expect(it.reflector.size).toBe(2)
    expect(label(it.reflector.get('x', 'c'))).toBe('c11')
    expect(it.reflector.get('y', 'c')).toBeUndefined()
    expect(it.reflector.get(undefined, 'c')).toBeUndefined()
    expect(it.watches()[0]?.query.resourceVersion).toBe('10')
    expect(it.troubles).toEqual([])
  })

  test('cluster-scoped kinds are found without a namespace; lastHeardAt counts bookmarks', async () => {
    let answer: ServerResponse | undefined
    let now = 1
    const it = await reflect(
      {
        list: (response) => sendList(response, 10, { metadata: { name: 'n', uid: 'u', resourceVersion: '1' } }),
        watch: (response) => {
          answer = response
          startWatch(response)
        },
      },
      { now: () => now },
    )
    expect(it.reflector.lastHeardAt).toBeUndefined()
    await until('the watch is open', () => answer !== undefined)
    expect(it.reflector.get(undefined, 'n')).toBeDefined()
    expect(it.reflector.lastHeardAt).toBe(1)
    now = 2
    answer?.write(`${JSON.stringify(bookmark(11))}\n`)
    await until('the bookmark has arrived', () => it.reflector.lastHeardAt === 2)
  })

  test('goes on from the last version that it heard, bookmarks included, and never lists again for that', async () => {
    const it = await reflect({
      list: (response) => sendList(response, 10, pod('a', 1)),
      watch: (response, index) => {
        // In turn: an end after an event, a break after a bookmark, a break in the middle of a line.
        if (index === 0) {
          startWatch(response, modified(pod('a', 20)))
          response.end()
        } else if (index === 1) {
          startWatch(response, bookmark(30))
          setImmediate(() => response.socket?.destroy())
        } else if (index === 2) {
          startWatch(response, modified(pod('a', 40)))
          response.write('{"type":"MODIFIED","object":{"metadata":{"name":"a","resourceVersion":"50')
          setImmediate(() => response.socket?.destroy())
        } else startWatch(response, modified(pod('a', 60)))
      },
    })
    await until('the last change is told', () => it.changes.at(-1) === '~a40>a60')
    expect(it.changes).toEqual(['+a1', '~a1>a20', '~a20>a40', '~a40>a60'])
    expect(it.watches().map((request) => request.query.resourceVersion)).toEqual(['10', '20', '30', '40'])
    expect(it.lists()).toHaveLength(1)
    expect(it.troubles.map(([trouble]) => trouble)).toEqual(['watch', 'watch'])
  })

  test.each(['event', 'status'])('410 as %s: lists again and tells the differences only', async (form) => {
    const it = await reflect({
      list: (response, index) =>
        index === 0
          ? sendList(response, 10, pod('same', 1), pod('changed', 2), pod('gone', 3), pod('again', 4, 'first'))
          : sendList(response, 50, pod('same', 1), pod('changed', 44), pod('new', 45), pod('again', 46, 'second')),
      watch: (response, index) => {
        if (index > 0) startWatch(response)
        else if (form === 'event') startWatch(response, expired)
        else sendStatus(response, 410, 'Expired', 'too old resource version')
      },
    })
    await until('the second watch is open', () => it.watches().length === 2)
    expect(it.changes.slice(4)).toEqual(['~changed2>changed44', '+new45', '-again4', '+again46', '-gone3'])
    expect([...it.reflector.values()].map(label).sort()).toEqual(['again46', 'changed44', 'new45', 'same1'])
    expect(it.watches()[1]?.query.resourceVersion).toBe('50')
    expect(it.troubles).toEqual([['watch', 'too old resource version']])
  })

  test('an event that was told already, and another object under the same name', async () => {
    const it = await reflect({
      list: (response) => sendList(response, 10, pod('a', 5)),
      watch: (response) =>
        startWatch(response, added(pod('a', 5)), deleted(pod('never', 11)), modified(pod('a', 12, 'another'))),
    })
    await until('the last change is told', () => it.changes.at(-1) === '+a12')
    expect(it.changes).toEqual(['+a5', '-a5', '+a12'])
  })

  test('a version that the server never reached (it was made anew): lists again', async () => {
    const it = await reflect({
      list: (response, index) =>
        index === 0 ? sendList(response, 1000, pod('a', 900)) : sendList(response, 3, pod('a', 2)),
      watch: (response, index) => {
        if (index > 0) return startWatch(response)
        sendStatus(response, 504, 'Timeout', 'Timeout: Too large resource version: 1000, current: 3')
      },
    })
    await until('the second watch is open', () => it.watches().length === 2)
    expect(it.changes).toEqual(['+a900', '~a900>a2'])
  })

  test('a watch that is refused again and again: the version comes into doubt and it lists again', async () => {
    const it = await reflect({
      list: (response) => sendList(response, 10),
      watch: (response, index) => {
        if (index < 5) sendStatus(response, 500, 'InternalError', 'no such revision')
        else startWatch(response)
      },
    })
    await until('the sixth watch is open', () => it.watches().length === 6)
    expect(it.lists()).toHaveLength(2)
    expect(it.troubles).toHaveLength(5)
  })

  test('a list that fails is tried again until it works', async () => {
    const it = await reflect({
      list: (response, index) => {
        if (index < 3) sendStatus(response, 500, 'InternalError', `no ${index}`)
        else sendList(response, 10, pod('a', 1))
      },
      watch: (response) => startWatch(response),
    })
    await it.reflector.synced
    expect(it.troubles).toEqual([
      ['list', 'no 0'],
      ['list', 'no 1'],
      ['list', 'no 2'],
    ])
  })

  test('waits grow while nothing works, start anew after an event, and respect Retry-After', async () => {
    const waits: number[] = []
    const it = await reflect(
      {
        list: (response, index) => (index < 3 ? sendStatus(response, 500, '', 'no') : sendList(response, 10)),
        watch: (response, index) => {
          if (index === 0) startWatch(response).end()
          else if (index === 1) startWatch(response, bookmark(11)).end()
          else if (index < 4) sendStatus(response, 500, '', 'no')
          else if (index === 4) sendStatus(response, 429, 'TooManyRequests', 'slow down', { 'retry-after': '2' })
          else startWatch(response)
        },
      },
      {
        backoff: { baseMs: 100, maxMs: 3_000 },
        random: () => 0.5,
        sleep: async (ms) => {
          waits.push(ms)
        },
      },
    )
    await until('the sixth watch is open', () => it.watches().length === 6)
    // Three lists and a watch that ended at once; after the bookmark: two refusals and the one that says when.
    expect(waits).toEqual([50, 100, 200, 400, 50, 100, 2_200])
  })

  test('a listener that throws or rejects is reported and disturbs nobody', async () => {
    const it = await reflect({
      list: (response) => sendList(response, 10, pod('a', 1)),
      watch: (response) => startWatch(response, modified(pod('a', 11))),
    })
    const stopFirst = it.reflector.subscribe(() => {
      throw new Error('thrown')
    })
    it.reflector.subscribe(async () => {
      throw new Error('rejected')
    })
    const later: string[] = []
    it.reflector.subscribe((change) => {
      later.push(describeChange(change))
      stopFirst()
    })
    await until('all is told', () => it.troubles.length === 3)
    expect(later).toEqual(['+a1', '~a1>a11'])
    expect(it.troubles.filter(([, message]) => message === 'thrown')).toEqual([['listener', 'thrown']])
    expect(it.troubles.filter(([, message]) => message === 'rejected')).toHaveLength(2)
  })

  test('keeps what the transform leaves, from lists and from events', async () => {
    const heavy = (object: KubeObject) => ({
      ...object,
      metadata: { ...object.metadata, managedFields: [{ manager: 'm' }] },
    })
    const it = await reflect(
      {
        list: (response) => sendList(response, 10, heavy(pod('a', 1))),
        watch: (response) => startWatch(response, added(heavy(pod('b', 11)))),
      },
      { transform: withoutManagedFields },
    )
    await until('both are in', () => it.reflector.size === 2)
    expect([...it.reflector.values()].map((object) => object.metadata)).toEqual([
      pod('a', 1).metadata,
      pod('b', 11).metadata,
    ])
  })

  test('selectors, namespace and page size go to the server', async () => {
    const it = await reflect(
      { list: (response) => sendList(response, 10), watch: (response) => startWatch(response) },
      { namespace: 'x', labelSelector: 'a=b', fieldSelector: 'spec.nodeName=n', pageSize: 3 },
    )
    await until('the watch is open', () => it.watches().length === 1)
    const selectors = { labelSelector: 'a=b', fieldSelector: 'spec.nodeName=n' }
    expect(it.lists()[0]).toMatchObject({ path: '/api/v1/namespaces/x/pods', query: { ...selectors, limit: '3' } })
    expect(it.watches()[0]).toMatchObject({ path: '/api/v1/namespaces/x/pods', query: selectors })
  })

  test('stops in a watch, in a list and in a wait; synced rejects when it was never reached', async () => {
    const inWatch = await reflect({ list: (r) => sendList(r, 10), watch: (r) => startWatch(r) })
    await until('the watch is open', () => inWatch.watches().length === 1)
    const inList = await reflect({ list: () => {}, watch: () => {} })
    await until('the list has arrived', () => inList.lists().length === 1)
    const inWait = await reflect(
      { list: (r) => sendStatus(r, 500, '', 'no'), watch: () => {} },
      { backoff: { baseMs: 1e6, maxMs: 1e6 }, random: () => 0.9 },
    )
    await until('the list has failed', () => inWait.troubles.length === 1)
    for (const each of running.splice(0)) await each.stop()
    await inWatch.reflector.synced
    await expect(inList.reflector.synced).rejects.toThrow('stopped before its first list')
    await expect(inWait.reflector.synced).rejects.toThrow('stopped before its first list')
    expect(inList.troubles).toEqual([])
    await expect(inList.reflector.run(new AbortController().signal)).rejects.toThrow('has been run already')
  })
})
