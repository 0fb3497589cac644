import { createHash } from 'node:crypto'
import type {
  V1Affinity,
  V1Container,
  V1Deployment,
  V1EnvVar,
  V1ObjectMeta,
  V1PodSpec,
  V1PodTemplateSpec,
  V1ResourceRequirements,
  V1VolumeMount,
} from '@kubernetes/client-node'
import {
  parseAffinities,
  parseTolerations,
  parseTopologySpreadConstraints,
  parseVolumeMounts,
  parseVolumes,
} from './fields.ts'
import {
  agentContainer,
  deploymentName,
  initContainer,
  managedByLabel,
  managedByValue,
  pendingThresholdAnnotation,
  poolUidAnnotation,
  reuseLabel,
  runtimeContainer,
  templateHashAnnotation,
} from './names.ts'
import type { Pool, PoolResources } from './pool.ts'
import type { PoolTemplate } from './template.ts'

/** What of a pool its objects are made from. */
export type PoolSource = Pick<Pool, 'uid' | 'id' | 'spec' | 'scalable'>

export type BuiltDeployment = {
  readonly deployment: V1Deployment
  /** What of the pool's declaration has no effect, and why. */
  readonly notes: readonly string[]
}

/** The Deployment of a pool, from the template and what the pool declares (pool API reference 4.2, 4.3). Pure. */
export function buildDeployment(pool: PoolSource, template: PoolTemplate, namespace: string): BuiltDeployment {
  const { spec } = pool
  const name = deploymentName(pool.id)
  const base = template.spec.template
  const pod = base.spec
  const labels = podLabels(pool, base)
  const affinities = parseAffinities(spec.affinities)
  const volumes = parseVolumes(spec.volumes)
  const mounts = parseVolumeMounts(spec.volumeMounts)
  const tolerations = parseTolerations(spec.tolerations)
  const constraints = topologyConstraints(pool)

  const podTemplate: V1PodTemplateSpec = {
    ...base,
    metadata: {
      ...base.metadata,
      labels: labels.value,
      annotations: {
        ...base.metadata?.annotations,
        ...(spec.podPendingDurationThreshold > 0
          ? { [pendingThresholdAnnotation]: String(spec.podPendingDurationThreshold) }
          : {}),
        [poolUidAnnotation]: pool.uid,
      },
    },
    spec: withoutUndefined({
      ...pod,
      affinity: mergeAffinity(name, pod.affinity, affinities.value),
      nodeSelector: notEmpty({ ...pod.nodeSelector, ...spec.nodeSelector }),
      tolerations: appended(pod.tolerations, tolerations.value),
      topologySpreadConstraints: appended(pod.topologySpreadConstraints, constraints.value),
      runtimeClassName: spec.runtimeClassName === '' ? pod.runtimeClassName : spec.runtimeClassName,
      volumes: appended(pod.volumes, volumes.value),
      initContainers: pod.initContainers?.map((c) => initContainerOf(c, pool, mounts.value)),
      containers: pod.containers.map((c) => containerOf(c, pool, mounts.value)),
    }),
  }

  return {
    deployment: {
      ...template,
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: deploymentMeta(pool, template.metadata, namespace, podTemplate),
      spec: {
        ...template.spec,
        replicas: pool.scalable ? 0 : spec.size,
        selector: { matchLabels: { app: name } },
        template: podTemplate,
      },
    },
    notes: [
      ...labels.notes,
      ...volumes.notes,
      ...mounts.notes,
      ...affinities.notes,
      ...tolerations.notes,
      ...constraints.notes,
      ...(pool.scalable && spec.horizontalPodAutoscalerSpec !== ''
        ? ['horizontal_pod_autoscaler_spec is not applied: a pool with max_size above size is scaled by claims']
        : []),
      ...(!pool.scalable && spec.autoscaling !== null
        ? ['autoscaling has no effect: the size of this pool is fixed']
        : []),
    ],
  }
}

function deploymentMeta(
  pool: PoolSource,
  base: V1ObjectMeta | undefined,
  namespace: string,
  podTemplate: V1PodTemplateSpec,
): V1ObjectMeta {
  // What kubectl and the deployment controller wrote into the file's source says nothing about this Deployment.
  const kept = Object.entries(base?.annotations ?? {}).filter(
    ([key]) => !key.startsWith('kubectl.kubernetes.io/') && !key.startsWith('deployment.kubernetes.io/'),
  )
  return {
    name: deploymentName(pool.id),
    namespace,
    labels: { app: deploymentName(pool.id), [managedByLabel]: managedByValue },
    annotations: {
      ...Object.fromEntries(kept),
      [poolUidAnnotation]: pool.uid,
      [templateHashAnnotation]: hashOf(podTemplate),
    },
  }
}

/** Tells whether a Deployment was made from the same template and declaration. */
function hashOf(podTemplate: V1PodTemplateSpec): string {
  return createHash('sha256').update(JSON.stringify(podTemplate)).digest('hex').slice(0, 16)
}

/**
 * Labels in order; a later one never overwrites an earlier one. As in the original, the template's own labels only stay
 * when it brings a podAntiAffinity of its own, which may select by them.
 */
