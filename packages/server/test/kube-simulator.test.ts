import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { V1Deployment, V1Pod } from '@kubernetes/client-node'
import { type Simulator, startSimulator } from '@podyard/simulator'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  createKubeClient,
  createReflector,
  isAlreadyExists,
  isConflict,
  isExpired,
  isNotFound,
  type KubeClient,
  KubeError,
  type KubeObject,
  loadKubeConfig,
  resources,
} from '../src/kube/index.ts'
import { until } from './support/scripted-api-server.ts'

const namespace = 'default'

let simulator: Simulator
let client: KubeClient

beforeAll(async () => {
  // A small ring, so that a watch that was away for 30 events meets 410.
  simulator = await startSimulator({ controllers: false, token: 'secret', eventRing: 30, bookmarkIntervalMs: 20 })
  const directory = await mkdtemp(join(tmpdir(), 'podyard-simulator-'))
  await writeFile(join(directory, 'config'), simulator.kubeconfig())
  client = createKubeClient(await loadKubeConfig(join(directory, 'config')), { random: () => 0 })
  await rm(directory, { recursive: true })
})

afterAll(async () => {
  await client.close()
  await simulator.stop()
})

function pod(name: string, labels: Record<string, string> = {}): V1Pod {
  return { metadata: { name, namespace, labels }, spec: { containers: [{ name: 'c', image: 'busybox:1.36' }] } }
}

/** What a promise rejects with. */
async function failure(promise: Promise<unknown>): Promise<KubeError> {
  const error = await promise.then(
    () => undefined,
    (rejected: unknown) => rejected,
  )
  if (!(error instanceof KubeError)) throw error ?? new Error('expected a refusal')
  return error
}

