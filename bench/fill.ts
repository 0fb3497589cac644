import { execFile, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { V1Deployment, V1Pod } from '@kubernetes/client-node'
import { startServerProcess } from '../e2e/support/server-process.ts'
import {
  createKubeClient,
  createReflector,
  type KubeClient,
  type Reflector,
  resources,
  withoutManagedFields,
} from '../packages/server/src/kube/index.ts'
import { provideBinaries } from '../test/control-plane/binaries.ts'
import type { ControlPlane } from '../test/control-plane/control-plane.ts'
import { startControlPlane } from '../test/control-plane/start.ts'
import type { BareOrder } from './fill-bare.ts'
import { type Bench, type BenchOptions, median, type Report, round, spread } from './report.ts'

const pods = 1_000
/** Podyard's own bound of API writes in flight; the bare client gets the same. */
const parallel = 16
const namespace = 'default'
/**
 * Pods that Podyard, and the bare client, make and take away before the clock starts: a controller runs for weeks, and what
 * is measured is not how its code is compiled.
 */
const warmUpPods = 500
/**
 * Before each clock starts: when the last pod is gone the control plane still has something to do with it for a while
 * (garbage collection asks for pods that are gone), and what was before is not to be measured with what comes.
 */
const settleMs = 3_000
const adminToken = randomBytes(16).toString('hex')
const run = promisify(execFile)
const bareClient = fileURLToPath(new URL('./fill-bare.ts', import.meta.url))

/**
 * From nothing to 1,000 ready pods on a real control plane (KWOK plays the kubelets, controller-manager and scheduler with
 * raised QPS): a scalable pool, whose pods Podyard creates itself, beside a bare client that creates the very same pods,
 * owner and all, with the same parallelism and in a fresh process as well; the same with the inventory's sync on; ten pools
 * of 100; and a fixed pool beside `kubectl create` of the very same Deployment, and, for the record, beside the one-container
 * pods of `kubectl create deployment --replicas`. Each round runs every way once, so that a slow phase of the machine hits
 * all of them.
 */
export const bench: Bench = {
  describe: '0 to 1,000 ready pods on a real control plane, beside a bare client and kubectl',
  async run(options) {
    const controlPlane = await startControlPlane({ nodes: 10, progress: options.progress })
    const { kubectl } = await provideBinaries(['kubectl'], { progress: options.progress })
    const kube = createKubeClient({
      server: controlPlane.url,
      namespace,
      token: controlPlane.token,
      caData: controlPlane.caData,
    })
    const stop = new AbortController()
    const reflector = createReflector(kube, resources.pods, { namespace, transform: withoutManagedFields })
    const watching = reflector.run(stop.signal)
    try {
      await reflector.synced
      return await measure(options, controlPlane, kube, reflector, kubectl.path)
    } finally {
      stop.abort()
      await watching
      await kube.close()
      await controlPlane.stop()
    }
  },
}

type Way = { readonly name: string; run(): Promise<number> }

async function measure(
  options: BenchOptions,
  controlPlane: ControlPlane,
  kube: KubeClient,
  reflector: Reflector<V1Pod>,
  kubectl: string,
): Promise<Report> {
  const rounds = options.quick ? 1 : 5
  const dir = await mkdtemp(join(tmpdir(), 'podyard-fill-'))
  await chmod(dir, 0o755)
  const watch = followPods(reflector)

  /** Podyard in a process of its own, with its own database kept over the rounds; started and stopped outside the clock. */
  const withPodyard = async <T>(sync: 'on' | 'off', work: (url: string) => Promise<T>) => {
    const server = await startServerProcess({
      dataDir: join(dir, sync),
      args: ['--log-level', 'warn', '--kubeconfig', controlPlane.kubeconfig, '--sync', sync],
      env: { PODYARD_ADMIN_TOKEN: adminToken },
    })
    try {
      return await work(server.url)
    } finally {
      await server.stop()
    }
  }
  const fillPools = (sync: 'on' | 'off', count: number, scalable: boolean) =>
    withPodyard(sync, async (url) => {
      const warm = [poolBody('warm', warmUpPods, scalable)]
      await watch.until(warmUpPods, () => send(url, 'POST', '/serverless/v1/podpools', { pools: warm }))
      await deletePools(url, ['warm'])
      const size = pods / count
      const ids = Array.from({ length: count }, (_, i) => `fill-${i}`)
      const body = { pools: ids.map((id) => poolBody(id, size, scalable)) }
      const took = await watch.until(pods, () => send(url, 'POST', '/serverless/v1/podpools', body))
      await deletePools(url, ids)
      return took
    })
  const deletePools = async (url: string, ids: readonly string[]) => {
    for (const id of ids) await send(url, 'DELETE', `/serverless/v1/podpools?id=${id}`)
    await watch.empty()
    // Their rows go last, and with them their ids are free.
    for (;;) {
      const { result } = JSON.parse(await send(url, 'GET', '/serverless/v1/podpools')) as { result: { count: number } }
      if (result.count === 0) return
      await delay(20)
    }
  }

  // Pools as Podyard makes them, Deployment and pod: what the peers make.
  const modelOf = (scalable: boolean) =>
    withPodyard('off', async (url) => {
      await send(url, 'POST', '/serverless/v1/podpools', { pools: [poolBody('model', 1, scalable)] })
      await watch.until(1, async () => {})
      const [pod] = [...reflector.values()].filter((found) => found.metadata?.name?.startsWith('function-agent-model-'))
      if (pod === undefined) throw new Error('no pod of the model pool')
      const deployment = await kube.get(resources.deployments, { namespace, name: 'function-agent-model' })
      await deletePools(url, ['model'])
      return bareModel(deployment, pod)
    })
  const model = await modelOf(true)
  const { deployment: fixed } = await modelOf(false)
  const manifest = join(dir, 'deployment.json')
  await writeFile(
    manifest,
    JSON.stringify({ apiVersion: 'apps/v1', kind: 'Deployment', ...fixed, spec: { ...fixed.spec, replicas: pods } }),
  )

  const bare = async () => {
    const child = fork(bareClient, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    const says = async (word: string) => {
      const [said] = await Promise.race([
        once(child, 'message'),
        once(child, 'exit').then(([code]) => Promise.reject(new Error(`the bare client ended with ${code}`))),
      ])
      if (said !== word) throw new Error(`the bare client says ${said}`)
    }
    const counts = [warmUpPods, pods]
    child.send({ kubeconfig: controlPlane.kubeconfig, counts, parallel, ...model } satisfies BareOrder)
    let took = Number.NaN
    for (const count of counts) {
      await says('ready')
      took = await watch.until(count, async () => {
        child.send('go')
        await says('done')
      })
      await kube.delete(resources.deployments, { namespace, name: 'function-agent-bare' })
      await watch.empty()
    }
    return took
  }
  const kubectlCreate = async (name: string, ...args: string[]) => {
    const kubeconfig = `--kubeconfig=${controlPlane.kubeconfig}`
    const took = await watch.until(pods, () => run(kubectl, [kubeconfig, 'create', ...args]))
    await run(kubectl, [kubeconfig, 'delete', 'deployment', name, '--wait=false'])
    await watch.empty()
    return took
  }

  const ways: Way[] = [
    { name: 'bare client', run: bare },
    { name: 'scalable pool, sync off', run: () => fillPools('off', 1, true) },
    { name: 'scalable pool, sync on', run: () => fillPools('on', 1, true) },
    { name: '10 scalable pools x 100, sync off', run: () => fillPools('off', 10, true) },
    { name: 'kubectl create -f', run: () => kubectlCreate('function-agent-bare', '-f', manifest) },
    { name: 'fixed pool, sync off', run: () => fillPools('off', 1, false) },
    {
      name: 'kubectl create deployment, one container',
      run: () => kubectlCreate('small', 'deployment', 'small', '--image=runtime-manager:v1', `--replicas=${pods}`),
    },
  ]
  const seconds = new Map<string, number[]>(ways.map((way) => [way.name, []]))
  try {
    for (let r = -1; r < rounds; r += 1)
      for (const way of ways) {
        const took = (await way.run()) / 1000
        if (r >= 0) seconds.get(way.name)?.push(took) // the first round warms up
        options.progress(`${r < 0 ? 'warm-up' : `round ${r + 1} of ${rounds}`}: ${way.name} ${took.toFixed(2)} s`)
      }
  } finally {
    watch.stop()
    await rm(dir, { recursive: true, force: true })
  }
  const of = (name: string) => seconds.get(name) ?? []
  const ratio = (name: string, peer: string) => round(median(of(name)) / median(of(peer)))
  const figures = {
    ratio: ratio('scalable pool, sync off', 'bare client'),
    ratio_sync: ratio('scalable pool, sync on', 'bare client'),
    ratio_ten: ratio('10 scalable pools x 100, sync off', 'bare client'),
    ratio_fixed: ratio('fixed pool, sync off', 'kubectl create -f'),
  }
  const peerOf = (name: string) => (/kubectl|fixed/.test(name) ? 'kubectl create -f' : 'bare client')
  return {
    columns: ['way', 's to 1,000 ready, median (min-max)', 'pods/s', 'times its peer'],
    rows: ways.map(({ name }) => [
      name,
      spread(of(name), 2),
      Math.round(pods / median(of(name))).toString(),
      ratio(name, peerOf(name)).toFixed(2),
    ]),
    figures,
    limits: [
      { name: 'ratio', figure: figures.ratio, atMost: 1.1 },
      { name: 'ratio_sync', figure: figures.ratio_sync, atMost: 1.3 },
      { name: 'ratio_fixed', figure: figures.ratio_fixed, atMost: 1.1 },
    ],
  }
}

/** Counts ready pods as they come; one subscription, so that watching costs the same in every way. */
function followPods(reflector: Reflector<V1Pod>) {
  const ready = new Set<string>()
  let total = reflector.size
  let changed: (() => void) | undefined
  const stop = reflector.subscribe(({ before, after }) => {
    if (before === undefined) total += 1
    if (after === undefined) total -= 1
    const uid = (after ?? before)?.metadata?.uid ?? ''
    const isReady = after?.status?.conditions?.some(
      (condition) => condition.type === 'Ready' && condition.status === 'True',
    )
    if (isReady === true) ready.add(uid)
    else ready.delete(uid)
    changed?.()
  })
  const wait = async (suits: () => boolean, what: string) => {
    for (const end = performance.now() + 180_000; !suits(); ) {
      if (performance.now() > end) throw new Error(`${what}: gave up after 180 s with ${ready.size} ready of ${total}`)
      await Promise.race([new Promise<void>((resolve) => (changed = resolve)), delay(1_000)])
    }
  }
  return {
    stop,
    /** Milliseconds from the call of `begin`, which comes when the control plane has settled, until so many pods are ready. */
    async until(count: number, begin: () => Promise<unknown>): Promise<number> {
      await delay(settleMs)
      const startedAt = performance.now()
      const [, took] = await Promise.all([
        begin(),
        wait(() => ready.size >= count, `${count} ready pods`).then(() => performance.now() - startedAt),
      ])
      return took
    },
    empty: () => wait(() => total === 0, 'no pods'),
  }
}

/** The same objects under a name of their own, as they were before the cluster filled them in. */
function bareModel(deployment: V1Deployment, pod: V1Pod): Pick<BareOrder, 'deployment' | 'pod'> {
  const renamed = <T>(object: T): T =>
    JSON.parse(JSON.stringify(object).replaceAll('function-agent-model', 'function-agent-bare'))
  const { nodeName: _node, ...podSpec } = pod.spec ?? { containers: [] }
  const { labels, annotations, ownerReferences } = pod.metadata ?? {}
  return renamed({
    deployment: {
      metadata: {
        name: 'function-agent-model',
        namespace,
        labels: deployment.metadata?.labels ?? {},
        annotations: deployment.metadata?.annotations ?? {},
      },
      ...(deployment.spec === undefined ? {} : { spec: deployment.spec }),
    },
    pod: {
      metadata: {
        namespace,
        labels: labels ?? {},
        annotations: annotations ?? {},
        ownerReferences: ownerReferences ?? [],
      },
      spec: podSpec,
    },
  })
}

const poolBody = (id: string, size: number, scalable: boolean) => ({
  id,
  size,
  max_size: scalable ? size + 1 : size,
  image: 'runtime-manager:v1',
  resources: { requests: { cpu: '1m', memory: '1Mi' }, limits: { cpu: '1m', memory: '1Mi' } },
})

async function send(url: string, method: string, path: string, body?: object): Promise<string> {
  const answer = await fetch(url + path, {
    method,
    headers: { authorization: `Bearer ${adminToken}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
  return text
}
