import { createAlarmController } from './alarms/alarm-controller.ts'
import { sweepAlarms } from './alarms/alarm-sweep.ts'
import { createWebhookSender } from './alarms/webhook-sender.ts'
import type { ProvidedCluster } from './app-cluster.ts'
import { createReflectors } from './app-reflectors.ts'
import type { Config } from './config.ts'
import { dropLedgerDays, ensureLedgerDays, sweepRequestIds } from './instances/instance-sweep.ts'
import { repairMarks } from './instances/mark-repair.ts'
import { createPodHolds } from './instances/pod-holds.ts'
import type { PodMarker } from './instances/pod-marker.ts'
import { runCountSweep } from './inventory/count-sweep.ts'
import type { PoolChanges } from './pools/pool-changes.ts'
import { createPoolController } from './pools/pool-controller.ts'
import { sweepPoolEvents } from './pools/pool-events.ts'
import type { PoolScenes } from './pools/pool-scenes.ts'
import type { PoolTemplate } from './pools/template.ts'
import { createPoolGauges } from './scaling/pool-gauges.ts'
import { createScaler } from './scaling/scaler.ts'
import { sweepScaling } from './scaling/scaling-sweep.ts'
import type { Database } from './store/database.ts'
import { runJanitor } from './store/janitor.ts'
import type { Lease } from './store/lease.ts'
import { registerCluster } from './sync/registration.ts'
import { createSyncMetrics } from './sync/sync-metrics.ts'
import { createSyncer } from './sync/syncer.ts'
import type { Logger } from './telemetry/logger.ts'
import type { Metrics } from './telemetry/metrics.ts'

export type Controllers = {
  /** Runs every controller until the signal aborts: call it while holding the lease. Rejects when one of them fails. */
  lead(lease: Lease, signal: AbortSignal): Promise<void>
  /** Resolves when the cluster's content is in the inventory for the first time. */
  readonly firstPass: Promise<void>
}

export type ControllersOptions = {
  readonly config: Config
  readonly db: Database
  readonly cluster: ProvidedCluster
  readonly poolChanges: PoolChanges
  /** Pods of these pools became ready: whoever waits for them is served. */
  readonly match: (poolIds: readonly number[]) => void
  /** Told how many instances were lost with their pods. */
  readonly onLost: (count: number) => void
  readonly marker: PodMarker
  readonly template: PoolTemplate
  readonly logger: Logger
  readonly metrics: Metrics
}

/** The controllers of the lease holder: pools, sync, and the sweep. One reflector per kind feeds them all. */
export function runControllers(options: ControllersOptions): Controllers {
  const { config, db, cluster, logger, metrics } = options
  const syncMetrics = createSyncMetrics(metrics)
  const reflectorErrors = metrics.counter('podyard_reflector_failures_total', 'Lists and watches that failed', [
    'resource',
  ])
  const countsRepaired = metrics.counter(
    'podyard_inventory_counts_repaired_total',
    'Kept counts that a recount found wrong; stays at 0',
  )
  const firstPass = Promise.withResolvers<void>()
  const { alarmWebhookUrl: url, alarmWebhookSecret: secret } = config
  const target = url === undefined || secret === undefined ? undefined : { url, secret }
  const alarms = (lease: Lease, pools: PoolScenes) =>
    createAlarmController({
      db,
      lease,
      pools,
      namespace: cluster.namespace,
      hasWebhook: target !== undefined,
      logger,
      metrics,
    })

  async function lead(lease: Lease, outer: AbortSignal): Promise<void> {
    const stop = new AbortController()
    const signal = AbortSignal.any([outer, stop.signal])
    const reflectors = createReflectors(cluster.kube, (resource) => (error, trouble) => {
      if (signal.aborted) return
      reflectorErrors.inc({ resource: resource.plural })
      logger.warn(
        { err: error, resource: resource.plural, trouble },
        'the Kubernetes API could not be followed; trying again',
      )
    })
    const pools = createPoolController({
      db,
      lease,
      kube: cluster.kube,
      holds: createPodHolds({ db, lease, match: options.match, onLost: options.onLost }),
      reflectors,
      namespace: cluster.namespace,
      template: options.template,
      poolChanges: options.poolChanges,
      logger,
      metrics,
    })
    const webhook = target === undefined ? undefined : createWebhookSender({ db, target, logger, metrics })
    const sync = async () => {
      if (config.sync === 'off') return firstPass.resolve()
      const syncer = createSyncer({
        db,
        lease,
        kube: cluster.kube,
        register: () =>
          registerCluster({
            db,
            kube: cluster.kube,
            clusterName: cluster.name,
            business: config.business,
            nodes: reflectors.nodes,
            namespaces: reflectors.namespaces,
            logger,
            signal,
          }),
        reflectors,
        logger,
        metrics: syncMetrics,
        firstNamespace: 'default',
      })
      syncer.firstPass.then(firstPass.resolve, () => {})
      await syncer.run(signal)
    }
    const work = [
      ...Object.values(reflectors).map((reflector) => reflector.run(signal)),
      pools.run(signal),
      createScaler({ db, lease, pools: pools.scenes, logger, metrics }).run(signal),
      createPoolGauges({ db, pools: pools.scenes, logger, metrics }).run(signal),
      alarms(lease, pools.scenes).run(signal),
      webhook?.run(signal),
      sync(),
      repairMarks({
        db,
        kube: cluster.kube,
        pods: reflectors.pods,
        marker: options.marker,
        metrics,
        onError: (error) => logger.warn({ err: error }, 'the marks of instances on their pods could not be looked at'),
        signal,
      }),
      runCountSweep({
        db,
        signal,
        onRepaired(business, counts) {
          countsRepaired.inc(counts)
          logger.warn({ business, counts }, 'kept counts of pods and labels were wrong, and were put right')
        },
        onError: (error) => logger.warn({ err: error }, 'the counts of pods and labels could not be folded'),
      }),
      runJanitor({
        db,
        retention: { eventDays: config.eventRetentionDays, historyDays: config.historyRetentionDays },
        others: [
          () => sweepAllPoolEvents(db, config.eventRetentionDays),
          () => sweepScaling(db, config.eventRetentionDays),
          () => sweepAlarms(db, config.instanceRetentionDays),
          () => ensureLedgerDays(db),
          () => dropLedgerDays(db, config.instanceRetentionDays),
          () => sweepRequestIds(db),
        ],
        signal,
        onError: (error) => logger.warn({ err: error }, 'old events and history could not be swept'),
      }),
    ]
    try {
      await Promise.all(work)
    } finally {
      stop.abort()
      await Promise.allSettled(work)
    }
  }

  return { lead, firstPass: firstPass.promise }
}

/** A batch at a time, so that no statement is long. */
async function sweepAllPoolEvents(db: Database, days: number): Promise<void> {
  while ((await sweepPoolEvents(db, days * 86_400, 10_000)) === 10_000);
}
