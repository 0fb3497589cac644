import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createAccess } from './access/access.ts'
import { registerAlarmRoutes } from './alarms/alarm-routes.ts'
import { createAlarmService } from './alarms/alarm-service.ts'
import { provideCluster } from './app-cluster.ts'
import { runControllers } from './app-controllers.ts'
import { type Config, formatAddress } from './config.ts'
import { createEventLog } from './events/event-log.ts'
import { watchOperations } from './events/watch-operations.ts'
import { registerCmdbDialect } from './http/cmdb-dialect.ts'
import { buildServer } from './http/server.ts'
import { registerServerless } from './http/serverless-dialect.ts'
import { addInstanceRoutes } from './instances/instance-routes.ts'
import { createInstanceService } from './instances/instance-service.ts'
import { createPodCloser } from './instances/pod-holds.ts'
import { createPodMarker } from './instances/pod-marker.ts'
import { businessOperations } from './inventory/business-operations.ts'
import { hostOperations } from './inventory/host-operations.ts'
import { kubeOperations } from './inventory/kube-operations.ts'
import { listOperations } from './inventory/list-operations.ts'
import type { KubeClient } from './kube/index.ts'
import { createPoolChanges } from './pools/pool-changes.ts'
import { addPoolRoutes, registerPoolEventRoute } from './pools/pool-routes.ts'
import { createPoolService } from './pools/pool-service.ts'
import { loadTemplate } from './pools/template.ts'
import { registerScalingRoutes } from './scaling/scaling-routes.ts'
import { createScalingService } from './scaling/scaling-service.ts'
import { runWhileLeading } from './store/leader.ts'
import { migrate } from './store/migrate.ts'
import { provideDatabase } from './store/provide-database.ts'
import type { Logger } from './telemetry/logger.ts'
import { createMetrics } from './telemetry/metrics.ts'

/** A Podyard that runs: everything that a `Config` asks for, built and connected. */
export type RunningApp = {
  /** Where HTTP listens, such as `http://127.0.0.1:8080`. */
  readonly url: string
  /** Stops taking work, ends what runs, closes what is open. Never rejects for what is already gone. */
  stop(): Promise<void>
}

export const version = (
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { readonly version: string }
).version

/**
 * Builds and starts everything: database, cluster, controllers, HTTP. What was started is stopped again when a later
 * step fails.
 */
export async function startApp(
  config: Config,
  deps: { readonly logger: Logger; readonly environment?: Readonly<Record<string, string | undefined>> },
): Promise<RunningApp> {
  const { logger } = deps
  const stops: (() => Promise<unknown>)[] = []
  let stopping: Promise<void> | undefined
  const stop = () => {
    stopping ??= (async () => {
      for (const end of stops.reverse())
        await end().catch((error: unknown) => logger.warn({ err: error }, 'while stopping'))
    })()
    return stopping
  }
  try {
    const metrics = createMetrics({ processMetrics: true })
    const template = await loadTemplate(config.poolTemplate)
    const database = await provideDatabase({
      ...(config.databaseUrl === undefined ? {} : { databaseUrl: config.databaseUrl }),
      dataDir: config.dataDir,
      connections: config.databaseConnections,
      onIdleError: (error) => logger.warn({ err: error }, 'a database connection broke'),
      onServerEnded: (problem) =>
        problem === undefined
          ? logger.warn('the embedded database had ended, and runs again')
          : logger.error({ err: problem }, 'the embedded database ended and does not start again yet'),
    })
    stops.push(() => database.stop())
    const { db } = database
    await migrate(db)

    const access = createAccess(
      config.access === 'open' ? { kind: 'open' } : { kind: 'token', token: config.adminToken ?? randomUUID() },
    )
    const holder = randomUUID()
    const poolChanges = createPoolChanges(db, holder)
    const events = createEventLog({ db, origin: holder, logger, metrics })
    const pools = createPoolService(db, poolChanges, createPodCloser(db))
    let kube: KubeClient | undefined
    const marker = createPodMarker({ db, kube: () => kube, metrics })
    const instances = createInstanceService({
      db,
      marker,
      replica: holder,
      announceWork: poolChanges.announceWork,
      wakeEvents: events.wake,
      metrics,
      settings: {
        lineLimit: config.lineLimit,
        requestSeconds: config.requestRetentionSeconds,
        tenantAffinity: config.tenantAffinity === 'on',
        tenantReuseSeconds: config.tenantReuseWindowSeconds,
      },
      onError: (error) => logger.warn({ err: error }, 'the line of waiting claims could not be looked after'),
    })
    stops.push(() => instances.stop())
    let isStopping = false
    const app = await buildServer({
      version,
      logger,
      metrics,
      access,
      notReadyBecause: async () => {
        if (isStopping) return 'stopping'
        return db.query('select 1').then(
          () => undefined,
          () => 'the database does not answer',
        )
      },
      routes: async (server) => {
        await registerServerless(server, {
          access,
          routes: (scope) => {
            addPoolRoutes(scope, pools)
            addInstanceRoutes(scope, { service: instances, events })
          },
        })
        await registerPoolEventRoute(server, { service: pools, access })
        await registerScalingRoutes(server, { service: createScalingService(db, pools), access })
        await registerAlarmRoutes(server, { service: createAlarmService(db), access })
        await registerCmdbDialect(server, {
          access,
          language: config.language,
          onWritten: events.wake,
          operations: [
            ...businessOperations(db),
            ...hostOperations(db),
            ...kubeOperations({ db, now: Date.now }),
            ...listOperations(db),
            ...watchOperations({ log: events, now: Date.now, retentionDays: config.eventRetentionDays }),
          ],
        })
      },
    })
    stops.push(() => app.close())

    const cluster = await provideCluster(config, { logger, metrics, environment: deps.environment ?? {} })
    kube = cluster.kube
    stops.push(
      () => cluster.stop(),
      () => marker.stop(),
    )

    const running = new AbortController()
    const controllers = runControllers({
      config,
      db,
      cluster,
      poolChanges,
      match: instances.match,
      onLost: instances.onLost,
      marker,
      template,
      logger,
      metrics,
    })
    const listening = Promise.all([poolChanges.listen(running.signal), instances.run(running.signal)])
    const reading = events.run(running.signal)
    const leading = runWhileLeading(
      db,
      {
        name: 'controllers',
        holder,
        seconds: config.leaseSeconds,
        alone: database.embedded,
        onError: (error) => logger.error({ err: error }, 'the controllers failed'),
      },
      controllers.lead,
      running.signal,
    )
    stops.push(async () => {
      running.abort(new Error('stopping'))
      await Promise.all([leading, listening, reading])
    })
    // In the quick start the examples of the documentation work from the first request on.
    if (cluster.simulated) await controllers.firstPass

    const url = await app.listen({ host: config.listen.host, port: config.listen.port })
    stops.push(async () => {
      isStopping = true
      // Whoever waits in line is answered, so that the HTTP server can close.
      await instances.standDown()
    })
    return { url: url.replace('[::1]', 'localhost'), stop }
  } catch (error) {
    await stop()
    throw error
  }
}

export { formatAddress }
