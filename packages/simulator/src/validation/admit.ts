import { generatedName } from '../store/names.ts'
import { conflict } from '../store/refusals.ts'
import type { FieldCause, Kind, NewObject, ObjectStore, StoredObject } from '../store/types.ts'
import { validateAutoscaler } from './autoscaler-rules.ts'
import { decodeObject } from './decode.ts'
import { type Causes, invalidStatus } from './field.ts'
import { type Autoscaler, type Deployment, type Pod, type PodSpec, type ReplicaSet, viewAs } from './kube-types.ts'
import { validateMetadata, validateMetadataUpdate } from './metadata.ts'
import { defaultAutoscaler, defaultDeployment, defaultPlain, defaultReplicaSet } from './other-defaults.ts'
import { validatePlain, validatePlainUpdate } from './plain-rules.ts'
import { admitPodSpec, mergeLabelKeys } from './pod-admission.ts'
import { defaultPod, qosClass } from './pod-defaults.ts'
import { validateNewPod } from './pod-rules.ts'
import { validatePodUpdate } from './pod-update.ts'
import { validateDeployment, validateReplicaSet, validateSelectorKept } from './workload-rules.ts'

/** What admission may look at. `now` stamps what the server stamps. */
export type AdmitContext = {
  readonly store: ObjectStore
  readonly now: Date
  readonly subresource?: 'status' | 'scale'
}

/** What a kube-apiserver does with an object to create: decode, defaults, admission, validation. Throws StatusError. */
export function admit(kind: Kind, object: NewObject, context: AdmitContext): { object: NewObject } {
  const defaulted = withDefaults(kind, decodeObject(kind, object))
  const prepared = withName(kind, prepareNew(kind, defaulted, context), context.store)
  const causes: Causes = []
  validateMetadata(kind, prepared.metadata, causes)
  validateNew(kind, prepared, causes)
  refuse(kind, prepared.metadata.name ?? '', causes)
  return { object: kind.plural === 'pods' ? mergePodKeys(prepared) : prepared }
}

/** The same for a replaced or patched object; a status subresource changes nothing but the status. Throws StatusError. */
export function admitUpdate(
  kind: Kind,
  before: StoredObject,
  after: NewObject,
  context: AdmitContext,
): { object: NewObject } {
  const decoded = decodeObject(kind, after)
  const defaulted = context.subresource === 'status' ? decoded : withDefaults(kind, decoded)
  const causes: Causes = []
  refuseOtherUid(kind, before, defaulted.metadata)
  // Layers of the server that check it: two generic ones, and the kind's own; a pod's checks it twice.
  validateMetadataUpdate(before, defaulted.metadata, kind.plural === 'pods' ? 4 : 3, causes)
  if (context.subresource === 'status') {
    refuse(kind, before.metadata.name, causes)
    return { object: onlyStatus(before, defaulted) }
  }
  const prepared = prepareUpdate(kind, before, defaulted)
  validateChanged(kind, before, prepared, causes)
  refuse(kind, before.metadata.name, causes)
  return { object: prepared }
}

function refuseOtherUid(kind: Kind, before: StoredObject, metadata: NewObject['metadata']): void {
  const { uid, name, namespace } = before.metadata
  if (metadata.uid === undefined || metadata.uid === uid) return
  const key = `/${kind.plural}/${namespace === undefined || namespace === '' ? '' : `${namespace}/`}${name}`
  throw conflict(
    kind,
    name,
    `StorageError: invalid object, Code: 4, Key: ${key}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: ${String(metadata.uid)}, UID in object meta: ${uid}`,
  )
}

/** Names are generated after admission and before validation. */
function withName(kind: Kind, object: NewObject, store: ObjectStore): NewObject {
  const { name, generateName, namespace } = object.metadata
  if ((name ?? '') !== '' || typeof generateName !== 'string' || generateName === '') return object
  let generated = generatedName(generateName, Math.random)
  while (store.get(kind.plural, { namespace, name: generated }) !== undefined) {
    generated = generatedName(generateName, Math.random)
  }
  return { ...object, metadata: { ...object.metadata, name: generated } }
}

function refuse(kind: Kind, name: string, causes: readonly FieldCause[]): void {
  if (causes.length > 0) throw invalidStatus(kind.group, kind.kind, name, causes)
}

/** A sent object as it is before admission: decoded, with defaults. What of it is there belongs to who sent it. */
export function decodeWithDefaults(kind: Kind, object: NewObject): NewObject {
  return withDefaults(kind, decodeObject(kind, object))
}

