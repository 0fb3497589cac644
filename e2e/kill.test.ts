/**
 * The server is killed (SIGKILL) again and again while pools are created, changed and deleted. After each start every
 * acknowledged request holds; in the end no pod is orphaned and every pool is as it was asked for.
 */
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ServerProcess, startServerProcess } from './support/server-process.ts'
import { until } from './support/until.ts'

const rounds = Number(process.env.KILL_ROUNDS ?? 50)
const clients = 3
const poolsPerClient = 4
const settleMs = 180_000
const seed = Number(process.env.KILL_SEED ?? Math.floor(Math.random() * 2 ** 31))

/** mulberry32: small, and the same on every machine, so that a seed repeats a run's decisions. */
function createRandom(state: number): () => number {
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

type Sizes = { readonly size: number; readonly max_size: number }

/** What we know of one pool. `maybe`: a request was cut off, so either state may be the true one. */
type Known = {
  readonly id: string
  readonly scalable: boolean
  sizes: Sizes | undefined
  maybe: { readonly sizes: Sizes | undefined } | undefined
}

type PoolView = Sizes & {
  readonly id: string
  readonly status: number
  readonly ready_count: number
  readonly msg: string
}

let dir: string
let server: ServerProcess
const known: Known[] = Array.from({ length: clients * poolsPerClient }, (_, i) => ({
  id: `pool-${i}`,
  scalable: i % 2 === 1,
  sizes: undefined,
  maybe: undefined,
}))

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'podyard-kill-'))
  await chmod(dir, 0o755)
})
afterAll(async () => {
  await server?.stop().catch(() => {})
  await rm(dir, { recursive: true, force: true })
})

const start = () =>
  startServerProcess({
    dataDir: join(dir, 'data'),
    args: ['--log-level', 'warn'],
    env: { PODYARD_SIMULATOR_PULL_MS: '30', PODYARD_SIMULATOR_READY_MS: '10', PODYARD_SIMULATOR_TERMINATE_MS: '20' },
  })

async function listPools(): Promise<Map<string, PoolView>> {
  const answer = await fetch(`${server.url}/serverless/v1/podpools?limit=1000`)
  const body = (await answer.json()) as { readonly result: { readonly pools: PoolView[] } }
  return new Map(body.result.pools.map((pool) => [pool.id, pool]))
}

async function send(method: string, path: string, body?: object): Promise<number> {
  const answer = await fetch(server.url + path, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  await answer.arrayBuffer()
  return answer.status
}

/** The server could not say: the client leaves, as after a connection that broke. */
class Unavailable extends Error {
  override readonly name = 'Unavailable'
}

/** One request about one pool; what was acknowledged is known, what was cut off is doubtful. */
async function act(pool: Known, random: () => number): Promise<void> {
  const size = Math.floor(random() * 3)
  const sizes = { size, max_size: pool.scalable ? size + 1 + Math.floor(random() * 2) : size }
  const wish: Sizes | undefined = pool.sizes !== undefined && random() < 0.4 ? undefined : sizes
  pool.maybe = { sizes: wish }
  const status = await (pool.sizes === undefined
    ? send('POST', '/serverless/v1/podpools', {
        pools: [
          {
            id: pool.id,
            ...sizes,
            image: 'runtime:v1',
            resources: { requests: { cpu: '10m', memory: '16Mi' }, limits: { cpu: '10m', memory: '16Mi' } },
          },
        ],
      })
    : wish === undefined
      ? send('DELETE', `/serverless/v1/podpools?id=${pool.id}`)
      : send('PUT', `/serverless/v1/podpools/${pool.id}`, sizes))
  // The storage did not answer in time: whether it was stored is not known.
  if (status === 503) throw new Unavailable()
  if (status === 200) pool.sizes = pool.sizes === undefined ? sizes : wish
  pool.maybe = undefined
  if (status === 200) return
  // 400: the id is still being deleted; 409: another change runs. Both leave everything as it was.
  expect([400, 404, 409]).toContain(status)
}

async function client(pools: readonly Known[], random: () => number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const pool = pools[Math.floor(random() * pools.length)]
    if (pool === undefined) return
    try {
      await act(pool, random)
    } catch (error) {
      // fetch's word for a connection that broke
      if (!(error instanceof TypeError || error instanceof Unavailable)) throw error
      return
    }
    await delay(random() * 60)
  }
}

