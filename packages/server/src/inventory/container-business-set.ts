import type { ContainersInBusinessSetBody } from '@podyard/contract'
import { cmdbErrors } from '../errors.ts'
import type { Caller } from '../http/caller.ts'
import { JsonText } from '../http/json-text.ts'
import type { Database } from '../store/database.ts'
import { inScope } from './business-set-lists.ts'
import { findBusinessSet } from './business-set-store.ts'
import { createParameters } from './filter/parameters.ts'
import { type HostRow, hostView } from './host.ts'
import { hostSelectList } from './host-store.ts'
import { readableTenants } from './inventory-deps.ts'
import { visibleTenant } from './list-tenant.ts'
import { rawTextView } from './raw-view.ts'

const maxIds = 500

/**
 * list_kube_container_in_biz_set (container API reference 2.4): containers by id with their pods and hosts, in order of
 * id; unknown ones are left out. 1199010 for what is missing, 1199035, 1199006 when a container's business is not in the set.
 */
export async function listContainersInBusinessSet(
  db: Database,
  caller: Caller,
  setId: number,
  body: ContainersInBusinessSetBody,
): Promise<JsonText> {
  if (setId === 0) throw cmdbErrors.unset('bk_biz_set_id')
  const ids = body.bk_container_ids ?? []
  if (ids.length === 0) throw cmdbErrors.unset('bk_container_ids')
  if (ids.length > maxIds) throw cmdbErrors.tooMany('bk_container_ids', maxIds)
  for (const name of ['container_fields', 'pod_fields', 'host_fields'] as const)
    if ((body[name] ?? []).length === 0) throw cmdbErrors.unset(name)
  const set = await findBusinessSet(db, setId, readableTenants(caller))
  if (set === undefined) throw cmdbErrors.mismatch('bk_biz_set_id')

  // Some fields are always there: they say how the three belong together.
  const container = rawTextView('container', [...(body.container_fields ?? []), 'id', 'bk_pod_id', 'bk_biz_id'], 0)
  const pod = rawTextView('pod', [...(body.pod_fields ?? []), 'id', 'bk_host_id'], container.columns.length)
  const parameters = createParameters()
  const columns = [...container.columns.map((name) => `c.${name}`), ...pod.columns.map((name) => `p.${name}`)]
  const rows = await db.texts(
    `select ${columns.join(', ')}, p.bk_host_id,
       exists (select from business b where b.id = c.bk_biz_id and ${inScope(set, parameters)})
     from container c join pod p on p.id = c.bk_pod_id
     where c.id = any(${parameters.add(ids, 'bigint[]')}) and ${visibleTenant('c.bk_supplier_account', caller, parameters)}
     order by c.id`,
    parameters.values,
  )
  if (rows.some((row) => row.at(-1) !== 't')) throw cmdbErrors.mismatch('resources are not all in biz set')
  const hostIds = [...new Set(rows.map((row) => Number(row.at(-2))))]
  const hosts = new Map((await db.run<HostRow>(hostsById, [hostIds])).map((host) => [host.id, host]))
  const info = rows.map((row) => {
    const host = hosts.get(Number(row.at(-2)))
    const hostText = host === undefined ? '{}' : JSON.stringify(hostView(host, body.host_fields ?? []))
    return `{"container":${container.write(row)},"pod":${pod.write(row)},"host":${hostText}}`
  })
  return new JsonText(`[${info.join(',')}]`)
}

const hostsById = {
  name: 'business-set-hosts',
  text: `select ${hostSelectList} from host h where h.id = any($1)`,
}
