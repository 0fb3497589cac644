/**
 * Two Podyards on one database and one cluster are killed (SIGKILL) again and again while clients claim and release pods.
 * In the end no pod was held twice, none is lost to the pools, none was handed out that was not ready, whoever repeats a
 * request has one instance, and nobody overtook in the line.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startPostgres, type TestPostgres } from './support/postgres.ts'
import { type ServerProcess, spawnPodyard, startServerProcess } from './support/server-process.ts'
import { until } from './support/until.ts'

const rounds = Number(process.env.KILL_ROUNDS ?? 50)
/** No round begins later. All of them must have begun by then, unless it was asked for a time. */
const killingMs = Number(process.env.KILL_SECONDS ?? 600) * 1_000
const clients = 8
const settleMs = 300_000
const seed = Number(process.env.KILL_SEED ?? Math.floor(Math.random() * 2 ** 31))
const token = 'claims-kill-token'
const pools = [
  { id: 'fixed', size: 4, reuse: false },
  { id: 'scaled', size: 2, max_size: 6, idle_recycle_time: { reserved: -1, scaled: -1 } },
] as const

/** mulberry32: small, and the same on every machine, so that a seed repeats a run's decisions. */
function createRandom(state: number): () => number {
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

let dir: string
let database: TestPostgres
let cluster: { readonly child: { kill(signal: NodeJS.Signals): boolean }; readonly output: () => string }
const servers: (ServerProcess | undefined)[] = [undefined, undefined]

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'podyard-claims-kill-'))
  database = await startPostgres()
  cluster = spawnPodyard([
    'simulate',
    ...['--kubeconfig', join(dir, 'kubeconfig'), '--schedule-ms', '5', '--pull-ms', '20', '--ready-ms', '10'],
    ...['--terminate-ms', '20'],
  ])
  await until(cluster.output, (output) => output.includes('simulated cluster listening on'))
})
afterAll(async () => {
  for (const server of servers) await server?.kill().catch(() => {})
  cluster?.child.kill('SIGKILL')
  await database?.stop()
  await rm(dir, { recursive: true, force: true })
})

async function start(index: number): Promise<void> {
  servers[index] = await startServerProcess({
    dataDir: join(dir, `data-${index}`),
    args: [
      ...['--log-level', 'error', '--sync', 'off', '--lease-seconds', '3'],
      ...['--database-url', database.url, '--kubeconfig', join(dir, 'kubeconfig'), '--admin-token', token],
    ],
  })
}

type Instance = {
  readonly id: string
  readonly state: string
  readonly pool: string
  readonly pod: { readonly name: string; readonly namespace: string; readonly uid: string }
}
type Answer = { readonly status: number; readonly result: Instance | undefined; readonly text: string }

