import { jsonEqual } from './json.ts'
import { apiVersionOf } from './kinds.ts'
import { StatusError } from './status-error.ts'
import type { Kind, NewObject, ObjectMeta, StoredObject } from './types.ts'

/** The API server's answer when neither a name nor generateName is there. */
export function nameRequired({ group, kind }: Kind): StatusError {
  const message = 'Required value: name or generateName is required'
  const qualified = group === '' ? kind : `${kind}.${group}`
  return new StatusError(422, 'Invalid', `${qualified} "" is invalid: metadata.name: ${message}`, {
    ...(group === '' ? {} : { group }),
    kind,
    causes: [{ reason: 'FieldValueRequired', message, field: 'metadata.name' }],
  })
}

/** The object in the order of members in which a kube-apiserver writes it, with the store's own metadata. */
export function assemble(
  kind: Kind,
  object: NewObject,
  own: {
    readonly name: string
    readonly namespace: string | undefined
    readonly uid: string
    readonly resourceVersion: string
    readonly generation: number | undefined
    readonly creationTimestamp: string
  },
): StoredObject {
  const { apiVersion: _apiVersion, kind: _kind, metadata, ...rest } = object
  const sent = metadata as Partial<ObjectMeta>
  const meta: ObjectMeta = {
    name: own.name,
    ...given('generateName', sent.generateName),
    ...(kind.namespaced ? { namespace: own.namespace ?? '' } : {}),
    uid: own.uid,
    resourceVersion: own.resourceVersion,
    ...given('generation', own.generation),
    creationTimestamp: own.creationTimestamp,
    ...given('deletionTimestamp', sent.deletionTimestamp),
    ...given('deletionGracePeriodSeconds', sent.deletionGracePeriodSeconds),
    ...filled('labels', sent.labels),
    ...filled('annotations', sent.annotations),
    ...filled('ownerReferences', sent.ownerReferences),
    ...filled('finalizers', sent.finalizers),
    ...filled('managedFields', sent.managedFields as readonly object[] | undefined),
  }
  return { kind: kind.kind, apiVersion: apiVersionOf(kind), metadata: meta, ...rest }
}

function given<Name extends string, Value>(name: Name, value: Value | undefined): { [N in Name]?: Value } {
  return (value === undefined || value === null ? {} : { [name]: value }) as { [N in Name]?: Value }
}

/** Empty lists and maps are left out, as the API server leaves them out. */
function filled<Name extends string, Value extends object>(
  name: Name,
  value: Value | undefined,
): { [N in Name]?: Value } {
  return given(
    name,
    (value ?? undefined) === undefined || Object.keys(value as object).length === 0 ? undefined : value,
  )
}

/** Deleted, and nothing holds it any more. */
export function isFinished({ metadata, spec }: StoredObject): boolean {
  return (
    metadata.deletionTimestamp !== undefined &&
    (metadata.finalizers ?? []).length === 0 &&
    (metadata.deletionGracePeriodSeconds ?? 0) === 0 &&
    ((spec as { readonly finalizers?: readonly string[] } | undefined)?.finalizers ?? []).length === 0
  )
}

/** The generation grows with the specification, and once when the deletion begins; binding a pod does not count. */
export function nextGeneration(before: StoredObject, after: StoredObject): number | undefined {
  const { generation } = before.metadata
  if (generation === undefined) return undefined
  const begins = before.metadata.deletionTimestamp === undefined && after.metadata.deletionTimestamp !== undefined
  return begins || !jsonEqual(desired(before), desired(after)) ? generation + 1 : generation
}

function desired(object: StoredObject): unknown {
  const { metadata: _metadata, status: _status, spec, ...rest } = object
  if (object.kind !== 'Pod' || typeof spec !== 'object' || spec === null) return { ...rest, spec }
  return { ...rest, spec: { ...spec, nodeName: undefined } }
}
