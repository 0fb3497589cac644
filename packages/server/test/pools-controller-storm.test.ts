/**
 * When no pod can start, the API server must hardly notice: a thousand pods that all fail, and what is asked of the server
 * about them. What counts is how many requests arrive while so much time passes, however slow the machine is: time is
 * measured in the longest wait between two tries.
 */
import type { V1PodStatus } from '@kubernetes/client-node'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createKubeClient, type KubeClient, resources } from '../src/kube/index.ts'
import { type ApiProxy, startApiProxy } from './support/api-proxy.ts'
import { eventually, type RunningController, usePoolCluster } from './support/pool-cluster.ts'

const c = usePoolCluster({ nodes: 5, limitMs: 300_000 })
const pools = 50
const labelSelector = 'app.kubernetes.io/managed-by=podyard'
const podsEach = 20
const maxWrites = 16
/** The waits of production (0.5 s to 60 s) in small, so that many of them fit into a test. */
const retry = { baseMs: 20, maxMs: 400 }

let proxy: ApiProxy
let kube: KubeClient
let controller: RunningController
beforeAll(async () => {
  proxy = await startApiProxy(c.simulator.url)
  kube = createKubeClient({ server: proxy.url, namespace: 'default' })
  controller = await c.start({ kube, tuning: { retry, maxWrites, resyncMs: 200 } })
})
afterAll(async () => {
  await controller?.stop()
  await kube?.close()
  await proxy?.stop()
})
afterEach(async () => {
  proxy.refuse = () => undefined
  const rows = await c.db.query<{ name: string }>('select name from pool')
  for (const { name } of rows) await c.service.remove({ id: name, group: '' })
  await eventually('all pools removed', async () => {
    const left = await c.db.query('select name from pool')
    return { isDone: left.length === 0, value: left.length }
  })
})

const isPodWrite = (request: { readonly method: string; readonly path: string }) =>
  request.method === 'POST' && request.path.endsWith('/pods')
const many = (prefix: string, more: object) =>
  c.create(...Array.from({ length: pools }, (_, i) => ({ id: `${prefix}-${i}`, size: podsEach, ...more })))

/** What came while so much time passed, in longest waits: on a busy machine more of it than was asked for. */
type Span = { readonly requests: number; readonly waits: number }

const startSpan = () => {
  const [requests, startedAt] = [proxy.requests.length, performance.now()]
  return (): Span => ({
    requests: proxy.requests.length - requests,
    waits: (performance.now() - startedAt) / retry.maxMs,
  })
}

async function spans(count: number): Promise<Span[]> {
  const all: Span[] = []
  for (let i = 0; i < count; i += 1) {
    const end = startSpan()
    await new Promise((resolve) => setTimeout(resolve, retry.maxMs))
    all.push(end())
  }
  return all
}

/** Two tries per longest wait at most, as half of each wait is fixed; one that began before it may end in it. */
const triesIn = ({ waits }: Span) => 2 * waits + 1
const total = (all: readonly Span[]): Span => ({
  requests: all.reduce((sum, { requests }) => sum + requests, 0),
  waits: all.reduce((sum, { waits }) => sum + waits, 0),
})

/** Waits until no request comes for three longest waits, and says how many came until then. A storm never ends. */
async function silence(): Promise<void> {
  await eventually('three longest waits without a request', async () => {
    const { requests } = total(await spans(3))
    return { isDone: requests === 0, value: requests }
  })
}

/** Every pool says this. */
async function allSay(prefix: string, words: string): Promise<void> {
  await eventually(`${pools} pools say ${words}`, async () => {
    const rows = await c.db.query<{ notes: readonly string[] }>(
      'select msg_notes as notes from pool where name like $1',
      [`${prefix}-%`],
    )
    const said = rows.filter(({ notes }) => notes.join().includes(words))
    return { isDone: said.length === pools, value: [said.length, rows[0]] }
  })
}

describe('1,000 pods of 50 pools, refused one and all', () => {
  const quota = 'pods "x" is forbidden: exceeded quota: few, requested: pods=1, used: pods=0, limited: pods=0'
  test.each([
    ['by a quota (403)', { code: 403, reason: 'Forbidden', message: quota }, 1],
    // The outcome of these is not known: each try is a lookup and a creation.
    ['by a server that fails (500)', { code: 500, reason: 'InternalError', message: 'etcdserver: no leader' }, 2],
  ])('%s: a flat rate, bounded by the number of pools and not of pods', async (_, refusal, requestsPerTry) => {
    proxy.refuse = (request) => (isPodWrite(request) ? refusal : undefined)
    proxy.underWay.most = 0
    const start = proxy.requests.length
    const begin = startSpan()
    const prefix = `refused-${refusal.code}`
    await many(prefix, { max_size: 30 })
    await allSay(prefix, refusal.message)
    // A pool begins with a few, and when they are refused sends nothing of what it had in line.
    const first = proxy.requests.slice(start).filter(isPodWrite).length
    expect(first).toBeLessThanOrEqual(pools * (10 + triesIn(begin())))
    expect(proxy.underWay.most).toBeLessThanOrEqual(maxWrites)
    await spans(3)
    const seen = await spans(6)
    for (const span of seen) expect(span.requests).toBeLessThanOrEqual(pools * requestsPerTry * triesIn(span))
    expect(total(seen).requests).toBeLessThanOrEqual(pools * requestsPerTry * triesIn(total(seen)))
    // And it does go on trying.
    const { length: sofar } = proxy.requests
    await eventually('another round of tries', async () => {
      const more = proxy.requests.length - sofar
      return { isDone: more > pools, value: more }
    })
    expect(await c.story(`${prefix}-0`)).toContain('PodsNotStarting')
    await eventually('the metrics say it', async () => {
      const text = await c.metrics.registry.metrics()
      return { isDone: /podyard_pool_steps_waiting\{step="pods"\} [1-9]/.test(text), value: text }
    })

    proxy.refuse = () => undefined
    await eventually('all running, none too many', async () => {
      const [row] = await c.db.query<{ n: number }>(`select count(*) as n from pool where status = 4`)
      return { isDone: row?.n === pools, value: row?.n }
    })
    const { items } = await c.kube.list(resources.pods, { namespace: 'default', labelSelector })
    expect(items).toHaveLength(pools * podsEach)
  })
})