describe('writes and reads', () => {
  test('create, get, select, patch, delete', async () => {
    const created = await client.create(resources.pods, pod('round-trip', { app: 'a', gone: 'soon' }))
    expect(created).toMatchObject({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'round-trip', namespace } })
    const at = { namespace, name: 'round-trip' }
    expect(await client.get(resources.pods, at)).toEqual(created)

    const merged = await client.patch(resources.pods, at, {
      type: 'merge',
      body: { metadata: { labels: { gone: null, came: 'now' } } },
    })
    expect(merged.metadata?.labels).toEqual({ app: 'a', came: 'now' })
    const operations = [
      { op: 'test', path: '/metadata/labels/came', value: 'now' },
      { op: 'replace', path: '/metadata/labels/came', value: 'later' },
      { op: 'add', path: '/metadata/annotations', value: { 'podyard.io/x': 'y' } },
    ] as const
    const patched = await client.patch(resources.pods, at, { type: 'json', operations })
    expect(patched.metadata).toMatchObject({ labels: { came: 'later' }, annotations: { 'podyard.io/x': 'y' } })
    const [testOperation] = operations
    expect(
      await failure(client.patch(resources.pods, at, { type: 'json', operations: [testOperation] })),
    ).toMatchObject({ code: 422 })

    const ready = { status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] } }
    const running = await client.patch(resources.pods, at, { type: 'merge', body: ready }, { subresource: 'status' })
    expect(running.status).toMatchObject(ready.status)

    const names = async (options: object) =>
      (await client.list(resources.pods, { namespace, ...options })).items.map((item) => item.metadata?.name)
    expect(await names({ labelSelector: 'app=a,came in (later)' })).toEqual(['round-trip'])
    expect(await names({ labelSelector: 'app=a,!came' })).toEqual([])
    expect(await names({ fieldSelector: 'metadata.name=round-trip' })).toEqual(['round-trip'])

    expect(await client.delete(resources.pods, at, { gracePeriodSeconds: 0 })).toBe('deleted')
    expect(await client.delete(resources.pods, at)).toBe('not-found')
    expect(isNotFound(await failure(client.get(resources.pods, at)))).toBe(true)
  })

  test('taken names, old versions and failed preconditions are told apart', async () => {
    const created = await client.create(resources.pods, pod('conflicts'))
    const at = { namespace, name: 'conflicts' }
    expect(isAlreadyExists(await failure(client.create(resources.pods, pod('conflicts'))))).toBe(true)
    const change = (resourceVersion: string | undefined, value: string) =>
      client.patch(resources.pods, at, {
        type: 'merge',
        body: { metadata: { ...(resourceVersion ? { resourceVersion } : {}), labels: { value } } },
      })
    await change(created.metadata?.resourceVersion, 'first')
    expect(isConflict(await failure(change(created.metadata?.resourceVersion, 'second')))).toBe(true)
    expect(isConflict(await failure(client.delete(resources.pods, at, { preconditions: { uid: 'other' } })))).toBe(true)
    const uid = created.metadata?.uid as string
    expect(await client.delete(resources.pods, at, { preconditions: { uid }, gracePeriodSeconds: 0 })).toBe('deleted')
  })

  test('a dry run stores nothing; what is invalid is told field by field', async () => {
    const dry = await client.create(resources.pods, pod('dry'), { dryRun: true })
    expect(dry.metadata?.name).toBe('dry')
    expect(isNotFound(await failure(client.get(resources.pods, { namespace, name: 'dry' })))).toBe(true)
    const invalid = await failure(
      client.create(resources.pods, { metadata: { name: 'invalid', namespace }, spec: { containers: [] } }),
    )
    expect(invalid).toMatchObject({ code: 422, reason: 'Invalid' })
    expect(invalid.message).toContain('spec.containers')
    expect(invalid.causes.map((cause) => cause.field)).toContain('spec.containers')
  })

  test('deployments: scale, and deletion with propagation', async () => {
    const labels = { app: 'scaled' }
    const deployment: V1Deployment = {
      metadata: { name: 'scaled', namespace },
      spec: {
        replicas: 0,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'busybox:1.36' }] } },
      },
    }
    await client.create(resources.deployments, deployment)
    const at = { namespace, name: 'scaled' }
    await client.patch(
      resources.deployments,
      at,
      { type: 'merge', body: { spec: { replicas: 2 } } },
      { subresource: 'scale' },
    )
    expect((await client.get(resources.deployments, at)).spec?.replicas).toBe(2)
    expect(await client.delete(resources.deployments, at, { propagationPolicy: 'Background' })).toBe('deleted')
    expect(isNotFound(await failure(client.get(resources.deployments, at)))).toBe(true)
  })

  test('pages show one moment, whatever is written between them', async () => {
    const names = Array.from({ length: 7 }, (_, index) => `page-${index}`)
    for (const name of names) await client.create(resources.pods, pod(name, { paged: 'yes' }))
    const options = { namespace, labelSelector: 'paged=yes', pageSize: 3 }
    let seen = 0
    const list = await client.list(resources.pods, {
      ...options,
      transform: (object) => {
        // In the middle of the first page the last object of the last page goes.
        seen += 1
        if (seen === 1) simulator.store.remove('pods', { namespace, name: 'page-6' })
        return object
      },
    })
    expect(list.items.map((item) => item.metadata?.name)).toEqual(names)
    expect((await client.list(resources.pods, options)).items).toHaveLength(6)
    for (const name of names) await client.delete(resources.pods, { namespace, name }, { gracePeriodSeconds: 0 })
  })

  test('nodes have no namespace, plain paths are read as they are, a wrong token is refused', async () => {
    const nodes = await client.list(resources.nodes)
    expect(nodes.items).toHaveLength(3)
    expect((await client.get(resources.nodes, { name: 'node-1' })).kind).toBe('Node')
    expect(await client.raw('/version')).toHaveProperty('gitVersion')
    const stranger = createKubeClient({ server: simulator.url, namespace, token: 'guess' })
    expect(await failure(stranger.raw('/version'))).toMatchObject({ code: 401 })
    await stranger.close()
  })

  test('overload and broken connections are waited out', async () => {
    simulator.faults.inject({ answer: 429, retryAfterSeconds: 1, times: 1 })
    await client.create(resources.pods, pod('patient'))
    simulator.faults.inject({ answer: 'drop', times: 2 })
    await client.get(resources.pods, { namespace, name: 'patient' })
    await client.delete(resources.pods, { namespace, name: 'patient' }, { gracePeriodSeconds: 0 })
  })
})

/** Objects as text, in one order; without managed fields, which a list has and a watch leaves out. */
function textOf(objects: Iterable<KubeObject>): string {
  return [...objects]
    .map(({ metadata: { managedFields: _, ...metadata } = {}, apiVersion: _version, kind: _kind, ...rest }) =>
      JSON.stringify({ metadata, ...rest }),
    )
    .sort()
    .join('\n')
}

