import type { HostRelationsBody } from '@podyard/contract'
import { cmdbErrors } from '../errors.ts'
import type { Caller } from '../http/caller.ts'
import type { Database } from '../store/database.ts'
import { type HostModule, internalModules, moduleIdOf, noModules, setIdOf } from './host-modules.ts'
import { readableTenants } from './inventory-deps.ts'

const maxHosts = 500

type Relation = {
  readonly bk_biz_id: number
  readonly bk_host_id: number
  readonly bk_module_id: number
  readonly bk_set_id: number
  readonly bk_supplier_account: string
}

const relations = {
  name: 'host-relations',
  text: `select id, bk_biz_id, module, bk_supplier_account from host
    where id = any($1) and ($2::bigint is null or bk_biz_id = $2) and ($3::text[] is null or bk_supplier_account = any($3))
    order by id`,
}

/** find_host_biz_relations (container API reference 10.4): which module of which business hosts are in. 1199089. */
export async function findHostRelations(
  db: Database,
  caller: Caller,
  body: HostRelationsBody,
): Promise<readonly Relation[]> {
  const ids = body.bk_host_id ?? []
  if (ids.length === 0 || ids.length > maxHosts) throw cmdbErrors.other(1199089, ['bk_host_id', maxHosts])
  const business = body.bk_biz_id ?? 0
  const rows = await db.run<{ id: number; bk_biz_id: number; module: HostModule; bk_supplier_account: string }>(
    relations,
    [ids, business === 0 ? null : business, readableTenants(caller)],
  )
  return rows.map((row) => ({
    bk_biz_id: row.bk_biz_id,
    bk_host_id: row.id,
    bk_module_id: moduleIdOf(row.bk_biz_id, row.module),
    bk_set_id: setIdOf(row.bk_biz_id),
    bk_supplier_account: row.bk_supplier_account,
  }))
}

const known = {
  name: 'host-business-known',
  text: 'select 1 as yes from business where id = $1 and ($2::text[] is null or bk_supplier_account = any($2))',
}

/** get_biz_internal_module (container API reference 10.6); zeros for an unknown business. */
export async function findInternalModules(db: Database, caller: Caller, business: number): Promise<object> {
  const rows = await db.run(known, [business, readableTenants(caller)])
  return rows.length === 0 ? noModules : internalModules(business)
}
