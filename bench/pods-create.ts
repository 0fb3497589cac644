import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { Pool as HttpPool } from 'undici'
import { startServerProcess } from '../e2e/support/server-process.ts'
import { insertPods } from '../packages/server/src/inventory/pod-statements.ts'
import { type Bench, type BenchOptions, median, type Report, round, spread } from './report.ts'

const clients = 8
const podsPerBatch = 200
const containersPerPod = 2
const filledPods = 1_000_000

/**
 * 200 pods x 2 containers per request over HTTP, 8 clients at once, beside bare SQL on 8 connections that writes the same
 * rows (events included) into the same database. Two forms of bare SQL are tried, and the quicker one is the peer: the
 * one statement that Podyard itself uses, and one plain insert per table. Its rows are prepared outside the clock, its
 * ids are drawn beforehand, and it checks nothing.
 */
export const bench: Bench = {
  describe: 'batches of 200 pods over HTTP beside bare SQL that writes the same rows; empty table and a million pods',
  async run(options) {
    const dir = await mkdtemp(join(tmpdir(), 'podyard-bench-'))
    await chmod(dir, 0o755)
    const server = await startServerProcess({ dataDir: dir, args: ['--log-level', 'warn'] })
    const sql = new pg.Pool({
      host: join(dir, 'postgres'),
      port: 5432,
      user: 'podyard',
      database: 'podyard',
      max: clients,
    })
    sql.on('error', () => {})
    const http = new HttpPool(server.url, { connections: clients })
    try {
      return await measure(options, sql, http)
    } finally {
      await http.close()
      await sql.end()
      await server.stop()
      await rm(dir, { recursive: true, force: true })
    }
  },
}

type Way = { readonly name: string; run(batches: number): Promise<number> }

async function measure(options: BenchOptions, sql: pg.Pool, http: HttpPool): Promise<Report> {
  const rounds = options.quick ? 3 : 9
  const batches = options.quick ? 16 : 48
  const fill = options.quick ? 50_000 : filledPods
  const ways = [viaHttp(http), viaStatement(sql), viaPlainInserts(sql)]
  const rows: string[][] = []
  const figures: Record<string, number> = {}

  for (const [table, prepare] of [
    ['empty', () => sql.query('truncate pod, container, event')],
    ['million', async () => {}],
  ] as const) {
    if (table === 'million') await fillWith(sql, fill, options.progress)
    const ms = new Map<string, number[]>(ways.map((way) => [way.name, []]))
    for (let r = -1; r < rounds; r += 1) {
      for (const way of ways) {
        await prepare()
        await sql.query('checkpoint')
        const took = (await way.run(batches)) / batches
        if (r >= 0) ms.get(way.name)?.push(took) // the first is a warm-up
      }
      options.progress(`${table}: round ${r + 2} of ${rounds + 1}`)
    }
    const [overHttp = [], ...peers] = [...ms.values()]
    const peer = peers.reduce((best, next) => (median(next) < median(best) ? next : best))
    const ratio = round(median(overHttp) / median(peer))
    figures[`ratio_${table}`] = ratio
    for (const [name, values] of ms)
      rows.push([
        `${table === 'empty' ? 'empty table' : `${fill.toLocaleString('en')} pods`}: ${name}`,
        spread(values, 1),
        Math.round((podsPerBatch * 1000) / median(values)).toLocaleString('en'),
        round(median(values) / median(peer)).toFixed(2),
      ])
  }
  return {
    columns: ['way', 'ms a batch, median (min-max)', 'pods/s', 'times the quicker bare SQL'],
    rows,
    figures,
    limits: [
      { name: 'ratio_empty', figure: figures.ratio_empty ?? Number.NaN, atMost: 1.6 },
      { name: 'ratio_million', figure: figures.ratio_million ?? Number.NaN, atMost: 1.6 },
    ],
  }
}

let named = 0
const newName = () => `pod-${process.pid}-${named++}`

/** What a client sends for one pod; about 840 bytes with its containers. */
function podBody(name: string) {
  return {
    spec: { bk_cluster_id: 1, bk_namespace_id: 1, bk_node_id: 1, ref: { kind: 'deployment', id: 1 } },
    name,
    bk_host_id: 1,
    priority: 1,
    operator: ['admin'],
    labels: { app: 'web', env: 'test', 'app.kubernetes.io/name': 'web' },
    ip: '10.1.2.3',
    ips: [{ ip: '10.1.2.3' }],
    qos_class: 'Burstable',
    containers: Array.from({ length: containersPerPod }, (_, i) => ({
      name: `container-${i}`,
      container_uid: `containerd://${name}-${i}`,
      image: 'registry.example/team/web:1.2.3',
      started: 1_767_605_400,
      ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }],
      requests: { cpu: '100m', memory: '128Mi' },
      limits: { cpu: '200m', memory: '256Mi' },
      environment: [{ name: 'MODE', value: 'production' }],
      mounts: [{ name: 'data', mountPath: '/data' }],
    })),
  }
}