describe('pods that are made and cannot start', () => {
  test.each([
    ['images that cannot be pulled', 'pull', { image: 'fail.example/none:v1' }, 'ImagePull'],
    ['no node that fits', 'fit', { node_selector: { moon: 'base' } }, "didn't match Pod's node affinity"],
  ])('%s: 1,000 creations, and then no request more', async (_, prefix, pool, words) => {
    const start = proxy.requests.length
    await many(prefix, { max_size: 30, ...pool })
    await allSay(prefix, words)
    await eventually('all made', async () => {
      const made = proxy.requests.slice(start).filter(isPodWrite).length
      return { isDone: made >= pools * podsEach, value: made }
    })
    // Resyncs, pods that change their reason, and nothing for the server to do.
    await silence()
    // A connection that breaks on a machine that stands still makes one more creation, and no more pods.
    expect(proxy.requests.slice(start).filter(isPodWrite).length).toBeLessThanOrEqual(pools * podsEach * 1.05)
    const { items } = await c.kube.list(resources.pods, { namespace: 'default', labelSelector })
    expect(items).toHaveLength(pools * podsEach)
  })

  test.each([
    ['ready again and again, and not (a crash loop)', 'flap', 'readiness'],
    ['that fail as soon as they run (phase Failed)', 'fail', 'failed'],
    ['that somebody deletes before they are ready', 'gone', 'deleted'],
  ])('%s: no storm of new ones', async (_, id, what) => {
    const stop = harm(what)
    const before = proxy.requests.length
    const begin = startSpan()
    await c.create({ id, size: podsEach, max_size: 30 })
    if (what !== 'readiness') {
      await eventually('said', async () => {
        const view = await c.view(id)
        return { isDone: /ended|deleted by somebody else/.test(view?.msg ?? ''), value: view }
      })
    }
    await spans(4)
    const seen = await spans(4)
    if (what === 'readiness') await silence()
    const text = await c.metrics.registry.metrics()
    const made = proxy.requests.slice(before).filter(isPodWrite).length
    const whole = begin()
    stop()
    if (what === 'readiness') expect(made).toBeLessThanOrEqual(podsEach * 1.1)
    else {
      // One on trial at a time, and its deletion. A timer may end a little early: counted over all of them.
      expect(total(seen).requests).toBeLessThanOrEqual(2 * triesIn(total(seen)))
      // Before it is known that they fail some are made anew, more of them on a busy machine; a storm is thousands.
      expect(made).toBeLessThanOrEqual(podsEach * 5 + triesIn(whole))
      expect(text).toMatch(/podyard_pool_pods_lost_total [1-9]/)
    }
    await eventually('all ready when it is over', async () => {
      const view = await c.view(id)
      return { isDone: view?.status === 4 && view.ready_count === podsEach, value: view }
    })
  })
})

/** Does that to the pool's pods as soon as it can, until it is stopped. */
function harm(what: string): () => void {
  const { store } = c.simulator
  const change = (name: string, status: (before: V1PodStatus) => V1PodStatus | undefined) => {
    if (store.get('pods', { namespace: 'default', name }) === undefined) return
    store.update('pods', { namespace: 'default', name }, (pod) => {
      const changed = status(pod.status as V1PodStatus)
      return changed === undefined ? undefined : { ...pod, status: changed }
    })
  }
  const setReady = (isReady: boolean) => {
    for (const { metadata } of store.list('pods', 'default'))
      change(metadata.name, (status) => ({
        ...status,
        conditions: (status.conditions ?? []).map((condition) =>
          condition.type === 'Ready' ? { ...condition, status: isReady ? 'True' : 'False' } : condition,
        ),
      }))
  }
  if (what === 'readiness') {
    let isReady = false
    const timer = setInterval(() => {
      isReady = !isReady
      setReady(isReady)
    }, 20)
    return () => {
      clearInterval(timer)
      setReady(true)
    }
  }
  // The store is not to be changed while it tells of a change.
  return store.subscribe('pods', ({ type, object: { metadata, status } }) =>
    queueMicrotask(() => {
      const { name } = metadata
      if (what === 'deleted' && type === 'ADDED') store.remove('pods', { namespace: 'default', name })
      if (what === 'failed' && (status as V1PodStatus | undefined)?.phase === 'Running')
        change(name, (before) => ({
          ...before,
          phase: 'Failed',
          reason: 'Evicted',
          message: 'The node was low on disk',
        }))
    }),
  )
}
