import type { ListHostsBody, LoosePage, SearchHostsBody } from '@podyard/contract'
import { cmdbErrors } from '../errors.ts'
import type { Caller } from '../http/caller.ts'
import type { Queryable } from '../store/database.ts'
import { type BusinessRow, businessView, pickFields } from './business.ts'
import { businessSelectList } from './business-store.ts'
import { createParameters, type Parameters } from './filter/parameters.ts'
import { type HostRow, hostView } from './host.ts'
import { hostColumns, moduleColumns, setColumns } from './host-columns.ts'
import { addressCondition, hostFilter, objectCondition, topologyCondition } from './host-conditions.ts'
import { type HostModule, idleSetName, moduleIdOf, moduleName, setIdOf } from './host-modules.ts'
import { hostSelectList } from './host-store.ts'
import { compileSort, isBadPattern, readingConditions } from './list-conditions.ts'
import { nextCursor, readLoosePage } from './list-page.ts'
import { visibleTenant } from './list-tenant.ts'

type View = Readonly<Record<string, unknown>>

/**
 * Hosts in one answer at most. The originals' clients ask for all hosts without a limit; an answer is built in memory,
 * about 1.5 KB a host, so a search that would give more is refused (1199006 `page.limit`) and must be paged.
 */
export const hostSearchBound = 50_000

export type FoundHost = {
  readonly host: View
  readonly biz: readonly View[]
  readonly set: readonly View[]
  readonly module: readonly View[]
}

/**
 * hosts/search and findmany/hosts/search/with_biz (container API reference 10.4). `businessNeeded`: a business id or a
 * condition on businesses must be there. No limit means all hosts, up to `hostSearchBound`.
 */
export async function searchHosts(
  db: Queryable,
  caller: Caller,
  body: SearchHostsBody,
  businessNeeded: boolean,
): Promise<{ readonly count: number; readonly info: readonly FoundHost[]; readonly next_cursor?: string }> {
  const conditions = body.condition ?? []
  const business = body.bk_biz_id ?? 0
  const named = business !== 0 && business !== -1
  if (businessNeeded && !named && !conditions.some((one) => one.bk_obj_id === 'biz' && one.condition?.length))
    throw cmdbErrors.mismatch('bk_biz_id')
  const parameters = createParameters()
  const where = readingConditions(() => [
    visibleTenant('h.bk_supplier_account', caller, parameters),
    ...(named ? [`h.bk_biz_id = ${parameters.add(business, 'bigint')}`] : []),
    addressCondition(body.ip, body.ipv6, parameters),
    ...conditions.map((one) => objectCondition(one, parameters)),
  ])
  const fieldsOf = (object: string) =>
    conditions.findLast((one) => one.bk_obj_id === object && one.fields != null)?.fields
  const found = await findHosts(db, where, body.page ?? {}, parameters)

  const businessFields = fieldsOf('biz')
  const setFields = fieldsOf('set')
  const moduleFields = fieldsOf('module')
  const businesses =
    businessFields == null && setFields == null && moduleFields == null
      ? new Map<number, BusinessRow>()
      : await businessesOf(db, found.rows)
  const info = found.rows.map((row): FoundHost => {
    const owner = businesses.get(row.bk_biz_id)
    const idle = (fields: readonly string[] | null | undefined, view: (owner: BusinessRow) => View) =>
      fields == null || owner === undefined ? [] : [view(owner)]
    return {
      host: withAreaObject(hostView(row, fieldsOf('host') ?? [])),
      biz: idle(businessFields, (one) => businessView(one, businessFields ?? [])),
      set: idle(setFields, (one) => idleSet(one, setFields ?? [])),
      module: idle(moduleFields, (one) => moduleView(one, row.module, moduleFields ?? [])),
    }
  })
  return { count: found.count, info, ...found.next }
}

/** In these answers the area is a list of one object (container API reference 10.4). */
export function withAreaObject(host: Record<string, unknown>): View {
  if (!Object.hasOwn(host, 'bk_cloud_id')) return host
  const id = host.bk_cloud_id
  const area = {
    id: String(id),
    bk_inst_id: id,
    bk_inst_name: id === 0 ? 'Default Area' : '',
    bk_obj_id: 'plat',
    bk_obj_icon: '',
    bk_obj_name: '',
  }
  return { ...host, bk_cloud_id: [area] }
}

const idleSet = (owner: BusinessRow, fields: readonly string[]): View => ({
  ...pickFields(
    {
      bk_set_id: setIdOf(owner.id),
      bk_set_name: idleSetName,
      default: 1,
      bk_biz_id: owner.id,
      bk_supplier_account: owner.bk_supplier_account,
    },
    fields,
  ),
  TopModuleName: `${owner.bk_biz_name}##${idleSetName}`,
})

