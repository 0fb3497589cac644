import {
  AddHostsBody,
  AddHostsData,
  AddIdleHostsBody,
  AddIdleHostsData,
  HostIdsBody,
  ListHostsBody,
  ListHostsData,
  SearchHostsBody,
  SearchHostsData,
} from '@podyard/contract'
import Type from 'typebox'
import { cmdbErrors } from '../errors.ts'
import { type InventoryCall, type InventoryOperation, operation } from '../http/cmdb-dialect.ts'
import type { Database } from '../store/database.ts'
import { addIdleHosts } from './host-idle.ts'
import { hostMoveOperations } from './host-move-operations.ts'
import { listHosts, searchHosts } from './host-search.ts'
import { addHosts, deleteHosts, updateHosts } from './host-service.ts'

/** The routes of hosts (container API reference 10.1, 10.3 to 10.6). */
export function hostOperations(db: Database): readonly InventoryOperation[] {
  return [
    operation({
      name: 'add_host_to_resource',
      method: 'POST',
      path: '/hosts/add',
      esb: true,
      storage: 'insert',
      summary: 'Adds hosts to a business; a known address updates its host',
      body: AddHostsBody,
      data: AddHostsData,
      handle: (call, body) => addHostsByNumber(db, call, body),
    }),
    operation({
      name: 'add_host_to_business_idle',
      method: 'POST',
      path: '/hosts/add/business_idle',
      esb: true,
      storage: 'insert',
      summary: 'Adds hosts to a business and answers with their ids, 200 at most',
      body: AddIdleHostsBody,
      data: AddIdleHostsData,
      handle: (call, body) => addIdleHosts(db, call.caller, body),
    }),
    operation({
      name: 'search_hosts_with_biz',
      method: 'POST',
      path: '/findmany/hosts/search/with_biz',
      esb: false,
      storage: 'select',
      summary: 'Finds the hosts of a business',
      body: SearchHostsBody,
      data: SearchHostsData,
      handle: (call, body) => searchHosts(db, call.caller, body, true),
    }),
    operation({
      name: 'search_host',
      method: 'POST',
      path: '/hosts/search',
      otherPaths: ['/findmany/hosts/search/noauth', '/findmany/hosts/search/resource', '/hosts/search/asstdetail'],
      esb: true,
      storage: 'select',
      summary: 'Finds hosts, in any business',
      body: SearchHostsBody,
      data: SearchHostsData,
      handle: (call, body) => searchHosts(db, call.caller, body, false),
    }),
    operation({
      name: 'list_biz_hosts',
      method: 'POST',
      path: '/hosts/app/:bk_biz_id/list_hosts',
      esb: true,
      storage: 'select',
      summary: 'Lists the hosts of a business',
      body: ListHostsBody,
      data: ListHostsData,
      handle(call, body) {
        const business = Number(call.params.bk_biz_id || 0)
        if (!Number.isSafeInteger(business)) throw cmdbErrors.mismatch('bk_biz_id')
        return listHosts(db, call.caller, body, business)
      },
    }),
    operation({
      name: 'list_hosts_without_biz',
      method: 'POST',
      path: '/hosts/list_hosts_without_app',
      esb: true,
      storage: 'select',
      summary: 'Lists hosts without naming a business',
      body: ListHostsBody,
      data: ListHostsData,
      handle: (call, body) => listHosts(db, call.caller, body, 'all'),
    }),
    operation({
      name: 'list_resource_pool_hosts',
      method: 'POST',
      path: '/hosts/list_resource_pool_hosts',
      esb: true,
      storage: 'select',
      summary: 'Lists the hosts of the resource pool',
      body: ListHostsBody,
      data: ListHostsData,
      handle: (call, body) => listHosts(db, call.caller, body, 'pool'),
    }),
    operation({
      name: 'update_host',
      method: 'PUT',
      path: '/hosts/batch',
      esb: true,
      fromEsb: unwrapHost,
      storage: 'update',
      summary: 'Changes attributes of hosts',
      body: HostIdsBody,
      data: Type.Null(),
      handle: (call, body) => updateHosts(db, call.caller, hostIdsOf(body.bk_host_id), body),
    }),
    operation({
      name: 'delete_host',
      method: 'DELETE',
      path: '/hosts/batch',
      esb: true,
      storage: 'delete',
      summary: 'Deletes hosts of the resource pool',
      body: HostIdsBody,
      data: Type.Null(),
      handle: (call, body) => deleteHosts(db, call.caller, hostIdsOf(body.bk_host_id)),
    }),
    ...hostMoveOperations(db),
  ]
}

/** ESB's clients put the attributes into `data` beside bk_host_id; the flat form is taken as well. */
function unwrapHost(body: Readonly<Record<string, unknown>>): unknown {
  const row = body.data
  if (typeof row !== 'object' || row === null || Array.isArray(row)) return body
  return { ...row, bk_host_id: body.bk_host_id ?? (row as Record<string, unknown>).bk_host_id }
}

/** "3,4", or a number, or a list of numbers. */
function hostIdsOf(given: unknown): number[] {
  // Only text and numbers become text: an object may bring a `toString` of its own that is no function.
  const texts = (Array.isArray(given) ? given : typeof given === 'string' ? given.split(',') : [given ?? '']).map(
    (one) => (typeof one === 'string' || typeof one === 'number' ? String(one) : ''),
  )
  const ids = texts.map((text) => (/^\s*\d+\s*$/.test(text) ? Number(text) : Number.NaN))
  if (!ids.every((id) => Number.isSafeInteger(id))) throw cmdbErrors.invalid('bk_host_id')
  return ids
}

async function addHostsByNumber(db: Database, call: InventoryCall, body: AddHostsBody): Promise<unknown> {
  if (body.host_info == null) throw cmdbErrors.unset('host_info')
  const rows = Object.entries(body.host_info).map(([key, row]) => {
    const number = /^-?\d+$/.test(key) ? Number(key) : Number.NaN
    const isRow = row === null || (typeof row === 'object' && !Array.isArray(row))
    if (!Number.isSafeInteger(number) || !isRow)
      throw cmdbErrors.undecodable([
        { path: `host_info.${key.slice(0, 128)}`, message: 'must be a row under a number' },
      ])
    return { number, row: (row ?? {}) as Record<string, unknown> }
  })
  rows.sort((a, b) => a.number - b.number)
  const result = await addHosts(
    db,
    call.caller,
    body.bk_biz_id ?? 0,
    rows.map(({ row }) => row),
  )
  if (result.kind === 'unknown-business') throw cmdbErrors.other(1101033)
  if (result.kind === 'added') return { success: rows.map(({ number }) => String(number)) }
  const problems = result.problems.map(({ index, problem }) => ({ number: rows[index]?.number ?? 0, problem }))
  throw cmdbErrors.other(1110004, [], {
    data: { error: problems.map(({ number, problem }) => `${number} line ${problem}`), update_error: null },
    details: problems.map(({ number, problem }) => ({ path: `host_info.${number}`, message: problem })),
  })
}
