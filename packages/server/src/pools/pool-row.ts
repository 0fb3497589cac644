import type { Autoscaling } from './autoscaling.ts'
import type { Pool, PoolResources, PoolSpec, PoolStatus, TextMap } from './pool.ts'

/** A row of the table `pool`. */
export type PoolRow = {
  id: number
  uid: string
  name: string
  group_name: string
  size: number
  max_size: number
  scalable: boolean
  draining: boolean
  reuse: boolean
  image: string
  init_image: string
  labels: TextMap | null
  environment: TextMap | null
  resources: PoolResources
  node_selector: TextMap | null
  volumes: string
  volume_mounts: string
  affinities: string
  tolerations: string
  topology_spread_constraints: string
  horizontal_pod_autoscaler_spec: string
  runtime_class_name: string
  pod_pending_duration_threshold: number
  idle_reserved_seconds: number
  idle_scaled_seconds: number
  autoscaling: Autoscaling | null
  status: PoolStatus
  msg_word: string
  msg_notes: string[]
  ready_count: number
  observed: Record<string, unknown>
  version: number
  created_at: Date
  updated_at: Date
}

/** The columns of a PoolRow, of the table under the alias `p`. */
export const poolColumns = `p.id, p.uid, p.name, p.group_name, p.size, p.max_size, p.scalable, p.draining, p.reuse, p.image, p.init_image,
  p.labels, p.environment, p.resources, p.node_selector, p.volumes, p.volume_mounts, p.affinities, p.tolerations,
  p.topology_spread_constraints, p.horizontal_pod_autoscaler_spec, p.runtime_class_name,
  p.pod_pending_duration_threshold, p.idle_reserved_seconds, p.idle_scaled_seconds, p.autoscaling,
  p.status, p.msg_word, p.msg_notes, p.ready_count, p.observed, p.version, p.created_at, p.updated_at`

/** The columns that a new pool brings with it, as json_to_recordset names them. */
export const newPoolColumns = `name text, group_name text, size bigint, max_size bigint, scalable boolean, reuse boolean,
  image text, init_image text, labels jsonb, environment jsonb, resources jsonb, node_selector jsonb,
  volumes text, volume_mounts text, affinities text, tolerations text, topology_spread_constraints text,
  horizontal_pod_autoscaler_spec text, runtime_class_name text, pod_pending_duration_threshold bigint,
  idle_reserved_seconds bigint, idle_scaled_seconds bigint, autoscaling jsonb`

/** The names in `newPoolColumns`. */
export const newPoolNames = newPoolColumns.replaceAll(/ (text|bigint|boolean|jsonb)/g, '')

/** What `newPoolColumns` reads. */
export function toNewRow(id: string, spec: PoolSpec) {
  return {
    name: id,
    group_name: spec.group,
    size: spec.size,
    max_size: spec.maxSize,
    scalable: spec.maxSize > spec.size,
    reuse: spec.reuse,
    image: spec.image,
    init_image: spec.initImage,
    labels: spec.labels,
    environment: spec.environment,
    resources: spec.resources,
    node_selector: spec.nodeSelector,
    volumes: spec.volumes,
    volume_mounts: spec.volumeMounts,
    affinities: spec.affinities,
    tolerations: spec.tolerations,
    topology_spread_constraints: spec.topologySpreadConstraints,
    horizontal_pod_autoscaler_spec: spec.horizontalPodAutoscalerSpec,
    runtime_class_name: spec.runtimeClassName,
    pod_pending_duration_threshold: spec.podPendingDurationThreshold,
    idle_reserved_seconds: spec.idleRecycleTime.reserved,
    idle_scaled_seconds: spec.idleRecycleTime.scaled,
    autoscaling: spec.autoscaling,
  }
}

export function toPool(row: PoolRow): Pool {
  return {
    uid: row.uid,
    id: row.name,
    seq: row.id,
    spec: {
      group: row.group_name,
      size: row.size,
      maxSize: row.max_size,
      reuse: row.reuse,
      image: row.image,
      initImage: row.init_image,
      labels: row.labels,
      environment: row.environment,
      resources: row.resources,
      nodeSelector: row.node_selector,
      volumes: row.volumes,
      volumeMounts: row.volume_mounts,
      affinities: row.affinities,
      tolerations: row.tolerations,
      topologySpreadConstraints: row.topology_spread_constraints,
      horizontalPodAutoscalerSpec: row.horizontal_pod_autoscaler_spec,
      runtimeClassName: row.runtime_class_name,
      podPendingDurationThreshold: row.pod_pending_duration_threshold,
      idleRecycleTime: { reserved: row.idle_reserved_seconds, scaled: row.idle_scaled_seconds },
      autoscaling: row.autoscaling,
    },
    scalable: row.scalable,
    draining: row.draining,
    status: row.status,
    word: row.msg_word,
    notes: row.msg_notes,
    readyCount: row.ready_count,
    observed: row.observed,
    version: row.version,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}