function podLabels(pool: PoolSource, base: V1PodTemplateSpec) {
  const { spec } = pool
  const own: Readonly<Record<string, string>> = {
    app: deploymentName(pool.id),
    [reuseLabel]: String(spec.reuse),
    [managedByLabel]: managedByValue,
  }
  const fromTemplate = base.spec?.affinity?.podAntiAffinity === undefined ? {} : (base.metadata?.labels ?? {})
  const value = new Map(Object.entries(own))
  for (const [key, text] of Object.entries(fromTemplate)) if (!value.has(key)) value.set(key, text)
  const notes: string[] = []
  for (const [key, text] of Object.entries(spec.labels ?? {})) {
    if (key === '') continue
    if (!value.has(key)) value.set(key, text)
    else if (value.get(key) !== text) notes.push(`the label ${key} is ignored: it is ${value.get(key)} on every pod`)
  }
  if (!value.has(spec.group)) value.set(spec.group, spec.group)
  return { value: Object.fromEntries(value), notes }
}

function topologyConstraints(pool: PoolSource) {
  const text = pool.spec.topologySpreadConstraints
  if (pool.scalable && text !== '')
    return { value: [], notes: ['topology_spread_constraints is not applied: max_size is above size'] }
  return parseTopologySpreadConstraints(text)
}

/**
 * The pool's podAntiAffinity, else the template's, else the default, which spreads the pods of one pool over the nodes;
 * the pool's podAffinity, else the template's; of nodeAffinity each half by itself.
 */
function mergeAffinity(name: string, template: V1Affinity | undefined, pool: V1Affinity): V1Affinity {
  const spread = {
    preferredDuringSchedulingIgnoredDuringExecution: [
      {
        weight: 100,
        podAffinityTerm: { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app: name } } },
      },
    ],
  }
  return withoutUndefined({
    ...template,
    nodeAffinity: notEmpty({ ...template?.nodeAffinity, ...pool.nodeAffinity }),
    podAffinity: pool.podAffinity ?? template?.podAffinity,
    podAntiAffinity: pool.podAntiAffinity ?? template?.podAntiAffinity ?? spread,
  })
}

function containerOf(container: V1Container, pool: PoolSource, mounts: readonly V1VolumeMount[]): V1Container {
  const volumeMounts = appended(container.volumeMounts, mounts)
  if (container.name === agentContainer) return withoutUndefined({ ...container, volumeMounts })
  if (container.name !== runtimeContainer) return container
  const { spec } = pool
  const resources = resourcesOf(spec.resources)
  const given = Object.entries(spec.environment ?? {})
    .filter(([name]) => name !== '')
    .map(([name, value]) => ({ name, value }))
  return withoutUndefined({
    ...container,
    image: spec.image === '' ? container.image : spec.image,
    env: appended(
      container.env?.map((variable) => derivedVariable(variable, resources)),
      given,
    ),
    volumeMounts,
    resources,
  })
}

function initContainerOf(container: V1Container, pool: PoolSource, mounts: readonly V1VolumeMount[]): V1Container {
  if (container.name !== initContainer) return container
  return withoutUndefined({
    ...container,
    image: pool.spec.initImage === '' ? container.image : pool.spec.initImage,
    volumeMounts: appended(container.volumeMounts, mounts),
  })
}

/** As given; what is requested without a limit is limited to what is requested. */
function resourcesOf({ requests, limits }: PoolResources): V1ResourceRequirements {
  return { requests: { ...requests }, limits: { ...requests, ...limits } }
}

function derivedVariable(variable: V1EnvVar, resources: V1ResourceRequirements): V1EnvVar {
  const derived = deriveValue(variable.name, resources)
  return derived === undefined ? variable : { name: variable.name, value: derived }
}

function deriveValue(name: string, { limits = {} }: V1ResourceRequirements): string | undefined {
  if (name === 'CPU4COMP') return cpuMillis(limits.cpu ?? '')?.toString()
  if (name === 'MEM4COMP') return memoryMebibytes(limits.memory ?? '')?.toString()
  if (name === 'INIT_LABELS') return '{"resource.owner":"default"}'
  return undefined
}

const maxDerived = 2 ** 31 - 1

/** `600m` is 600, `2` is 2000, `0.5` is 500; undefined for zero, negative numbers, overflow and anything else. */
export function cpuMillis(quantity: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(m?)$/.exec(quantity)
  if (match === null) return undefined
  return positiveInteger(Number(match[1]) * (match[2] === 'm' ? 1 : 1000))
}

/** `512Mi` is 512, `6Gi` is 6144; undefined for every other unit, zero and overflow. */
export function memoryMebibytes(quantity: string): number | undefined {
  const match = /^(\d+)(Mi|Gi)$/.exec(quantity)
  if (match === null) return undefined
  return positiveInteger(Number(match[1]) * (match[2] === 'Gi' ? 1024 : 1))
}

function positiveInteger(value: number): number | undefined {
  const rounded = Math.round(value)
  return rounded > 0 && rounded <= maxDerived ? rounded : undefined
}

/** Both lists, or nothing when there is nothing in either. */
function appended<T>(template: readonly T[] | undefined, pool: readonly T[]): T[] | undefined {
  return template === undefined && pool.length === 0 ? undefined : [...(template ?? []), ...pool]
}

function notEmpty<T extends object>(value: T): T | undefined {
  return Object.keys(value).length === 0 ? undefined : value
}

function withoutUndefined<T extends object>(value: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined)) as T
}

/** The pod's spec in a Deployment that Podyard built. */
export function podSpecOf(deployment: V1Deployment): V1PodSpec {
  const spec = deployment.spec?.template.spec
  if (spec === undefined) throw new Error(`the Deployment ${deployment.metadata?.name} has no pod spec`)
  return spec
}
