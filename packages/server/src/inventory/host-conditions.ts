/**
 * The conditions of host searches and lists (container API reference 10.4) as SQL on the table `h`. What cannot be
 * understood is a `BadCondition`, or the original's own error.
 */
import type { AddressCondition, ObjectCondition } from '@podyard/contract'
import { cmdbErrors } from '../errors.ts'
import type { Columns } from './filter/columns.ts'
import { compileFilter } from './filter/compile.ts'
import type { Parameters } from './filter/parameters.ts'
import { parseFilter } from './filter/parse.ts'
import { fullIpv6, isIpv4 } from './host-address.ts'
import { hostColumns, moduleColumns, setColumns } from './host-columns.ts'
import { businessColumns, compileOperator, compilePattern, compileTimeCondition } from './list-conditions.ts'

/** One `{bk_obj_id, condition, time_condition}` of a search, as a condition on hosts. 1199998 for an unknown field of a host or business. */
export function objectCondition(one: ObjectCondition, parameters: Parameters): string {
  const object = one.bk_obj_id ?? ''
  const columns = objects.get(object)
  // Other objects have no instances here: a condition on one finds nothing, a mere mention says nothing.
  if (columns === undefined) return (one.condition ?? []).length === 0 ? 'true' : 'false'
  const parts = (one.condition ?? []).map((atom) => {
    const field = atom.field ?? ''
    if ((object === 'host' || object === 'biz') && !columns.has(field))
      throw cmdbErrors.untyped(`condition field ${field.slice(0, 128)} not exists`)
    return compileOperator({ field, operator: atom.operator ?? '', value: atom.value }, columns, parameters)
  })
  if (one.time_condition != null) parts.push(compileTimeCondition(one.time_condition, columns, parameters))
  if (parts.length === 0) return 'true'
  const all = parts.join(' and ')
  return object === 'biz' ? `exists (select from business b where b.id = h.bk_biz_id and ${all})` : `(${all})`
}
const objects = new Map<string, Columns>([
  ['host', hostColumns],
  ['biz', businessColumns],
  ['set', setColumns],
  ['module', moduleColumns],
])

type Addresses = AddressCondition | null | undefined

/** `ip` or `ipv6`: one of the two must fit. 1199998 for another flag than those of the original. */
export function addressCondition(ip: Addresses, ipv6: Addresses, parameters: Parameters): string {
  const parts: string[] = []
  if (ip?.data != null && ip.data.length > 0) parts.push(ipv4Condition(ip, ip.data, parameters))
  if (ipv6?.data != null && ipv6.data.length > 0)
    parts.push(exactCondition(columnsOf(ipv6.flag, '_v6'), ipv6.data, fullIpv6, parameters))
  return parts.length === 0 ? 'true' : `(${parts.join(' or ')})`
}

function ipv4Condition(ip: AddressCondition, data: readonly string[], parameters: Parameters): string {
  const columns = columnsOf(ip.flag, '')
  if (ip.exact === 1) return exactCondition(columns, data, (text) => (isIpv4(text) ? text : undefined), parameters)
  if (data.length > 10) throw cmdbErrors.mismatch('ip.data')
  const parts = data.flatMap((entry) => {
    const { area, address } = areaOf(entry)
    return columns.map((name) => {
      const match = compilePattern({ sql: `h.${name}`, storage: 'text-array' }, address, parameters)
      return area === undefined ? match : `(h.bk_cloud_id = ${parameters.add(area, 'bigint')} and ${match})`
    })
  })
  return `(${parts.join(' or ')})`
}

function columnsOf(flag: string | null | undefined, suffix: '' | '_v6'): string[] {
  const flags = (flag ?? '').split('|')
  if (flags.some((one) => one !== 'bk_host_innerip' && one !== 'bk_host_outerip'))
    throw cmdbErrors.untyped(`unsupported ip.flag ${(flag ?? '').slice(0, 128)}`)
  // Each once: a repeated one is another condition for the database, and a body holds 300,000.
  return [...new Set(flags)].map((one) => `${one}${suffix}`)
}

/** Addresses that do not parse are dropped; when none is left, no host matches. */
function exactCondition(
  columns: readonly string[],
  data: readonly string[],
  parse: (text: string) => string | undefined,
  parameters: Parameters,
): string {
  const byArea = new Map<number | undefined, string[]>()
  for (const entry of data) {
    const { area, address } = areaOf(entry)
    const parsed = parse(address) ?? parse(entry)
    if (parsed === undefined) continue
    // In place: a body holds 700,000 addresses, and copying the list for each of them took minutes.
    const addresses = byArea.get(area)
    if (addresses === undefined) byArea.set(area, [parsed])
    else addresses.push(parsed)
  }
  if (byArea.size === 0) return 'false'
  const parts = [...byArea].flatMap(([area, addresses]) => {
    const list = parameters.add(addresses, 'text[]')
    const match = `(${columns.map((name) => `h.${name} && ${list}`).join(' or ')})`
    return area === undefined ? match : `(h.bk_cloud_id = ${parameters.add(area, 'bigint')} and ${match})`
  })
  return `(${parts.join(' or ')})`
}

/** `<cloud id>:<address>`; the first group of an IPv6 address is an area only when a whole address follows it. */
function areaOf(entry: string): { readonly area: number | undefined; readonly address: string } {
  const match = /^(\d{1,15}):(.+)$/s.exec(entry)
  const address = match?.[2]
  if (address === undefined || (fullIpv6(entry) !== undefined && fullIpv6(address) === undefined))
    return { area: undefined, address: entry }
  return { area: Number(match?.[1]), address }
}

/** Sets or modules by id or by condition. 1199006 with the name of what is wrong. */
export function topologyCondition(
  idField: 'bk_set_id' | 'bk_module_id',
  idsName: string,
  ids: readonly number[] | null | undefined,
  limit: number,
  conditionName: string,
  condition: unknown,
  columns: Columns,
  parameters: Parameters,
): string {
  const given = ids ?? []
  const atoms = condition === undefined || condition === null ? [] : condition
  if (!Array.isArray(atoms)) throw cmdbErrors.mismatch(conditionName)
  if (given.length > limit || (given.length > 0 && atoms.length > 0)) throw cmdbErrors.mismatch(idsName)
  const id = columns.get(idField)?.sql
  if (given.length > 0) return `${id} = any(${parameters.add(given, 'bigint[]')})`
  const parts = atoms.map((atom: unknown) => {
    const { field, operator, value } = (typeof atom === 'object' && atom !== null ? atom : {}) as Record<
      string,
      unknown
    >
    if (typeof field !== 'string' || typeof operator !== 'string') throw cmdbErrors.mismatch(conditionName)
    return compileOperator({ field, operator, value }, columns, parameters)
  })
  return parts.length === 0 ? 'true' : `(${parts.join(' and ')})`
}

/** `host_property_filter`, a rule of the older DSL. 1199006 with the path of what is wrong. */
export function hostFilter(filter: unknown, parameters: Parameters): string {
  if (filter === undefined || filter === null) return 'true'
  const parsed = parseFilter(filter, { dialect: 'older', fields: 'any', maxDepth: 3 })
  if (parsed.ok) return compileFilter(parsed.rule, hostColumns, parameters)
  if (parsed.reason === 'shape')
    throw cmdbErrors.undecodable([{ path: 'host_property_filter', message: 'must be a rule' }])
  const path = `host_property_filter.${parsed.path}`
  throw cmdbErrors.mismatch(path, [{ path, message: parsed.message }])
}
