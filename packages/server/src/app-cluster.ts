import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from './config.ts'
import {
  createKubeClient,
  type KubeClient,
  type KubeConfig,
  loadInClusterConfig,
  loadKubeConfig,
} from './kube/index.ts'
import type { Logger } from './telemetry/logger.ts'
import { childOf, type Metrics } from './telemetry/metrics.ts'

/** The cluster that pools run on: a real one, or the simulator in this process. Past this file nothing knows which. */
export type ProvidedCluster = {
  readonly kube: KubeClient
  readonly simulated: boolean
  /** What the inventory calls it. */
  readonly name: string
  /** Where pools run. */
  readonly namespace: string
  stop(): Promise<void>
}

export async function provideCluster(
  config: Config,
  deps: {
    readonly logger: Logger
    readonly metrics: Metrics
    /** What exec plugins of a kubeconfig run with. */
    readonly environment: Readonly<Record<string, string | undefined>>
  },
): Promise<ProvidedCluster> {
  const requests = deps.metrics.counter('podyard_kube_requests_total', 'Requests to the Kubernetes API', [
    'verb',
    'resource',
    'code',
  ])
  const seconds = deps.metrics.histogram(
    'podyard_kube_request_duration_seconds',
    'Time until the Kubernetes API answered',
    ['verb', 'resource'],
  )
  const answered = childOf((...labels) => requests.labels(...labels))
  const took = childOf((...labels) => seconds.labels(...labels))
  const connect = (kubeConfig: KubeConfig) =>
    createKubeClient(kubeConfig, {
      userAgent: 'podyard',
      onRequest: (request) => {
        const { verb, resource, code } = request
        answered(verb, resource, String(code)).inc()
        if (verb !== 'watch') took(verb, resource).observe(request.seconds)
      },
    })

  if (config.kubeconfig !== undefined) {
    const kubeConfig =
      config.inCluster !== undefined
        ? await loadInClusterConfig(config.inCluster)
        : await loadKubeConfig(config.kubeconfig, {
            environment: deps.environment,
            ...(config.kubeContext === undefined ? {} : { context: config.kubeContext }),
          })
    const kube = connect(kubeConfig)
    return {
      kube,
      simulated: false,
      name: config.kubeContext ?? new URL(kubeConfig.server).hostname,
      namespace: config.namespace ?? kubeConfig.namespace,
      stop: () => kube.close(),
    }
  }

  const namespace = config.namespace ?? 'default'
  const { startSimulator } = await import('@podyard/simulator')
  const simulator = await startSimulator({
    host: config.simulatorListen.host,
    port: config.simulatorListen.port,
    journal: join(config.dataDir, 'simulator.jsonl'),
    nodes: config.simulatorNodes,
    namespace,
    delays: {
      scheduleMs: config.simulatorScheduleMs,
      pullMs: config.simulatorPullMs,
      readyMs: config.simulatorReadyMs,
      terminateMs: config.simulatorTerminateMs,
    },
  })
  // For kubectl: it is a cluster like any other.
  const kubeconfigPath = join(config.dataDir, 'simulator.kubeconfig')
  await writeFile(kubeconfigPath, simulator.kubeconfig(), { mode: 0o600 })
  await chmod(kubeconfigPath, 0o600)
  const kube = connect({
    server: simulator.url,
    namespace,
    ...(simulator.token === undefined ? {} : { token: simulator.token }),
  })
  return {
    kube,
    simulated: true,
    name: 'simulated',
    namespace,
    async stop() {
      await kube.close()
      await simulator.stop()
    },
  }
}
