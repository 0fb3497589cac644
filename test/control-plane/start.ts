import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { access, constants, mkdtemp, readFile, rm, statfs, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Api, must, openApi, until } from './api.ts'
import { type BinaryOptions, provideBinaries } from './binaries.ts'
import {
  apiServerArguments,
  apiUrl,
  controllerManagerArguments,
  etcdArguments,
  etcdUrl,
  files,
  kubeconfigText,
  kwokArguments,
  kwokConfig,
  type Qps,
  schedulerArguments,
  tokenFile,
} from './command-lines.ts'
import { type ControlPlane, openControlPlane } from './control-plane.ts'
import { ControlPlaneError } from './control-plane-error.ts'
import { freePort, launchUntilReady } from './launch.ts'
import { claimName, clusterObjects, maxNodes, node, type Placed } from './objects.ts'
import { type Component, endAll, launch, logTails, runningPid, yieldToOthers } from './processes.ts'
import { claimRunDir, emptyRunDir, type State, startGuard, withRunDirLock, writeState } from './run-dir.ts'

export type StartOptions = BinaryOptions & {
  /** How many nodes, `node-1` onwards. Default 3. */
  readonly nodes?: number
  /** Limits that the controller manager and the scheduler put on themselves. Default `raised`. */
  readonly qps?: Qps
  /** false: nobody plays the kubelets; nodes stay NotReady and pods Pending. Default true. */
  readonly kwok?: boolean
  /** Where data, logs and credentials go. Default: a throw-away folder, in memory where there is room, removed by `stop`. */
  readonly runDir?: string
  /** More arguments of kube-apiserver, such as `--max-requests-inflight`. */
  readonly apiServerArgs?: readonly string[]
  /** true: etcd answers only when its data is on the disk. Default false; a killed process loses nothing either way. */
  readonly fsync?: boolean
  /**
   * true: it goes last where the machine has too much to do, as if it had machines of its own. Default false. What restarts
   * later has forgotten it.
   */
  readonly yields?: boolean
  /** Ends everything when this process dies, however it dies. Default true. */
  readonly guard?: boolean
}

const stagesFile = fileURLToPath(new URL('stages.yaml', import.meta.url))

/**
 * Brings up etcd, kube-apiserver, kube-controller-manager, kube-scheduler and KWOK on loopback, on ports that the kernel
 * chose, with an empty store; makes the nodes and what the seed's pool refers to; resolves when all nodes are Ready, the
 * claim is bound and the namespace `default` has its ServiceAccount.
 *
 * When that fails, what had been started is ended, and the error (a ControlPlaneError) shows the ends of the logs.
 */
export async function startControlPlane(options: StartOptions = {}): Promise<ControlPlane> {
  const { nodes = 3, progress = () => {}, signal } = options
  if (!Number.isInteger(nodes) || nodes < 0 || nodes > maxNodes)
    throw new ControlPlaneError(`nodes must be a whole number from 0 to ${maxNodes}`)
  const temporary = options.runDir === undefined
  const kwok = options.kwok ?? true
  const wanted: readonly Component[] = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler']
  const binaries = await provideBinaries(kwok ? [...wanted, 'kwok'] : wanted, options)
  const runDir = temporary
    ? await mkdtemp(join(await throwAwayRoot(options.fsync ?? false), 'podyard-cp-'))
    : resolve(options.runDir ?? '')
  await claimRunDir(runDir)
  return withRunDirLock(runDir, { progress, signal }, async () => {
    await emptyRunDir(runDir)
    const releaseGuard = (options.guard ?? true) ? startGuard(runDir, temporary) : async () => {}
    try {
      const programs = Object.fromEntries(Object.entries(binaries).map(([name, { path }]) => [name, path])) as Programs
      const state = await startComponents({ ...options, runDir, nodes, kwok, temporary, progress, programs })
      await writeState(runDir, state)
      return openControlPlane(runDir, state, releaseGuard)
    } catch (error) {
      const logs = await logTails(runDir, 8)
      await endAll(runDir, { signal: 'SIGKILL' })
      await releaseGuard()
      if (signal?.aborted) {
        if (temporary) await rm(runDir, { recursive: true, force: true })
        throw error
      }
      const message = error instanceof ControlPlaneError ? error.message : String(error)
      throw new ControlPlaneError(`${message}\nThe logs in ${join(runDir, 'log')} end with:\n${logs}`, { cause: error })
    }
  })
}

const memoryFolder = '/dev/shm'
/** Twice what etcd may ever take by default; logs are small. */
const memoryBytes = 4 * 1024 ** 3

/**
 * etcd has a disk of its own in a cluster that is looked after. Where it shares one with a PostgreSQL that is measured, each
 * commit waits for the file system to write etcd's pages as well, whether etcd asks for that or not.
 */
async function throwAwayRoot(fsync: boolean): Promise<string> {
  if (fsync) return tmpdir()
  try {
    await access(memoryFolder, constants.W_OK)
    const { bavail, bsize } = await statfs(memoryFolder)
    return bavail * bsize >= memoryBytes ? memoryFolder : tmpdir()
  } catch {
    return tmpdir()
  }
}

type Programs = Readonly<Record<Component, string>>

type Plan = StartOptions & {
  readonly runDir: string
  readonly nodes: number
  readonly kwok: boolean
  readonly temporary: boolean
  readonly progress: (line: string) => void
  readonly programs: Programs
}

