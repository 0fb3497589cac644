import type { NewObject, StoredObject } from '../store/types.ts'
import type { Deployment, PodTemplate, ReplicaSet } from '../validation/kube-types.ts'
import { controllerReference } from './ownership.ts'
import { type PlannedSet, rollingBounds } from './rollout-plan.ts'

/** The ReplicaSets that a Deployment makes: their form, labels and annotations. Pure. */

const HASH = 'pod-template-hash'
export const REVISION = 'deployment.kubernetes.io/revision'
export const DESIRED = 'deployment.kubernetes.io/desired-replicas'
const REVISION_HISTORY = 'deployment.kubernetes.io/revision-history'
export const MAX = 'deployment.kubernetes.io/max-replicas'
/** Annotations that are the Deployment's own and do not go to its sets. */
const OWN_ANNOTATIONS = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  REVISION,
  DESIRED,
  REVISION_HISTORY,
  MAX,
  'deprecated.deployment.rollback.to',
])

export const createdOf = (set: ReplicaSet) => Date.parse(set.metadata.creationTimestamp)
export const revisionOf = (set: ReplicaSet) => Number.parseInt(set.metadata.annotations?.[REVISION] ?? '0', 10) || 0

/** Most characters of the revisions that a set once had; the oldest give way. */
const MAX_HISTORY_LENGTH = 2000

/** The annotations of a set that is now of this revision; those that it was of before are kept beside it. */
export function revisionsOf(set: ReplicaSet, revision: string): Readonly<Record<string, string>> {
  const { [REVISION]: before, [REVISION_HISTORY]: history } = set.metadata.annotations ?? {}
  if (before === revision || before === undefined || before === '') return { [REVISION]: revision }
  let past = history === undefined || history === '' ? [before] : [...history.split(','), before]
  while (past.length > 1 && past.join(',').length > MAX_HISTORY_LENGTH) past = past.slice(1)
  return { [REVISION]: revision, [REVISION_HISTORY]: past.join(',') }
}

/** The template without the label that tells sets apart. */
export function bare(template: PodTemplate): unknown {
  const labels = Object.entries(template.metadata?.labels ?? {}).filter(([key]) => key !== HASH)
  const annotations = template.metadata?.annotations ?? {}
  return { labels: Object.fromEntries(labels), annotations, spec: template.spec }
}

export function passedOn(deployment: Deployment): Readonly<Record<string, string>> {
  const entries = Object.entries(deployment.metadata.annotations ?? {})
  return Object.fromEntries(entries.filter(([key]) => !OWN_ANNOTATIONS.has(key)))
}

export function newSetOf(
  stored: StoredObject,
  deployment: Deployment,
  hash: string,
  replicas: number,
  revision: string,
): NewObject {
  const { template, selector, minReadySeconds } = deployment.spec
  const labels = { ...template.metadata?.labels, [HASH]: hash }
  const wanted = deployment.spec.replicas ?? 1
  const { maxSurge } = rollingBounds(deployment.spec.strategy, wanted)
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${deployment.metadata.name}-${hash}`,
      namespace: deployment.metadata.namespace ?? '',
      labels,
      annotations: {
        ...passedOn(deployment),
        [DESIRED]: String(wanted),
        [MAX]: String(wanted + maxSurge),
        [REVISION]: revision,
      },
      ownerReferences: [controllerReference(stored)],
    },
    spec: {
      replicas,
      ...(minReadySeconds === undefined ? {} : { minReadySeconds }),
      selector: { ...selector, matchLabels: { ...selector?.matchLabels, [HASH]: hash } },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
    status: { replicas: 0 },
  }
}

export function planned(set: ReplicaSet): PlannedSet {
  const number = (text: string | undefined) => (text === undefined ? undefined : Number.parseInt(text, 10))
  const desired = number(set.metadata.annotations?.[DESIRED])
  const max = number(set.metadata.annotations?.[MAX])
  return {
    name: set.metadata.name,
    replicas: set.spec.replicas ?? 1,
    available: set.status?.availableReplicas ?? 0,
    created: createdOf(set),
    ...(desired === undefined ? {} : { desiredThen: desired }),
    ...(max === undefined ? {} : { maxThen: max }),
  }
}
