import type { WorkloadKind } from '@podyard/contract'
import { type Field, filterFields, type KubeObject, kubeFields } from './fields.ts'
import type { Column, Columns, Storage } from './filter/columns.ts'
import type { FieldType } from './filter/rule.ts'

/** The alias of the listed table in every list's SQL. */
export const rowAlias = 'r'

const storages: Readonly<Record<string, Storage>> = {
  bigint: 'integer',
  integer: 'integer',
  text: 'text',
  boolean: 'boolean',
  jsonb: 'json',
}

/** Typed as objects by the attributes endpoint, stored as arrays of objects (container API reference 1.8, 1.12). */
const listsOfObjects = new Set(['volumes', 'tolerations'])

/** The fields that a filter over an object may name, with their types; members of `ref` under dotted names, too. */
export function filterTypes(object: KubeObject, kind?: WorkloadKind): ReadonlyMap<string, FieldType> {
  const types = new Map<string, FieldType>()
  for (const field of filterFields(object, kind)) {
    types.set(field.name, field.type)
    if (field.column !== undefined && 'members' in field.column)
      for (const [member, column] of Object.entries(field.column.members))
        types.set(`${field.name}.${member}`, column.type === 'text' ? 'string' : 'numeric')
  }
  return types
}

const columnSets = new Map<KubeObject, Columns>()
/** The columns of an object by wire name, of the table's alias `rowAlias`. Fields that nothing stores have none: no row matches them. */
export function columnsFor(object: KubeObject): Columns {
  const known = columnSets.get(object) ?? columnsByField(object)
  columnSets.set(object, known)
  return known
}

/** The same for another alias. */
export function columnsByField(object: KubeObject, alias: string = rowAlias): Columns {
  const columns = new Map<string, Column>()
  for (const field of kubeFields[object]) {
    if (field.column === undefined) continue
    if (!('members' in field.column)) {
      columns.set(field.name, columnOf(field, alias, field.column.name, field.column.type))
      continue
    }
    const members = Object.entries(field.column.members)
    for (const [member, column] of members)
      columns.set(`${field.name}.${member}`, columnOf(field, alias, column.name, column.type))
    columns.set(field.name, { sql: `${alias}.${members[0]?.[1].name}`, storage: 'members' })
  }
  return columns
}

function columnOf(field: Field, alias: string, name: string, type: string): Column {
  const sql = `${alias}.${name}`
  // `network` of clusters: text to filters, a list of texts in the row. It matches by its elements, as in the original.
  if (field.type === 'string' && type === 'jsonb')
    return {
      sql: `case when ${sql} is null then null else array(select jsonb_array_elements_text(${sql})) end`,
      storage: 'text-array',
    }
  return { sql, storage: listsOfObjects.has(field.name) ? 'json-list' : (storages[type] as Storage) }
}
