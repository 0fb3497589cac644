/** Sync from a simulated cluster into the inventory: what happens there is here a moment later, under the same ids. */
import { setTimeout as delay } from 'node:timers/promises'
import type { V1Deployment, V1Pod } from '@kubernetes/client-node'
import { type Simulator, startSimulator, zeroDelays } from '@podyard/simulator'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createKubeClient, createReflector, identityOf, type KubeClient, resources } from '../src/kube/index.ts'
import { registerCluster } from '../src/sync/registration.ts'
import { createSyncMetrics } from '../src/sync/sync-metrics.ts'
import { createSyncer } from '../src/sync/syncer.ts'
import { createLogger } from '../src/telemetry/logger.ts'
import { createMetrics } from '../src/telemetry/metrics.ts'
import { useDatabase } from './support/database.ts'

const t = useDatabase()
const logger = createLogger({ level: 'silent' })
const metrics = createMetrics()
let simulator: Simulator
let kube: KubeClient
let running: { readonly stop: () => Promise<void> }

/** Reflectors, registration and syncer, as the app makes them. */
async function startSync(resyncEveryMs = 300_000, maxWaitingTextBytes?: number) {
  const stop = new AbortController()
  const { signal } = stop
  const reflectors = {
    namespaces: createReflector(kube, resources.namespaces),
    nodes: createReflector(kube, resources.nodes),
    deployments: createReflector(kube, resources.deployments),
    replicaSets: createReflector(kube, resources.replicaSets),
    pods: createReflector(kube, resources.pods, { keep: (pod) => identityOf(pod) as V1Pod }),
  }
  const work = Object.values(reflectors).map((reflector) => reflector.run(signal))
  const syncer = createSyncer({
    db: t.db,
    lease: undefined,
    kube,
    register: () =>
      registerCluster({
        db: t.db,
        kube,
        clusterName: 'simulated',
        business: 'demo',
        nodes: reflectors.nodes,
        namespaces: reflectors.namespaces,
        logger,
        signal,
      }),
    reflectors,
    logger,
    metrics: createSyncMetrics(metrics),
    firstNamespace: 'default',
    resyncEveryMs,
    ...(maxWaitingTextBytes === undefined ? {} : { maxWaitingTextBytes }),
  })
  const syncing = syncer.run(signal).catch(() => {})
  await syncer.firstPass
  return {
    async stop() {
      stop.abort(new Error('stopping'))
      await Promise.allSettled([...work, syncing])
    },
  }
}

beforeAll(async () => {
  simulator = await startSimulator({ delays: zeroDelays })
  kube = createKubeClient({ server: simulator.url, namespace: 'default' })
  running = await startSync()
})
afterAll(async () => {
  await running?.stop()
  await kube?.close()
  await simulator?.stop()
})

type Row = Record<string, unknown>
const rows = (sql: string) => t.db.query<Row>(sql)

async function until(sql: string, suits: (found: Row[]) => boolean): Promise<Row[]> {
  for (const end = performance.now() + 60_000; ; ) {
    const found = await rows(sql)
    if (suits(found)) return found
    if (performance.now() > end) throw new Error(`not in 60 s: ${sql}: ${JSON.stringify(found)}`)
    await delay(10)
  }
}

function deployment(name: string, replicas: number): V1Deployment {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'default' },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name, 'app.kubernetes.io/name': name } },
        spec: { containers: [{ name: 'main', image: 'img:1' }] },
      },
    },
  }
}

test('the quick start’s first rows have the ids 1, in their order', async () => {
  expect(await rows('select id, bk_biz_name as name from business')).toEqual([{ id: 1, name: 'demo' }])
  expect(await rows('select id, name, bk_biz_id from cluster')).toEqual([{ id: 1, name: 'simulated', bk_biz_id: 1 }])
  expect(await rows('select id, name from namespace where id = 1')).toEqual([{ id: 1, name: 'default' }])
  expect(await rows('select id, name, bk_host_id from node order by id')).toEqual(
    [1, 2, 3].map((id) => ({ id, name: `node-${id}`, bk_host_id: id })),
  )
  expect(await rows(`select id, name from workload where kind = 'deployment' and id = 1`)).toEqual([
    { id: 1, name: 'demo' },
  ])
})

