import type { MoveHostsAcrossBody, MoveHostsBody, MoveHostsToModulesBody } from '@podyard/contract'
import { cmdbErrors } from '../errors.ts'
import type { Caller } from '../http/caller.ts'
import type { Database, Transaction } from '../store/database.ts'
import { inTransaction } from '../store/transaction.ts'
import { holdBusiness } from './business-store.ts'
import type { HostRow } from './host.ts'
import { type HostModule, hostModules, moduleOf } from './host-modules.ts'
import { hostEvent } from './host-service.ts'
import { carryNodes, lockHosts, moveHostRows } from './host-store.ts'
import { insertInstanceEvents } from './instance-log.ts'
import { isWritable } from './list-tenant.ts'

/** Where hosts are, and where they go; business 0 is the resource pool. */
type Move = {
  readonly from: number
  readonly to: number
  readonly module: HostModule
}

/**
 * Moves hosts, all or none (container API reference 10.5): 1199011 `bk_host_id` without or for unknown ones, 1113002 for
 * hosts of another business, and between businesses 1113043 while a node is on one, so that a node's business and its
 * host's always agree. Within a business hosts move freely.
 */
async function moveHosts(
  db: Database,
  caller: Caller,
  given: readonly number[] | null | undefined,
  move: Move,
): Promise<null> {
  const ids = [...new Set(given ?? [])]
  if (ids.length === 0) throw cmdbErrors.invalid('bk_host_id')
  await inTransaction(db, async (tx) => {
    if (move.to !== 0 && move.to !== move.from && !(await holdBusiness(tx, move.to))) throw cmdbErrors.other(1101033)
    const hosts = await lockHosts(tx, ids)
    await mayMove(tx, caller, ids, hosts, move)
    const moved = await moveHostRows(tx, ids, caller.user, move.to, move.module)
    await insertInstanceEvents(
      tx,
      moved.map((row) => hostEvent('update', row)),
    )
  })
  return null
}

async function mayMove(
  tx: Transaction,
  caller: Caller,
  ids: readonly number[],
  hosts: readonly HostRow[],
  { from, to }: Move,
): Promise<void> {
  const known = new Set(hosts.filter((host) => isWritable(host.bk_supplier_account, caller)).map((host) => host.id))
  const unknown = ids.flatMap((id, i) =>
    known.has(id) ? [] : [{ path: `bk_host_id[${i}]`, message: 'there is no such host' }],
  )
  if (unknown.length > 0) throw cmdbErrors.invalid('bk_host_id', unknown)
  const elsewhere = hosts.filter((host) => host.bk_biz_id !== from).map((host) => host.id)
  if (elsewhere.length > 0) throw cmdbErrors.other(1113002, [elsewhere.slice(0, 20).join(','), from])
  if (from === to) return
  if (hosts.some((host) => host.attributes.bk_cloud_host_identifier === true))
    throw cmdbErrors.mismatch('bk_cloud_host_identifier')
  if (await carryNodes(tx, ids)) throw cmdbErrors.other(1113043)
}

function businessOf(given: number | null | undefined, name = 'bk_biz_id'): number {
  const business = given ?? 0
  if (business === 0) throw cmdbErrors.unset(name)
  return business
}

/** transfer_host_to_idlemodule, _faultmodule and _recyclemodule: within the business. */
export async function moveToModule(
  db: Database,
  caller: Caller,
  body: MoveHostsBody,
  module: HostModule,
): Promise<null> {
  const business = businessOf(body.bk_biz_id)
  return moveHosts(db, caller, body.bk_host_id, { from: business, to: business, module })
}

/** transfer_host_to_resourcemodule: out of the business. */
export async function moveToPool(db: Database, caller: Caller, body: MoveHostsBody): Promise<null> {
  return moveHosts(db, caller, body.bk_host_id, { from: businessOf(body.bk_biz_id), to: 0, module: hostModules.idle })
}

/** transfer_resourcehost_to_idlemodule: into the business. 1101033 for an unknown one. */
export async function moveFromPool(db: Database, caller: Caller, body: MoveHostsBody): Promise<null> {
  return moveHosts(db, caller, body.bk_host_id, { from: 0, to: businessOf(body.bk_biz_id), module: hostModules.idle })
}

/** transfer_host_across_biz: into one of the other business's modules, else 1199006 `bk_module_id`. */
export async function moveAcross(db: Database, caller: Caller, body: MoveHostsAcrossBody): Promise<null> {
  const from = businessOf(body.src_bk_biz_id, 'src_bk_biz_id')
  const to = businessOf(body.dst_bk_biz_id, 'dst_bk_biz_id')
  const module = moduleOf(to, body.bk_module_id ?? 0)
  if (module === undefined) throw cmdbErrors.mismatch('bk_module_id')
  return moveHosts(db, caller, body.bk_host_id, { from, to, module })
}

/** transfer_host_module: a business has the three modules of its idle set and no others, and a host is in one of them. */
export async function moveToModules(db: Database, caller: Caller, body: MoveHostsToModulesBody): Promise<null> {
  const business = businessOf(body.bk_biz_id)
  const [id, ...others] = body.bk_module_id ?? []
  const module = id === undefined || others.length > 0 ? undefined : moduleOf(business, id)
  if (module === undefined) throw cmdbErrors.mismatch('bk_module_id')
  return moveHosts(db, caller, body.bk_host_id, { from: business, to: business, module })
}
