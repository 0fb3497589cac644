/** Two Podyards on one database and one real cluster, and the lease that moves between them: of everything there is one. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { type RunningApp, startApp } from '../../packages/server/src/app.ts'
import { loadConfig } from '../../packages/server/src/config.ts'
import { createLogger } from '../../packages/server/src/telemetry/logger.ts'
import { beforeRetry } from '../../packages/server/test/support/before-retry.ts'
import { eventually, usePoolCluster } from '../../packages/server/test/support/pool-cluster.ts'
import { checkAll, interfere, randomFrom, type Wanted } from '../../packages/server/test/support/pool-restarts.ts'
import { startTcpProxy, type TcpProxy } from '../../packages/server/test/support/tcp-proxy.ts'
import { attachControlPlane, type ControlPlane } from '../control-plane/control-plane.ts'
import { ownNamespace } from './support/own-namespace.ts'

let plane: ControlPlane
let folder: string
const c = usePoolCluster({
  connect: async () => {
    plane = await attachControlPlane(inject('controlPlaneRunDir'))
    return ownNamespace(plane)
  },
})

/** A replica with networks of its own, to the database and to the cluster. */
type Replica = {
  app: RunningApp | undefined
  readonly name: string
  readonly database: TcpProxy
  readonly cluster: TcpProxy
}
let replicas: readonly [Replica, Replica]
const token = 'replicas-token'
/** A machine that stands still for some seconds does not move it. */
const leaseSeconds = 8

async function prepare(name: string): Promise<Replica> {
  const { host, port } = inject('postgres')
  const { hostname, port: apiPort } = new URL(plane.url)
  return {
    app: undefined,
    name,
    database: await startTcpProxy({ path: `${host}/.s.PGSQL.${port}` }),
    cluster: await startTcpProxy({ host: hostname, port: Number(apiPort) }),
  }
}

async function start(replica: Replica): Promise<void> {
  const kubeconfig = join(folder, `${replica.name}.kubeconfig`)
  const text = await readFile(plane.kubeconfig, 'utf8')
  await writeFile(kubeconfig, text.replaceAll(plane.url, `https://127.0.0.1:${replica.cluster.port}`), { mode: 0o600 })
  const { config } = loadConfig({
    flags: {
      listen: '127.0.0.1:0',
      'data-dir': join(folder, replica.name),
      'database-url': `postgres://podyard@127.0.0.1:${replica.database.port}/${c.databaseName}?query_timeout=5000`,
      'admin-token': token,
      'lease-seconds': String(leaseSeconds),
      kubeconfig,
      namespace: c.namespace,
    },
    environment: {},
    readFile: () => '',
    workingDirectory: folder,
    checkout: folder,
    isRoot: false,
  })
  replica.app = await startApp(config, { logger: createLogger({ level: 'silent' }) })
}

async function stop(replica: Replica): Promise<void> {
  await replica.app?.stop()
  replica.app = undefined
}

/** Writes that the replica has sent to the Kubernetes API. */
async function writesOf(replica: Replica): Promise<number> {
  const answer = await fetch(`${replica.app?.url}/metrics`, { headers: { authorization: `Bearer ${token}` } })
  const lines = (await answer.text()).matchAll(
    /^podyard_kube_requests_total\{[^}]*verb="(?:create|patch|delete)"[^}]*\} (\d+)$/gm,
  )
  return [...lines].reduce((sum, [, n]) => sum + Number(n), 0)
}

type LeaseRow = { readonly holder: string; readonly epoch: number; readonly held: boolean }
const lease = async () =>
  (await c.db.query<LeaseRow>(`select holder, epoch, expires_at > clock_timestamp() as held from lease`))[0]
const movedFrom = (epoch: number | undefined) =>
  eventually('another holder', async () => {
    const row = await lease()
    return { isDone: row?.held === true && row.epoch > (epoch ?? 0), value: row }
  })

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'podyard-replicas-'))
  replicas = [await prepare('a'), await prepare('b')]
  for (const replica of replicas) await start(replica)
})
afterAll(async () => {
  for (const replica of replicas ?? []) {
    replica.database.heal()
    await stop(replica)
    await replica.database.stop()
    await replica.cluster.stop()
  }
  await rm(folder, { recursive: true, force: true })
})

beforeRetry(async () => {
  for (const replica of replicas) {
    replica.database.heal()
    if (replica.app === undefined) await start(replica)
  }
})

