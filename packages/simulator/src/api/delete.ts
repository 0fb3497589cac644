import { badRequest, notFound } from '../store/refusals.ts'
import { StatusError } from '../store/status-error.ts'
import type { Key, Kind, NewObject, StoredObject } from '../store/types.ts'
import { goType, parseTyped, unregistered } from './body.ts'
import type { Api } from './context.ts'
import { integer, invalidOptions, parseDryRun } from './query.ts'
import { timestamp } from './write.ts'

export type DeleteOptions = {
  readonly uid: string | undefined
  readonly resourceVersion: string | undefined
  readonly propagation: 'Background' | 'Foreground' | 'Orphan' | undefined
  readonly gracePeriodSeconds: number | undefined
  readonly dryRun: boolean
}

/** What a DELETE did: gone at once, or marked and left to its finalizers or its kubelet. */
export type Deleted = { readonly gone: boolean; readonly object: StoredObject }

const ORPHAN = 'orphan'
const FOREGROUND = 'foregroundDeletion'
const DEFAULT_GRACE_SECONDS = 30

/** DeleteOptions of the body when there is one, else of the query. Throws the API server's 400 and 422. */
export function parseDeleteOptions(body: string, query: URLSearchParams): DeleteOptions {
  if (body === '') {
    return checked({
      propagationPolicy: query.get('propagationPolicy') ?? undefined,
      gracePeriodSeconds: integer(query.get('gracePeriodSeconds')),
      orphanDependents: query.has('orphanDependents') ? query.get('orphanDependents') === 'true' : undefined,
      dryRun: query.getAll('dryRun'),
    })
  }
  const sent = parseTyped(body, '', '')
  const kind = sent.kind ?? 'DeleteOptions'
  if (kind !== '' && kind !== 'DeleteOptions')
    throw badRequest(unregistered(String(kind), String(sent.apiVersion ?? 'v1')))
  const wrong = (field: string, type: string) =>
    badRequest(
      `json: cannot unmarshal ${goType(sent[field])} into Go struct field DeleteOptions.${field} of type ${type}`,
    )
  const absent = (value: unknown) => value === undefined || value === null
  const { propagationPolicy, gracePeriodSeconds, orphanDependents, dryRun, preconditions } = sent
  if (!absent(gracePeriodSeconds) && !Number.isInteger(gracePeriodSeconds)) throw wrong('gracePeriodSeconds', 'int64')
  if (!absent(propagationPolicy) && typeof propagationPolicy !== 'string') {
    throw wrong('propagationPolicy', 'v1.DeletionPropagation')
  }
  if (!absent(orphanDependents) && typeof orphanDependents !== 'boolean') throw wrong('orphanDependents', 'bool')
  if (!absent(dryRun) && !Array.isArray(dryRun)) throw wrong('dryRun', '[]string')
  if (!absent(preconditions) && (typeof preconditions !== 'object' || Array.isArray(preconditions))) {
    throw wrong('preconditions', 'v1.Preconditions')
  }
  return checked({
    propagationPolicy: (propagationPolicy ?? undefined) as string | undefined,
    gracePeriodSeconds: (gracePeriodSeconds ?? undefined) as number | undefined,
    orphanDependents: (orphanDependents ?? undefined) as boolean | undefined,
    dryRun: (dryRun ?? []) as readonly string[],
    preconditions: (preconditions ?? {}) as { readonly uid?: string; readonly resourceVersion?: string },
  })
}

function checked(sent: {
  readonly propagationPolicy: string | undefined
  readonly gracePeriodSeconds: number | undefined
  readonly orphanDependents: boolean | undefined
  readonly dryRun: readonly string[]
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string }
}): DeleteOptions {
  const { propagationPolicy: policy, orphanDependents } = sent
  const dryRun = parseDryRun(sent.dryRun, 'DeleteOptions')
  if (policy !== undefined && orphanDependents !== undefined) {
    throw invalidOptions(
      'DeleteOptions',
      'propagationPolicy',
      'FieldValueInvalid',
      `Invalid value: ${JSON.stringify(policy)}: orphanDependents and deletionPropagation cannot be both set`,
    )
  }
  if (policy !== undefined && policy !== 'Background' && policy !== 'Foreground' && policy !== 'Orphan') {
    throw invalidOptions(
      'DeleteOptions',
      'propagationPolicy',
      'FieldValueNotSupported',
      `Unsupported value: ${JSON.stringify(policy)}: supported values: "Foreground", "Background", "Orphan", "nil"`,
    )
  }
  const old = orphanDependents === undefined ? undefined : orphanDependents ? 'Orphan' : 'Background'
  return {
    uid: sent.preconditions?.uid ?? undefined,
    resourceVersion: sent.preconditions?.resourceVersion ?? undefined,
    propagation: policy ?? old,
    gracePeriodSeconds: sent.gracePeriodSeconds,
    dryRun,
  }
}

