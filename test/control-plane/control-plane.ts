import { rm, writeFile } from 'node:fs/promises'
import { type Api, etcdCall, openApi } from './api.ts'
import { files, tokenFile } from './command-lines.ts'
import { ControlPlaneError } from './control-plane-error.ts'
import { launchUntilReady } from './launch.ts'
import { type Component, endAll, endComponents, runningPid, signalComponent } from './processes.ts'
import { readState, type State } from './run-dir.ts'
import { occupySeat, throttle } from './throttle.ts'

/** A control plane that is up, and what can be done to it. */
export type ControlPlane = {
  readonly runDir: string
  /** Path of the kubeconfig of `admin`. */
  readonly kubeconfig: string
  /** Path of the kubeconfig of `user`, with their first token. */
  readonly userKubeconfig: string
  readonly url: string
  /** Of the user `admin`, who may do everything and whom no fairness limits. */
  readonly token: string
  /** PEM, base64: what to trust. */
  readonly caData: string
  /** A user without any right until a binding names them. Both tokens are theirs, until one is refused. */
  readonly user: { readonly name: string; readonly tokens: readonly [string, string] }
  /** A plain client, as `admin` unless another token is given. */
  readonly api: Api
  openApi(token: string): Api

  /** Ends the API server, by SIGTERM or as a crash does. Everything else goes on, and finds nobody at its port. */
  stopApiServer(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>
  /**
   * Starts it again on the same port with the same certificate, and waits until it is ready.
   *
   * @param options.refuseTokens tokens of `user` that are not valid from now on (until the next start)
   */
  startApiServer(options?: { readonly refuseTokens?: readonly string[] }): Promise<void>
  restartApiServer(options?: {
    readonly signal?: 'SIGTERM' | 'SIGKILL'
    readonly refuseTokens?: readonly string[]
  }): Promise<void>

  /** Stops a component in the middle of what it does: connections stay open, and nobody answers. */
  freeze(name: Component): void
  thaw(name: Component): void

  /** The current revision of etcd's store, which is the newest resourceVersion. */
  revision(): Promise<number>
  /**
   * Removes etcd's history before `revision` (default: the current one) and returns it. Watches from an older version that
   * start at the API server's own cache may still be served; after a restart they get 410.
   */
  compact(revision?: number): Promise<number>

  /**
   * Turns API priority and fairness down for `user`: one request at a time with 0, about two and a half with each share,
   * and 429 with Retry-After for every one beyond; undefined takes the limit away. Resolves when it is in force. `admin` is
   * exempt from every limit, as all of system:masters.
   */
  throttleUser(shares: number | undefined): Promise<void>
  /**
   * Takes one of the user's seats by a request that does not end, until the function returned is called, at most for a
   * minute. With 0 shares it is the only one: everything else that they ask is 429.
   */
  occupySeat(): Promise<() => void>

  /** Ends all processes; a throw-away run folder is removed. */
  stop(): Promise<void>
}

const alreadyCompacted = 'required revision has been compacted'

/**
 * The control plane that is up in this run folder, from any process or thread: for tests, when their global set-up started
 * it. `stop` ends it for everybody.
 */
export async function attachControlPlane(runDir: string): Promise<ControlPlane> {
  const state = await readState(runDir)
  if (state === undefined) throw new ControlPlaneError(`no control plane is up in ${runDir}`)
  return openControlPlane(runDir, state, async () => {})
}

export function openControlPlane(runDir: string, state: State, releaseGuard: () => Promise<void>): ControlPlane {
  const { url, etcdUrl, caData, token, user, apiServer } = state
  const { kubeconfig, userKubeconfig, tokens } = files(runDir)
  const api = openApi({ url, caData, token })

  const stopApiServer: ControlPlane['stopApiServer'] = async (signal = 'SIGTERM') => {
    await endComponents(runDir, ['kube-apiserver'], { signal, limitMs: 30_000 })
  }

  const startApiServer: ControlPlane['startApiServer'] = async ({ refuseTokens = [] } = {}) => {
    if (runningPid(runDir, 'kube-apiserver') !== undefined) throw new ControlPlaneError('kube-apiserver runs already')
    const valid = user.tokens.filter((one) => !refuseTokens.includes(one))
    await writeFile(tokens, tokenFile(token, { name: user.name, tokens: valid }), { mode: 0o600 })
    const isReady = async () => (await api.request('GET', '/readyz')).status === 200
    for (let tries = 1; ; tries += 1) {
      const outcome = await launchUntilReady({ runDir, name: 'kube-apiserver', ...apiServer, isReady })
      if (outcome === 'ready') return
      // Somebody's outgoing connection has the number for the moment.
      if (tries === 10) throw new ControlPlaneError(`the port of ${url} is taken by somebody else`)
    }
  }

  const revision = async () => {
    const status = (await etcdCall(etcdUrl, '/v3/maintenance/status', {})) as { header: { revision: string } }
    return Number(status.header.revision)
  }

  const signal = (name: Component, which: NodeJS.Signals) => {
    if (!signalComponent(runDir, name, which)) throw new ControlPlaneError(`${name} does not run`)
  }

  return {
    runDir,
    kubeconfig,
    userKubeconfig,
    url,
    token,
    caData,
    user,
    api,
    openApi: (other) => openApi({ url, caData, token: other }),
    stopApiServer,
    startApiServer,
    async restartApiServer(options = {}) {
      await stopApiServer(options.signal)
      await startApiServer(options)
    },
    freeze: (name) => signal(name, 'SIGSTOP'),
    thaw: (name) => signal(name, 'SIGCONT'),
    revision,
    async compact(at) {
      const target = at ?? (await revision())
      await etcdCall(etcdUrl, '/v3/kv/compaction', { revision: String(target), physical: true }).catch((error) => {
        // Nothing was written since the last time: there is no history to remove.
        if (!(error instanceof ControlPlaneError && error.message.includes(alreadyCompacted))) throw error
      })
      return target
    },
    throttleUser: (shares) => throttle(api, openApi({ url, caData, token: user.tokens[0] }), user.name, shares),
    occupySeat: () => occupySeat({ url, caData, token: user.tokens[0] }),
    async stop() {
      api.close()
      await endAll(runDir, { signal: state.temporary ? 'SIGKILL' : 'SIGTERM' })
      if (state.temporary) await rm(runDir, { recursive: true, force: true })
      await releaseGuard()
    },
  }
}
