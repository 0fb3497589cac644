import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type ServerProcess, spawnPodyard, startServerProcess } from '../e2e/support/server-process.ts'
import { createKubeClient, type KubeClient, loadKubeConfig, resources } from '../packages/server/src/kube/index.ts'
import { startControlPlane } from '../test/control-plane/start.ts'
import { type Bench, median, type Report, round, spread } from './report.ts'

const podsPerNode = 800
const changes = 100
const parallel = 32
/** Resident memory of the server process, MiB. */
const limitMiB = 400
const adminToken = randomBytes(16).toString('hex')

/**
 * Many pods watched, with the inventory's sync on: what Podyard's process weighs, how long the first sync takes from its
 * start, and how late a change of a pod is in the inventory. 50,000 pods are served by the simulator in a process of its
 * own; with --quick 5,000 by a real control plane.
 */
export const bench: Bench = {
  describe:
    '50,000 pods watched and kept in the inventory (--quick: 5,000 on a real control plane): memory, first sync, lag',
  async run({ quick, progress }) {
    const count = quick ? 5_000 : 50_000
    const dir = await mkdtemp(join(tmpdir(), 'podyard-watch-'))
    await chmod(dir, 0o755)
    const cluster = await (quick ? realCluster : simulatedCluster)(dir, Math.ceil(count / podsPerNode), progress)
    try {
      const kube = createKubeClient(await loadKubeConfig(cluster.kubeconfig))
      await fill(kube, count, progress)
      return await measure({ dir, count, kube, kubeconfig: cluster.kubeconfig, progress }).finally(() => kube.close())
    } finally {
      await cluster.stop()
      await rm(dir, { recursive: true, force: true })
    }
  },
}

type Cluster = { readonly kubeconfig: string; stop(): Promise<void> }

async function realCluster(_dir: string, nodes: number, progress: (line: string) => void): Promise<Cluster> {
  const controlPlane = await startControlPlane({ nodes, progress })
  return { kubeconfig: controlPlane.kubeconfig, stop: () => controlPlane.stop() }
}

async function simulatedCluster(dir: string, nodes: number): Promise<Cluster> {
  const kubeconfig = join(dir, 'kubeconfig')
  const zero = ['--schedule-ms', '0', '--pull-ms', '0', '--ready-ms', '0', '--terminate-ms', '0']
  const { child, output } = spawnPodyard([
    'simulate',
    '--listen',
    '127.0.0.1:0',
    '--nodes',
    String(nodes),
    '--kubeconfig',
    kubeconfig,
    ...zero,
  ])
  for (const end = performance.now() + 30_000; ; await delay(50)) {
    if (
      await readFile(kubeconfig).then(
        () => true,
        () => false,
      )
    )
      break
    if (child.exitCode !== null || performance.now() > end)
      throw new Error(`podyard simulate did not start:\n${output()}`)
  }
  return {
    kubeconfig,
    stop: async () => {
      child.kill('SIGINT')
      if (child.exitCode === null) await new Promise((resolve) => child.once('exit', resolve))
    },
  }
}

/** Pods on nodes, as plain as they come, with the labels and the two containers that a pool's pods have. */
async function fill(kube: KubeClient, count: number, progress: (line: string) => void): Promise<void> {
  let next = 0
  await Promise.all(
    Array.from({ length: parallel }, async () => {
      for (let i = next++; i < count; i = next++) {
        if (i % 5_000 === 0) progress(`${i.toLocaleString('en')} of ${count.toLocaleString('en')} pods`)
        await kube.create(resources.pods, {
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: {
            name: `watched-${i}`,
            namespace: 'default',
            labels: { app: `web-${i % 500}`, 'app.kubernetes.io/name': 'web', tier: 'backend' },
          },
          spec: {
            nodeName: `node-${1 + (i % Math.ceil(count / podsPerNode))}`,
            automountServiceAccountToken: false,
            containers: ['main', 'side'].map((name) => ({
              name,
              image: 'registry.example/team/web:1.2.3',
              env: [{ name: 'MODE', value: 'production' }],
              ports: [{ name: `http-${name}`, containerPort: name === 'main' ? 8080 : 8081 }],
              resources: { requests: { cpu: '1m', memory: '1Mi' }, limits: { cpu: '1m', memory: '1Mi' } },
            })),
          },
        })
      }
    }),
  )
  for (;;) {
    const { items } = await kube.list(resources.pods, { namespace: 'default', fieldSelector: 'status.phase=Running' })
    if (items.length >= count) return
    progress(`${items.length.toLocaleString('en')} pods run`)
    await delay(1_000)
  }
}

