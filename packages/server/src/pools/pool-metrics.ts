import type { Counter, Gauge } from 'prom-client'
import type { Metrics } from '../telemetry/metrics.ts'

export type PoolMetrics = {
  /** Pools by status. */
  readonly pools: Gauge<'status'>
  /** 1 for each pool with too few ready pods for longer than its threshold; absent for the others. */
  readonly degraded: Gauge<'pool'>
  /** What the slow resync found undone: stays flat while the watches work. */
  readonly corrections: Counter<string>
  /** Rows about who may have which pod that the slow comparison found wrong: stays flat while the watches work. */
  readonly holdCorrections: Counter<string>
  /** Writes to the cluster that were refused or not answered. */
  readonly refusals: Counter<'step'>
  /** Steps that wait for their next try after a failure, by step. */
  readonly waiting: Gauge<'step'>
  /** Pods that ended before they were of use. */
  readonly lost: Counter<string>
  /** Reconciliations that failed and were put back (the database was down, a defect). */
  readonly failures: Counter<string>
  /** Deployments with Podyard's mark whose pool is unknown. */
  readonly orphans: Gauge<string>
}

const made = new WeakMap<object, PoolMetrics>()

/** The pool controller's metrics; a controller that is made again (the lease came back) goes on with the same ones. */
export function poolMetrics(metrics: Metrics): PoolMetrics {
  const known = made.get(metrics.registry)
  if (known !== undefined) return known
  const created: PoolMetrics = {
    pools: metrics.gauge('podyard_pools', 'Pools by status', ['status']),
    degraded: metrics.gauge('podyard_pool_degraded', 'Pools with too few ready pods for longer than their threshold', [
      'pool',
    ]),
    corrections: metrics.counter('podyard_pool_resync_corrections_total', 'Differences that the slow resync repaired'),
    holdCorrections: metrics.counter(
      'podyard_pool_hold_corrections_total',
      'Rows about who may have which pod that a slow comparison with the cluster repaired',
    ),
    refusals: metrics.counter(
      'podyard_pool_cluster_refusals_total',
      'Writes that the cluster refused or did not answer',
      ['step'],
    ),
    waiting: metrics.gauge(
      'podyard_pool_steps_waiting',
      'Steps of pools that wait for their next try after a failure',
      ['step'],
    ),
    lost: metrics.counter(
      'podyard_pool_pods_lost_total',
      'Pods of scalable pools that ended, or were deleted by others, before they were of use',
    ),
    failures: metrics.counter('podyard_pool_reconcile_failures_total', 'Reconciliations that failed and were repeated'),
    orphans: metrics.gauge('podyard_pool_orphans', 'Deployments with Podyard labels whose pool is unknown'),
  }
  made.set(metrics.registry, created)
  return created
}
