import { assemble, nextGeneration } from '../store/assemble.ts'
import { apiVersionOf, hasGeneration } from '../store/kinds.ts'
import { badRequest, conflict, detailsOf, notFound } from '../store/refusals.ts'
import { StatusError } from '../store/status-error.ts'
import type { Key, Kind, NewObject, StoredObject } from '../store/types.ts'
import { type AdmitContext, decodeWithDefaults } from '../validation/admit.ts'
import { decodeObject } from '../validation/decode.ts'
import { invalid, invalidStatus } from '../validation/field.ts'
import type { Api } from './context.ts'
import { ownedAfterUpdate, ownedByCreator, type Writer } from './managed/ownership.ts'

/** How often a generated name that is taken is tried anew. */
const NAME_ATTEMPTS = 8

const systemMembers = [
  'uid',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'managedFields',
  'selfLink',
]

export type CreateOptions = {
  readonly dryRun: boolean
  readonly writer: Writer
  /** `managedFields` that an apply has settled; otherwise the writer owns all that was sent. */
  readonly owned?: readonly object[] | undefined
}

/** POST to a collection, or an apply of what is not there yet. */
export function createObject(
  api: Api,
  kind: Kind,
  namespace: string | undefined,
  sent: NewObject,
  options: CreateOptions,
): StoredObject {
  const { resourceVersion } = sent.metadata as { readonly resourceVersion?: unknown }
  const within = inNamespace(kind, namespace, sent)
  requireLivingNamespace(api, kind, namespace, within)
  if (resourceVersion !== undefined && resourceVersion !== '' && resourceVersion !== '0') {
    throw new StatusError(500, '', 'resourceVersion should not be set on objects to be created')
  }
  // What only the server sets is dropped, but has to be readable.
  if (systemMembers.some((member) => Object.hasOwn(within.metadata, member))) {
    decodeObject(kind, { apiVersion: apiVersionOf(kind), kind: kind.kind, metadata: within.metadata })
  }
  for (let attempt = 1; ; attempt += 1) {
    const wanted = forCreation(kind, within)
    const admitted = api.admission.admit(kind, wanted, admitContext(api)).object
    const owned =
      'owned' in options ? options.owned : ownedByCreator(kind, decodeWithDefaults(kind, wanted), options.writer)
    const object = withOwners(admitted, owned)
    if (options.dryRun) return trial(api, kind, object)
    try {
      return api.store.create(kind.plural, object)
    } catch (error) {
      const taken = error instanceof StatusError && error.reason === 'AlreadyExists'
      if (!taken || (within.metadata.name ?? '') !== '' || attempt >= NAME_ATTEMPTS) throw error
    }
  }
}

export type UpdateOptions = {
  readonly dryRun: boolean
  readonly subresource?: 'status' | undefined
  readonly writer: Writer
  /** `managedFields` that an apply has settled; otherwise the writer owns what it changes. */
  readonly owned?: readonly object[] | undefined
}

function withOwners(object: NewObject, owned: readonly object[] | undefined): NewObject {
  const { managedFields: _managedFields, ...metadata } = object.metadata
  return { ...object, metadata: owned === undefined ? metadata : { ...metadata, managedFields: owned } }
}

/** PUT of a whole object, or of its status. */
export function replaceObject(api: Api, kind: Kind, key: Key, sent: NewObject, options: UpdateOptions): StoredObject {
  const { metadata } = sent
  if ((metadata.name ?? '') === '') {
    throw badRequest(`the name of the object (${key.name} based on URL) was undeterminable: name must be provided`)
  }
  const within = inNamespace(kind, key.namespace, sent)
  checkName(key, within)
  const current = api.store.get(kind.plural, key)
  if (current === undefined) throw notFound(kind, key.name)
  checkVersion(kind, current, within)
  const uid = (metadata as { readonly uid?: unknown }).uid
  if (typeof uid === 'string' && uid !== '' && uid !== current.metadata.uid) {
    const path = kind.namespaced ? `${key.namespace}/${key.name}` : key.name
    throw conflict(
      kind,
      key.name,
      `StorageError: invalid object, Code: 4, Key: ${options.dryRun ? '' : '/registry'}/${registryOf(kind)}/${path}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: ${uid}, UID in object meta: ${current.metadata.uid}`,
    )
  }
  return storeUpdate(api, kind, key, current, within, options)
}

