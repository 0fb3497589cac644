import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { repairMarks } from '../src/instances/mark-repair.ts'
import { createPodMarker } from '../src/instances/pod-marker.ts'
import { createKubeClient, createReflector, type KubeClient, resources } from '../src/kube/index.ts'
import { type ApiProxy, startApiProxy } from './support/api-proxy.ts'
import { usePoolClaims } from './support/pool-claims.ts'
import { eventually, usePoolCluster } from './support/pool-cluster.ts'

/** What instances write on their pods, how many requests that takes, and what becomes of writes that fail. */
const c = usePoolCluster({ limitMs: 60_000 })
let proxy: ApiProxy
let kube: KubeClient
let marks: KubeClient | null
beforeAll(async () => {
  proxy = await startApiProxy(c.simulator.url)
  kube = createKubeClient({ server: proxy.url, namespace: 'default' })
  marks = kube
})
afterAll(async () => {
  await kube?.close()
  await proxy?.stop()
})
afterEach(() => {
  proxy.refuse = () => undefined
})
const t = usePoolClaims(c, () => marks)
const shared = { schedule_policy: 'shared', resources: { requests: { cpu: '1m' } } }
/** Room for more than one shared instance. */
const roomy = { resources: { requests: { cpu: '100m', memory: '1Mi' }, limits: { cpu: '100m', memory: '1Mi' } } }
const writes = () => proxy.requests.filter((request) => request.method !== 'GET').length

/** The controller's second look, while `work` runs. */
async function repairing(work: () => Promise<void>): Promise<void> {
  const stop = new AbortController()
  const pods = createReflector(c.kube, resources.pods)
  const errors: unknown[] = []
  const running = [
    pods.run(stop.signal),
    repairMarks({
      db: c.db,
      kube: c.kube,
      pods,
      marker: createPodMarker({ db: c.db, kube: () => c.kube, metrics: c.metrics }),
      metrics: c.metrics,
      onError: (error) => errors.push(error),
      signal: stop.signal,
      tuning: { lookMs: 20, graceSeconds: 0, labelsMs: 20 },
    }),
  ]
  try {
    await work()
  } finally {
    stop.abort()
    await Promise.all(running)
  }
  expect(errors).toEqual([])
}

const shows = (instance: Parameters<typeof t.pod>[0], labels: Record<string, string | undefined>) =>
  eventually(`the labels ${JSON.stringify(labels)}`, async () => {
    const pod = await t.pod(instance)
    const isSo = Object.entries(labels).every(([key, value]) => pod?.metadata?.labels?.[key] === value)
    return { isDone: pod !== undefined && isSo, value: pod?.metadata }
  })

describe('while everything works', () => {
  test('an exclusive claim is one write, a release none', async () => {
    await c.create({ id: 'writes', size: 5 })
    await t.settles('writes', 5)
    const before = writes()
    const instances = await Promise.all([1, 2, 3, 4, 5].map(() => t.claim({ pool: 'writes', timeout_ms: 60_000 })))
    for (const instance of instances) await t.isMarked(instance)
    expect(writes() - before).toBe(5)
    for (const instance of instances) {
      await t.release(instance)
      await t.isGone(instance)
    }
    expect(writes() - before).toBe(5)
  })

  test('a shared claim without labels writes nothing, one with labels shows them while it lasts', async () => {
    await c.create({ id: 'shares', size: 1, ...roomy, labels: { color: 'green' } })
    await t.settles('shares', 1)
    const before = writes()
    const plain = await t.claim({ pool: 'shares', ...shared })
    const one = await t.claim({ pool: 'shares', ...shared, labels: { size: 's', color: 'red' } })
    const two = await t.claim({ pool: 'shares', ...shared, labels: { size: 'l' } })
    expect(new Set([plain, one, two].map((instance) => instance.podUid)).size).toBe(1)
    await shows(two, { size: 'l', color: 'green' })
    expect(writes() - before).toBe(2)
    await t.release(two)
    await shows(one, { size: 's', color: 'green' })
    await t.release(plain)
    await t.release(one)
    const pod = await shows(one, { size: undefined, color: 'green' })
    expect(pod?.annotations ?? {}).not.toHaveProperty('cluster-autoscaler.kubernetes.io/safe-to-evict')
  })
})

describe('when a write fails', () => {
  test('it is tried again', async () => {
    await c.create({ id: 'again', size: 1 })
    await t.settles('again', 1)
    let refusals = 2
    proxy.refuse = (request) =>
      request.method === 'PATCH' && refusals-- > 0 ? { code: 500, reason: 'InternalError', message: 'no' } : undefined
    await t.isMarked(await t.claim({ pool: 'again' }))
  })

  test('for good, the controller writes the mark', async () => {
    await c.create({ id: 'repair', size: 1 })
    await t.settles('repair', 1)
    proxy.refuse = (request) =>
      request.method === 'PATCH' ? { code: 500, reason: 'InternalError', message: 'no' } : undefined
    const exclusive = await t.claim({ pool: 'repair' })
    await t.settles('repair', 0, 1)
    await repairing(async () => {
      await t.isMarked(exclusive)
      await t.settles('repair', 1, 2)
    })
  })
})

describe('a replica that dies after its commit', () => {
  beforeAll(() => {
    marks = null
  })

  test('leaves its marks to the controller, those of shared instances with labels too', async () => {
    await c.create({ id: 'dies', size: 2 })
    await t.settles('dies', 2)
    const exclusive = await t.claim({ pool: 'dies' })
    const one = await t.claim({ pool: 'dies', ...shared, labels: { size: 's' } })
    await repairing(async () => {
      await t.isMarked(exclusive)
      await shows(one, { size: 's' })
    })
  })

  test('leaves labels behind, which the controller takes off', async () => {
    await c.create({ id: 'stale', size: 1, ...roomy })
    await t.settles('stale', 1)
    const stays = await t.claim({ pool: 'stale', ...shared, labels: { color: 'red' } })
    const ends = await t.claim({ pool: 'stale', ...shared, labels: { size: 's' } })
    await repairing(async () => {
      await shows(ends, { size: 's', color: 'red' })
      await t.release(ends)
      await shows(stays, { size: undefined, color: 'red' })
    })
  })
})
