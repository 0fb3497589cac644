import type { AddIdleHostsBody } from '@podyard/contract'
import { cmdbErrors } from '../errors.ts'
import type { Caller } from '../http/caller.ts'
import type { Database } from '../store/database.ts'
import { checkHost } from './host.ts'
import { addHosts } from './host-service.ts'

const maxRows = 200

/**
 * add_host_to_business_idle (container API reference 10.3): new hosts of a business, all or none; returns their ids in the
 * order of the rows. 1199010 and 1199035 `bk_host_list`, 1199006 for an area or addressing that is missing or bad, 1199091
 * without an address, 1199014 for one that is taken or comes twice, 1101033 for an unknown business.
 */
export async function addIdleHosts(
  db: Database,
  caller: Caller,
  body: AddIdleHostsBody,
): Promise<{ readonly bk_host_ids: readonly number[] }> {
  const business = body.bk_biz_id ?? 0
  if (business === 0) throw cmdbErrors.unset('bk_biz_id')
  const rows = body.bk_host_list ?? []
  if (rows.length === 0) throw cmdbErrors.unset('bk_host_list')
  if (rows.length > maxRows) throw cmdbErrors.tooMany('bk_host_list', maxRows)
  const bare = rows.map(({ bk_host_id: _, ...row }) => row)
  bare.forEach(checkRow)
  const result = await addHosts(db, caller, business, bare, { onlyNew: true })
  if (result.kind === 'unknown-business') throw cmdbErrors.other(1101033)
  if (result.kind === 'added') return { bk_host_ids: result.ids }
  const [first] = result.problems
  const details = result.problems.map(({ index, problem }) => ({ path: `bk_host_list[${index}]`, message: problem }))
  throw cmdbErrors.duplicate(` ${first?.taken ?? ''} `, details)
}

function checkRow(row: Readonly<Record<string, unknown>>, index: number): void {
  const at = (member: string, message: string) => [{ path: `bk_host_list[${index}]${member}`, message }]
  for (const name of ['bk_cloud_id', 'bk_addressing'])
    if (row[name] === undefined || row[name] === null) throw cmdbErrors.mismatch(name, at(`.${name}`, 'is required'))
  const isEmpty = (name: string) => row[name] === undefined || row[name] === null || row[name] === ''
  if (isEmpty('bk_host_innerip') && isEmpty('bk_host_innerip_v6'))
    throw cmdbErrors.other(1199091, ['bk_host_innerip', 'bk_host_innerip_v6'], { details: at('', 'has no address') })
  const checked = checkHost(row)
  if (!checked.ok) throw cmdbErrors.mismatch('bk_host_list', at('', checked.problem))
}
