import type { NewObject } from '../store/types.ts'
import type { AutoscalerSpec, DeploymentSpec, ReplicaSet, ScalingRules } from './kube-types.ts'
import { defaultTemplate } from './pod-defaults.ts'

/** Defaults of everything but pods. After the API server's defaults.go of each group. */

export function defaultDeployment(spec: DeploymentSpec): DeploymentSpec {
  const type = spec.strategy?.type || 'RollingUpdate'
  const rolling = spec.strategy?.rollingUpdate
  return {
    ...spec,
    replicas: spec.replicas ?? 1,
    template: defaultTemplate(spec.template),
    strategy: {
      type,
      ...(type === 'RollingUpdate'
        ? {
            rollingUpdate: {
              maxUnavailable: rolling?.maxUnavailable ?? '25%',
              maxSurge: rolling?.maxSurge ?? '25%',
            },
          }
        : rolling === undefined
          ? {}
          : { rollingUpdate: rolling }),
    },
    revisionHistoryLimit: spec.revisionHistoryLimit ?? 10,
    progressDeadlineSeconds: spec.progressDeadlineSeconds ?? 600,
  }
}

export function defaultReplicaSet(spec: ReplicaSet['spec']): ReplicaSet['spec'] {
  return { ...spec, replicas: spec.replicas ?? 1, template: defaultTemplate(spec.template) }
}

const SCALE_UP: ScalingRules = {
  stabilizationWindowSeconds: 0,
  selectPolicy: 'Max',
  policies: [
    { type: 'Pods', value: 4, periodSeconds: 15 },
    { type: 'Percent', value: 100, periodSeconds: 15 },
  ],
}
const SCALE_DOWN: ScalingRules = {
  selectPolicy: 'Max',
  policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }],
}

export function defaultAutoscaler(spec: AutoscalerSpec): AutoscalerSpec {
  const metrics = spec.metrics ?? []
  const cpu = { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } }
  return {
    ...spec,
    minReplicas: spec.minReplicas ?? 1,
    metrics: metrics.length === 0 ? [cpu] : metrics,
    ...(spec.behavior === undefined
      ? {}
      : {
          behavior: {
            scaleUp: { ...SCALE_UP, ...spec.behavior.scaleUp },
            scaleDown: { ...SCALE_DOWN, ...spec.behavior.scaleDown },
          },
        }),
  }
}

type Members = Readonly<Record<string, unknown>>
const membersOf = (value: unknown): Members => (typeof value === 'object' && value !== null ? (value as Members) : {})

/** Claims and volumes are kept while they are in use: new ones get the finalizer that says so. */
function withFinalizer(metadata: NewObject['metadata'], finalizer: string): NewObject['metadata'] {
  const finalizers = Array.isArray(metadata.finalizers) ? metadata.finalizers : []
  if (metadata.uid !== undefined || finalizers.includes(finalizer)) return metadata
  return { ...metadata, finalizers: [...finalizers, finalizer] }
}

/** Small defaults of kinds that are stored as they come. */
export function defaultPlain(plural: string, object: NewObject): NewObject {
  switch (plural) {
    case 'namespaces': {
      const labels = membersOf(object.metadata.labels)
      const { name } = object.metadata
      return {
        ...object,
        metadata: {
          ...object.metadata,
          labels: { ...labels, ...(name ? { 'kubernetes.io/metadata.name': name } : {}) },
        },
        spec: { ...membersOf(object.spec), finalizers: ['kubernetes'] },
        status: { phase: 'Active' },
      }
    }
    case 'nodes': {
      const status = membersOf(object.status)
      if (status.capacity === undefined || status.allocatable !== undefined) return object
      return { ...object, status: { ...status, allocatable: status.capacity } }
    }
    case 'persistentvolumeclaims':
      return {
        ...object,
        metadata: withFinalizer(object.metadata, 'kubernetes.io/pvc-protection'),
        spec: { volumeMode: 'Filesystem', ...membersOf(object.spec) },
        status: { phase: 'Pending' },
      }
    case 'persistentvolumes':
      return {
        ...object,
        metadata: withFinalizer(object.metadata, 'kubernetes.io/pv-protection'),
        spec: {
          volumeMode: 'Filesystem',
          persistentVolumeReclaimPolicy: 'Retain',
          ...membersOf(object.spec),
        },
        status: { phase: 'Pending' },
      }
    case 'secrets':
      return { ...object, type: object.type || 'Opaque' }
    default:
      return object
  }
}