const moduleView = (owner: BusinessRow, module: HostModule, fields: readonly string[]): View => ({
  ...pickFields(
    {
      bk_module_id: moduleIdOf(owner.id, module),
      bk_module_name: moduleName(module),
      default: module,
      bk_set_id: setIdOf(owner.id),
      bk_biz_id: owner.id,
      bk_supplier_account: owner.bk_supplier_account,
    },
    fields,
  ),
  TopModuleName: `${owner.bk_biz_name}##${idleSetName}##${moduleName(module)}`,
})

async function businessesOf(db: Queryable, hosts: readonly HostRow[]): Promise<Map<number, BusinessRow>> {
  const ids = [...new Set(hosts.map((host) => host.bk_biz_id))]
  const rows = await db.run<BusinessRow>(businessesById, [ids])
  return new Map(rows.map((row) => [row.id, row]))
}
const businessesById = {
  name: 'host-search-businesses',
  text: `select ${businessSelectList} from business b where b.id = any($1)`,
}

/**
 * list_biz_hosts (a business), list_hosts_without_biz (all hosts of the tenant) and list_resource_pool_hosts. The first
 * wants page.limit between 1 and 1000, the others take 0 as all.
 */
export async function listHosts(
  db: Queryable,
  caller: Caller,
  body: ListHostsBody,
  business: number | 'all' | 'pool',
): Promise<{ readonly count: number; readonly info: readonly View[]; readonly next_cursor?: string }> {
  if (business === 0) throw cmdbErrors.mismatch('bk_biz_id')
  const limit = body.page?.limit ?? 0
  if (limit > 1_000 || limit < 0 || (limit === 0 && typeof business === 'number'))
    throw cmdbErrors.mismatch('page.limit')
  if ((body.page?.start ?? 0) < 0) throw cmdbErrors.mismatch('page.start')
  const parameters = createParameters()
  const where = readingConditions(() => [
    visibleTenant('h.bk_supplier_account', caller, parameters),
    ...(business === 'all' ? [] : [`h.bk_biz_id = ${parameters.add(business === 'pool' ? 0 : business, 'bigint')}`]),
    ...(typeof business !== 'number'
      ? []
      : [
          topologyCondition(
            'bk_set_id',
            'bk_set_ids',
            body.bk_set_ids,
            200,
            'set_cond',
            body.set_cond,
            setColumns,
            parameters,
          ),
          topologyCondition(
            'bk_module_id',
            'bk_module_ids',
            body.bk_module_ids,
            500,
            'module_cond',
            body.module_cond,
            moduleColumns,
            parameters,
          ),
        ]),
    hostFilter(body.host_property_filter, parameters),
  ])
  const found = await findHosts(db, where, body.page ?? {}, parameters)
  return { count: found.count, info: found.rows.map((row) => hostView(row, body.fields ?? [])), ...found.next }
}

/** Hosts of one page; `next_cursor` where the page asked for one. */
export type HostPage = {
  readonly count: number
  readonly rows: readonly HostRow[]
  readonly next: { readonly next_cursor?: string }
}

/** The total, and one page of rows in order of id unless the page says otherwise. */
export async function findHosts(
  db: Queryable,
  conditions: readonly string[],
  given: LoosePage,
  parameters: Parameters,
): Promise<HostPage> {
  const page = readLoosePage(given, 'host')
  const isCursor = page.kind === 'cursor'
  const from = `from host h where ${conditions.join(' and ')}`
  const start = isCursor ? 0 : page.start
  try {
    const [total] = await db.query<{ n: number }>(`select count(*) as n ${from}`, parameters.values)
    const count = total?.n ?? 0
    if (Math.min(page.limit ?? count, Math.max(count - start, 0)) > hostSearchBound)
      throw cmdbErrors.mismatch('page.limit', [
        { path: 'page.limit', message: `an answer has at most ${hostSearchBound} hosts; ask for pages` },
      ])
    const after = isCursor ? `and h.id > ${parameters.add(page.after, 'bigint')}` : ''
    const order = isCursor ? 'h.id' : compileSort(page.sort, hostColumns, 'h.id')
    const limit = Math.min(page.limit ?? hostSearchBound, hostSearchBound)
    const rows = await db.query<HostRow>(
      `select ${hostSelectList} ${from} ${after} order by ${order}
       limit ${parameters.add(limit, 'bigint')} offset ${parameters.add(start, 'bigint')}`,
      parameters.values,
    )
    if (!isCursor) return { count, rows, next: {} }
    return { count, rows, next: { next_cursor: nextCursor(page.list, limit, rows.length, rows.at(-1)?.id ?? 0) } }
  } catch (error) {
    if (isBadPattern(error)) throw cmdbErrors.mismatch('condition')
    throw error
  }
}
