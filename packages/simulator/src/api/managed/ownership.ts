import { objectJson } from '../../store/json.ts'
import { apiVersionOf } from '../../store/kinds.ts'
import { StatusError } from '../../store/status-error.ts'
import type { Kind, NewObject, StoredObject } from '../../store/types.ts'
import { decodeObject } from '../../validation/decode.ts'
import { FieldSet } from './field-set.ts'
import { compareFields, fieldsOf, mergeFields, removeFields, withNamedParents } from './fields.ts'
import {
  type Entry,
  isSameManager,
  type Manager,
  managerText,
  parseEntries,
  printEntries,
  withEntry,
} from './managers.ts'
import { shapeOfKind } from './shape.ts'

/**
 * Who owns which field, after a kube-apiserver's field manager: writes take over what they change, an apply is refused
 * when others own it with another value. What the simulator's own controllers write has no owner.
 */

export type Writer = {
  readonly name: string
  readonly subresource: 'status' | 'scale' | undefined
  /** Of the write, RFC 3339. */
  readonly time: string
}

/** Fields that nobody owns: they say which object it is, or are the server's. */
const unowned: readonly (readonly string[])[] = [
  ['f:apiVersion'],
  ['f:kind'],
  ...[
    'name',
    'namespace',
    'creationTimestamp',
    'selfLink',
    'uid',
    'generation',
    'managedFields',
    'resourceVersion',
  ].map((name) => ['f:metadata', `f:${name}`]),
]

/** What a write to the main resource, or to the status, cannot change, and so does not own. */
function ignored(kind: Kind, subresource: Writer['subresource']): readonly (readonly string[])[] {
  if (subresource === 'status') {
    return [
      ['f:spec'],
      ['f:metadata', 'f:ownerReferences'],
      ...(kind.plural === 'deployments' ? [['f:metadata', 'f:labels']] : []),
    ]
  }
  return kind.hasStatus ? [['f:status']] : []
}

function stripped(set: FieldSet, kind: Kind, subresource: Writer['subresource']): FieldSet {
  const rest = set.without(...unowned, ...ignored(kind, subresource))
  // The object itself and its metadata are no fields that anybody could own.
  rest.member = false
  const metadata = rest.children.get('f:metadata')
  if (metadata?.member !== true) return rest
  const below = metadata.union(new FieldSet())
  below.member = false
  if (below.children.size === 0) rest.children.delete('f:metadata')
  else rest.children.set('f:metadata', below)
  return rest
}

const managerOf = (kind: Kind, writer: Writer, operation: Manager['operation']): Manager => ({
  name: writer.name,
  operation,
  apiVersion: apiVersionOf(kind),
  subresource: writer.subresource,
})

const emptyObjects = new Map<string, NewObject>()

/** An object of the kind as Go has it before anybody sets a field. */
function emptyObject(kind: Kind): NewObject {
  let empty = emptyObjects.get(kind.plural)
  if (empty === undefined) {
    empty = decodeObject(kind, { apiVersion: apiVersionOf(kind), kind: kind.kind, metadata: {} })
    emptyObjects.set(kind.plural, empty)
  }
  return empty
}

/** `managedFields` after a create that is no apply. `object` is what was sent, with defaults. */
export function ownedByCreator(kind: Kind, object: NewObject, writer: Writer): readonly object[] | undefined {
  const fields = changedFields(kind, emptyObject(kind), object, writer.subresource).changed
  return printEntries(withEntry([], managerOf(kind, writer, 'Update'), fields, writer.time))
}

/** `managedFields` after a PUT or PATCH that made `after` of `before`. Objects that nobody's entry is on stay so. */
export function ownedAfterUpdate(
  kind: Kind,
  before: StoredObject,
  after: NewObject,
  writer: Writer,
): readonly object[] | undefined {
  if (isReset(after.metadata.managedFields)) return undefined
  const entries = parseEntries(before.metadata.managedFields)
  if (entries.length === 0) return undefined
  const { changed, removed } = changedFields(kind, before, after, writer.subresource)
  const manager = managerOf(kind, writer, 'Update')
  return printEntries(takeOver(entries, manager, changed, removed, writer.time))
}

/** A client that sends an empty entry, and nothing else, takes all owners away. */
function isReset(managedFields: unknown): boolean {
  if (!Array.isArray(managedFields) || managedFields.length !== 1) return false
  const [entry] = managedFields as readonly unknown[]
  return typeof entry === 'object' && entry !== null && Object.keys(entry).length === 0
}

function changedFields(
  kind: Kind,
  before: NewObject,
  after: NewObject,
  subresource: Writer['subresource'],
): { readonly changed: FieldSet; readonly removed: FieldSet } {
  const shape = shapeOfKind(kind)
  if (shape === undefined) return { changed: new FieldSet(), removed: new FieldSet() }
  const { added, modified, removed } = compareFields(before, after, shape)
  return {
    changed: stripped(added.union(modified), kind, subresource),
    removed: stripped(removed, kind, subresource),
  }
}