function withDefaults(kind: Kind, object: NewObject): NewObject {
  switch (kind.plural) {
    case 'pods':
      return { ...object, spec: defaultPod(viewAs<Pod>(object).spec) }
    case 'deployments':
      return { ...object, spec: defaultDeployment(viewAs<Deployment>(object).spec) }
    case 'replicasets':
      return { ...object, spec: defaultReplicaSet(viewAs<ReplicaSet>(object).spec) }
    case 'horizontalpodautoscalers':
      return { ...object, spec: defaultAutoscaler(viewAs<Autoscaler>(object).spec) }
    default:
      return defaultPlain(kind.plural, object)
  }
}

/** Kinds whose status a creator may send; for the others it starts as the server says. */
const KEEPS_SENT_STATUS = new Set(['nodes', 'namespaces', 'persistentvolumes', 'persistentvolumeclaims'])

function prepareNew(kind: Kind, object: NewObject, context: AdmitContext): NewObject {
  if (kind.plural === 'pods') return preparePod(object, context)
  if (!kind.hasStatus || KEEPS_SENT_STATUS.has(kind.plural)) return object
  switch (kind.plural) {
    case 'replicasets':
      return { ...object, status: { replicas: 0 } }
    case 'horizontalpodautoscalers':
      return { ...object, status: { desiredReplicas: 0, currentMetrics: null } }
    default:
      return { ...object, status: {} }
  }
}

function preparePod(object: NewObject, context: AdmitContext): NewObject {
  const spec = admitPodSpec({ metadata: object.metadata, spec: viewAs<Pod>(object).spec }, context.store)
  const gated = (spec.schedulingGates ?? []).length > 0
  const gate = {
    type: 'PodScheduled',
    status: 'False',
    lastProbeTime: null,
    lastTransitionTime: `${context.now.toISOString().slice(0, 19)}Z`,
    reason: 'SchedulingGated',
    message: 'Scheduling is blocked due to non-empty scheduling gates',
  }
  return {
    ...object,
    spec,
    status: { phase: 'Pending', ...(gated ? { conditions: [gate] } : {}), qosClass: qosClass(spec) },
  }
}

function mergePodKeys(object: NewObject): NewObject {
  const pod = viewAs<Pod>(object)
  if (pod.spec.affinity === undefined && pod.spec.topologySpreadConstraints === undefined) return object
  return { ...object, spec: mergeLabelKeys(pod.spec, pod.metadata.labels ?? {}) }
}

function validateNew(kind: Kind, object: NewObject, causes: Causes): void {
  switch (kind.plural) {
    case 'pods':
      validateNewPod(viewAs<Pod>(object), causes)
      return
    case 'deployments':
      validateDeployment(viewAs<Deployment>(object).spec, causes)
      return
    case 'replicasets':
      validateReplicaSet(viewAs<ReplicaSet>(object).spec, causes)
      return
    case 'horizontalpodautoscalers':
      validateAutoscaler(viewAs<Autoscaler>(object).spec, undefined, causes)
      return
    default:
      validatePlain(kind.plural, object, causes)
  }
}

/** The status stays as it was, and what admission once filled in is kept when it is not sent. */
function prepareUpdate(kind: Kind, before: StoredObject, after: NewObject): NewObject {
  const kept = kind.hasStatus && before.status !== undefined ? { ...after, status: before.status } : after
  if (kind.plural !== 'pods') return kept
  const old: PodSpec = viewAs<Pod>(before).spec
  const spec = viewAs<Pod>(kept).spec
  return {
    ...kept,
    spec: {
      ...spec,
      ...(spec.priority === undefined && old.priority !== undefined ? { priority: old.priority } : {}),
      ...(spec.preemptionPolicy === undefined && old.preemptionPolicy !== undefined
        ? { preemptionPolicy: old.preemptionPolicy }
        : {}),
    },
  }
}

function validateChanged(kind: Kind, before: StoredObject, object: NewObject, causes: Causes): void {
  switch (kind.plural) {
    case 'pods':
      validatePodUpdate(viewAs<Pod>(object), viewAs<Pod>(before), causes)
      return
    case 'deployments': {
      const { spec } = viewAs<Deployment>(object)
      validateDeployment(spec, causes)
      validateSelectorKept(spec, viewAs<Deployment>(before).spec, causes)
      return
    }
    case 'replicasets': {
      const { spec } = viewAs<ReplicaSet>(object)
      validateReplicaSet(spec, causes)
      validateSelectorKept(spec, viewAs<ReplicaSet>(before).spec, causes)
      return
    }
    case 'horizontalpodautoscalers':
      validateAutoscaler(viewAs<Autoscaler>(object).spec, viewAs<Autoscaler>(before), causes)
      return
    default:
      validatePlain(kind.plural, object, causes)
      validatePlainUpdate(kind.plural, before, object, causes)
  }
}

/** A status write: the sent status on the stored object. Owner references and labels are not for it to change. */
function onlyStatus(before: StoredObject, after: NewObject): NewObject {
  const status = after.status
  return { ...before, ...(status === undefined ? {} : { status }) }
}
