/** Pools and inventory share what they hear of a cluster: one list and one watch per kind, however much there is to do. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Simulator, startSimulator, zeroDelays } from '@podyard/simulator'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { type RunningApp, startApp } from '../src/app.ts'
import { loadConfig } from '../src/config.ts'
import { createLogger } from '../src/telemetry/logger.ts'
import { type ApiProxy, startApiProxy } from './support/api-proxy.ts'
import { useDatabase } from './support/database.ts'
import { eventually } from './support/pool-cluster.ts'

const t = useDatabase()
const token = 'watches-token'
let dir: string
let simulator: Simulator
let proxy: ApiProxy
let app: RunningApp

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'podyard-watches-'))
  simulator = await startSimulator({ nodes: 3, delays: zeroDelays })
  proxy = await startApiProxy(simulator.url)
  const kubeconfig = join(dir, 'kubeconfig')
  await writeFile(kubeconfig, simulator.kubeconfig().replaceAll(simulator.url, proxy.url))
  const { host, port } = inject('postgres')
  const { config } = loadConfig({
    flags: {
      listen: '127.0.0.1:0',
      'data-dir': join(dir, 'data'),
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
  app = await startApp(config, { logger: createLogger({ level: 'silent' }) })
})
afterAll(async () => {
  await app?.stop()
  await proxy?.stop()
  await simulator?.stop()
  await rm(dir, { recursive: true, force: true })
})

async function send(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
  const answer = await fetch(app.url + path, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return (await answer.json()) as Record<string, unknown>
}

test('a cluster with pools of both kinds, in the inventory, is watched once per kind', async () => {
  const resources = { requests: { cpu: '1m' }, limits: { cpu: '1m' } }
  const pools = Array.from({ length: 6 }, (_, i) => ({
    id: `p-${i}`,
    size: 20,
    resources,
    ...(i % 2 === 0 ? {} : { max_size: 30 }),
  }))
  expect(await send('POST', '/serverless/v1/podpools', { pools })).toMatchObject({ code: 0 })
  await eventually('120 pods of six pools, all in the inventory', async () => {
    const { result } = (await send('GET', '/serverless/v1/podpools?limit=10')) as {
      result: { pools: { status: number; ready_count: number }[] }
    }
    const rows = await t.db.query('select 1 from pod where ref_name like $1', ['function-agent-p-%'])
    const isRunning = result.pools.every((pool) => pool.status === 4 && pool.ready_count === 20)
    return { isDone: isRunning && rows.length === 120, value: { pools: result.pools, rows: rows.length } }
  })
  const watched = proxy.requests.filter(({ isWatch }) => isWatch).map(({ path }) => path.split('/').at(-1))
  expect(watched.toSorted()).toEqual([...new Set(watched)].toSorted())
  expect(watched).toEqual(expect.arrayContaining(['pods', 'deployments', 'replicasets', 'nodes', 'namespaces']))
})
