import { setTimeout as delay } from 'node:timers/promises'
import { type KubeletDelays, type Simulator, startSimulator, zeroDelays } from '@podyard/simulator'
import { afterAll, beforeAll } from 'vitest'
import { createPodCloser, createPodHolds } from '../../src/instances/pod-holds.ts'
import {
  createKubeClient,
  createReflector,
  type KubeClient,
  type KubeObject,
  type Resource,
  resources,
  withoutManagedFields,
} from '../../src/kube/index.ts'
import { defaultTemplate } from '../../src/pools/default-template.ts'
import { readCreateBody, readUpdateBody } from '../../src/pools/pool-body.ts'
import { createPoolChanges, type PoolChanges } from '../../src/pools/pool-changes.ts'
import { createPoolController } from '../../src/pools/pool-controller.ts'
import { listPoolEvents } from '../../src/pools/pool-events.ts'
import { createPoolService, type PoolService } from '../../src/pools/pool-service.ts'
import { getPoolById } from '../../src/pools/pool-store.ts'
import type { PoolControllerTuning } from '../../src/pools/pool-tuning.ts'
import { toPoolView } from '../../src/pools/pool-view.ts'
import { checkTemplate } from '../../src/pools/template.ts'
import type { Database } from '../../src/store/database.ts'
import { acquireLease, type Lease } from '../../src/store/lease.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { useDatabase } from './database.ts'

export const small = { requests: { cpu: '1m', memory: '1Mi' }, limits: { cpu: '1m', memory: '1Mi' } }

export type RunningController = {
  /** Stops it and waits until it has ended. */
  stop(): Promise<void>
  readonly ended: Promise<void>
}

export type PoolCluster = ReturnType<typeof usePoolCluster>

/** A cluster to run pools on, as far as tests of pools want to know. */
export type TestCluster = {
  readonly kube: KubeClient
  readonly namespace: string
  /** When it is a simulated one. */
  readonly simulator?: Simulator
  stop(): Promise<void>
}

export type PoolClusterOptions = {
  readonly delays?: KubeletDelays
  readonly nodes?: number
  /** How long `eventually` waits at most, in the whole test file. Default 120,000: a limit to give up at, not a measure. */
  readonly limitMs?: number
  /** Another cluster than a simulated one of the file's own. */
  readonly connect?: () => Promise<TestCluster>
}

