import { type Pool, statusMessage } from './pool.ts'

/** A pool as the API and the event log show it: every member, always (pool API reference 1.3); Podyard's own only when given. */
export function toPoolView(pool: Pool) {
  const { spec } = pool
  return {
    id: pool.id,
    group: spec.group,
    size: spec.size,
    max_size: spec.maxSize,
    ready_count: pool.readyCount,
    status: pool.status,
    msg: statusMessage(pool.word, pool.notes),
    image: spec.image,
    init_image: spec.initImage,
    reuse: spec.reuse,
    labels: spec.labels,
    environment: spec.environment,
    resources: { requests: spec.resources.requests, limits: spec.resources.limits },
    volumes: spec.volumes,
    volume_mounts: spec.volumeMounts,
    affinities: spec.affinities,
    runtime_class_name: spec.runtimeClassName,
    node_selector: spec.nodeSelector,
    tolerations: spec.tolerations,
    horizontal_pod_autoscaler_spec: spec.horizontalPodAutoscalerSpec,
    topology_spread_constraints: spec.topologySpreadConstraints,
    pod_pending_duration_threshold: spec.podPendingDurationThreshold,
    idle_recycle_time: { reserved: spec.idleRecycleTime.reserved, scaled: spec.idleRecycleTime.scaled },
    scalable: pool.scalable,
    ...(pool.draining ? { drain: true } : {}),
    ...(spec.autoscaling === null ? {} : { autoscaling: spec.autoscaling }),
  }
}
