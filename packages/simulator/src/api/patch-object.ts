import { objectJson } from '../store/json.ts'
import { apiVersionOf } from '../store/kinds.ts'
import { badRequest, notFound } from '../store/refusals.ts'
import { StatusError } from '../store/status-error.ts'
import type { Key, Kind, NewObject, StoredObject } from '../store/types.ts'
import { isStruct } from '../validation/decode.ts'
import { otherKindText } from './body.ts'
import type { Api } from './context.ts'
import { applyJsonPatch, applyMergePatch, parseJsonPatch, parseMergePatch } from './patch.ts'
import { applyStrategicPatch, goText, parseStrategicPatch } from './strategic-merge.ts'
import { type FieldValidation, strictProblems, strictText } from './strict-fields.ts'
import { checkName, checkUid, checkVersion, inNamespace, storeUpdate, type UpdateOptions } from './write.ts'

/** How a patch body changes a document. */
export type Patcher = {
  readonly apply: (document: unknown) => unknown
  /** What a refusal shows. */
  readonly shown: (patched: unknown) => string
  /** What a strict decoder says of the patch itself. */
  readonly problems?: readonly string[]
  /** It does not go through JSON, and another decoder has other words. */
  readonly isStrategic?: boolean
}

/**
 * The patch that a content type and body mean, for documents of the kind with this plural (`scale` for a Scale). Throws
 * 415 for types that are not served, 400 for broken bodies.
 */
export function parsePatch(type: string, body: string, plural: string): Patcher {
  if (type === 'application/json-patch+json') {
    const operations = parseJsonPatch(body)
    return {
      apply: (document) => applyJsonPatch(document, operations),
      shown: documentText,
      problems: unknownMembers(operations),
    }
  }
  if (type === 'application/merge-patch+json') {
    const patch = parseMergePatch(body)
    return {
      apply: (document) => applyMergePatch(document, patch),
      shown: (patched) => JSON.stringify(sortedMembers(patched, patch)),
    }
  }
  if (type === 'application/strategic-merge-patch+json') {
    const patch = parseStrategicPatch(body)
    return {
      apply: (document) => applyStrategicPatch(document, patch, plural),
      shown: () => goText(patch),
      isStrategic: true,
    }
  }
  throw new StatusError(415, 'UnsupportedMediaType', '415: Unsupported Media Type', {})
}

export type PatchOptions = UpdateOptions & { readonly validation: FieldValidation }

/** PATCH of an object, or of its status, with the warnings about it. */
export function patchObject(
  api: Api,
  kind: Kind,
  key: Key,
  patcher: Patcher,
  options: PatchOptions,
): { readonly object: StoredObject; readonly warnings: readonly string[] } {
  const current = api.store.get(kind.plural, key)
  if (current === undefined) throw notFound(kind, key.name)
  const patched = patcher.apply(JSON.parse(objectJson(current))) as NewObject | null
  checkPatched(kind, key.name, patched)
  const warnings =
    options.validation === 'Ignore'
      ? []
      : [...(patcher.problems ?? []), ...strictProblems(kind, JSON.stringify(sortedMembers(patched, patched)))]
  if (options.validation === 'Strict' && warnings.length > 0) {
    throw invalidPatch(patcher.shown(patched), strictText(warnings))
  }
  const within = inNamespace(kind, key.namespace, patched)
  if ((within.metadata.name ?? '') === '') throw nameless(key.name)
  checkName(key, within)
  checkVersion(kind, current, within)
  checkUid(kind, current, within)
  try {
    return { object: storeUpdate(api, kind, key, current, within, options), warnings }
  } catch (error) {
    throw asPatchError(kind, patched, patcher, error)
  }
}

function nameless(name: string): StatusError {
  return badRequest(`the name of the object (${name} based on URL) was undeterminable: name must be provided`)
}