/** mulberry32: the same choices for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

describe('a reflector', () => {
  test.each([1, 2, 3])(
    'stays equal to the server under writes, dropped watches and compaction (seed %i)',
    async (seed) => {
      const random = randomFrom(seed)
      const below = (limit: number) => Math.floor(random() * limit)
      const errors: unknown[] = []
      const reflector = createReflector<V1Pod>(client, resources.pods, {
        pageSize: 4,
        backoff: { baseMs: 1, maxMs: 4 },
        random,
        onError: (error) => errors.push(error),
      })
      const told = new Map<string | undefined, V1Pod>()
      let mistold = 0
      reflector.subscribe(({ before, after }) => {
        const name = (after ?? before)?.metadata?.name
        if (told.get(name) !== before) mistold += 1
        if (after === undefined) told.delete(name)
        else told.set(name, after)
      })
      const controller = new AbortController()
      const run = reflector.run(controller.signal)

      const write = async () => {
        const at = { namespace, name: `r${below(12)}` }
        const patch = { type: 'merge', body: { metadata: { labels: { value: String(below(1e6)) } } } } as const
        try {
          const what = below(3)
          if (what === 0) await client.delete(resources.pods, at, { gracePeriodSeconds: 0 })
          else if (what === 1) await client.patch(resources.pods, at, patch)
          else await client.create(resources.pods, pod(at.name))
        } catch (error) {
          if (!isNotFound(error) && !isAlreadyExists(error)) throw error
        }
      }
      for (let round = 0; round < 60; round += 1) {
        await Promise.all([write(), write(), write(), write()])
        const trouble = below(12)
        if (trouble === 0) simulator.dropWatches('pods')
        if (trouble === 1) simulator.faults.inject({ match: { plural: 'pods', watch: true }, answer: 500, times: 2 })
        if (trouble === 2) simulator.faults.inject({ match: { plural: 'pods', watch: true }, answer: 'drop', times: 1 })
        if (trouble === 3) simulator.faults.inject({ match: { plural: 'pods', watch: true }, answer: 410, times: 1 })
      }
      // A long absence: no watch gets through while more is written than the server keeps.
      const heal = simulator.faults.inject({ match: { plural: 'pods', watch: true }, answer: 'drop' })
      simulator.dropWatches('pods')
      for (let round = 0; round < 30; round += 1) await Promise.all([write(), write(), write(), write()])
      heal()

      const list = await client.list(resources.pods)
      await until('the reflector is equal to the list', () => textOf(reflector.values()) === textOf(list.items))
      expect(textOf(told.values())).toBe(textOf(list.items))
      expect(mistold).toBe(0)
      expect(errors.some(isExpired)).toBe(true)
      controller.abort()
      await run
      simulator.faults.clear()
    },
  )

  test('keeps up by bookmarks: after a quiet time with much noise elsewhere it resumes and does not list again', async () => {
    const records: string[] = []
    const watcher = createKubeClient(
      { server: simulator.url, namespace, token: 'secret' },
      { onRequest: ({ verb, code }) => records.push(`${verb} ${code}`) },
    )
    const errors: unknown[] = []
    const reflector = createReflector<V1Pod>(watcher, resources.pods, {
      labelSelector: 'mine=yes',
      backoff: { baseMs: 1, maxMs: 4 },
      onError: (error) => errors.push(error),
    })
    const controller = new AbortController()
    const run = reflector.run(controller.signal)
    await reflector.synced
    for (let index = 0; index < 50; index += 1) {
      await client.create(resources.pods, pod('noise'))
      await client.delete(resources.pods, { namespace, name: 'noise' }, { gracePeriodSeconds: 0 })
    }
    const heardAt = reflector.lastHeardAt
    await until('a bookmark has come', () => reflector.lastHeardAt !== heardAt)
    simulator.dropWatches('pods')
    await client.create(resources.pods, pod('mine', { mine: 'yes' }))
    await until('the pod is there', () => reflector.get(namespace, 'mine') !== undefined)
    expect(records.filter((record) => record.startsWith('list'))).toEqual(['list 200'])
    expect(errors.some(isExpired)).toBe(false)
    controller.abort()
    await run
    await watcher.close()
  })
})
