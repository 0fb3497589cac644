/** A real cluster in the inventory: every kind of owner, hosts by address, stable ids, deletes, and no work for heartbeats. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { type RunningApp, startApp } from '../../packages/server/src/app.ts'
import { loadConfig } from '../../packages/server/src/config.ts'
import { resources } from '../../packages/server/src/kube/index.ts'
import { createLogger } from '../../packages/server/src/telemetry/logger.ts'
import { useDatabase } from '../../packages/server/test/support/database.ts'
import { eventually, type TestCluster } from '../../packages/server/test/support/pool-cluster.ts'
import { must } from '../control-plane/api.ts'
import { attachControlPlane, type ControlPlane } from '../control-plane/control-plane.ts'
import { ownNamespace } from './support/own-namespace.ts'

const t = useDatabase()
let plane: ControlPlane
let cluster: TestCluster
let folder: string
let app: RunningApp
const token = 'sync-token'

beforeAll(async () => {
  plane = await attachControlPlane(inject('controlPlaneRunDir'))
  cluster = await ownNamespace(plane)
  folder = await mkdtemp(join(tmpdir(), 'podyard-sync-'))
  const { host, port } = inject('postgres')
  const { config } = loadConfig({
    flags: {
      listen: '127.0.0.1:0',
      'data-dir': folder,
      'database-url': `postgres://podyard@localhost:${port}/${t.name}?host=${encodeURIComponent(host)}`,
      'admin-token': token,
      kubeconfig: plane.kubeconfig,
      namespace: cluster.namespace,
    },
    environment: {},
    readFile: () => '',
    workingDirectory: folder,
    checkout: folder,
    isRoot: false,
  })
  app = await startApp(config, { logger: createLogger({ level: 'silent' }) })
})
afterAll(async () => {
  await app?.stop()
  await cluster?.stop()
  await rm(folder, { recursive: true, force: true })
})

type Row = Record<string, unknown>
const until = (sql: string, suits: (found: Row[]) => boolean, values: readonly unknown[] = [cluster.namespace]) =>
  eventually(sql, async () => {
    const found = await t.db.query<Row>(sql, values)
    return { isDone: suits(found), value: found }
  })
const make = (group: string, plural: string, object: object) =>
  must(plane.api, 'POST', `${group}/namespaces/${cluster.namespace}/${plural}`, object)
const template = (app: string) => ({
  metadata: { labels: { app } },
  spec: { containers: [{ name: 'main', image: 'image:v1', ports: [{ containerPort: 80 }] }] },
})
const workload = (name: string, more: object) => ({
  metadata: { name },
  spec: { selector: { matchLabels: { app: name } }, template: template(name), ...more },
})

async function send(method: string, path: string, body: object): Promise<Row> {
  const answer = await fetch(app.url + path, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  return (await answer.json()) as Row
}

test('its nodes are there with the hosts of their addresses, and its namespaces', async () => {
  const nodes = await until(
    `select n.name, n.internal_ip, h.bk_host_innerip as host from node n join host h on h.id = n.bk_host_id order by n.name`,
    (found) => found.length === 3,
    [],
  )
  expect(nodes.map((node) => node.name)).toEqual(['node-1', 'node-2', 'node-3'])
  for (const node of nodes) expect(String(node.host)).toContain(String((node.internal_ip as string[])[0]))
  await until('select 1 from namespace where name = $1', (found) => found.length === 1)
})

test("a pod hangs on its workload up the real controllers' owner chains", async () => {
  await make('/apis/apps/v1', 'deployments', workload('web', { replicas: 2 }))
  await make('/apis/apps/v1', 'statefulsets', workload('db', { replicas: 1, serviceName: 'db' }))
  await make('/apis/apps/v1', 'daemonsets', workload('agent', {}))
  await make('/apis/apps/v1', 'replicasets', workload('bare', { replicas: 1 }))
  await make('/api/v1', 'pods', { metadata: { name: 'naked' }, spec: template('naked').spec })
  const job = { template: { spec: { ...template('once').spec, restartPolicy: 'Never' } } }
  await make('/apis/batch/v1', 'jobs', { metadata: { name: 'once' }, spec: job })
  const wanted = [
    { ref_kind: 'daemonSet', ref_name: 'agent', n: 3 },
    { ref_kind: 'deployment', ref_name: 'web', n: 2 },
    { ref_kind: 'job', ref_name: 'once', n: 1 },
    { ref_kind: 'pods', ref_name: 'pods', n: 2 },
    { ref_kind: 'statefulSet', ref_name: 'db', n: 1 },
  ]
  await until(
    `select ref_kind, ref_name, count(*) as n from pod where namespace = $1 group by 1, 2 order by 1, 2`,
    (found) => isDeepStrictEqual(found, wanted),
  )
  await until(
    `select p.name from pod p join container c on c.bk_pod_id = p.id where p.namespace = $1 and p.ip is not null`,
    (rows) => rows.length === 9,
  )
})

test('a pool that is made over HTTP is in the inventory over HTTP, both kinds, with node and host', async () => {
  const small = { requests: { cpu: '1m' }, limits: { cpu: '1m' } }
  const pools = [
    { id: 'fixed', size: 2, resources: small },
    { id: 'warm', size: 2, max_size: 4, resources: small },
  ]
  expect(await send('POST', '/serverless/v1/podpools', { pools })).toMatchObject({ code: 0 })
  const pods = await eventually('four pods of two pools', async () => {
    const body = { bk_biz_id: 1, page: { start: 0, limit: 100 }, fields: [] }
    const { data } = await send('POST', '/api/v3/findmany/kube/pod', body)
    const info = ((data as { info?: Row[] } | null)?.info ?? []).filter((pod) =>
      String((pod.ref as Row | undefined)?.name).startsWith('function-agent-'),
    )
    return { isDone: info.length === 4, value: info }
  })
  for (const pod of pods) {
    expect(pod).toMatchObject({ namespace: cluster.namespace, ref: { kind: 'deployment' } })
    expect(pod.node_name).toBe(`node-${pod.bk_host_id}`)
  }
})

test('what changes changes under its id, what goes is gone, and history tells', async () => {
  const before = await until(
    `select id, name from pod where namespace = $1 and ref_name = 'web' order by id`,
    (found) => found.length === 2,
  )
  const path = `/api/v1/namespaces/${cluster.namespace}/pods/${before[0]?.name}`
  await plane.api.request('PATCH', path, { metadata: { labels: { tier: 'gold' } } }, 'application/merge-patch+json')
  const [changed] = await until(
    `select id, labels from pod where namespace = $1 and name = '${before[0]?.name}'`,
    (found) => (found[0]?.labels as Row | undefined)?.tier === 'gold',
  )
  expect(changed?.id).toBe(before[0]?.id)
  const deployment = `/apis/apps/v1/namespaces/${cluster.namespace}/deployments/web`
  const [row] = await until(
    `select id from workload where namespace = $1 and name = 'web'`,
    (found) => found.length === 1,
  )
  await plane.api.request('PATCH', deployment, { spec: { replicas: 1 } }, 'application/merge-patch+json')
  await until(
    `select id, replicas from workload where namespace = $1 and name = 'web'`,
    (found) => found[0]?.replicas === 1 && found[0]?.id === row?.id,
  )
  await until(`select id from pod where namespace = $1 and ref_name = 'web'`, (found) => found.length === 1)
  await must(plane.api, 'DELETE', deployment)
  await until(`select 1 from pod where namespace = $1 and ref_name = 'web'`, (found) => found.length === 0)
  await until(`select 1 from workload where namespace = $1 and name = 'web'`, (found) => found.length === 0)
})

test('heartbeats and other news of no interest cause no writes', async () => {
  const batches = async () => {
    const text = await (await fetch(`${app.url}/metrics`, { headers: { authorization: `Bearer ${token}` } })).text()
    return {
      batches: /^podyard_sync_batch_duration_seconds_count (\d+)$/m.exec(text)?.[1],
      rows: [...text.matchAll(/^podyard_sync_rows_written_total.*$/gm)].map(([line]) => line),
      failures: /^podyard_sync_failures_total (\d+)$/m.exec(text)?.[1],
    }
  }
  // Namespaces of other test files go in their own time.
  const isBeingEmptied = async () =>
    (await cluster.kube.list(resources.namespaces)).items.some((one) => one.metadata?.deletionTimestamp !== undefined)
  let last = await batches()
  await eventually('peace', async () => {
    const isBusy = await isBeingEmptied()
    await delay(2_000)
    const now = await batches()
    const isDone = !isBusy && JSON.stringify(now) === JSON.stringify(last)
    last = now
    return { isDone, value: now }
  })
  for (let beat = 0; beat < 10; beat += 1) {
    const at = new Date(Date.now() + beat * 1_000).toISOString().replace(/\.\d+Z/, 'Z')
    for (const node of ['node-1', 'node-2', 'node-3']) {
      const status = {
        conditions: [{ type: 'Ready', status: 'True', reason: 'x', message: 'x', lastHeartbeatTime: at }],
      }
      const answer = await plane.api.request(
        'PATCH',
        `/api/v1/nodes/${node}/status`,
        { status },
        'application/strategic-merge-patch+json',
      )
      expect(answer.status).toBe(200)
    }
    const naked = `/api/v1/namespaces/${cluster.namespace}/pods/naked/status`
    const status = { conditions: [{ type: 'podyard.test/Beat', status: 'True', lastProbeTime: at }] }
    expect((await plane.api.request('PATCH', naked, { status }, 'application/strategic-merge-patch+json')).status).toBe(
      200,
    )
  }
  // A change behind them has been written: the beats before it have been seen.
  const naked = `/api/v1/namespaces/${cluster.namespace}/pods/naked`
  await plane.api.request('PATCH', naked, { metadata: { labels: { seen: 'yes' } } }, 'application/merge-patch+json')
  await until(
    `select labels from pod where namespace = $1 and name = 'naked'`,
    (found) => (found[0]?.labels as Row | undefined)?.seen === 'yes',
  )
  await eventually('one batch', async () => {
    const now = await batches()
    return { isDone: Number(now.batches) === Number(last.batches) + 1, value: { now, last } }
  })
})

test('a namespace that is deleted goes with everything in it', async () => {
  await send('DELETE', '/serverless/v1/podpools?id=fixed', {})
  await send('DELETE', '/serverless/v1/podpools?id=warm', {})
  await must(plane.api, 'DELETE', `/api/v1/namespaces/${cluster.namespace}`)
  await until(`select 1 from pod where namespace = $1`, (found) => found.length === 0)
  await until(`select kind, name from workload where namespace = $1`, (found) => found.length === 0)
  await until(`select 1 from namespace where name = $1`, (found) => found.length === 0)
})
