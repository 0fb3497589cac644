import type { Api } from './api/context.ts'
import { serveApi } from './api/server.ts'
import { WatchHub } from './api/watch-hub.ts'
import { prepareCluster } from './cluster.ts'
import { defaultDelays, type KubeletDelays, startControllers } from './controllers/index.ts'
import { Faults } from './faults.ts'
import { MemoryStore } from './store/object-store.ts'
import { admit, admitUpdate } from './validation/admit.ts'

export type SimulatorOptions = {
  /** 0, the default, takes a free port. */
  readonly port?: number
  /** Default 127.0.0.1. */
  readonly host?: string
  /** The file that keeps the cluster over restarts and kills; in memory only when absent. */
  readonly journal?: string
  /** The bearer token that requests must carry; open when absent. */
  readonly token?: string
  /** How many nodes a fresh cluster has. Default 3. */
  readonly nodes?: number
  /** A namespace to make beside the usual ones, with the example's claim in it. Default `default`. */
  readonly namespace?: string
  readonly delays?: KubeletDelays
  /** How many events of each kind are kept for watches that resume. Default 10,000. */
  readonly eventRing?: number
  /** Milliseconds between a watch's bookmarks. Default 60,000, as on a kube-apiserver. */
  readonly bookmarkIntervalMs?: number
  /** A watcher that leaves more than this many bytes unread is closed. Default 64 MiB. */
  readonly slowWatcherBytes?: number
  /** Whether controllers, scheduler and kubelets run. Default true; without them objects stay as they are written. */
  readonly controllers?: boolean
  readonly now?: () => Date
  /** What the controllers do, line by line. */
  readonly log?: (line: string) => void
}

export type Simulator = {
  readonly url: string
  readonly token: string | undefined
  /** A kubeconfig for this server, as JSON, which is YAML. */
  readonly kubeconfig: () => string
  readonly store: MemoryStore
  readonly faults: Faults
  /** Cuts the open watches, of one kind (its plural) or of all. */
  readonly dropWatches: (plural?: string) => void
  /** Stops controllers and server and closes the journal. Idempotent. */
  readonly stop: () => Promise<void>
}

/** Starts a simulated cluster: its store, its controllers, and its API server. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const now = options.now ?? (() => new Date())
  const { token } = options
  const store = new MemoryStore({ journal: options.journal, eventRing: options.eventRing, now })
  const faults = new Faults()
  const hub = new WatchHub(store, {
    bookmarkIntervalMs: options.bookmarkIntervalMs ?? 60_000,
    slowWatcherBytes: options.slowWatcherBytes ?? 64 * 1024 * 1024,
  })
  const api: Api = { store, hub, faults, admission: { admit, admitUpdate }, now, random: Math.random }
  try {
    prepareCluster(store, { nodes: options.nodes ?? 3, namespace: options.namespace ?? 'default', now })
    const server = await serveApi(api, {
      host: options.host ?? '127.0.0.1',
      port: options.port ?? 0,
      token,
      onDefect: (error) => process.stderr.write(`simulator: ${error instanceof Error ? error.stack : String(error)}\n`),
    })
    const controllers =
      options.controllers === false
        ? undefined
        : startControllers(store, {
            delays: options.delays ?? defaultDelays,
            now,
            ...(options.log === undefined ? {} : { log: options.log }),
          })
    const stop = async () => {
      await controllers?.stop()
      hub.close()
      await server.stop()
      store.close()
    }
    let stopped: Promise<void> | undefined
    return {
      url: server.url,
      token,
      kubeconfig: () => kubeconfigText(server.url, token, options.namespace ?? 'default'),
      store,
      faults,
      dropWatches: (plural) => hub.drop(plural),
      stop: () => {
        stopped ??= stop()
        return stopped
      },
    }
  } catch (error) {
    hub.close()
    store.close()
    throw error
  }
}

function kubeconfigText(url: string, token: string | undefined, namespace: string): string {
  const name = 'podyard-simulator'
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server: url } }],
    users: [{ name, user: token === undefined ? {} : { token } }],
    contexts: [{ name, context: { cluster: name, user: name, namespace } }],
    'current-context': name,
  }
  return `${JSON.stringify(config, null, 2)}\n`
}
