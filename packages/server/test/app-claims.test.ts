/** The whole of it over HTTP, as a client sees it: a pool, its claims, and what becomes of the pods on the cluster. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Simulator, startSimulator, zeroDelays } from '@podyard/simulator'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { type RunningApp, startApp } from '../src/app.ts'
import { loadConfig } from '../src/config.ts'
import { createKubeClient, type KubeClient, resources } from '../src/kube/index.ts'
import { createLogger } from '../src/telemetry/logger.ts'
import { useDatabase } from './support/database.ts'
import { moveClock } from './support/instance-rows.ts'
import { eventually } from './support/pool-cluster.ts'

const t = useDatabase({ max: 10 })
const token = 'claims-token'
const limitMs = 60_000
let dir: string
let simulator: Simulator
let kube: KubeClient
/** Two replicas: whoever answers need not be the one that leads. */
let apps: RunningApp[]

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'podyard-claims-'))
  simulator = await startSimulator({ nodes: 2, delays: zeroDelays })
  kube = createKubeClient({ server: simulator.url, namespace: 'default' })
  const kubeconfig = join(dir, 'kubeconfig')
  await writeFile(kubeconfig, simulator.kubeconfig())
  const { host, port } = inject('postgres')
  const start = async (name: string) => {
    const { config } = loadConfig({
      flags: {
        listen: '127.0.0.1:0',
        'data-dir': join(dir, name),
        'database-url': `postgres://podyard@localhost:${port}/${t.name}?host=${encodeURIComponent(host)}`,
        'admin-token': token,
        kubeconfig,
      },
      environment: {},
      readFile: () => '',
      workingDirectory: dir,
      checkout: dir,
      isRoot: false,
    })
    return startApp(config, { logger: createLogger({ level: 'silent' }) })
  }
  apps = [await start('one'), await start('two')]
})
afterAll(async () => {
  await Promise.all((apps ?? []).map((app) => app.stop()))
  await kube?.close()
  await simulator?.stop()
  await rm(dir, { recursive: true, force: true })
})

type Pod = { readonly name: string; readonly uid: string; readonly node: string }
type Instance = { readonly id: string; readonly state: string; readonly pod: Pod; readonly warm: boolean }
type PoolView = { readonly ready_count: number; readonly status: number; readonly msg: string }
type Answer = { readonly status: number; readonly json: { readonly code: number; readonly result: unknown } }