async function measure(at: {
  readonly dir: string
  readonly count: number
  readonly kube: KubeClient
  readonly kubeconfig: string
  readonly progress: (line: string) => void
}): Promise<Report> {
  const startedAt = performance.now()
  const server = await startServerProcess({
    dataDir: join(at.dir, 'data'),
    args: ['--log-level', 'warn', '--kubeconfig', at.kubeconfig],
    env: { PODYARD_ADMIN_TOKEN: adminToken },
  })
  try {
    for (;;) {
      const { count } = await list(server, { enable_count: true })
      if (count >= at.count) break
      if (performance.now() - startedAt > 600_000) throw new Error(`only ${count} pods after ten minutes`)
      await delay(100)
    }
    const firstSync = (performance.now() - startedAt) / 1000
    at.progress(`first sync after ${firstSync.toFixed(1)} s`)
    const peakMiB = (await memory(server)).VmHWM
    const lags: number[] = []
    for (let i = 0; i < changes; i += 1) {
      const name = `watched-${Math.floor(Math.random() * at.count)}`
      const mark = randomBytes(4).toString('hex')
      const changedAt = performance.now()
      await at.kube.patch(
        resources.pods,
        { namespace: 'default', name },
        { type: 'merge', body: { metadata: { labels: { mark } } } },
      )
      for (;;) {
        const { info } = await list(
          server,
          { start: 0, limit: 1 },
          { field: 'labels', operator: 'filter_object', value: { field: 'mark', operator: 'equal', value: mark } },
        )
        if (info.length > 0) break
      }
      lags.push(performance.now() - changedAt)
    }
    const { VmRSS } = await memory(server)
    const sorted = [...lags].sort((a, b) => a - b)
    const figures = {
      pods: at.count,
      rss_mib: round(VmRSS, 0),
      /** Of the limit. */
      rss_ratio: round(VmRSS / limitMiB),
      peak_mib: round(peakMiB, 0),
      first_sync_seconds: round(firstSync, 1),
      lag_ms_p50: round(median(lags), 0),
      lag_ms_p99: round(sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN, 0),
    }
    return {
      columns: ['what', 'measured'],
      rows: [
        ['pods watched and in the inventory', at.count.toLocaleString('en')],
        ['resident memory of the server process, MiB', String(figures.rss_mib)],
        ['its peak until the first sync was done, MiB', String(figures.peak_mib)],
        ['first sync, seconds from the start of the process', String(figures.first_sync_seconds)],
        ['a change of a pod until the inventory lists it, ms, median (min-max)', spread(lags, 0)],
      ],
      figures,
      limits: [{ name: 'rss_mib', figure: figures.rss_mib, atMost: limitMiB }],
    }
  } finally {
    await server.stop()
  }
}

type Listed = { readonly count: number; readonly info: readonly unknown[] }

async function list(server: ServerProcess, page: object, filter?: object): Promise<Listed> {
  const answer = await fetch(`${server.url}/api/v3/findmany/kube/pod`, {
    method: 'POST',
    headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
    body: JSON.stringify({ bk_biz_id: 1, page, ...(filter === undefined ? {} : { filter }) }),
  })
  const body = (await answer.json()) as { readonly result: boolean; readonly message: string; readonly data: Listed }
  if (!body.result) throw new Error(`list_kube_pod: ${body.message}`)
  return body.data
}

/** Sizes of a process from /proc, in MiB. */
async function memory(server: ServerProcess): Promise<Readonly<Record<'VmRSS' | 'VmHWM', number>>> {
  const status = await readFile(`/proc/${server.child.pid}/status`, 'utf8')
  const of = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1024
  return { VmRSS: of('VmRSS'), VmHWM: of('VmHWM') }
}
