import type { Queryable, Statement } from '../store/database.ts'
import type { BusinessInput, BusinessRow } from './business.ts'

const columns = `id, bk_supplier_account, bk_biz_name, bk_biz_maintainer, bk_biz_productor, bk_biz_tester, bk_biz_developer,
  operator, life_cycle, language, time_zone, bk_data_status, create_time, last_time, bk_created_by, bk_updated_at, bk_updated_by`

export const businessSelectList = columns.replaceAll(/\w+/g, (name) => `b.${name}`)

const insert: Statement = {
  name: 'business-insert',
  text: `insert into business (id, bk_supplier_account, bk_biz_name, bk_biz_maintainer, bk_biz_productor, bk_biz_tester,
      bk_biz_developer, operator, life_cycle, language, time_zone, bk_created_by, origin)
    values (nextval('business_id_seq'), $1, $2, $3, $4, $5, $6, $7, coalesce($8, '2'), coalesce($9, '1'),
      coalesce($10, 'Asia/Shanghai'), $11, $12)
    returning ${columns}`,
}

/** Inserts a business; a taken name is a UniqueViolation of `business_name_key`. */
export async function insertBusiness(
  tx: Queryable,
  tenant: string,
  user: string,
  input: BusinessInput,
  origin: 'client' | 'sync',
): Promise<BusinessRow> {
  const [row] = await tx.run<BusinessRow>(insert, [
    tenant,
    input.bk_biz_name,
    input.bk_biz_maintainer,
    input.bk_biz_productor ?? null,
    input.bk_biz_tester ?? null,
    input.bk_biz_developer ?? null,
    input.operator ?? null,
    input.life_cycle ?? null,
    input.language ?? null,
    input.time_zone ?? null,
    user,
    origin,
  ])
  return row as BusinessRow
}

const byName: Statement = {
  name: 'business-by-name',
  text: `select ${columns} from business where bk_biz_name = $1`,
}
export const findBusinessByName = async (db: Queryable, name: string): Promise<BusinessRow | undefined> =>
  (await db.run<BusinessRow>(byName, [name]))[0]

const lock: Statement = {
  name: 'business-lock',
  text: `select ${columns} from business where id = any($1) and ($2::text[] is null or bk_supplier_account = any($2)) order by id for update`,
}
/** Locks businesses of these tenants (null: of all) before they change; unknown ids are left out. */
export const lockBusinesses = (
  tx: Queryable,
  ids: readonly number[],
  tenants: readonly string[] | null,
): Promise<BusinessRow[]> => tx.run<BusinessRow>(lock, [ids, tenants])

// A null keeps what is there, except where $3 names the attribute: those are cleared.
const update: Statement = {
  name: 'business-update',
  text: `update business set
      bk_biz_name = coalesce($2, bk_biz_name),
      bk_biz_maintainer = coalesce($4, bk_biz_maintainer),
      bk_biz_productor = case when 'bk_biz_productor' = any($3::text[]) then null else coalesce($5, bk_biz_productor) end,
      bk_biz_tester = case when 'bk_biz_tester' = any($3::text[]) then null else coalesce($6, bk_biz_tester) end,
      bk_biz_developer = case when 'bk_biz_developer' = any($3::text[]) then null else coalesce($7, bk_biz_developer) end,
      operator = case when 'operator' = any($3::text[]) then null else coalesce($8, operator) end,
      life_cycle = coalesce($9, life_cycle),
      language = coalesce($10, language),
      bk_data_status = coalesce($11, bk_data_status),
      last_time = date_trunc('milliseconds', now()),
      bk_updated_at = date_trunc('milliseconds', now()),
      bk_updated_by = $12,
      valid_from = now()
    where id = $1
    returning ${columns}`,
}
export async function updateBusinessRow(
  tx: Queryable,
  id: number,
  user: string,
  input: BusinessInput & { readonly bk_data_status?: 'disabled' | 'enable' },
): Promise<BusinessRow> {
  const cleared = Object.entries(input).filter(([, value]) => value === null)
  const [row] = await tx.run<BusinessRow>(update, [
    id,
    input.bk_biz_name ?? null,
    cleared.map(([name]) => name),
    input.bk_biz_maintainer ?? null,
    input.bk_biz_productor ?? null,
    input.bk_biz_tester ?? null,
    input.bk_biz_developer ?? null,
    input.operator ?? null,
    input.life_cycle ?? null,
    input.language ?? null,
    input.bk_data_status ?? null,
    user,
  ])
  return row as BusinessRow
}

const remove: Statement = { name: 'business-delete', text: 'delete from business where id = any($1)' }
export const deleteBusinessRows = (tx: Queryable, ids: readonly number[]) => tx.run(remove, [ids])

const hasHosts: Statement = {
  name: 'business-has-hosts',
  text: 'select exists (select from host where bk_biz_id = any($1)) as yes',
}
/** Whether a host is in one of the businesses. */
export const businessesHaveHosts = async (tx: Queryable, ids: readonly number[]): Promise<boolean> =>
  (await tx.run<{ yes: boolean }>(hasHosts, [ids]))[0]?.yes === true

const hasContainers: Statement = {
  name: 'business-has-clusters',
  text: `select exists (select from cluster where bk_biz_id = $1) or exists (select from namespace where bk_biz_id = $1) as yes`,
}
/** Whether a cluster or a namespace belongs to the business. */
export const businessHasClusters = async (tx: Queryable, id: number): Promise<boolean> =>
  (await tx.run<{ yes: boolean }>(hasContainers, [id]))[0]?.yes === true

const nameTaken: Statement = {
  name: 'business-name-taken',
  text: 'select exists (select from business where bk_biz_name = $1 and id <> $2) as yes',
}
export const isBusinessNameTaken = async (tx: Queryable, name: string, except: number): Promise<boolean> =>
  (await tx.run<{ yes: boolean }>(nameTaken, [name, except]))[0]?.yes === true

const keyShare: Statement = {
  name: 'business-key-share',
  text: 'select id from business where id = $1 for key share',
}
/** Whether the business exists; keeps it from being deleted until the transaction ends. */
export const holdBusiness = async (tx: Queryable, id: number): Promise<boolean> =>
  (await tx.run(keyShare, [id])).length > 0