/** A database and a cluster of the test file's own, and as many pool controllers one after the other as a test wants. */
export function usePoolCluster(options: PoolClusterOptions = {}) {
  const t = useDatabase()
  limits.eventuallyMs = options.limitMs ?? limits.eventuallyMs
  let cluster: TestCluster
  const state = {
    get simulator(): Simulator {
      if (cluster.simulator === undefined) throw new Error('this cluster is not a simulated one')
      return cluster.simulator
    },
    get kube(): KubeClient {
      return cluster.kube
    },
    get namespace(): string {
      return cluster.namespace
    },
    changes: undefined as unknown as PoolChanges,
    service: undefined as unknown as PoolService,
    metrics: createMetrics(),
    get db(): Database {
      return t.db
    },
    databaseName: t.name,
    start,
    async create(...pools: object[]) {
      const made = await state.service.create(
        readCreateBody({ pools: pools.map((pool) => ({ resources: small, ...pool })) }),
      )
      if (made.failed.length > 0) throw new Error(JSON.stringify(made.failed))
      return made.created
    },
    put: (id: string, body: object) => state.service.update(id, readUpdateBody(body)),
    /** The pool as the API shows it; undefined when there is none. */
    async view(id: string) {
      const pool = await getPoolById(t.db, id)
      return pool === undefined ? undefined : toPoolView(pool)
    },
    row: (id: string) => getPoolById(t.db, id),
    async story(id: string) {
      return (await listPoolEvents(t.db, id, { limit: 200 })).map((event) => event.reason)
    },
    /** Waits until the pool has this status, and gives it as the API shows it. */
    reaches: (id: string, status: number) =>
      eventually(`pool ${id} in status ${status}`, async () => {
        const view = await state.view(id)
        return { isDone: view?.status === status, value: view }
      }),
    isRemoved: (id: string) =>
      eventually(`pool ${id} removed`, async () => {
        const view = await state.view(id)
        return { isDone: view === undefined, value: view }
      }),
    deployment: (id: string) => find(resources.deployments, `function-agent-${id}`),
    hpa: (id: string) => find(resources.horizontalPodAutoscalers, `function-agent-${id}-hpa`),
    /** Every pod that carries the pool's label, those that are ending included. */
    async pods(id: string) {
      const { items } = await state.kube.list(resources.pods, {
        namespace: cluster.namespace,
        labelSelector: `app=function-agent-${id}`,
      })
      return items
    },
  }

  async function find<T extends KubeObject>(resource: Resource<T>, name: string): Promise<T | undefined> {
    const { namespace } = cluster
    const { items } = await cluster.kube.list(resource, { namespace, fieldSelector: `metadata.name=${name}` })
    return items[0]
  }

  async function start(
    given: {
      readonly lease?: Lease
      readonly tuning?: Partial<PoolControllerTuning>
      /** Stands between the controller and the world, to fail it. */
      readonly kube?: KubeClient
      readonly db?: Database
      readonly template?: object
      /** Told which pools got pods. */
      readonly match?: (poolIds: readonly number[]) => void
      /** Of the watches, see `WatchOptions`. */
      readonly idleTimeoutMs?: number
    } = {},
  ): Promise<RunningController> {
    const { changes, metrics } = state
    const kube = given.kube ?? state.kube
    const stop = new AbortController()
    const reflect = <T extends KubeObject>(resource: Resource<T>) =>
      createReflector(kube, resource, {
        transform: withoutManagedFields,
        ...(given.idleTimeoutMs === undefined ? {} : { idleTimeoutMs: given.idleTimeoutMs }),
      })
    const reflectors = {
      nodes: reflect(resources.nodes),
      deployments: reflect(resources.deployments),
      pods: reflect(resources.pods),
      replicaSets: reflect(resources.replicaSets),
      horizontalPodAutoscalers: reflect(resources.horizontalPodAutoscalers),
    }
    const lease = given.lease ?? (await acquireLease(t.db, 'pools', crypto.randomUUID(), 60, { force: true }))
    const controller = createPoolController({
      db: given.db ?? t.db,
      lease,
      kube,
      holds: createPodHolds({ db: given.db ?? t.db, lease, match: given.match ?? (() => {}) }),
      reflectors,
      namespace: cluster.namespace,
      template: checkTemplate(given.template ?? defaultTemplate, 'template'),
      poolChanges: changes,
      logger: createLogger({ level: 'error' }),
      metrics,
      tuning: { stopGraceMs: 50, ...given.tuning },
    })
    const following = Object.values(reflectors).map((reflector) => reflector.run(stop.signal))
    const ended = controller.run(stop.signal)
    return {
      ended,
      async stop() {
        stop.abort()
        await Promise.all([ended, ...following])
      },
    }
  }

  beforeAll(async () => {
    cluster = await (options.connect ?? (() => simulatedCluster(options)))()
    state.changes = createPoolChanges(t.db, 'test')
    state.service = createPoolService(t.db, state.changes, createPodCloser(t.db))
  })
  afterAll(async () => {
    await cluster?.stop()
  })
  return state
}

async function simulatedCluster({ delays, nodes }: PoolClusterOptions): Promise<TestCluster> {
  const simulator = await startSimulator({ delays: delays ?? zeroDelays, nodes: nodes ?? 3 })
  const kube = createKubeClient({ server: simulator.url, namespace: 'default' })
  return {
    kube,
    namespace: 'default',
    simulator,
    async stop() {
      await kube.close()
      await simulator.stop()
    },
  }
}

/** A test file's own, as modules are loaded anew for each. */
const limits = { eventuallyMs: 120_000 }

/** Asks again and again until it is so, for two minutes at most, or for as long as it takes a slow cluster. */
export async function eventually<T>(
  what: string,
  ask: () => Promise<{ readonly isDone: boolean; readonly value: T }>,
  limitMs = limits.eventuallyMs,
): Promise<NonNullable<T>> {
  const endsAt = performance.now() + limitMs
  for (;;) {
    const { isDone, value } = await ask()
    if (isDone) return value as NonNullable<T>
    if (performance.now() > endsAt)
      throw new Error(`not in ${limitMs / 1000} s: ${what}; last: ${JSON.stringify(value)}`)
    await delay(10)
  }
}
