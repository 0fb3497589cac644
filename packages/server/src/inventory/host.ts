import { pickFields } from './business.ts'
import { addressList } from './host-address.ts'
import type { HostModule } from './host-modules.ts'
import { type Attribute, absentValue, checkAttribute } from './instance-attributes.ts'

/** A host as stored. */
export type HostRow = HostValues & {
  readonly id: number
  readonly bk_biz_id: number
  readonly bk_supplier_account: string
  readonly bk_cloud_id: number
  readonly bk_addressing: 'static' | 'dynamic'
  readonly bk_host_innerip: readonly string[]
  readonly bk_host_innerip_v6: readonly string[]
  readonly create_time: Date
  readonly last_time: Date
  readonly bk_created_by: string
  readonly bk_updated_at: Date | null
  readonly bk_updated_by: string | null
  /** Which module of its business's idle set it is in. */
  readonly module: HostModule
}

/** What of a host may change. */
export type HostValues = {
  readonly bk_host_outerip: readonly string[]
  readonly bk_host_outerip_v6: readonly string[]
  readonly bk_host_name: string
  readonly bk_agent_id: string
  readonly operator: readonly string[] | null
  readonly bk_bak_operator: readonly string[] | null
  readonly attributes: Readonly<Record<string, unknown>>
}

/** A client's row, checked. `values` has what was given, and nothing else. */
export type HostInput = {
  /** Given: the row is an update of that host. */
  readonly hostId: number | undefined
  readonly cloudId: number
  readonly addressing: 'static' | 'dynamic'
  readonly innerIps: readonly string[]
  readonly innerIpsV6: readonly string[]
  readonly values: Partial<HostValues>
}

export type CheckedHost =
  | { readonly ok: true; readonly input: HostInput }
  | { readonly ok: false; readonly problem: string }

const named = (kind: Attribute['kind'], ...names: readonly string[]): Attribute[] =>
  names.map((name) => ({ name, kind }))

/** The attributes without a column of their own, in the order of the answer (container API reference 10.3). */
export const looseAttributes: readonly Attribute[] = [
  ...named('text', 'bk_asset_id', 'bk_sn', 'bk_mac', 'bk_outer_mac', 'bk_os_name', 'bk_os_version', 'bk_os_bit'),
  ...named('text', 'bk_os_kernel_version', 'bk_cpu_module', 'bk_cloud_inst_id', 'bk_cloud_region', 'bk_cloud_zone'),
  ...named('long', 'bk_comment'),
  ...named('enum', 'bk_os_type', 'bk_cpu_architecture', 'bk_sla', 'bk_state', 'bk_state_name', 'bk_province_name'),
  ...named('enum', 'bk_isp_name', 'bk_cloud_vendor', 'bk_cloud_host_status', 'import_from'),
  ...named('count', 'bk_cpu', 'bk_mem', 'bk_disk', 'bk_service_term'),
  ...named('boolean', 'bk_cloud_host_identifier'),
]

const agentIdPattern = /^[a-zA-Z0-9]{0,64}$/

/** Checks a row of an import: its addresses, area, addressing and each attribute. Unknown members are dropped. */
export function checkHost(row: Readonly<Record<string, unknown>>): CheckedHost {
  const values = checkHostValues(row)
  if (!values.ok) return values
  const innerIps = addressesOf(row, 'bk_host_innerip', 4)
  const innerIpsV6 = addressesOf(row, 'bk_host_innerip_v6', 6)
  if (typeof innerIps === 'string') return { ok: false, problem: innerIps }
  if (typeof innerIpsV6 === 'string') return { ok: false, problem: innerIpsV6 }
  const hostId = row.bk_host_id ?? undefined
  if (hostId !== undefined && (!Number.isSafeInteger(hostId) || (hostId as number) < 1))
    return { ok: false, problem: 'bk_host_id must be a whole number from 1 on' }
  if (hostId === undefined && (innerIps ?? []).length === 0 && (innerIpsV6 ?? []).length === 0)
    return { ok: false, problem: 'bk_host_innerip and bk_host_innerip_v6 are both empty' }
  const cloudId = row.bk_cloud_id ?? 0
  // Cloud areas have no rows of their own: every number from 0 on is an area.
  if (!Number.isSafeInteger(cloudId) || (cloudId as number) < 0)
    return { ok: false, problem: 'bk_cloud_id must be a whole number from 0 on' }
  const addressing = row.bk_addressing ?? 'static'
  if (addressing !== 'static' && addressing !== 'dynamic')
    return { ok: false, problem: 'bk_addressing must be one of static, dynamic' }
  return {
    ok: true,
    input: {
      hostId: hostId as number | undefined,
      cloudId: cloudId as number,
      addressing,
      innerIps: innerIps ?? [],
      innerIpsV6: innerIpsV6 ?? [],
      values: values.values,
    },
  }
}

