import { apiVersionOf } from '../store/kinds.ts'
import { badRequest, conflict, notFound } from '../store/refusals.ts'
import { StatusError } from '../store/status-error.ts'
import type { Key, Kind, NewObject, StoredObject } from '../store/types.ts'
import { goType } from './body.ts'
import type { Api } from './context.ts'
import { applyConfig, type Writer } from './managed/ownership.ts'
import { checkConfig } from './managed/typed-config.ts'
import { truthy } from './query.ts'
import { checkName, checkUid, checkVersion, createObject, inNamespace, storeUpdate } from './write.ts'

export const APPLY_TYPE = 'application/apply-patch+yaml'

export type ApplyOptions = {
  readonly dryRun: boolean
  readonly force: boolean
  readonly writer: Writer
  readonly subresource: 'status' | undefined
}

/** Reads `force`, and refuses an apply without a field manager as the API server does. */
export function parseForce(query: URLSearchParams): boolean {
  if ((query.get('fieldManager') ?? '') === '') {
    const message = 'Required value: is required for apply patch'
    throw new StatusError(422, 'Invalid', `PatchOptions.meta.k8s.io "" is invalid: fieldManager: ${message}`, {
      group: 'meta.k8s.io',
      kind: 'PatchOptions',
      causes: [{ reason: 'FieldValueRequired', message, field: 'fieldManager' }],
    })
  }
  return truthy(query.get('force'))
}

/**
 * Decodes what is applied. JSON only, which is what clients send although the type says YAML: the simulator has no YAML
 * parser.
 */
export function parseConfig(kind: Kind, body: string): NewObject {
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    throw badRequest('error decoding YAML: the simulator reads only JSON, which is YAML too')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw badRequest(
      `error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal ${goType(value)} into Go value of type map[string]interface {}`,
    )
  }
  const { apiVersion = '', kind: sentKind = '', metadata = {} } = value as Partial<NewObject>
  if (apiVersion !== apiVersionOf(kind) || sentKind !== kind.kind) {
    const version = apiVersion === '' || !apiVersion.includes('/') ? `/${apiVersion}` : apiVersion
    throw badRequest(`invalid object type: ${version}, Kind=${sentKind}`)
  }
  if (metadata.managedFields !== undefined && metadata.managedFields !== null) {
    throw badRequest('metadata.managedFields must be nil')
  }
  return { ...value, apiVersion, kind: sentKind, metadata } as NewObject
}

/** PATCH of the type apply: makes the object, or gives it these fields. */
export function applyObject(
  api: Api,
  kind: Kind,
  key: Key,
  config: NewObject,
  options: ApplyOptions,
): { readonly object: StoredObject; readonly created: boolean } {
  const { dryRun, force, writer, subresource } = options
  if ((config.metadata.name ?? '') !== '') checkName(key, config)
  checkConfig(kind, config)
  const live = api.store.get(kind.plural, key)
  const named = inNamespace(kind, key.namespace, { ...config, metadata: { ...config.metadata, name: key.name } })
  if (live === undefined) {
    if (subresource !== undefined) throw notFound(kind, key.name)
    const { uid } = config.metadata as { readonly uid?: unknown }
    if (uid !== undefined && uid !== '') {
      const text = `uid mismatch: the provided object specified uid ${String(uid)}, and no existing object was found`
      throw conflict(kind, key.name, text)
    }
    const { resourceVersion: _version, ...metadata } = named.metadata
    const { managedFields } = applyConfig(kind, undefined, config, writer, force)
    const wanted = { ...named, metadata }
    return {
      object: createObject(api, kind, key.namespace, wanted, { dryRun, writer, owned: managedFields }),
      created: true,
    }
  }
  checkVersion(kind, live, named)
  const { object, managedFields } = applyConfig(kind, live, named, writer, force)
  checkUid(kind, live, object)
  return {
    object: storeUpdate(api, kind, key, live, object, { dryRun, subresource, writer, owned: managedFields }),
    created: false,
  }
}
