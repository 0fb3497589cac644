import type { Metrics } from '../telemetry/metrics.ts'

export type SyncMetrics = ReturnType<typeof createSyncMetrics>

export function createSyncMetrics(metrics: Metrics) {
  return {
    written: metrics.counter('podyard_sync_rows_written_total', 'Inventory rows that sync wrote', ['kind', 'change']),
    drift: metrics.counter('podyard_sync_drift_total', 'Differences that the slow resync found and repaired', ['kind']),
    failures: metrics.counter('podyard_sync_failures_total', 'Batches that could not be written and were tried again'),
    dirty: metrics.gauge('podyard_sync_dirty', 'Objects that wait to be written'),
    batchSeconds: metrics.histogram('podyard_sync_batch_duration_seconds', 'Time to write one batch'),
  }
}