async function startComponents(plan: Plan): Promise<State> {
  const { runDir, programs, progress, qps = 'raised' } = plan
  const startedAt = performance.now()
  const since = () => `${((performance.now() - startedAt) / 1000).toFixed(1)} s`
  const token = randomBytes(16).toString('hex')
  const user: State['user'] = {
    name: 'podyard',
    tokens: [randomBytes(16).toString('hex'), randomBytes(16).toString('hex')],
  }
  await writeCredentials(runDir, token, user)

  const etcdPort = await launchOnFreePort('etcd', plan, {
    args: (port) => etcdArguments(runDir, port, plan.fsync ?? false),
    isReady: async (port) => (await fetch(`${etcdUrl(port)}/health`, { signal: AbortSignal.timeout(5_000) })).ok,
  })
  const apiArgs = (port: number) => apiServerArguments({ runDir, etcdPort, apiPort: port }, plan.apiServerArgs ?? [])
  const apiPort = await launchOnFreePort('kube-apiserver', plan, {
    args: apiArgs,
    isReady: (port) => isApiReady(runDir, apiUrl(port), token),
  })
  const url = apiUrl(apiPort)
  progress(`kube-apiserver ready after ${since()}: ${url}`)

  const caData = await readCaData(runDir)
  const { kubeconfig, userKubeconfig, kwokConfig: kwokFile } = files(runDir)
  await writeFile(kubeconfig, kubeconfigText({ url, caData, token }), { mode: 0o600 })
  await writeFile(userKubeconfig, kubeconfigText({ url, caData, token: user.tokens[0] }), { mode: 0o600 })
  const launched: [Component, readonly string[]][] = [
    ['kube-controller-manager', controllerManagerArguments(runDir, qps)],
    ['kube-scheduler', schedulerArguments(runDir, qps)],
  ]
  if (plan.kwok) {
    await writeFile(kwokFile, kwokConfig(await readFile(stagesFile, 'utf8')))
    launched.push(['kwok', kwokArguments(runDir)])
  }
  for (const [name, args] of launched) await launch(runDir, name, programs[name], args)

  const api = openApi({ url, caData, token })
  try {
    await makeObjects(api, plan, ['etcd', 'kube-apiserver', ...launched.map(([name]) => name)])
  } finally {
    api.close()
  }
  if (plan.yields === true) await yieldToOthers(runDir)
  progress(`up after ${since()}: ${plan.nodes} nodes; limits of controller manager and scheduler: ${qps}`)
  const apiServer = { program: programs['kube-apiserver'], args: apiArgs(apiPort) }
  const { nodes, kwok, temporary } = plan
  return { url, etcdUrl: etcdUrl(etcdPort), caData, token, user, nodes, kwok, qps, apiServer, temporary }
}

async function writeCredentials(runDir: string, token: string, user: State['user']): Promise<void> {
  const { accountKey, accountPublicKey, tokens } = files(runDir)
  const pair = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  })
  await writeFile(accountKey, pair.privateKey, { mode: 0o600 })
  await writeFile(accountPublicKey, pair.publicKey)
  await writeFile(tokens, tokenFile(token, user), { mode: 0o600 })
}

/** The API server's certificate with its issuer, once both are there. */
const readCaData = async (runDir: string) => (await readFile(files(runDir).certificate)).toString('base64')

async function isApiReady(runDir: string, url: string, token: string): Promise<boolean> {
  const api = openApi({ url, caData: await readCaData(runDir), token })
  try {
    return (await api.request('GET', '/readyz')).status === 200
  } finally {
    api.close()
  }
}

/** Starts a component on a free port and waits until it is ready; chooses again when somebody else was faster. */
async function launchOnFreePort(
  name: Component,
  plan: Plan,
  how: {
    readonly args: (port: number) => readonly string[]
    readonly isReady: (port: number) => Promise<boolean>
  },
): Promise<number> {
  for (let tries = 1; ; tries += 1) {
    const port = await freePort()
    const outcome = await launchUntilReady({
      runDir: plan.runDir,
      name,
      program: plan.programs[name],
      args: how.args(port),
      isReady: () => how.isReady(port),
      signal: plan.signal,
    })
    if (outcome === 'ready') return port
    if (tries === 5) throw new ControlPlaneError(`${name} found five ports taken that had been free a moment before`)
  }
}

/** Makes the nodes and the other objects, and waits for what the cluster makes of them. */
async function makeObjects(api: Api, plan: Plan, started: readonly Component[]): Promise<void> {
  const all = [...clusterObjects, ...Array.from({ length: plan.nodes }, (_, i) => node(i + 1))]
  await inParallel(16, all, async ({ path, object }: Placed) => {
    plan.signal?.throwIfAborted()
    await must(api, 'POST', path, object)
  })
  const check = () => {
    for (const name of started)
      if (runningPid(plan.runDir, name) === undefined) throw new ControlPlaneError(`${name} has ended`)
  }
  const wait = { limitMs: 120_000, check, signal: plan.signal }
  const namespace = '/api/v1/namespaces/default'
  await until(
    'the ServiceAccount of the namespace default',
    async () => (await api.request('GET', `${namespace}/serviceaccounts/default`)).status === 200,
    wait,
  )
  await until(
    `the claim ${claimName} to be bound`,
    async () => {
      const path = `${namespace}/persistentvolumeclaims/${claimName}`
      const claim = await must<{ status?: { phase?: string } }>(api, 'GET', path)
      return claim.status?.phase === 'Bound'
    },
    wait,
  )
  if (plan.kwok) await until('all nodes to be Ready', async () => (await countReady(api)) >= plan.nodes, wait)
}

type NodeList = { items: { status: { conditions?: { type: string; status: string }[] } }[] }

/** How many nodes are Ready. */
export async function countReady(api: Api): Promise<number> {
  const { items } = await must<NodeList>(api, 'GET', '/api/v1/nodes')
  const isReady = ({ status }: NodeList['items'][number]) =>
    status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false
  return items.filter(isReady).length
}

async function inParallel<T>(width: number, all: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  const left = all.values()
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (const one of left) await work(one)
    }),
  )
}