test('a Deployment’s pods come with node, host and workload, change under their ids, and go', async () => {
  await kube.create(resources.deployments, deployment('web', 3))
  const pods = await until(
    `select id, name, ip, bk_host_id, node_name, ref_name from pod where ref_name = 'web' order by id`,
    (found) => found.length === 3 && found.every((pod) => pod.ip !== null),
  )
  for (const pod of pods) expect(pod.bk_host_id).toBe(Number(String(pod.node_name).slice(-1)))
  const containers = await until(
    `select c.container_uid from container c join pod p on p.id = c.bk_pod_id where p.ref_name = 'web'`,
    (found) =>
      found.length === 3 && found.every((container) => String(container.container_uid).startsWith('containerd://')),
  )
  expect(new Set(containers.map((container) => container.container_uid)).size).toBe(3)

  const [first] = pods
  await kube.patch(
    resources.pods,
    { namespace: 'default', name: String(first?.name) },
    { type: 'merge', body: { metadata: { labels: { tier: 'gold' } } } },
  )
  const [labelled] = await until(
    `select id, labels from pod where name = '${first?.name}'`,
    (found) => (found[0]?.labels as Row | undefined)?.tier === 'gold',
  )
  expect(labelled?.id).toBe(first?.id)

  await kube.delete(resources.deployments, { namespace: 'default', name: 'web' })
  await until(`select 1 from pod where ref_name = 'web'`, (found) => found.length === 0)
  await until(`select 1 from workload where name = 'web'`, (found) => found.length === 0)
  expect(
    await rows(
      `select type, count(*) as n from event where resource = 'kube_pod' and detail->'ref'->>'name' = 'web' and type <> 'update' group by type order by type`,
    ),
  ).toEqual([
    { type: 'create', n: 3 },
    { type: 'delete', n: 3 },
  ])
})

test('what changed while nobody watched is made up for at the start; what was the same is not touched', async () => {
  await kube.create(resources.deployments, deployment('night', 2))
  await until(
    `select ip from pod where ref_name = 'night'`,
    (found) => found.length === 2 && found.every((pod) => pod.ip !== null),
  )
  await until(`select 1 from container where container_uid not like 'containerd://%'`, (found) => found.length === 0)
  await running.stop()
  const untouched = await rows(`select id, valid_from from pod where ref_name = 'demo'`)
  await kube.delete(resources.deployments, { namespace: 'default', name: 'night' })
  await kube.create(resources.deployments, deployment('morning', 1))
  running = await startSync()
  await until(`select 1 from pod where ref_name = 'night'`, (found) => found.length === 0)
  await until(`select 1 from pod where ref_name = 'morning'`, (found) => found.length === 1)
  expect(await rows(`select id, valid_from from pod where ref_name = 'demo'`)).toEqual(untouched)
})

test('a row of sync’s that a client deleted comes back with the next resync, and counts as drift', async () => {
  await running.stop()
  running = await startSync(200)
  const before = await metrics.registry.getSingleMetricAsString('podyard_sync_drift_total')
  await rows(
    `with gone as (delete from pod where ref_name = 'demo' returning id) delete from container using gone where bk_pod_id = gone.id`,
  )
  await until(`select 1 from pod where ref_name = 'demo'`, (found) => found.length === 1)
  expect(await metrics.registry.getSingleMetricAsString('podyard_sync_drift_total')).not.toBe(before)
})

test('a client’s pod in the same cluster is left alone', async () => {
  await rows(`insert into pod (id, bk_biz_id, bk_cluster_id, bk_namespace_id, ref_kind, ref_id, name)
    values (nextval('pod_id_seq'), 1, 1, 1, 'deployment', 1, 'mine')`)
  await running.stop()
  running = await startSync(100)
  await kube.create(resources.deployments, deployment('after', 1))
  await until(`select 1 from pod where ref_name = 'after'`, (found) => found.length === 1)
  expect(await rows(`select origin from pod where name = 'mine'`)).toEqual([{ origin: 'client' }])
})

test('pods beyond the bound of what may wait are read when their turn comes, and all of them are written', async () => {
  await running.stop()
  await kube.create(resources.deployments, deployment('many', 130))
  for (;;) {
    const { items } = await kube.list(resources.pods, {
      labelSelector: 'app=many',
      fieldSelector: 'status.phase=Running',
    })
    if (items.length === 130) break
    await delay(20)
  }
  const before = await metrics.registry.getSingleMetricAsString('podyard_sync_drift_total')
  running = await startSync(300_000, 40_000)
  const [found] = await rows(`select count(*) as n, count(ip) as ips from pod where ref_name = 'many'`)
  expect(found).toEqual({ n: 130, ips: 130 })
  expect(await metrics.registry.getSingleMetricAsString('podyard_sync_drift_total')).toBe(before)
})

test('rows that the database lost come back with the next resync', async () => {
  await running.stop()
  running = await startSync(200)
  await rows(`delete from container where bk_pod_id in (select id from pod where ref_name = 'many')`)
  await rows(`delete from pod where ref_name = 'many'`)
  await until(`select 1 from pod where ref_name = 'many' and ip is not null`, (found) => found.length === 130)
  await until(
    `select 1 from container c join pod p on p.id = c.bk_pod_id where p.ref_name = 'many'`,
    (found) => found.length === 130,
  )
})
