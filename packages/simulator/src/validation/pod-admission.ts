import { generatedName } from '../store/names.ts'
import { StatusError } from '../store/status-error.ts'
import type { NewObject, ObjectStore } from '../store/types.ts'
import { goQuote } from './field.ts'
import type {
  Container,
  PodAffinityRules,
  PodAffinityTerm,
  PodSpec,
  StringMap,
  Toleration,
  Volume,
} from './kube-types.ts'

/** What the API server's admission plugins do with a new pod: service account, priority, tolerations, runtime class. */

const TOKEN_PATH = '/var/run/secrets/kubernetes.io/serviceaccount'
const NOT_READY = 'node.kubernetes.io/not-ready'
const UNREACHABLE = 'node.kubernetes.io/unreachable'
const DEFAULT_TOLERATION_SECONDS = 300

/** Priority classes that every cluster has. */
const SYSTEM_PRIORITIES = new Map([
  ['system-cluster-critical', 2_000_000_000],
  ['system-node-critical', 2_000_001_000],
])

export type PodToAdmit = { readonly metadata: NewObject['metadata']; readonly spec: PodSpec }

/** The 403 of an admission plugin. A name that is still to be generated shows as its prefix. */
export function forbiddenPod(metadata: NewObject['metadata'], text: string): StatusError {
  const name = metadata.name || (typeof metadata.generateName === 'string' ? metadata.generateName : 'Unknown!')
  return new StatusError(403, 'Forbidden', `pods ${goQuote(name)} is forbidden: ${text}`, { name, kind: 'pods' })
}

function withServiceAccount(pod: PodToAdmit, store: ObjectStore): PodSpec {
  const { spec, metadata } = pod
  const namespace = metadata.namespace ?? ''
  const name = spec.serviceAccountName || 'default'
  const account = store.get('serviceaccounts', { namespace, name })
  if (account === undefined) {
    const missing = `serviceaccount ${goQuote(name)} not found`
    throw forbiddenPod(metadata, `error looking up service account ${namespace}/${name}: ${missing}`)
  }
  const named: PodSpec = { ...spec, serviceAccountName: name, serviceAccount: name }
  const automount = spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true
  const mounted = automount === true ? withToken(named) : named
  const secrets = account.imagePullSecrets
  if ((spec.imagePullSecrets ?? []).length > 0 || !Array.isArray(secrets) || secrets.length === 0) return mounted
  return { ...mounted, imagePullSecrets: secrets as readonly { name?: string }[] }
}

function withToken(spec: PodSpec): PodSpec {
  const existing = (spec.volumes ?? []).find((volume) => volume.name.startsWith('kube-api-access-'))
  const name = existing?.name ?? generatedName('kube-api-access-', Math.random)
  let needed = false
  const mount = (container: Container): Container => {
    if ((container.volumeMounts ?? []).some((known) => known.mountPath === TOKEN_PATH)) return container
    needed = true
    const added = { name, readOnly: true, mountPath: TOKEN_PATH }
    return { ...container, volumeMounts: [...(container.volumeMounts ?? []), added] }
  }
  const containers = (spec.containers ?? []).map(mount)
  const initContainers = spec.initContainers?.map(mount)
  const volumes = needed && existing === undefined ? [...(spec.volumes ?? []), tokenVolume(name)] : spec.volumes
  return {
    ...spec,
    ...(volumes === undefined ? {} : { volumes }),
    containers,
    ...(initContainers === undefined ? {} : { initContainers }),
  }
}