/** Any server that is up; undefined: the connection broke, or the server could not say. */
async function ask(random: () => number, method: string, path: string, body?: object): Promise<Answer | undefined> {
  const alive = servers.filter((server) => server !== undefined)
  const server = alive[Math.floor(random() * alive.length)]
  if (server === undefined) return undefined
  try {
    const answer = await fetch(server.url + path, {
      method,
      headers: { authorization: `Bearer ${token}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    if (answer.status === 503) return undefined
    const json = JSON.parse(text) as { readonly result?: Instance }
    return { status: answer.status, result: json.result, text }
  } catch (error) {
    // fetch's word for a connection that broke
    if (error instanceof TypeError) return undefined
    throw error
  }
}

async function insist(random: () => number, method: string, path: string, body?: object): Promise<Answer> {
  for (;;) {
    const answer = await ask(random, method, path, body)
    if (answer !== undefined) return answer
    await delay(20)
  }
}

type Pod = {
  readonly metadata: {
    readonly name: string
    readonly uid: string
    readonly deletionTimestamp?: string
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] }
}

/** The cluster's own objects, past Podyard. */
async function fromCluster<T>(path: string): Promise<T | undefined> {
  const kubeconfig = await readFile(join(dir, 'kubeconfig'), 'utf8')
  const url = /"?server"?:\s*"?(https?:\/\/[^\s",]+)/.exec(kubeconfig)?.[1]
  const bearer = /"?token"?:\s*"?([^\s",]+)/.exec(kubeconfig)?.[1]
  const headers: Record<string, string> = bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }
  const answer = await fetch(`${url}${path}`, { headers })
  const body = await answer.json()
  return answer.status === 200 ? (body as T) : undefined
}

const isReady = (pod: Pod | undefined) =>
  pod?.metadata.deletionTimestamp === undefined &&
  pod?.status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') === true

/** Requests by id: what they were answered; undefined: not yet. */
const answered = new Map<string, Instance | undefined>()
const bodies = new Map<string, object>()
const problems: string[] = []

function take(requestId: string, instance: Instance): void {
  const before = answered.get(requestId)
  if (before !== undefined && (before.id !== instance.id || before.pod.uid !== instance.pod.uid))
    problems.push(`${requestId} has two instances: ${JSON.stringify([before, instance])}`)
  answered.set(requestId, instance)
}

/** Claims, looks at the pod that it got, holds it for a moment, releases it. One request in ten is never repeated when it is cut off. */
async function client(index: number, stop: AbortSignal): Promise<void> {
  const random = createRandom(seed + index)
  for (let n = 0; !stop.aborted; n += 1) {
    const requestId = `r-${index}-${n}`
    const pool = pools[Math.floor(random() * pools.length)]?.id
    const isOnce = random() < 0.1
    const body = { pool, request_id: requestId, timeout_ms: 60_000, priority: random() < 0.2 ? 5 : 0 }
    answered.set(requestId, undefined)
    bodies.set(requestId, body)
    const answer = await (isOnce ? ask : insist)(random, 'POST', '/serverless/v1/instances', body)
    if (answer === undefined) continue
    if (answer.status === 504) continue
    if (answer.status !== 200 || answer.result === undefined) {
      problems.push(`${requestId}: ${answer.status} ${answer.text}`)
      continue
    }
    take(requestId, answer.result)
    const { name, namespace, uid } = answer.result.pod
    const pod = await fromCluster<Pod>(`/api/v1/namespaces/${namespace}/pods/${name}`)
    if (pod?.metadata.uid !== uid || !isReady(pod))
      problems.push(`${requestId} got a pod that is not ready: ${JSON.stringify(answer.result)} ${JSON.stringify(pod)}`)
    await delay(random() * 150)
    const released = await insist(random, 'DELETE', `/serverless/v1/instances/${answer.result.id}`)
    if (released.status !== 200 || released.result?.state !== 'released')
      problems.push(`${requestId} could not be released: ${released.status} ${released.text}`)
  }
}

/** A place in line as the table showed it, from the first look to the last. */
type Place = { readonly replica: string; readonly priority: number; readonly first: number; last: number }

/** Looks at the line again and again. What waits for less than a look's time cannot have been overtaken by much. */
async function watchLine(places: Map<string, Place>, stop: AbortSignal): Promise<void> {
  for (let look = 1; !stop.aborted; look += 1) {
    const rows = await database.query<{ id: string; replica: string; priority: number }>(
      'select id, replica, priority from waiter',
    )
    for (const { id, replica, priority } of rows) {
      const known = places.get(id)
      if (known?.replica === replica) known.last = look
      else places.set(id, { replica, priority, first: look, last: look })
    }
    await delay(10)
  }
}

test(`${rounds} times SIGKILL of one of two, in the middle of claims`, async () => {
  console.log(`seed ${seed}`)
  await Promise.all([start(0), start(1)])
  const random = createRandom(seed - 1)
  const resources = { requests: { cpu: '10m', memory: '16Mi' }, limits: { cpu: '10m', memory: '16Mi' } }
  const made = await insist(random, 'POST', '/serverless/v1/podpools', {
    pools: pools.map((pool) => ({ ...pool, image: 'runtime:v1', resources })),
  })
  expect(made.status).toBe(200)

  const working = new AbortController()
  const work = Array.from({ length: clients }, (_, i) => client(i, working.signal))
  const looking = new AbortController()
  const places = new Map<string, Place>()
  const looks = watchLine(places, looking.signal)
  const endsAt = performance.now() + killingMs
  const startedAt = performance.now()
  let killed = 0
  for (; killed < rounds && performance.now() < endsAt; killed += 1) {
    await delay(50 + random() * 500) // the moment of the kill is what this test is about
    const victim = random() < 0.5 ? 0 : 1
    const server = servers[victim]
    servers[victim] = undefined
    // The other one is alone for as long as a start takes; a random moment of that is part of the next round's.
    await server?.kill()
    await Promise.all([start(victim), delay(random() * 1_000)])
  }
  console.log(`${killed} kills in ${Math.round((performance.now() - startedAt) / 1_000)} s, ${answered.size} requests`)
  if (process.env.KILL_SECONDS === undefined) expect(killed).toBe(rounds)
  else expect(killed).toBeGreaterThan(0)
  working.abort()
  await Promise.all(work)
  looking.abort()
  await looks

  // What was answered is known, and is what it was; whoever was not answered asks once more, and has one instance then.
  await Promise.all(
    [...answered].map(async ([requestId, instance]) => {
      if (instance !== undefined) {
        const { status, result } = await insist(random, 'GET', `/serverless/v1/instances/${instance.id}`)
        if (status !== 200 || result?.pod.uid !== instance.pod.uid || result.state !== 'released')
          problems.push(`${requestId} was answered, and is not known: ${JSON.stringify([instance, result])}`)
        return
      }
      const { status, result, text } = await insist(random, 'POST', '/serverless/v1/instances', bodies.get(requestId))
      if (status !== 200 || result === undefined) problems.push(`${requestId}, repeated: ${status} ${text}`)
      else await insist(random, 'DELETE', `/serverless/v1/instances/${result.id}`)
    }),
  )
  expect(await database.query('select id from instance')).toEqual([])
  expect(
    await database.query('select request_id, count(*) as n from instance_past group by 1 having count(*) > 1'),
  ).toEqual([])

  // The database as judge: a pod is used once in its life, so no two instances ever name the same one.
  expect(
    await database.query(
      `select pod_uid, array_agg(id) as instances from (select id, pod_uid from instance union all
         select id, pod_uid from instance_past) i group by pod_uid having count(*) > 1`,
    ),
  ).toEqual([])
  await checkOrder(places)
  expect(problems).toEqual([])

  // Nothing is lost: every pod of the pools on the cluster is one that can be had, as many as there are to be.
  await until(
    async () => {
      const pods = (
        await fromCluster<{ items: Pod[] }>('/api/v1/pods?labelSelector=app.kubernetes.io/managed-by=podyard')
      )?.items
      const ready = await database.query<{ uid: string; pool: string }>(
        'select r.pod_uid as uid, p.name as pool from ready r join pool p on p.id = r.pool_id order by 1',
      )
      const [held] = await database.query<{ n: number }>(
        'select (select count(*) from instance) + (select count(*) from waiter) as n',
      )
      return {
        pods: (pods ?? []).map((pod) => pod.metadata.uid).sort(),
        ready: ready.map(({ uid }) => uid).sort(),
        perPool: Object.fromEntries(pools.map(({ id }) => [id, ready.filter(({ pool }) => pool === id).length])),
        held: held?.n,
      }
    },
    ({ pods, ready, perPool, held }) => {
      const fixed = perPool.fixed ?? 0
      const scaled = perPool.scaled ?? 0
      return held === 0 && pods.join() === ready.join() && fixed === 4 && scaled >= 2 && scaled <= 6
    },
    settleMs,
  )
}, 1_800_000)

/** Nobody who was seen waiting alone was passed by who came later, unless the process that waited for him had died. */
async function checkOrder(places: ReadonlyMap<string, Place>): Promise<void> {
  const bound = await database.query<{ id: string; pool: string; at: Date }>(
    `select id, pool_name as pool, created_at as at from instance where not warm
     union all select id, pool_name, created_at from instance_past where not warm order by 3`,
  )
  // A request that is repeated after its process died waits anew: its place is that of the process that it waited with last.
  const served = bound.flatMap(({ id, pool, at }) => {
    const place = places.get(id)
    return place === undefined ? [] : [{ id, pool, at: at.getTime(), ...place }]
  })
  let waits = 0
  for (const [i, later] of served.entries())
    for (const earlier of served.slice(i + 1)) {
      // `later` was bound first. Two matches at once may bind two waiters in either order, moments apart.
      if (earlier.pool !== later.pool || earlier.at - later.at < 2_000) continue
      waits += 1
      const wasThereBefore = earlier.first < later.first && earlier.last >= later.first
      if (wasThereBefore && earlier.priority >= later.priority)
        problems.push(`overtaken: ${JSON.stringify({ earlier, later })}`)
    }
  console.log(`${served.length} of ${bound.length} waits were seen, ${waits} pairs compared`)
}
