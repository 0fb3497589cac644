import type { Queryable, Statement } from '../store/database.ts'
import type { BusinessSetInput, BusinessSetRow, BusinessSetScope } from './business-set.ts'
import type { Column, Columns } from './filter/columns.ts'

const columns = `id, bk_supplier_account, bk_biz_set_name, bk_biz_set_desc, bk_biz_maintainer, bk_scope, create_time, last_time,
  bk_created_by, bk_updated_at, bk_updated_by`

export const businessSetSelectList = columns.replaceAll(/\w+/g, (name) => `s.${name}`)

const column = (name: string, storage: Column['storage']): [string, Column] => [name, { sql: `s.${name}`, storage }]

/** The fields of a business set by their wire names; the table's alias is `s`. */
export const businessSetColumns: Columns = new Map<string, Column>([
  ['bk_biz_set_id', { sql: 's.id', storage: 'integer' }],
  column('bk_biz_set_name', 'text'),
  column('bk_biz_set_desc', 'text'),
  ['bk_biz_maintainer', { sql: `string_to_array(s.bk_biz_maintainer, ',')`, storage: 'text-array' }],
  ['default', { sql: 'case s.id when 9991001 then 1 else 0 end', storage: 'integer' }],
  column('bk_supplier_account', 'text'),
  column('create_time', 'time'),
  column('last_time', 'time'),
  ['bk_created_at', { sql: 's.create_time', storage: 'time' }],
  column('bk_created_by', 'text'),
  column('bk_updated_at', 'time'),
  column('bk_updated_by', 'text'),
])

const insert: Statement = {
  name: 'business-set-insert',
  text: `insert into business_set (id, bk_supplier_account, bk_biz_set_name, bk_biz_set_desc, bk_biz_maintainer, bk_scope, bk_created_by)
    values (nextval('business_set_id_seq'), $1, $2, $3, $4, $5, $6) returning ${columns}`,
}

/** Inserts a set; a taken name is a UniqueViolation of `business_set_name_key`. */
export async function insertBusinessSet(
  tx: Queryable,
  tenant: string,
  user: string,
  input: BusinessSetInput,
  scope: BusinessSetScope,
): Promise<BusinessSetRow> {
  const [row] = await tx.run<BusinessSetRow>(insert, [
    tenant,
    input.bk_biz_set_name ?? '',
    input.bk_biz_set_desc ?? '',
    input.bk_biz_maintainer ?? null,
    JSON.stringify(scope),
    user,
  ])
  return row as BusinessSetRow
}

const lock: Statement = {
  name: 'business-set-lock',
  text: `select ${columns} from business_set where id = any($1) and ($2::text[] is null or bk_supplier_account = any($2))
    order by id for update`,
}
/** Locks sets of these tenants (null: of all) before they change; unknown ids are left out. */
export const lockBusinessSets = (
  tx: Queryable,
  ids: readonly number[],
  tenants: readonly string[] | null,
): Promise<BusinessSetRow[]> => tx.run<BusinessSetRow>(lock, [ids, tenants])

// A null keeps what is there; $6 says that the maintainer is taken away.
const update: Statement = {
  name: 'business-set-update',
  text: `update business_set set
      bk_biz_set_name = coalesce($2, bk_biz_set_name),
      bk_biz_set_desc = coalesce($3, bk_biz_set_desc),
      bk_biz_maintainer = case when $6 then null else coalesce($4, bk_biz_maintainer) end,
      bk_scope = coalesce($5, bk_scope),
      last_time = date_trunc('milliseconds', now()),
      bk_updated_at = date_trunc('milliseconds', now()),
      bk_updated_by = $7,
      valid_from = now()
    where id = any($1)
    returning ${columns}`,
}
export const updateBusinessSetRows = (
  tx: Queryable,
  ids: readonly number[],
  user: string,
  input: BusinessSetInput,
  scope: BusinessSetScope | undefined,
): Promise<BusinessSetRow[]> =>
  tx.run<BusinessSetRow>(update, [
    ids,
    input.bk_biz_set_name ?? null,
    input.bk_biz_set_desc ?? null,
    input.bk_biz_maintainer ?? null,
    scope === undefined ? null : JSON.stringify(scope),
    input.bk_biz_maintainer === null,
    user,
  ])

const remove: Statement = { name: 'business-set-delete', text: 'delete from business_set where id = any($1)' }
export const deleteBusinessSetRows = (tx: Queryable, ids: readonly number[]) => tx.run(remove, [ids])

const byId: Statement = {
  name: 'business-set-by-id',
  text: `select ${columns} from business_set where id = $1 and ($2::text[] is null or bk_supplier_account = any($2))`,
}
export const findBusinessSet = async (
  db: Queryable,
  id: number,
  tenants: readonly string[] | null,
): Promise<BusinessSetRow | undefined> => (await db.run<BusinessSetRow>(byId, [id, tenants]))[0]