/**
 * Stores what a PUT or PATCH made of `current`: the status stays when the main resource is written, everything but the
 * status when the status is.
 */
export function storeUpdate(
  api: Api,
  kind: Kind,
  key: Key,
  current: StoredObject,
  wanted: NewObject,
  options: UpdateOptions,
): StoredObject {
  const merged =
    options.subresource === 'status' ? withStatusOf(kind, current, wanted) : withoutStatus(kind, current, wanted)
  const context = {
    ...admitContext(api),
    ...(options.subresource === undefined ? {} : { subresource: 'status' as const }),
  }
  const sent = keepSystemMetadata(current, merged)
  const admitted = api.admission.admitUpdate(kind, current, sent, context).object
  // Admission of a status gives back the stored metadata; labels, annotations and finalizers are the writer's.
  const changed = options.subresource === 'status' ? { ...admitted, metadata: sent.metadata } : admitted
  const { managedFields } = wanted.metadata
  const owned =
    'owned' in options
      ? options.owned
      : ownedAfterUpdate(
          kind,
          current,
          { ...changed, metadata: { ...changed.metadata, managedFields } },
          options.writer,
        )
  const object = withOwners(changed, owned)
  if (options.dryRun) return updateTrial(kind, current, object)
  return api.store.update(kind.plural, key, () => object)
}

/** Clients cannot change what the server stamps; what they send there is replaced by what is stored. */
function keepSystemMetadata(current: StoredObject, wanted: NewObject): NewObject {
  const { managedFields: _managedFields, selfLink: _selfLink, ...metadata } = wanted.metadata
  const { uid, creationTimestamp, generation, resourceVersion, deletionTimestamp, deletionGracePeriodSeconds } =
    current.metadata
  return {
    ...wanted,
    metadata: {
      ...metadata,
      uid: metadata.uid || uid,
      resourceVersion,
      generation,
      creationTimestamp,
      // Absent is kept, another value is for validation to refuse.
      deletionTimestamp: metadata.deletionTimestamp ?? deletionTimestamp,
      deletionGracePeriodSeconds: metadata.deletionGracePeriodSeconds ?? deletionGracePeriodSeconds,
    },
  }
}

function withoutStatus(kind: Kind, current: StoredObject, wanted: NewObject): NewObject {
  if (!kind.hasStatus) return wanted
  const { status: _status, ...rest } = wanted
  return (current.status === undefined ? rest : { ...rest, status: current.status }) as NewObject
}

/** Metadata that a status write may change: everything on most kinds; not labels where the real strategies keep them. */
function withStatusOf(kind: Kind, current: StoredObject, wanted: NewObject): NewObject {
  const { status: _status, ...kept } = current
  const metadata = {
    ...wanted.metadata,
    ownerReferences: current.metadata.ownerReferences,
    ...(kind.plural === 'deployments' ? { labels: current.metadata.labels } : {}),
  }
  return { ...kept, metadata, ...(wanted.status === undefined ? {} : { status: wanted.status }) } as NewObject
}

/** 409 when the sent version is not the current one; none, or 0, is no condition. */
export function checkVersion(kind: Kind, current: StoredObject, sent: NewObject): void {
  const { resourceVersion } = sent.metadata as { readonly resourceVersion?: unknown }
  if (resourceVersion === undefined || resourceVersion === null || resourceVersion === '' || resourceVersion === '0')
    return
  if (resourceVersion === current.metadata.resourceVersion) return
  if (typeof resourceVersion === 'string' && !/^\d+$/.test(resourceVersion)) {
    throw new StatusError(500, '', `strconv.ParseUint: parsing ${JSON.stringify(resourceVersion)}: invalid syntax`)
  }
  throw conflict(kind, current.metadata.name)
}

export function checkName(key: Key, sent: NewObject): void {
  const { name } = sent.metadata
  if (name === key.name) return
  throw badRequest(`the name of the object (${String(name)}) does not match the name on the URL (${key.name})`)
}

/** The object with the namespace of the URL; 400 when it names another one. */
export function inNamespace(kind: Kind, namespace: string | undefined, sent: NewObject): NewObject {
  const { namespace: own, ...metadata } = sent.metadata
  // The API server drops the namespace of a cluster-scoped object.
  if (!kind.namespaced) return { ...sent, metadata }
  if (own !== undefined && own !== null && own !== '' && own !== namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request')
  }
  return { ...sent, metadata: { ...metadata, namespace: namespace ?? '' } }
}