const random = randomFrom(Number(process.env.SEED ?? 5))
const wanted = new Map<string, Wanted>()
let round = 0
async function work(rounds: number): Promise<void> {
  for (let i = 0; i < rounds; i += 1) await interfere(c, round++, wanted, random)
}

test('every replica takes requests, one of them does the work', async () => {
  await movedFrom(0)
  for (const [i, replica] of replicas.entries()) {
    const answer = await fetch(`${replica.app?.url}/serverless/v1/podpools`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        pools: [{ id: `via-${i}`, size: 2, resources: { requests: { cpu: '1m' }, limits: { cpu: '1m' } } }],
      }),
    })
    expect(answer.status).toBe(200)
    wanted.set(`via-${i}`, { size: 2, most: 2 })
  }
  await checkAll(c, wanted)
  const writes = await Promise.all(replicas.map(writesOf))
  expect(Math.max(...writes)).toBeGreaterThanOrEqual(2)
  // Who leads at first leads still, unless the machine stood still for a whole term.
  expect(Math.min(...writes) === 0 || ((await lease())?.epoch ?? 0) > 1).toBe(true)
})

/** The replica that does the work, and since which epoch: asked for again where the lease moved while that was found out. */
async function findLeader(): Promise<{ readonly replica: Replica; readonly epoch: number }> {
  const found = await eventually('one replica that does the work', async () => {
    const { epoch } = await movedFrom(0)
    const before = await Promise.all(replicas.map(writesOf))
    const id = `probe-${round++}`
    await c.create({ id, size: 0 })
    await c.reaches(id, 4)
    await c.service.remove({ id, group: '' })
    await c.isRemoved(id)
    const after = await Promise.all(replicas.map(writesOf))
    const workers = replicas.flatMap(({ name }, i) => ((after[i] ?? 0) > (before[i] ?? 0) ? [name] : []))
    const isSame = (await lease())?.epoch === epoch
    return { isDone: isSame && workers.length === 1, value: { workers, epoch } }
  })
  const [a, b] = replicas
  return { replica: found.workers[0] === a.name ? a : b, epoch: found.epoch }
}

/** Waits until this replica has sent nothing for five seconds: longer than what was under way gets when it is told to stop. */
async function restingAt(replica: Replica): Promise<number> {
  let last = -1
  return eventually(`replica ${replica.name} at rest`, async () => {
    if (last >= 0) await delay(5_000)
    const value = await writesOf(replica)
    const isDone = value === last
    last = value
    return { isDone, value }
  })
}

test('a holder whose database falls silent gives the lease up by itself; the other takes over, and the old one writes nothing more', async () => {
  await work(4)
  const { replica: old, epoch } = await findLeader()
  await work(3)
  old.database.partition()
  await work(3)
  await movedFrom(epoch)
  const written = await restingAt(old)
  await work(4)
  await checkAll(c, wanted)
  expect(await writesOf(old)).toBe(written)
  const { epoch: epochOfNext } = await findLeader()
  old.database.heal()
  await eventually('the old holder serves again', async () => {
    const answer = await fetch(`${old.app?.url}/readyz`)
    return { isDone: answer.status === 200, value: answer.status }
  })
  const leader = await findLeader()
  expect(leader.replica !== old || leader.epoch > epochOfNext).toBe(true)
})

test('a holder that is cut off the cluster makes up for it', async () => {
  const { replica } = await findLeader()
  replica.cluster.drop()
  await work(2)
  replica.cluster.drop()
  await checkAll(c, wanted)
})

test('a lease that is taken away in the database stops its holder', async () => {
  await work(2)
  const { epoch } = (await lease()) as LeaseRow
  await c.db.query(
    `update lease set holder = 'somebody', epoch = epoch + 1, expires_at = clock_timestamp() + interval '2 s'`,
  )
  await work(2)
  await movedFrom(epoch + 1)
  await checkAll(c, wanted)
})

test('the holder is stopped in the middle of things, again and again: the other goes on at once', async () => {
  for (let i = 0; i < 4; i += 1) {
    const { replica, epoch } = await findLeader()
    await work(2)
    await stop(replica)
    await work(2)
    await movedFrom(epoch)
    await start(replica)
    for (const id of [...wanted.keys()].slice(0, Math.max(0, wanted.size - 8))) {
      await c.service.remove({ id, group: '' })
      wanted.delete(id)
    }
  }
  await checkAll(c, wanted)
  const [row] = await c.db.query<{ n: number }>('select count(*) as n from cluster')
  expect(row?.n).toBe(1)
})