/** The manager owns what it changed; nobody owns what went. */
function takeOver(
  entries: readonly Entry[],
  manager: Manager,
  changed: FieldSet,
  removed: FieldSet,
  time: string,
): readonly Entry[] {
  const own = entries.find((entry) => isSameManager(entry, manager))
  const others = entries.flatMap((entry) => {
    if (entry === own) return [entry]
    const fields = entry.fields.difference(changed).difference(removed)
    return fields.isEmpty ? [] : [{ ...entry, fields }]
  })
  return withEntry(others, manager, (own?.fields ?? new FieldSet()).difference(removed).union(changed), time)
}

/**
 * `managedFields` after a write through the scale subresource. As on a kube-apiserver a writer is only noted where
 * somebody owned the replicas before.
 */
export function ownedAfterScale(
  kind: Kind,
  before: StoredObject,
  after: NewObject,
  writer: Writer,
): readonly object[] | undefined {
  const owned = parseEntries(before.metadata.managedFields).some(
    ({ fields }) => fields.children.get('f:spec')?.children.get('f:replicas') !== undefined,
  )
  if (!owned) return before.metadata.managedFields as readonly object[] | undefined
  return ownedAfterUpdate(kind, before, after, writer)
}

export type Applied = {
  /** The object to store, without `managedFields`. */
  readonly object: NewObject
  readonly managedFields: readonly object[] | undefined
}

/**
 * A server-side apply of `config` to `live` (undefined: there is none yet).
 *
 * @throws StatusError 409 with a cause per field that somebody else owns, unless `force`
 */
export function applyConfig(
  kind: Kind,
  live: StoredObject | undefined,
  config: NewObject,
  writer: Writer,
  force: boolean,
): Applied {
  const shape = shapeOfKind(kind)
  if (shape === undefined) throw new Error(`no table for ${kind.plural}`)
  const before: NewObject = live === undefined ? emptyObject(kind) : (JSON.parse(objectJson(live)) as NewObject)
  const manager = managerOf(kind, writer, 'Apply')
  const entries = live === undefined ? [] : entriesBeforeApply(kind, before, writer)
  const sent = fieldsOf(config, shape)
  const applied = stripped(sent, kind, writer.subresource)
  const last = entries.find((entry) => isSameManager(entry, manager))?.fields
  const merged = mergeFields(before, config, shape)
  const others = entries.filter((entry) => !isSameManager(entry, manager))
  // With what nobody owns, such as the name: else metadata itself would go with the last label.
  const kept = [...others.map(({ fields }) => fields), sent].map(withNamedParents)
  const gone = kept.reduce((rest, set) => rest.difference(set), withNamedParents(last ?? new FieldSet()))
  const object = (removeFields(merged, gone, shape) ?? {}) as NewObject
  const { changed, removed } = changedFields(kind, before, object, writer.subresource)
  const conflicts = force ? [] : others.flatMap((entry) => conflictsWith(entry, changed))
  if (conflicts.length > 0) throw conflictError(conflicts)
  const left = others.flatMap((entry) => {
    const fields = entry.fields.difference(changed).difference(removed)
    return fields.isEmpty ? [] : [{ ...entry, fields }]
  })
  const own = entries.filter((entry) => isSameManager(entry, manager))
  return { object, managedFields: printEntries(withEntry([...left, ...own], manager, applied, writer.time)) }
}

/** An object that nobody's entry is on was written before applies: all its fields count as somebody's. */
function entriesBeforeApply(kind: Kind, live: NewObject, writer: Writer): readonly Entry[] {
  const entries = parseEntries(live.metadata.managedFields)
  if (entries.length > 0) return entries
  const manager = managerOf(kind, { ...writer, name: 'before-first-apply', subresource: undefined }, 'Update')
  const { changed } = changedFields(kind, emptyObject(kind), live, undefined)
  return withEntry([], manager, changed, writer.time)
}

type Conflict = { readonly whom: string; readonly path: string }

function conflictsWith(entry: Entry, changed: FieldSet): readonly Conflict[] {
  const whom = managerText(entry)
  return [...entry.fields.intersection(changed).paths()].map((path) => ({ whom, path }))
}

function conflictError(conflicts: readonly Conflict[]): StatusError {
  const [first] = conflicts
  const byManager = Map.groupBy(
    conflicts.toSorted((a, b) => (a.whom < b.whom ? -1 : a.whom > b.whom ? 1 : 0)),
    ({ whom }) => whom,
  )
  const lists = [...byManager].map(([whom, list]) => [
    `conflicts with ${whom}:`,
    ...list.map(({ path }) => `- ${path}`),
  ])
  const message =
    conflicts.length === 1 && first !== undefined
      ? `Apply failed with 1 conflict: conflict with ${first.whom}: ${first.path}`
      : `Apply failed with ${conflicts.length} conflicts: ${lists.flat().join('\n')}`
  const causes = conflicts.map(({ whom, path }) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with ${whom}`,
    field: path,
  }))
  return new StatusError(409, 'Conflict', message, { causes })
}