const same = (view: PoolView | undefined, sizes: Sizes | undefined) =>
  sizes === undefined
    ? view === undefined || view.status === 6
    : view !== undefined && view.status !== 6 && view.size === sizes.size && view.max_size === sizes.max_size

/** Everything that was acknowledged is there; doubts are settled by what is there. */
async function checkAcknowledged(round: number): Promise<void> {
  const views = await listPools()
  for (const pool of known) {
    const view = views.get(pool.id)
    const holds = same(view, pool.sizes) || (pool.maybe !== undefined && same(view, pool.maybe.sizes))
    if (!holds)
      throw new Error(
        `round ${round}, seed ${seed}: ${pool.id} was acknowledged as ${JSON.stringify(pool.sizes)} (or ${JSON.stringify(pool.maybe)}), found ${JSON.stringify(view)}`,
      )
    pool.sizes = view === undefined || view.status === 6 ? undefined : { size: view.size, max_size: view.max_size }
    pool.maybe = undefined
  }
}

type KubeItem = {
  readonly metadata: {
    readonly name: string
    readonly labels?: Record<string, string>
    readonly deletionTimestamp?: string
  }
}

/** The cluster's own objects, past Podyard. */
async function listFromCluster(path: string): Promise<KubeItem[]> {
  const kubeconfig = await readFile(join(dir, 'data', 'simulator.kubeconfig'), 'utf8')
  const url = /"?server"?:\s*"?(https?:\/\/[^\s"]+)/.exec(kubeconfig)?.[1]
  const token = /"?token"?:\s*"?([^\s"]+)/.exec(kubeconfig)?.[1]
  const answer = await fetch(
    `${url}${path}`,
    token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } },
  )
  return ((await answer.json()) as { readonly items: KubeItem[] }).items
}

test(`${rounds} times SIGKILL in the middle of the work`, async () => {
  console.log(`seed ${seed}`)
  const random = createRandom(seed)
  for (let round = 1; round <= rounds; round += 1) {
    server = await start()
    await checkAcknowledged(round)
    const stop = new AbortController()
    const work = Array.from({ length: clients }, (_, i) =>
      client(
        known.slice(i * poolsPerClient, (i + 1) * poolsPerClient),
        createRandom(seed + round * 100 + i),
        stop.signal,
      ),
    )
    await delay(30 + random() * 700) // the moment of the kill is what this test is about
    await server.kill()
    stop.abort()
    await Promise.all(work)
  }

  server = await start()
  await checkAcknowledged(rounds + 1)
  const wanted = new Map(known.flatMap((pool) => (pool.sizes === undefined ? [] : [[pool.id, pool.sizes] as const])))
  await until(
    listPools,
    (views) =>
      views.size === wanted.size &&
      [...views.values()].every(
        (view) => view.status === 4 && view.ready_count >= view.size && view.ready_count <= view.max_size,
      ),
    settleMs,
  )
  // One Deployment for each pool and no other of ours; pods of living pools only, as many as they should be.
  const names = [...wanted.keys()].map((id) => `function-agent-${id}`).sort()
  await until(
    async () =>
      (await listFromCluster('/apis/apps/v1/deployments?labelSelector=app.kubernetes.io/managed-by=podyard'))
        .map((deployment) => deployment.metadata.name)
        .sort(),
    (found) => found.join() === names.join(),
    settleMs,
  )
  await until(
    () => listFromCluster('/api/v1/pods?labelSelector=app.kubernetes.io/managed-by=podyard'),
    (pods) => {
      const counts = new Map<string, number>()
      for (const pod of pods) {
        const id = pod.metadata.labels?.app?.replace(/^function-agent-/, '') ?? '?'
        counts.set(id, (counts.get(id) ?? 0) + 1)
      }
      return (
        [...counts.keys()].every((id) => wanted.has(id)) &&
        [...wanted].every(
          ([id, { size, max_size }]) => (counts.get(id) ?? 0) >= size && (counts.get(id) ?? 0) <= max_size,
        )
      )
    },
    settleMs,
  )
}, 1_800_000)
