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
  /**
   * Nothing of these rows goes into the new ones, they only must be rows of the request's business: the statement that
   * inserts looks at that, and they are not read before it.
   */
  readonly onlyBusiness?: true
}

/** A row that a batch refers to; `version` is equal as long as nobody changed it. */
export type ParentRow = { readonly id: number; readonly version: string }

/** What `parentStatements` answer: the rows of each table that was read, and the first of the new ids if they were drawn. */
export type ParentRows = { readonly first_id: number } & Readonly<Record<string, readonly ParentRow[] | undefined>>

/**
 * Drawing ids writes to the log, so the statement's commit would wait for the disk. It need not: whoever uses the ids
 * commits after it, and a commit brings everything before it to the disk.
 */
export const unsyncedDraw = `set_config('synchronous_commit', 'off', true) as synchronous_commit`

/**
 * What a batch refers to, in one statement whatever the batch. `find` takes no locks and draws the ids of the new rows,
 * too; `lock` reads all tables and holds the rows until the commit, table by table from the top of the tree, in the order
 * of ids.
 *
 * $1 tenants that the caller reads (null: all), from $2 on the ids in each table; `find` then number and sequence
 */
export function parentStatements(object: string, tables: readonly ParentTable[]): { find: Statement; lock: Statement } {
  const found = tables.filter((table) => !table.onlyBusiness)
  const read = (wanted: readonly ParentTable[], locked: boolean) =>
    wanted.map(
      ({ as, table, columns, lock }, i) => `${as} as (
        select t.id, t.xmin::text as version, ${columns} from ${table} t
        where t.id = any($${i + 2}::bigint[]) and ($1::text[] is null or t.bk_supplier_account = any($1))
        ${locked && i > 0 ? `and (select count(*) from ${wanted[i - 1]?.as}) >= 0` : ''}
        order by t.id ${locked ? `for ${lock} of t` : ''})`,
    )
  const answers = (wanted: readonly ParentTable[]) =>
    wanted.map(({ as }) => `(select coalesce(json_agg(${as}), '[]') from ${as}) as ${as}`).join(', ')
  const [count, sequence] = [found.length + 2, found.length + 3]
  return {
    find: {
      name: `inventory-find-parents-of-${object}`,
      text: `with ${read(found, false).join(', ')}
        select draw_ids($${sequence}::text::regclass, $${count}::int) as first_id, ${answers(found)}, ${unsyncedDraw}`,
    },
    lock: {
      name: `inventory-lock-parents-of-${object}`,
      text: `with ${read(tables, true).join(', ')} select ${answers(tables)}`,
    },
  }
}

/**
 * CTEs that lock the parents as `lock` does and look whether all of them are still the row versions that were found, and
 * of the business: `unchanged` has the one row `ok`.
 *
 * From $`first` on tenants and business, where a table is `onlyBusiness`; then for each table its ids, and their versions
 * unless it is.
 */
export function unchangedParents(tables: readonly ParentTable[], first: number): string {
  const [tenants, business] = [`$${first}::text[]`, `$${first + 1}::bigint`]
  let next = tables.some((table) => table.onlyBusiness) ? first + 2 : first
  const ids: string[] = []
  const ctes = tables.map(({ as, table, lock, onlyBusiness }, i) => {
    ids.push(`$${next++}`)
    const rows = onlyBusiness
      ? `${table} t where t.id = any(${ids[i]}::bigint[]) and t.bk_biz_id = ${business}
          and (${tenants} is null or t.bk_supplier_account = any(${tenants}))`
      : `unnest(${ids[i]}::bigint[], $${next++}::text[]::xid[]) as seen(id, version)
          join ${table} t on t.id = seen.id and t.xmin = seen.version where true`
    const before = i === 0 ? '' : `and (select count(*) from ${tables[i - 1]?.as}) = cardinality(${ids[i - 1]})`
    return `${as} as materialized (select 1 from ${rows} ${before} order by t.id for ${lock} of t)`
  })
  return `${ctes.join(', ')},
    unchanged as materialized (select (select count(*) from ${tables.at(-1)?.as}) = cardinality(${ids.at(-1)}) as ok)`
}
