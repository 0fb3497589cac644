import type { Queryable, Statement } from '../store/database.ts'
import type { HostRow, HostValues } from './host.ts'

const columns = `id, bk_biz_id, bk_supplier_account, bk_cloud_id, bk_addressing, bk_host_innerip, bk_host_innerip_v6,
  bk_host_outerip, bk_host_outerip_v6, bk_host_name, bk_agent_id, operator, bk_bak_operator, attributes, create_time,
  last_time, bk_created_by, bk_updated_at, bk_updated_by, module`

export const hostSelectList = columns.replaceAll(/\w+/g, (name) => `h.${name}`)

export type HostAddress = { readonly cloudId: number; readonly address: string }

const lock: Statement = {
  name: 'host-lock',
  text: `select ${hostSelectList} from host h
    where h.id = any($1) or h.id in (
      select a.host_id from host_address a
      join unnest($2::bigint[], $3::text[]) as k(bk_cloud_id, address) using (bk_cloud_id, address))
    order by h.id for update`,
}
/** Locks the hosts with these ids or static addresses. */
export const lockHosts = (
  tx: Queryable,
  ids: readonly number[],
  addresses: readonly HostAddress[] = [],
): Promise<HostRow[]> =>
  tx.run<HostRow>(lock, [ids, addresses.map((one) => one.cloudId), addresses.map((one) => one.address)])

const drawIds: Statement = { name: 'host-draw-ids', text: `select draw_ids('host_id_seq', $1) as first` }
/** The first of n consecutive ids. */
export const drawHostIds = async (tx: Queryable, n: number): Promise<number> =>
  (await tx.run<{ first: number }>(drawIds, [n]))[0]?.first ?? 0

export type NewHost = HostValues &
  Pick<HostRow, 'id' | 'bk_cloud_id' | 'bk_addressing' | 'bk_host_innerip' | 'bk_host_innerip_v6'>

const values = `bk_host_outerip text[], bk_host_outerip_v6 text[], bk_host_name text, bk_agent_id text, operator text[],
  bk_bak_operator text[], attributes jsonb`
const valueNames =
  'bk_host_outerip, bk_host_outerip_v6, bk_host_name, bk_agent_id, operator, bk_bak_operator, attributes'

// $1 the hosts, $2 business, $3 tenant, $4 user. The addresses follow in the same statement.
const insert: Statement = {
  name: 'host-insert',
  text: `with i as (
      select * from json_to_recordset($1) as i(id bigint, bk_cloud_id bigint, bk_addressing text, bk_host_innerip text[],
        bk_host_innerip_v6 text[], ${values})),
    h as (
      insert into host (bk_biz_id, bk_supplier_account, bk_created_by, id, bk_cloud_id, bk_addressing, bk_host_innerip,
        bk_host_innerip_v6, ${valueNames})
      select $2, $3, $4, id, bk_cloud_id, bk_addressing, bk_host_innerip, bk_host_innerip_v6, ${valueNames} from i order by id
      returning ${columns}),
    a as (
      insert into host_address (bk_cloud_id, address, host_id)
      select h.bk_cloud_id, x.address, h.id from h, unnest(h.bk_host_innerip || h.bk_host_innerip_v6) as x(address)
      where h.bk_addressing = 'static')
    select * from h order by id`,
}
/** Inserts hosts with their addresses; a taken address is a UniqueViolation of `host_address_pkey`, an agent's id of `host_agent_key`. */
export const insertHosts = (
  tx: Queryable,
  hosts: readonly NewHost[],
  business: number,
  tenant: string,
  user: string,
): Promise<HostRow[]> => tx.run<HostRow>(insert, [JSON.stringify(hosts), business, tenant, user])

const update: Statement = {
  name: 'host-update',
  text: `with u as (
      update host h set
        (${valueNames}) = (${valueNames.replaceAll(/\w+/g, (name) => `i.${name}`)}),
        last_time = date_trunc('milliseconds', now()), bk_updated_at = date_trunc('milliseconds', now()),
        bk_updated_by = $2, valid_from = now()
      from json_to_recordset($1) as i(id bigint, ${values}) where h.id = i.id
      returning ${hostSelectList})
    select * from u order by id`,
}
export const updateHostRows = (
  tx: Queryable,
  hosts: readonly (HostValues & { readonly id: number })[],
  user: string,
): Promise<HostRow[]> => tx.run<HostRow>(update, [JSON.stringify(hosts), user])

const inUse: Statement = {
  name: 'host-in-use',
  text: `select exists (select from node where bk_host_id = any($1)) or exists (select from pod where bk_host_id = any($1)) as yes`,
}
/** Whether a node or a pod points at one of the hosts. */
export const areHostsInUse = async (tx: Queryable, ids: readonly number[]): Promise<boolean> =>
  (await tx.run<{ yes: boolean }>(inUse, [ids]))[0]?.yes === true

const remove: Statement = { name: 'host-delete', text: 'delete from host where id = any($1)' }
export const deleteHostRows = (tx: Queryable, ids: readonly number[]) => tx.run(remove, [ids])

const move: Statement = {
  name: 'host-move',
  text: `update host h set bk_biz_id = $3, module = $4, last_time = date_trunc('milliseconds', now()),
      bk_updated_at = date_trunc('milliseconds', now()), bk_updated_by = $2, valid_from = now()
    where h.id = any($1) returning ${hostSelectList}`,
}
/** Puts hosts into a business (0: the resource pool) and one of its modules. */
export const moveHostRows = (
  tx: Queryable,
  ids: readonly number[],
  user: string,
  business: number,
  module: number,
): Promise<HostRow[]> => tx.run<HostRow>(move, [ids, user, business, module])

const nodesOn: Statement = {
  name: 'host-nodes-on',
  text: 'select exists (select from node where bk_host_id = any($1)) as yes',
}
/** Whether a node is on one of the hosts. Who makes a node holds its host's row. */
export const carryNodes = async (tx: Queryable, ids: readonly number[]): Promise<boolean> =>
  (await tx.run<{ yes: boolean }>(nodesOn, [ids]))[0]?.yes === true