/** DELETE of one object. */
export function deleteObject(api: Api, kind: Kind, key: Key, options: DeleteOptions): Deleted {
  const current = api.store.get(kind.plural, key)
  if (current === undefined) throw notFound(kind, key.name)
  checkPreconditions(kind, current, options)
  if (kind.plural === 'namespaces') return deleteNamespace(api, kind, key, current, options)
  const marked = mark(api, kind, current, options)
  if (marked === undefined) {
    if (!options.dryRun) api.store.remove(kind.plural, key)
    return { gone: true, object: current }
  }
  const gone =
    (marked.metadata.finalizers as readonly string[] | undefined)?.length === undefined &&
    marked.metadata.deletionGracePeriodSeconds === 0
  if (options.dryRun) return { gone, object: { ...current, ...marked } as StoredObject }
  return { gone, object: api.store.update(kind.plural, key, () => marked) }
}

/** Whether the answer to a DELETE that removed the object is the object, not a Status: as the real strategies say. */
export function returnsDeleted(kind: Kind): boolean {
  return ['pods', 'serviceaccounts', 'persistentvolumes', 'persistentvolumeclaims'].includes(kind.plural)
}

function checkPreconditions(kind: Kind, { metadata }: StoredObject, options: DeleteOptions): void {
  const differs = (text: string) => {
    const resource = kind.group === '' ? kind.kind : `${kind.kind}.${kind.group}`
    return new StatusError(
      409,
      'Conflict',
      `Operation cannot be fulfilled on ${resource} "${metadata.name}": ${text}`,
      {
        name: metadata.name,
        ...(kind.group === '' ? {} : { group: kind.group }),
        kind: kind.kind,
      },
    )
  }
  if (options.uid !== undefined && options.uid !== metadata.uid) {
    throw differs(
      `the UID in the precondition (${options.uid}) does not match the UID in record (${metadata.uid}). The object might have been deleted and then recreated`,
    )
  }
  if (options.resourceVersion !== undefined && options.resourceVersion !== metadata.resourceVersion) {
    throw differs(
      `the ResourceVersion in the precondition (${options.resourceVersion}) does not match the ResourceVersion in record (${metadata.resourceVersion}). The object might have been modified`,
    )
  }
}

/** The object as the deletion leaves it; undefined when nothing keeps it and no mark need be seen. */
function mark(api: Api, kind: Kind, current: StoredObject, options: DeleteOptions): NewObject | undefined {
  const finalizers = finalizersAfter(current.metadata.finalizers ?? [], options.propagation)
  const { finalizers: _finalizers, ...metadata } = current.metadata
  const kept = { ...metadata, ...(finalizers.length === 0 ? {} : { finalizers }) }
  if (kind.plural === 'pods') {
    const grace = gracePeriod(current, options)
    const { deletionTimestamp, deletionGracePeriodSeconds: before = 0 } = current.metadata
    if (deletionTimestamp === undefined) {
      const at = timestamp(new Date(api.now().getTime() + grace * 1000))
      return { ...current, metadata: { ...kept, deletionTimestamp: at, deletionGracePeriodSeconds: grace } }
    }
    // A second deletion can only bring the end nearer.
    if (options.gracePeriodSeconds === undefined || grace >= before) return { ...current, metadata: kept }
    const at = timestamp(new Date(Date.parse(deletionTimestamp) + (grace - before) * 1000))
    return { ...current, metadata: { ...kept, deletionTimestamp: at, deletionGracePeriodSeconds: grace } }
  }
  if (finalizers.length === 0) return undefined
  const deletionTimestamp = current.metadata.deletionTimestamp ?? timestamp(api.now())
  return { ...current, metadata: { ...kept, deletionTimestamp, deletionGracePeriodSeconds: 0 } }
}

function gracePeriod(pod: StoredObject, options: DeleteOptions): number {
  const spec = pod.spec as { readonly nodeName?: string; readonly terminationGracePeriodSeconds?: number }
  const phase = (pod.status as { readonly phase?: string } | undefined)?.phase
  // A pod that no kubelet knows, or that has ended, needs no time to stop.
  if ((spec.nodeName ?? '') === '' || phase === 'Failed' || phase === 'Succeeded') return 0
  const wanted = options.gracePeriodSeconds ?? spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS
  return wanted < 0 ? 1 : wanted
}

function finalizersAfter(finalizers: readonly string[], propagation: DeleteOptions['propagation']): readonly string[] {
  if (propagation === undefined) return finalizers
  const others = finalizers.filter((finalizer) => finalizer !== ORPHAN && finalizer !== FOREGROUND)
  if (propagation === 'Background') return others
  return [...others, propagation === 'Orphan' ? ORPHAN : FOREGROUND]
}

const protectedNamespaces = ['default', 'kube-system', 'kube-public']

/** A namespace only becomes Terminating; it goes when its controller has emptied it. */
function deleteNamespace(api: Api, kind: Kind, key: Key, current: StoredObject, options: DeleteOptions): Deleted {
  if (protectedNamespaces.includes(key.name)) {
    throw new StatusError(
      403,
      'Forbidden',
      `namespaces "${key.name}" is forbidden: this namespace may not be deleted`,
      {
        name: key.name,
        kind: 'namespaces',
      },
    )
  }
  const deletionTimestamp = current.metadata.deletionTimestamp ?? timestamp(api.now())
  const status = { ...(current.status as object | undefined), phase: 'Terminating' }
  const marked = { ...current, metadata: { ...current.metadata, deletionTimestamp }, status }
  if (options.dryRun) return { gone: false, object: marked }
  return { gone: false, object: api.store.update(kind.plural, key, () => marked) }
}