/** The rows that Podyard writes for it, as they are listed. */
function podView(name: string, id: number, firstContainer: number) {
  const { spec, containers, ...pod } = podBody(name)
  const stamps = { creator: 'admin', modifier: 'admin', create_time: 1_767_605_400, last_time: 1_767_605_400 }
  const shared = { bk_biz_id: 1, bk_supplier_account: '0', bk_cluster_id: 1, bk_namespace_id: 1 }
  return {
    id,
    ...shared,
    cluster_uid: 'cluster',
    namespace: 'default',
    node_name: 'node-1',
    bk_node_id: spec.bk_node_id,
    ...pod,
    ...stamps,
    ref: { ...spec.ref, name: 'demo' },
    containers: containers.map((container, i) => ({
      id: firstContainer + i,
      bk_pod_id: id,
      ...shared,
      ref: spec.ref,
      ...container,
      ...stamps,
    })),
  }
}

/** Runs all jobs on `clients` lanes and returns the milliseconds from the first to the last. */
async function clock(jobs: readonly (() => Promise<void>)[]): Promise<number> {
  let next = 0
  const startedAt = performance.now()
  await Promise.all(
    Array.from({ length: clients }, async () => {
      for (let job = jobs[next++]; job !== undefined; job = jobs[next++]) await job()
    }),
  )
  return performance.now() - startedAt
}

function viaHttp(http: HttpPool): Way {
  return {
    name: 'Podyard over HTTP',
    run(batches) {
      const bodies = Array.from({ length: batches }, () =>
        JSON.stringify({
          data: [{ bk_biz_id: 1, pods: Array.from({ length: podsPerBatch }, () => podBody(newName())) }],
        }),
      )
      return clock(
        bodies.map((body) => async () => {
          const answer = await http.request({
            method: 'POST',
            path: '/api/v3/createmany/kube/pod',
            body,
            headers: { 'content-type': 'application/json' },
          })
          const { result, message } = (await answer.body.json()) as {
            readonly result: boolean
            readonly message: string
          }
          if (!result) throw new Error(`the server refused a batch: ${message}`)
        }),
      )
    },
  }
}

async function prepareViews(sql: pg.Pool, batches: number) {
  const { rows } = await sql.query<{ pods: string; containers: string }>(
    'select draw_ids($1::regclass, $2::int) as pods, draw_ids($3::regclass, $4::int) as containers',
    ['pod_id_seq', batches * podsPerBatch, 'container_id_seq', batches * podsPerBatch * containersPerPod],
  )
  let pod = Number(rows[0]?.pods)
  let container = Number(rows[0]?.containers)
  return Array.from({ length: batches }, () =>
    Array.from({ length: podsPerBatch }, () => {
      const view = podView(newName(), pod, container)
      pod += 1
      container += containersPerPod
      return view
    }),
  )
}

function viaStatement(sql: pg.Pool): Way {
  return {
    name: 'bare SQL, one statement',
    async run(batches) {
      const texts = (await prepareViews(sql, batches)).map((views) => JSON.stringify(views))
      return clock(
        texts.map((text) => async () => {
          await sql.query({ name: insertPods.name, text: insertPods.text, values: [text, 'client'] })
        }),
      )
    },
  }
}

const plainPods = `insert into pod (id, bk_biz_id, bk_supplier_account, bk_cluster_id, cluster_uid, bk_namespace_id, namespace, ref_kind,
    ref_id, ref_name, bk_host_id, bk_node_id, node_name, name, operator, priority, labels, ip, ips, qos_class, creator,
    modifier, create_time, last_time)
  select id, bk_biz_id, bk_supplier_account, bk_cluster_id, cluster_uid, bk_namespace_id, namespace, ref_kind, ref_id,
    ref_name, bk_host_id, bk_node_id, node_name, name, operator, priority, labels, ip, ips, qos_class, creator, modifier,
    create_time, last_time
  from json_to_recordset($1) as x(id bigint, bk_biz_id bigint, bk_supplier_account text, bk_cluster_id bigint, cluster_uid text,
    bk_namespace_id bigint, namespace text, ref_kind text, ref_id bigint, ref_name text, bk_host_id bigint, bk_node_id bigint,
    node_name text, name text, operator jsonb, priority int, labels jsonb, ip text, ips jsonb, qos_class text, creator text,
    modifier text, create_time bigint, last_time bigint)`