let sent = 0
async function send(method: string, path: string, body?: object): Promise<Answer> {
  const url = apps[sent++ % apps.length]?.url
  const answer = await fetch(`${url}/serverless/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return { status: answer.status, json: (await answer.json()) as Answer['json'] }
}

async function claim(body: object): Promise<Instance> {
  const { status, json } = await send('POST', '/instances', body)
  expect([status, json.code]).toEqual([200, 0])
  return json.result as Instance
}
const release = (instance: Instance) => send('DELETE', `/instances/${instance.id}`)

async function create(pool: object): Promise<void> {
  const requests = { requests: { cpu: '1m', memory: '1Mi' }, limits: { cpu: '1m', memory: '1Mi' } }
  expect((await send('POST', '/podpools', { pools: [{ resources: requests, ...pool }] })).json).toMatchObject({
    code: 0,
  })
}

async function view(id: string): Promise<PoolView | undefined> {
  const { result } = (await send('GET', `/podpools?id=${id}`)).json as { result: { pools: PoolView[] } }
  return result.pools[0]
}

/** Waits until so many pods of a pool can be had; their names. */
const canBeHad = (id: string, count: number) =>
  eventually(
    `${count} pods of ${id} can be had`,
    async () => {
      const rows = await t.db.query<{ pod_name: string }>(
        'select pod_name from ready r join pool p on p.id = r.pool_id where p.name = $1',
        [id],
      )
      return { isDone: rows.length === count, value: rows.map((row) => row.pod_name) }
    },
    limitMs,
  )

const podOf = (instance: Instance) => kube.get(resources.pods, { namespace: 'default', name: instance.pod.name })
const isGone = (instance: Instance) =>
  eventually(
    `${instance.pod.name} is gone`,
    async () => {
      const gone = await podOf(instance).then(
        (pod) => pod.metadata?.uid !== instance.pod.uid,
        () => true,
      )
      return { isDone: gone, value: gone }
    },
    limitMs,
  )

test('claim, mark, replace, release: a fixed pool', async () => {
  await create({ id: 'fixed', size: 2 })
  await canBeHad('fixed', 2)
  const instance = await claim({ pool: 'fixed' })
  expect(instance.warm).toBe(true)
  await canBeHad('fixed', 2)
  await eventually(
    'the pod bears its mark',
    async () => {
      const { metadata } = await podOf(instance)
      return { isDone: metadata?.labels?.app === instance.pod.name, value: metadata }
    },
    limitMs,
  )
  expect((await release(instance)).status).toBe(200)
  await isGone(instance)
  expect((await send('GET', `/instances/${instance.id}`)).json.result).toMatchObject({ state: 'released' })
})

test.each([
  ['fixed', { size: 1 }],
  ['scalable', { size: 0, max_size: 1, idle_recycle_time: { reserved: -1, scaled: -1 } }],
])('whoever waits for a full %s pool gets a fresh pod instead of an idle one that was shared', async (kind, more) => {
  const id = `shared-${kind}`
  await create({ id, ...more })
  const part = { schedule_policy: 'shared', resources: { requests: { cpu: '1m' } } }
  const shared = await claim({ pool: id, timeout_ms: limitMs, ...part })
  await release(shared)
  const instance = await claim({ pool: id, timeout_ms: limitMs })
  expect(instance.pod.uid).not.toBe(shared.pod.uid)
  await isGone(shared)
})

test('requests that wait are served by pods that are made for them, and these are recycled when idle', async () => {
  await create({ id: 'grows', size: 0, max_size: 3, idle_recycle_time: { reserved: 0, scaled: 50_000 } })
  const instances = await Promise.all([1, 2, 3].map(() => claim({ pool: 'grows' })))
  expect(new Set(instances.map(({ pod }) => pod.uid)).size).toBe(3)
  expect(instances.map(({ warm }) => warm)).toEqual([false, false, false])
  const [first, second, third] = instances as [Instance, Instance, Instance]
  // Full: the next one waits until one is released.
  const next = claim({ pool: 'grows' })
  await release(first)
  const late = await next
  expect(late.pod.uid).not.toBe(first.pod.uid)
  for (const instance of [second, third, late]) {
    await release(instance)
    await isGone(instance)
  }

  await create({ id: 'idle', size: 1, labels: { 'yr-idle-to-recycle': 50_000 } })
  const [name] = await canBeHad('idle', 1)
  await moveClock(t.db, 50_000)
  await eventually(
    'the idle pod was replaced',
    async () => {
      const rows = await t.db.query<{ pod_name: string }>(
        `select pod_name from ready r join pool p on p.id = r.pool_id where p.name = 'idle'`,
      )
      return { isDone: rows.length === 1 && rows[0]?.pod_name !== name, value: rows }
    },
    limitMs,
  )
})

test('a cordoned node hands out nothing, and a drained pool neither', async () => {
  await create({ id: 'drains', size: 4 })
  await canBeHad('drains', 4)
  const held = await claim({ pool: 'drains' })
  await canBeHad('drains', 4)
  const { items } = await kube.list(resources.nodes)
  const cordon = (unschedulable: boolean) =>
    Promise.all(
      items.map(({ metadata }) =>
        kube.patch(
          resources.nodes,
          { name: metadata?.name ?? '' },
          { type: 'merge', body: { spec: { unschedulable } } },
        ),
      ),
    )
  await cordon(true)
  await canBeHad('drains', 0)
  expect((await send('POST', '/instances', { pool: 'drains', timeout_ms: 0 })).status).toBe(504)
  await cordon(false)
  await canBeHad('drains', 4)

  expect((await send('PUT', '/podpools/drains', { drain: true })).json).toMatchObject({ code: 0 })
  expect(await send('POST', '/instances', { pool: 'drains' })).toMatchObject({ status: 409, json: { code: 1002 } })
  const drained = await eventually(
    'the pool says so',
    async () => {
      const now = await view('drains')
      return { isDone: now?.msg.includes('1 pod is held') === true, value: now }
    },
    limitMs,
  )
  expect(drained).toMatchObject({ status: 4, drain: true, size: 4 })
  expect((await send('GET', `/instances/${held.id}`)).json.result).toMatchObject({ state: 'running' })
  await release(held)
  await isGone(held)
})

test('whoever waits for a pool that is deleted is answered; whoever has a pod of it keeps it', async () => {
  await create({ id: 'goes', size: 1 })
  await canBeHad('goes', 1)
  const held = await claim({ pool: 'goes' })
  await canBeHad('goes', 1)
  const other = await claim({ pool: 'goes', timeout_ms: 60_000 })
  const { items } = await kube.list(resources.nodes)
  for (const { metadata } of items)
    await kube.patch(
      resources.nodes,
      { name: metadata?.name ?? '' },
      { type: 'merge', body: { spec: { unschedulable: true } } },
    )
  await canBeHad('goes', 0)
  const waiting = send('POST', '/instances', { pool: 'goes' })
  await eventually(
    'it waits',
    async () => {
      const [row] = await t.db.query<{ n: number }>('select count(*) as n from waiter')
      return { isDone: row?.n === 1, value: row }
    },
    limitMs,
  )
  expect((await send('DELETE', '/podpools?id=goes')).status).toBe(200)
  expect((await waiting).status).toBe(409)
  await eventually(
    'the pool is gone',
    async () => {
      const now = await view('goes')
      return { isDone: now === undefined, value: now }
    },
    limitMs,
  )
  for (const instance of [held, other]) {
    expect((await podOf(instance)).metadata?.uid).toBe(instance.pod.uid)
    await release(instance)
    await isGone(instance)
  }
})
