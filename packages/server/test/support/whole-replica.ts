import { randomUUID } from 'node:crypto'
import { createReflectors } from '../../src/app-reflectors.ts'
import { createInstanceService, type InstanceService } from '../../src/instances/instance-service.ts'
import { repairMarks } from '../../src/instances/mark-repair.ts'
import { createPodCloser, createPodHolds } from '../../src/instances/pod-holds.ts'
import { createPodMarker } from '../../src/instances/pod-marker.ts'
import { defaultTemplate } from '../../src/pools/default-template.ts'
import { createPoolChanges } from '../../src/pools/pool-changes.ts'
import { createPoolController } from '../../src/pools/pool-controller.ts'
import { createPoolService, type PoolService } from '../../src/pools/pool-service.ts'
import { checkTemplate } from '../../src/pools/template.ts'
import { runWhileLeading } from '../../src/store/leader.ts'
import type { Lease } from '../../src/store/lease.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { createMortalProcess, type MortalProcess } from './mortal-process.ts'

/** A Podyard, without HTTP and without inventory: it serves claims and pools, and leads when the lease is its own. */
export type WholeReplica = Pick<MortalProcess, 'isDead' | 'death' | 'dieAfter' | 'backends'> & {
  readonly id: string
  readonly instances: InstanceService
  readonly pools: PoolService
  /** Ends it in order, or waits for the end of what a dead one still does. */
  stop(): Promise<void>
}

/** Seconds: soon after a leader's death the other one leads. */
const leaseSeconds = 0.4

export function startWholeReplica(options: Parameters<typeof createMortalProcess>[0]): WholeReplica {
  const id = randomUUID()
  const life = createMortalProcess(options)
  const { db, kube } = life
  const metrics = createMetrics()
  const logger = createLogger({ level: 'silent' })
  const changes = createPoolChanges(db, id)
  const marker = createPodMarker({ db, kube: () => kube, metrics, retryMs: 10 })
  const instances = createInstanceService({
    db,
    replica: id,
    marker,
    announceWork: changes.announceWork,
    settings: { lineLimit: 50 },
  })
  const stopping = new AbortController()

  async function lead(lease: Lease, outer: AbortSignal): Promise<void> {
    const stop = new AbortController()
    const signal = AbortSignal.any([outer, stop.signal])
    const { namespaces: _, ...reflectors } = createReflectors(kube, () => () => {})
    const controller = createPoolController({
      db,
      lease,
      kube,
      holds: createPodHolds({ db, lease, match: instances.match }),
      reflectors,
      namespace: 'default',
      template: checkTemplate(defaultTemplate, 'template'),
      poolChanges: changes,
      logger,
      metrics,
      tuning: { stopGraceMs: 20, resyncMs: 2_000, retry: { baseMs: 10, maxMs: 200 } },
    })
    const work = [
      ...Object.values(reflectors).map((reflector) => reflector.run(signal)),
      controller.run(signal),
      repairMarks({
        db,
        kube,
        pods: reflectors.pods,
        marker,
        metrics,
        onError: () => {},
        signal,
        tuning: { lookMs: 100, graceSeconds: 0.2, labelsMs: 200 },
      }),
    ]
    try {
      await Promise.all(work)
    } finally {
      stop.abort()
      await Promise.allSettled(work)
    }
  }

  const loops = Promise.all([
    changes.listen(stopping.signal),
    instances.run(stopping.signal),
    runWhileLeading(
      db,
      { name: 'controllers', holder: id, seconds: leaseSeconds, onError: () => {} },
      lead,
      stopping.signal,
    ),
  ])
  void life.death.then(() => {
    instances.kill()
    stopping.abort()
  })
  return {
    id,
    instances,
    pools: createPoolService(db, changes, createPodCloser(db)),
    get isDead() {
      return life.isDead
    },
    death: life.death,
    dieAfter: life.dieAfter,
    backends: life.backends,
    async stop() {
      if (!life.isDead) await instances.standDown()
      stopping.abort()
      await loops
      await marker.stop()
      if (!life.isDead) await instances.stop()
      await life.close()
    },
  }
}
