import { objectJson } from '../store/json.ts'
import { apiVersionOf } from '../store/kinds.ts'
import { badRequest, notFound } from '../store/refusals.ts'
import { StatusError } from '../store/status-error.ts'
import type { Key, Kind, NewObject, StoredObject } from '../store/types.ts'
import { invalid, invalidStatus } from '../validation/field.ts'
import { unregistered } from './body.ts'
import type { Api } from './context.ts'
import { applyJsonPatch, applyMergePatch, parseJsonPatch, parseMergePatch } from './patch.ts'
import { checkName, checkVersion, inNamespace, storeUpdate } from './write.ts'

/** How a patch body changes a document. */
export type Patcher = (document: unknown) => unknown

/** The patch that a content type and body mean. Throws 415 for types that are not served, 400 for broken bodies. */
export function parsePatch(type: string, body: string): Patcher {
  if (type === 'application/json-patch+json') {
    const operations = parseJsonPatch(body)
    return (document) => applyJsonPatch(document, operations)
  }
  if (type === 'application/merge-patch+json') {
    const patch = parseMergePatch(body)
    return (document) => applyMergePatch(document, patch)
  }
  throw new StatusError(415, 'UnsupportedMediaType', '415: Unsupported Media Type', {})
}

/** PATCH of an object, or of its status. */
export function patchObject(
  api: Api,
  kind: Kind,
  key: Key,
  patcher: Patcher,
  options: { readonly dryRun: boolean; readonly subresource?: 'status' | undefined },
): StoredObject {
  const current = api.store.get(kind.plural, key)
  if (current === undefined) throw notFound(kind, key.name)
  const patched = patcher(JSON.parse(objectJson(current))) as NewObject | null
  checkPatched(kind, patched)
  const within = inNamespace(kind, key.namespace, patched)
  if ((within.metadata.name ?? '') === '') throw badRequest('name must be provided')
  checkName(key, within)
  checkVersion(kind, current, within)
  checkUid(kind, current, within)
  try {
    return storeUpdate(api, kind, key, current, within, options)
  } catch (error) {
    throw asPatchError(kind, patched, error)
  }
}

/** A PUT with another uid fails in storage, a patch in validation, which looks twice. */
function checkUid(kind: Kind, current: StoredObject, patched: NewObject): void {
  const { uid } = patched.metadata as { readonly uid?: unknown }
  if (uid === undefined || uid === '' || uid === current.metadata.uid) return
  const cause = invalid('metadata.uid', uid, 'field is immutable')
  throw invalidStatus(kind.group, kind.kind, current.metadata.name, [cause, cause])
}

function checkPatched(kind: Kind, patched: NewObject | null): asserts patched is NewObject {
  if (typeof patched !== 'object' || patched === null || Array.isArray(patched)) {
    throw invalidPatch(patched, `json: cannot unmarshal ${String(patched)} into Go value of type v1.${kind.kind}`)
  }
  if (patched.kind !== kind.kind || patched.apiVersion !== apiVersionOf(kind)) {
    throw invalidPatch(patched, unregistered(String(patched.kind ?? ''), String(patched.apiVersion ?? '')))
  }
  const metadata = patched.metadata as unknown
  if (typeof metadata !== 'object' || metadata === null) {
    throw badRequest(`the name of the object based on URL was undeterminable: name must be provided`)
  }
}

/** A patched object that does not decode is a bad patch, 422, and shown whole. */
function asPatchError(kind: Kind, patched: NewObject, error: unknown): unknown {
  const prefix = `${kind.kind} in version ${JSON.stringify(kind.version)} cannot be handled as a ${kind.kind}: `
  if (!(error instanceof StatusError) || error.code !== 400 || !error.message.startsWith(prefix)) return error
  return invalidPatch(patched, error.message.slice(prefix.length))
}

function invalidPatch(patched: unknown, problem: string): StatusError {
  // The real document went through a Go map, whose members come out in order.
  const sorted =
    typeof patched === 'object' && patched !== null
      ? Object.fromEntries(Object.entries(patched).sort(([a], [b]) => (a < b ? -1 : 1)))
      : patched
  const message = `Invalid value: ${JSON.stringify(JSON.stringify(sorted))}: ${problem}`
  return new StatusError(422, 'Invalid', ` "" is invalid: patch: ${message}`, {
    causes: [{ reason: 'FieldValueInvalid', message, field: 'patch' }],
  })
}