function checkPatched(kind: Kind, name: string, patched: NewObject | null): asserts patched is NewObject {
  if (typeof patched !== 'object' || patched === null || Array.isArray(patched)) {
    throw invalidPatch(
      documentText(patched),
      `json: cannot unmarshal ${String(patched)} into Go value of type v1.${kind.kind}`,
    )
  }
  if (patched.kind !== kind.kind || patched.apiVersion !== apiVersionOf(kind)) {
    throw invalidPatch(
      documentText(patched),
      otherKindText(kind, kind.kind, String(patched.kind ?? ''), String(patched.apiVersion ?? '')),
    )
  }
  const metadata = patched.metadata as unknown
  if (typeof metadata !== 'object' || metadata === null) {
    throw nameless(name)
  }
}

/** A patched object that does not decode is a bad patch, 422, and shown whole. */
function asPatchError(kind: Kind, patched: NewObject, patcher: Patcher, error: unknown): unknown {
  const prefix = `${kind.kind} in version ${JSON.stringify(kind.version)} cannot be handled as a ${kind.kind}: `
  if (!(error instanceof StatusError) || error.code !== 400 || !error.message.startsWith(prefix)) return error
  const problem = error.message.slice(prefix.length)
  const shown = patcher.shown(patched)
  if (patcher.isStrategic !== true) return invalidPatch(shown, problem)
  return invalidPatch(shown, converterText(problem, patched))
}

const goKinds: Readonly<Record<string, string>> = { array: 'slice', object: 'map', number: 'int64' }

/** A strategic patch does not go through JSON: another decoder finds the same problem, in other words. */
function converterText(problem: string, patched: unknown): string {
  const found = /^json: cannot unmarshal (\w+)(?: \S+)? into Go struct field \w+\.(\S+) of type (\S+)/.exec(problem)
  if (found === null) return problem
  const [, json = '', path = '', type = ''] = found
  const value = path.split('.').reduce<unknown>((at, name) => (at as NewObject | undefined)?.[name], patched)
  const kind = typeof value === 'number' && !Number.isInteger(value) ? 'float64' : (goKinds[json] ?? json)
  if (type.startsWith('[')) return `cannot restore slice from ${kind}`
  if (type.startsWith('map[')) return `cannot restore map from ${kind}`
  if (isStruct(type)) return `cannot restore struct from: ${kind}`
  if (json === 'number' && type !== 'bool') return `cannot convert ${kind} to ${type}`
  // Named types are texts.
  return `unrecognized type: ${type.includes('.') ? 'string' : type}`
}

/** Members that no operation of a JSON patch has. */
function unknownMembers(operations: readonly object[]): readonly string[] {
  const known = new Set(['op', 'path', 'from', 'value'])
  return operations.flatMap((operation, index) =>
    Object.keys(operation)
      .filter((name) => !known.has(name))
      .map((name) => `json patch unknown field ${JSON.stringify(`[${index}].${name}`)}`),
  )
}

function invalidPatch(shown: string, problem: string): StatusError {
  const message = `Invalid value: ${JSON.stringify(shown)}: ${problem}`
  return new StatusError(422, 'Invalid', ` "" is invalid: patch: ${message}`, {
    causes: [{ reason: 'FieldValueInvalid', message, field: 'patch' }],
  })
}

/** The real document went through a Go map, whose members come out in order. */
function documentText(patched: unknown): string {
  return JSON.stringify(sortedMembers(patched, undefined))
}

/** The document with its members in order, and those of the maps in it that a patch went into. */
function sortedMembers(document: unknown, patch: unknown): unknown {
  if (typeof document !== 'object' || document === null || Array.isArray(document)) return document
  const touched = typeof patch === 'object' && patch !== null ? new Map(Object.entries(patch)) : undefined
  const members = Object.entries(document).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(
    members.map(([name, value]) => [name, touched?.has(name) ? sortedMembers(value, touched.get(name) ?? {}) : value]),
  )
}
