import { type Field, type KubeObject, kubeFields } from './fields.ts'

/** A row as the database gives it: by column. */
export type Row = Readonly<Record<string, unknown>>

/** A row as the wire has it. */
export type View = Record<string, unknown>

/**
 * A row as the wire has it (container API reference 1.2): "val" fields vanish at zero, "ptr" fields when nothing was
 * stored. `only` cuts it to some fields; those that are always written are then there with their zero. `row` must have
 * the columns that are shown (`columnsOf`).
 */
export function viewOf(object: KubeObject, row: Row, only?: ReadonlySet<string>): View {
  const view: View = {}
  for (const field of kubeFields[object]) {
    const asked = only === undefined || only.has(field.name)
    if (!asked) {
      if (field.presence === 'always') view[field.name] = zeroOf(field)
      continue
    }
    const value = fieldValue(field, row)
    if (value === undefined || value === null) {
      if (field.presence === 'always') view[field.name] = zeroOf(field)
    } else if (field.presence !== 'val' || (value !== 0 && value !== '')) view[field.name] = value
  }
  return view
}

/** A pod's row as the wire shows it, with `containers`. */
export function podView(row: Row): View {
  const containers = row.containers as readonly Row[]
  return { ...viewOf('pod', row), containers: containers.map((container) => viewOf('container', container)) }
}

/** The columns that `viewOf` needs for these fields. */
export function columnsOf(object: KubeObject, only?: ReadonlySet<string>): string[] {
  return kubeFields[object]
    .filter((field) => only === undefined || only.has(field.name))
    .flatMap((field) => {
      if (field.column === undefined) return []
      return 'members' in field.column ? Object.values(field.column.members).map((m) => m.name) : [field.column.name]
    })
}

function fieldValue(field: Field, row: Row): unknown {
  if (field.column === undefined) return undefined
  if (!('members' in field.column)) return row[field.column.name]
  const ref: View = {}
  for (const [name, column] of Object.entries(field.column.members)) {
    const value = row[column.name]
    // `kind` is always written, the other members vanish at zero.
    if (name === 'kind') ref[name] = value ?? ''
    else if (value !== 0 && value !== '' && value !== null && value !== undefined) ref[name] = value
  }
  return ref
}

/** What an `always` field shows when it is not asked for. */
export const zeroOf = (field: Field) => (field.type === 'string' ? '' : 0)
