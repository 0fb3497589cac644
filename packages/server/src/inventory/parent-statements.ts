import type { Statement } from '../store/database.ts'

/** A table that the rows of a batch refer to. */
export type ParentTable = {
  /** What the rows are called in the answer. */
  readonly as: string
  readonly table: 'cluster' | 'host' | 'namespace'
  /** What of `t` is read beside id and version. */
  readonly columns: string
  /** Against deletion alone (`key share`), or against any change (`share`). */
  readonly lock: 'key share' | 'share'
}

/** A row that a batch refers to; `version` is equal as long as nobody changed it. */
export type ParentRow = { readonly id: number; readonly version: string }

/** What `parentStatements` answer: the rows of each table, and the first of the new ids where they were drawn. */
export type ParentRows = { readonly first_id: number } & Readonly<Record<string, readonly ParentRow[]>>

/**
 * Everything that a batch refers to, in one statement whatever the batch. `find` takes no locks and draws the ids of the
 * new rows, too; `lock` holds the rows until the commit, table by table from the top of the tree, in the order of ids.
 *
 * $1 tenants that the caller reads (null: all), from $2 on the ids in each table; `find` then number and sequence
 */
export function parentStatements(object: string, tables: readonly ParentTable[]): { find: Statement; lock: Statement } {
  const read = (locked: boolean) =>
    tables.map(
      ({ as, table, columns, lock }, i) => `${as} as (
        select t.id, t.xmin::text as version, ${columns} from ${table} t
        where t.id = any($${i + 2}::bigint[]) and ($1::text[] is null or t.bk_supplier_account = any($1))
        ${locked && i > 0 ? `and (select count(*) from ${tables[i - 1]?.as}) >= 0` : ''}
        order by t.id ${locked ? `for ${lock} of t` : ''})`,
    )
  const answers = tables.map(({ as }) => `(select coalesce(json_agg(${as}), '[]') from ${as}) as ${as}`).join(', ')
  const [count, sequence] = [tables.length + 2, tables.length + 3]
  return {
    find: {
      name: `inventory-find-parents-of-${object}`,
      text: `with ${read(false).join(', ')}
        select draw_ids($${sequence}::text::regclass, $${count}::int) as first_id, ${answers}`,
    },
    lock: { name: `inventory-lock-parents-of-${object}`, text: `with ${read(true).join(', ')} select ${answers}` },
  }
}

/**
 * CTEs that lock the parents as `lock` does and look whether all of them are still the row versions that were found:
 * `unchanged` has the one row `ok`. Two parameters for each table, from $`first` on: ids and versions.
 */
export function unchangedParents(tables: readonly ParentTable[], first: number): string {
  const ids = (i: number) => `$${first + 2 * i}`
  const seen = tables.map(
    ({ as, table, lock }, i) => `${as} as materialized (
      select 1 from unnest(${ids(i)}::bigint[], $${first + 2 * i + 1}::text[]::xid[]) as seen(id, version)
      join ${table} t on t.id = seen.id and t.xmin = seen.version
      ${i > 0 ? `where (select count(*) from ${tables[i - 1]?.as}) = cardinality(${ids(i - 1)})` : ''}
      order by t.id for ${lock} of t)`,
  )
  const last = tables.length - 1
  return `${seen.join(', ')},
    unchanged as materialized (select (select count(*) from ${tables[last]?.as}) = cardinality(${ids(last)}) as ok)`
}
