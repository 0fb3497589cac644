import { type ColumnType, type KubeObject, kubeFields } from './fields.ts'
import type { TextRow } from './view-text.ts'

/** Names that no field has are answered with null; more of them, or longer ones, than any client means are left out. */
const maxUnknown = 100
const maxUnknownLength = 128

export type RawTextView = {
  /** The columns that a row must have from `first` on, in this order. */
  readonly columns: readonly string[]
  write(row: TextRow): string
}

/**
 * A row as it is stored, with the asked fields: zeros as they are, what is unset or not known as null (the answers of
 * by_topo and of business sets, container API reference 2.4). `first` is where the row's columns begin.
 */
export function rawTextView(object: KubeObject, fields: readonly string[], first: number): RawTextView {
  const columns: string[] = []
  const members: ((row: TextRow) => string)[] = []
  const column = (name: string, type: ColumnType) => {
    const at = first + columns.length
    columns.push(name)
    return (row: TextRow) => jsonText(row[at] as string | null, type)
  }
  let unknown = 0
  for (const name of new Set(fields)) {
    const found = kubeFields[object].find((field) => field.name === name)
    const key = JSON.stringify(name)
    if (found?.column === undefined) {
      unknown += 1
      if (found !== undefined || (unknown <= maxUnknown && name.length <= maxUnknownLength))
        members.push(() => `${key}:null`)
    } else if ('members' in found.column) {
      const inner = Object.entries(found.column.members).map(([member, { name, type }]) => {
        const write = column(name, type)
        return (row: TextRow) => `${JSON.stringify(member)}:${write(row)}`
      })
      members.push((row) => `${key}:{${inner.map((write) => write(row)).join(',')}}`)
    } else {
      const write = column(found.column.name, found.column.type)
      members.push((row) => `${key}:${write(row)}`)
    }
  }
  return { columns, write: (row) => `{${members.map((write) => write(row)).join(',')}}` }
}

function jsonText(text: string | null, type: ColumnType): string {
  if (text === null) return 'null'
  if (type === 'text') return JSON.stringify(text)
  return type === 'boolean' ? String(text === 't') : text
}