function tokenVolume(name: string): Volume {
  const namespace = { path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }
  return {
    name,
    projected: {
      sources: [
        { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        { downwardAPI: { items: [namespace] } },
      ],
      defaultMode: 0o644,
    },
  }
}

function withPriority(pod: PodToAdmit, spec: PodSpec): PodSpec {
  const name = spec.priorityClassName ?? ''
  const priority = name === '' ? 0 : SYSTEM_PRIORITIES.get(name)
  if (priority === undefined) throw forbiddenPod(pod.metadata, `no PriorityClass with name ${name} was found`)
  if (spec.priority !== undefined && spec.priority !== priority) {
    throw forbiddenPod(
      pod.metadata,
      `the integer value of priority (${spec.priority}) must not be provided in pod spec; priority admission controller computed ${priority} from the given PriorityClass name`,
    )
  }
  const preemption = spec.preemptionPolicy
  if (preemption !== undefined && preemption !== 'PreemptLowerPriority') {
    throw forbiddenPod(
      pod.metadata,
      `the string value of PreemptionPolicy (${preemption}) must not be provided in pod spec; priority admission controller computed PreemptLowerPriority from the given PriorityClass name`,
    )
  }
  return { ...spec, priority, preemptionPolicy: 'PreemptLowerPriority' }
}

function toleratesTaint(tolerations: readonly Toleration[], key: string): boolean {
  return tolerations.some((toleration) => {
    const keyFits = (toleration.key ?? '') === '' || toleration.key === key
    const effect = toleration.effect ?? ''
    return keyFits && (effect === '' || effect === 'NoExecute')
  })
}

function withTolerations(spec: PodSpec): PodSpec {
  const given = spec.tolerations ?? []
  const added = [NOT_READY, UNREACHABLE]
    .filter((key) => !toleratesTaint(given, key))
    .map((key) => ({
      key,
      operator: 'Exists',
      effect: 'NoExecute',
      tolerationSeconds: DEFAULT_TOLERATION_SECONDS,
    }))
  return added.length === 0 ? spec : { ...spec, tolerations: [...given, ...added] }
}

type RuntimeClass = {
  readonly overhead?: { readonly podFixed?: StringMap }
  readonly scheduling?: { readonly nodeSelector?: StringMap; readonly tolerations?: readonly Toleration[] }
}

function withRuntimeClass(pod: PodToAdmit, spec: PodSpec, store: ObjectStore): PodSpec {
  const name = spec.runtimeClassName
  if (name === undefined) return spec
  const found = store.get('runtimeclasses', { name })
  if (found === undefined) throw forbiddenPod(pod.metadata, `pod rejected: RuntimeClass ${goQuote(name)} not found`)
  const { overhead, scheduling } = found as unknown as RuntimeClass
  const selector = scheduling?.nodeSelector ?? {}
  for (const [key, value] of Object.entries(selector)) {
    const own = spec.nodeSelector?.[key]
    if (own === undefined || own === value) continue
    throw forbiddenPod(
      pod.metadata,
      `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${own}`,
    )
  }
  return {
    ...spec,
    ...(overhead?.podFixed === undefined ? {} : { overhead: overhead.podFixed }),
    ...(Object.keys(selector).length === 0 ? {} : { nodeSelector: { ...spec.nodeSelector, ...selector } }),
    ...(scheduling?.tolerations === undefined
      ? {}
      : { tolerations: [...(spec.tolerations ?? []), ...scheduling.tolerations] }),
  }
}

/** The spec after admission. Throws the plugins' 403. */
export function admitPodSpec(pod: PodToAdmit, store: ObjectStore): PodSpec {
  const served = withServiceAccount(pod, store)
  const ranked = withPriority(pod, served)
  return withRuntimeClass(pod, withTolerations(ranked), store)
}

function mergeKeys(
  selector: PodAffinityTerm['labelSelector'],
  keys: readonly string[] | undefined,
  operator: string,
  labels: StringMap,
): PodAffinityTerm['labelSelector'] {
  const added = (keys ?? []).flatMap((key) => {
    const value = Object.hasOwn(labels, key) ? labels[key] : undefined
    return value === undefined ? [] : [{ key, operator, values: [value] }]
  })
  if (selector === undefined || added.length === 0) return selector
  return { ...selector, matchExpressions: [...(selector.matchExpressions ?? []), ...added] }
}

function mergeTerm(term: PodAffinityTerm, labels: StringMap): PodAffinityTerm {
  const matched = mergeKeys(term.labelSelector, term.matchLabelKeys, 'In', labels)
  const selector = mergeKeys(matched, term.mismatchLabelKeys, 'NotIn', labels)
  return selector === undefined ? term : { ...term, labelSelector: selector }
}

function mergeRules(rules: PodAffinityRules, labels: StringMap): PodAffinityRules {
  const {
    requiredDuringSchedulingIgnoredDuringExecution: hard,
    preferredDuringSchedulingIgnoredDuringExecution: soft,
  } = rules
  return {
    ...rules,
    ...(hard === undefined
      ? {}
      : { requiredDuringSchedulingIgnoredDuringExecution: hard.map((term) => mergeTerm(term, labels)) }),
    ...(soft === undefined
      ? {}
      : {
          preferredDuringSchedulingIgnoredDuringExecution: soft.map((weighted) => ({
            ...weighted,
            podAffinityTerm: mergeTerm(weighted.podAffinityTerm, labels),
          })),
        }),
  }
}

/** Writes the pod's own values of matchLabelKeys and mismatchLabelKeys into the selectors, as at a pod's creation. */
export function mergeLabelKeys(spec: PodSpec, labels: StringMap): PodSpec {
  const { affinity, topologySpreadConstraints } = spec
  const podAffinity = affinity?.podAffinity
  const podAntiAffinity = affinity?.podAntiAffinity
  return {
    ...spec,
    ...(affinity === undefined
      ? {}
      : {
          affinity: {
            ...affinity,
            ...(podAffinity === undefined ? {} : { podAffinity: mergeRules(podAffinity, labels) }),
            ...(podAntiAffinity === undefined ? {} : { podAntiAffinity: mergeRules(podAntiAffinity, labels) }),
          },
        }),
    ...(topologySpreadConstraints === undefined
      ? {}
      : {
          topologySpreadConstraints: topologySpreadConstraints.map((constraint) => {
            const selector = mergeKeys(constraint.labelSelector, constraint.matchLabelKeys, 'In', labels)
            return selector === undefined ? constraint : { ...constraint, labelSelector: selector }
          }),
        }),
  }
}
