import { jsonEqual } from '../../store/json.ts'
import { FieldSet } from './field-set.ts'

/** Who writes, and how: what tells the entries of `managedFields` apart. */
export type Manager = {
  readonly name: string
  readonly operation: 'Apply' | 'Update'
  readonly apiVersion: string
  readonly subresource: string | undefined
}

/** One entry of `managedFields`. */
export type Entry = Manager & { readonly time: string; readonly fields: FieldSet }

/** The entries of an object's `metadata.managedFields`. */
export function parseEntries(managedFields: unknown): readonly Entry[] {
  if (!Array.isArray(managedFields)) return []
  return managedFields.flatMap((each: unknown) => {
    const { manager, operation, apiVersion, time, subresource, fieldsV1 } = (each ?? {}) as Record<string, unknown>
    if (operation !== 'Apply' && operation !== 'Update') return []
    const entry: Entry = {
      name: typeof manager === 'string' ? manager : '',
      operation,
      apiVersion: String(apiVersion ?? ''),
      subresource: typeof subresource === 'string' && subresource !== '' ? subresource : undefined,
      time: String(time ?? ''),
      fields: FieldSet.parse(fieldsV1),
    }
    return [entry]
  })
}

/** `metadata.managedFields`: appliers first, then by time and name. Undefined when nobody owns anything. */
export function printEntries(entries: readonly Entry[]): readonly object[] | undefined {
  const sorted = entries.toSorted(
    (a, b) =>
      order(a.operation, b.operation) ||
      order(a.time, b.time) ||
      order(a.name, b.name) ||
      order(a.apiVersion, b.apiVersion) ||
      order(a.subresource ?? '', b.subresource ?? ''),
  )
  if (sorted.length === 0) return undefined
  return sorted.map(({ name, operation, apiVersion, subresource, time, fields }) => ({
    manager: name,
    operation,
    apiVersion,
    time,
    fieldsType: 'FieldsV1',
    fieldsV1: fields.print(),
    ...(subresource === undefined ? {} : { subresource }),
  }))
}

const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)

/** An applier is the same whatever version of the kind it applies. */
export function isSameManager(a: Manager, b: Manager): boolean {
  return (
    a.name === b.name &&
    a.operation === b.operation &&
    a.subresource === b.subresource &&
    (a.operation === 'Apply' || a.apiVersion === b.apiVersion)
  )
}

/** The entries with `manager`'s replaced: gone when it owns nothing, with its old time when it owns the same. */
export function withEntry(
  entries: readonly Entry[],
  manager: Manager,
  fields: FieldSet,
  time: string,
): readonly Entry[] {
  const before = entries.find((entry) => isSameManager(entry, manager))
  const others = entries.filter((entry) => entry !== before)
  if (fields.isEmpty) return others
  if (before !== undefined && jsonEqual(before.fields.print(), fields.print())) return entries
  return [...others, { ...manager, time, fields }]
}

/** `"m"`, `"m" with subresource "status" using apps/v1`: how a conflict names who owns the field. */
export function managerText({ name, operation, apiVersion, subresource }: Manager): string {
  const whom =
    JSON.stringify(name) + (subresource === undefined ? '' : ` with subresource ${JSON.stringify(subresource)}`)
  return operation === 'Update' ? `${whom} using ${apiVersion}` : whom
}