const plainContainers = `insert into container (id, bk_pod_id, bk_biz_id, bk_supplier_account, bk_cluster_id, bk_namespace_id, ref_kind,
    ref_id, name, container_uid, image, ports, started, limits, requests, environment, mounts, creator, modifier,
    create_time, last_time)
  select id, bk_pod_id, bk_biz_id, bk_supplier_account, bk_cluster_id, bk_namespace_id, ref_kind, ref_id, name, container_uid,
    image, ports, started, limits, requests, environment, mounts, creator, modifier, create_time, last_time
  from json_to_recordset($1) as x(id bigint, bk_pod_id bigint, bk_biz_id bigint, bk_supplier_account text, bk_cluster_id bigint,
    bk_namespace_id bigint, ref_kind text, ref_id bigint, name text, container_uid text, image text, ports jsonb,
    started bigint, limits jsonb, requests jsonb, environment jsonb, mounts jsonb, creator text, modifier text,
    create_time bigint, last_time bigint)`
const plainEvents = `insert into event (resource, type, object_id, biz_id, detail)
  select 'kube_pod', 'create', id, 1, detail from json_to_recordset($1) as x(id bigint, detail jsonb)`

function viaPlainInserts(sql: pg.Pool): Way {
  const flat = ({ ref, ...rest }: { ref: { kind: string; id: number; name?: string } }) => ({
    ...rest,
    ref_kind: ref.kind,
    ref_id: ref.id,
    ref_name: ref.name,
  })
  return {
    name: 'bare SQL, an insert per table',
    async run(batches) {
      const texts = (await prepareViews(sql, batches)).map((views) => [
        JSON.stringify(views.map(({ containers: _, ...pod }) => flat(pod))),
        JSON.stringify(views.flatMap((view) => view.containers.map(flat))),
        JSON.stringify(views.map((view) => ({ id: view.id, detail: view }))),
      ])
      return clock(
        texts.map(([pods, containers, events]) => async () => {
          const client = await sql.connect()
          try {
            await client.query('begin')
            await client.query({ name: 'plain-pods', text: plainPods, values: [pods] })
            await client.query({ name: 'plain-containers', text: plainContainers, values: [containers] })
            await client.query({ name: 'plain-events', text: plainEvents, values: [events] })
            await client.query('commit')
          } finally {
            client.release()
          }
        }),
      )
    },
  }
}

/** Fills the tables to a size, in the shape of the measured rows and spread over workloads, nodes and hosts. */
async function fillWith(sql: pg.Pool, pods: number, progress: (line: string) => void): Promise<void> {
  const step = 50_000
  await sql.query('truncate pod, container, event')
  for (let from = 0; from < pods; from += step) {
    const { rows } = await sql.query<{ first: string }>(`select draw_ids('pod_id_seq', $1::int) as first`, [step])
    const first = Number(rows[0]?.first)
    await sql.query(
      `insert into pod (id, bk_biz_id, bk_cluster_id, cluster_uid, bk_namespace_id, namespace, ref_kind, ref_id, ref_name, bk_host_id,
        bk_node_id, node_name, name, operator, priority, labels, ip, ips, qos_class, creator, modifier, create_time, last_time)
      select i, 1, 1, 'cluster', 1, 'default', 'deployment', 1 + i % 5000, 'w' || i % 5000, 1 + i % 2000, 1 + i % 2000, 'node-' || i % 2000,
        'filled-' || i, '["admin"]', 1, jsonb_build_object('app', 'web' || i % 500, 'env', 'test'), host('10.0.0.0'::inet + i),
        jsonb_build_array(jsonb_build_object('ip', host('10.0.0.0'::inet + i))), 'Burstable', 'admin', 'admin', 1767605400, 1767605400
      from generate_series($1::bigint, $2::bigint) i`,
      [first, first + step - 1],
    )
    await sql.query(
      `insert into container (id, bk_pod_id, bk_biz_id, bk_cluster_id, bk_namespace_id, ref_kind, ref_id, name, container_uid, image, ports,
        limits, requests, creator, modifier, create_time, last_time)
      select nextval('container_id_seq'), i, 1, 1, 1, 'deployment', 1 + i % 5000, 'container-' || n, 'containerd://filled-' || i || '-' || n,
        'registry.example/team/web:1.2.3', '[{"name": "http", "containerPort": 8080}]', '{"cpu": "200m"}', '{"cpu": "100m"}', 'admin', 'admin', 1767605400, 1767605400
      from generate_series($1::bigint, $2::bigint) i, generate_series(0, $3::int) n`,
      [first, first + step - 1, containersPerPod - 1],
    )
    progress(`filled ${(from + step).toLocaleString('en')} pods`)
  }
  await sql.query('vacuum analyze pod')
  await sql.query('vacuum analyze container')
}