export function admitContext(api: Api): AdmitContext {
  return { store: api.store, now: api.now() }
}

export function timestamp(date: Date): string {
  return date.toISOString().replace(/\.\d{3}Z$/, 'Z')
}

function requireLivingNamespace(api: Api, kind: Kind, namespace: string | undefined, sent: NewObject): void {
  if (!kind.namespaced || namespace === undefined) return
  const found = api.store.get('namespaces', { name: namespace })
  if (found === undefined) {
    throw new StatusError(404, 'NotFound', `namespaces "${namespace}" not found`, {
      name: namespace,
      kind: 'namespaces',
    })
  }
  if (found.metadata.deletionTimestamp === undefined) return
  const { name: own, generateName } = sent.metadata as { readonly name?: string; readonly generateName?: string }
  const name = own || generateName || ''
  const resource = kind.group === '' ? kind.plural : `${kind.plural}.${kind.group}`
  throw new StatusError(
    403,
    'Forbidden',
    `${resource} "${name}" is forbidden: unable to create new content in namespace ${namespace} because it is being terminated`,
    {
      ...detailsOf(kind, name),
      causes: [
        {
          reason: 'NamespaceTerminating',
          message: `namespace ${namespace} is being terminated`,
          field: 'metadata.namespace',
        },
      ],
    },
  )
}

/** The object without what only the server sets. */
function forCreation(kind: Kind, sent: NewObject): NewObject {
  const {
    uid: _uid,
    resourceVersion: _resourceVersion,
    generation: _generation,
    creationTimestamp: _creationTimestamp,
    deletionTimestamp: _deletionTimestamp,
    deletionGracePeriodSeconds: _deletionGracePeriodSeconds,
    managedFields: _managedFields,
    selfLink: _selfLink,
    ...metadata
  } = sent.metadata
  const { status: _status, ...rest } = sent
  // A node's own status is its kubelet's word, at creation too.
  const body = kind.hasStatus && kind.plural !== 'nodes' ? rest : sent
  return { ...body, apiVersion: apiVersionOf(kind), kind: kind.kind, metadata } as NewObject
}

/** What a create would have made: with a uid, without a version. */
function trial(api: Api, kind: Kind, object: NewObject): StoredObject {
  const key = { namespace: object.metadata.namespace, name: object.metadata.name ?? '' }
  if (api.store.get(kind.plural, key) !== undefined) {
    throw new StatusError(
      409,
      'AlreadyExists',
      `${kind.group === '' ? kind.plural : `${kind.plural}.${kind.group}`} "${key.name}" already exists`,
      detailsOf(kind, key.name),
    )
  }
  const metadata = {
    ...object.metadata,
    uid: crypto.randomUUID(),
    ...(hasGeneration(kind.plural) ? { generation: 1 } : {}),
    creationTimestamp: timestamp(api.now()),
  }
  return { ...object, metadata } as unknown as StoredObject
}

/** What an update would have made: as stored, with the version of before. */
function updateTrial(kind: Kind, current: StoredObject, object: NewObject): StoredObject {
  const { name, namespace, uid, resourceVersion, generation, creationTimestamp } = current.metadata
  const after = assemble(kind, object, { name, namespace, uid, resourceVersion, generation, creationTimestamp })
  const next = nextGeneration(current, after)
  return next === generation ? after : { ...after, metadata: { ...after.metadata, generation: next as number } }
}

/** Where etcd keeps a kind, as storage errors show it. */
function registryOf(kind: Kind): string {
  return kind.plural === 'nodes' ? 'minions' : kind.plural
}

/** A PUT with another uid fails in storage, a patch in validation, which looks twice. */
export function checkUid(kind: Kind, current: StoredObject, patched: NewObject): void {
  const { uid } = patched.metadata as { readonly uid?: unknown }
  if (uid === undefined || uid === '' || uid === current.metadata.uid) return
  const cause = invalid('metadata.uid', uid, 'field is immutable')
  throw invalidStatus(kind.group, kind.kind, current.metadata.name, [cause, cause])
}
