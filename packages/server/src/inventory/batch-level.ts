import type { Statement } from '../store/database.ts'
import { type BatchObject, insertIfUnchangedStatement, insertStatement } from './insert-statements.ts'
import { type ParentTable, parentStatements } from './parent-statements.ts'
import { updateDifferingRows } from './update-statements.ts'

/** What sets nodes, namespaces and workloads apart in a batch create. */
export type BatchLevelSpec = {
  readonly object: BatchObject
  /** The tables that the rows refer to, from the top of the tree. */
  readonly parents: readonly ParentTable[]
  /** The columns of `i`, the unique keys of a request, beside `ord`. */
  readonly keyColumns: string
  /** Joins `i` with the stored rows `t` over the unique index. */
  readonly match: string
}

export type BatchLevel = BatchLevelSpec & {
  readonly find: Statement
  readonly lock: Statement
  readonly insert: Statement
  readonly insertIfUnchanged: Statement
  /** The stored rows with the keys in $1, each with the `ord` of its key. */
  readonly existing: Statement
  /** The same, held against changes until the commit, in the order of ids. */
  readonly lockExisting: Statement
  readonly updateDiffering: Statement
}

/** The statements of a level. */
export function batchLevel(spec: BatchLevelSpec): BatchLevel {
  const { object, parents, keyColumns, match } = spec
  const existing = (name: string, lock: string): Statement => ({
    name: `inventory-${name}-${object}`,
    text: `select i.ord, t.* from json_to_recordset($1) as i(ord int, ${keyColumns}) join ${object} t on ${match} ${lock}`,
  })
  return {
    ...spec,
    ...parentStatements(object, parents),
    insert: insertStatement(object),
    insertIfUnchanged: insertIfUnchangedStatement(object, parents),
    existing: existing('existing', ''),
    lockExisting: existing('lock-existing', 'order by t.id for no key update of t'),
    updateDiffering: updateDifferingRows(object),
  }
}