/** Checks what an update may change; addresses, area and addressing keep their values. */
export function checkHostValues(
  row: Readonly<Record<string, unknown>>,
): { readonly ok: true; readonly values: Partial<HostValues> } | { readonly ok: false; readonly problem: string } {
  const attributes: Record<string, unknown> = {}
  for (const attribute of looseAttributes) {
    if (row[attribute.name] === undefined) continue
    const checked = checkAttribute(attribute, row[attribute.name])
    if (!checked.ok) return checked
    attributes[attribute.name] = checked.value
  }
  const values: { -readonly [Name in keyof HostValues]?: HostValues[Name] } = {}
  for (const name of ['bk_host_name', 'bk_agent_id'] as const) {
    if (row[name] === undefined) continue
    const checked = checkAttribute({ name, kind: 'text' }, row[name])
    if (!checked.ok) return checked
    values[name] = String(checked.value ?? '')
  }
  if (!agentIdPattern.test(values.bk_agent_id ?? ''))
    return { ok: false, problem: 'bk_agent_id must be at most 64 letters and digits' }
  for (const name of ['operator', 'bk_bak_operator'] as const) {
    if (row[name] === undefined) continue
    const checked = checkAttribute({ name, kind: 'users' }, row[name])
    if (!checked.ok) return checked
    values[name] = checked.value === null ? null : usersOf(String(checked.value))
  }
  for (const [name, version] of [
    ['bk_host_outerip', 4],
    ['bk_host_outerip_v6', 6],
  ] as const) {
    const addresses = addressesOf(row, name, version)
    if (typeof addresses === 'string') return { ok: false, problem: addresses }
    if (addresses !== undefined) values[name] = addresses
  }
  if (Object.keys(attributes).length > 0) values.attributes = attributes
  return { ok: true, values }
}

const usersOf = (text: string) =>
  text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')

/** Undefined when not given; a text is what is wrong. */
function addressesOf(
  row: Readonly<Record<string, unknown>>,
  name: string,
  version: 4 | 6,
): string[] | undefined | string {
  const given = row[name]
  if (given === undefined || given === null) return undefined
  if (typeof given !== 'string') return `${name} must be a string`
  if (Buffer.byteLength(given) > 2_000) return `${name} exceeds 2000 bytes`
  return addressList(given, version) ?? `${name} is not an IPv${version} address`
}

/** A host's values with what was given put in; null takes an attribute away. */
export function mergeHost(host: HostValues, given: Partial<HostValues>): HostValues {
  const attributes = Object.fromEntries(
    Object.entries({ ...host.attributes, ...given.attributes }).filter(([, value]) => value !== null),
  )
  return {
    bk_host_outerip: given.bk_host_outerip ?? host.bk_host_outerip,
    bk_host_outerip_v6: given.bk_host_outerip_v6 ?? host.bk_host_outerip_v6,
    bk_host_name: given.bk_host_name ?? host.bk_host_name,
    bk_agent_id: given.bk_agent_id ?? host.bk_agent_id,
    operator: given.operator === undefined ? host.operator : given.operator,
    bk_bak_operator: given.bk_bak_operator === undefined ? host.bk_bak_operator : given.bk_bak_operator,
    attributes,
  }
}

/** The values of a host that is not there yet. */
export const emptyHostValues: HostValues = {
  bk_host_outerip: [],
  bk_host_outerip_v6: [],
  bk_host_name: '',
  bk_agent_id: '',
  operator: null,
  bk_bak_operator: null,
  // "3": through the API
  attributes: { import_from: '3' },
}

/** The row on the wire (container API reference 10.3): lists as comma separated text, absent text as '', the rest as null. */
export function hostView(row: HostRow, fields: readonly string[] = []): Record<string, unknown> {
  const view: Record<string, unknown> = {
    bk_host_id: row.id,
    bk_cloud_id: row.bk_cloud_id,
    bk_host_innerip: row.bk_host_innerip.join(','),
    bk_host_innerip_v6: row.bk_host_innerip_v6.join(','),
    bk_host_outerip: row.bk_host_outerip.join(','),
    bk_host_outerip_v6: row.bk_host_outerip_v6.join(','),
    bk_addressing: row.bk_addressing,
    bk_host_name: row.bk_host_name,
    bk_agent_id: row.bk_agent_id,
    operator: row.operator?.join(',') ?? null,
    bk_bak_operator: row.bk_bak_operator?.join(',') ?? null,
  }
  for (const { name, kind } of looseAttributes)
    view[name] = row.attributes[name] ?? (kind === 'boolean' ? false : absentValue(kind))
  view.bk_supplier_account = row.bk_supplier_account
  view.create_time = row.create_time.toISOString()
  view.last_time = row.last_time.toISOString()
  view.bk_created_at = view.create_time
  view.bk_created_by = row.bk_created_by
  view.bk_updated_at = row.bk_updated_at?.toISOString() ?? view.create_time
  view.bk_updated_by = row.bk_updated_by ?? row.bk_created_by
  return pickFields(view, fields)
}
