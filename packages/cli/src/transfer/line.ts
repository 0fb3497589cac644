import { isDeepStrictEqual } from 'node:util'

/**
 * The file of an export: one JSON object per line, in an order in which each refers to earlier ones only, by name and
 * never by id. Stamps (who, when) are the target's own. The last line says that the file is whole.
 */
export type Line =
  | { readonly type: 'podyard-export'; readonly version: number; readonly business: string }
  | { readonly type: 'business'; readonly data: Data }
  | { readonly type: 'host'; readonly data: Data }
  /** `owner`: the cluster is another business's, of this name; it is only used here, and has to be there. */
  | { readonly type: 'cluster'; readonly owner?: string; readonly data: Data & { readonly uid: string } }
  | NamedLine<'namespace'>
  | (NamedLine<'node'> & { readonly host: HostKey })
  | (NamedLine<'workload'> & { readonly kind: string; readonly namespace: string })
  | (NamedLine<'pod'> & {
      readonly namespace: string
      readonly workload: WorkloadKey
      readonly node: string
      /** Where the pod names another host than its node does. */
      readonly host?: HostKey
    })
  | { readonly type: 'end'; readonly counts: Readonly<Record<string, number>> }

type NamedLine<Type extends string> = {
  readonly type: Type
  readonly cluster: string
  readonly data: Data & { readonly name: string }
}

/** A row's own members. */
export type Data = Readonly<Record<string, unknown>>
export type HostKey = { readonly cloud: number; readonly ip: string }
export type WorkloadKey = {
  readonly kind: string
  readonly name: string
  /** Custom resources of one name differ by these. */
  readonly cr_kind?: string
  readonly cr_api_version?: string
}
export type RowLine = Exclude<Line, { type: 'podyard-export' | 'end' | 'business' }>

export const formatVersion = 1
/** Longer lines are no export: a pod with its containers takes a few kilobytes. */
export const maxLineBytes = 8 * 1024 * 1024

const serverOwned: ReadonlySet<string> = new Set([
  'id',
  'bk_biz_id',
  'bk_supplier_account',
  'bk_cluster_id',
  'cluster_uid',
  'bk_namespace_id',
  'namespace',
  'ref',
  'bk_host_id',
  'bk_node_id',
  'node_name',
  'bk_pod_id',
  'has_pod',
  'creator',
  'modifier',
  'create_time',
  'last_time',
  'bk_created_at',
  'bk_created_by',
  'bk_updated_at',
  'bk_updated_by',
  'default',
  'bk_data_status',
  'containers',
])

/** A row without what the server makes: ids, what follows from its parents, stamps. */
export function ownMembers(row: Data): Data {
  return Object.fromEntries(Object.entries(row).filter(([name, value]) => !serverOwned.has(name) && value !== null))
}

/** The same of a business or a host, whose absent members are shown as empty ones. */
export function givenMembers(row: Data): Data {
  return Object.fromEntries(Object.entries(ownMembers(row)).filter(([, value]) => value !== '' && value !== false))
}

/** The host by its first address; undefined when it has none. */
export function hostKeyOf(row: Data): HostKey | undefined {
  const ip = `${row.bk_host_innerip ?? ''}`.split(',')[0] || `${row.bk_host_innerip_v6 ?? ''}`.split(',')[0]
  const cloud = row.bk_cloud_id ?? 0
  return ip && typeof cloud === 'number' ? { cloud, ip } : undefined
}

/** The host by each of its addresses. */
export function hostKeysOf(row: Data): HostKey[] {
  const addresses = [row.bk_host_innerip, row.bk_host_innerip_v6].flatMap((list) => `${list ?? ''}`.split(','))
  return addresses.filter((ip) => ip !== '').map((ip) => ({ cloud: Number(row.bk_cloud_id ?? 0), ip }))
}

/** Members of `wanted` that `stored` has otherwise. */
export function differences(wanted: Data, stored: Data): string[] {
  return Object.keys(wanted).filter((name) => !isDeepStrictEqual(wanted[name], stored[name]))
}

/** What the line is, in words: `pod prod/shop/deployment web/web-1`. */
export function describe(line: RowLine): string {
  switch (line.type) {
    case 'host':
      return `host ${hostKeyOf(line.data)?.ip}`
    case 'cluster':
      return `cluster ${line.data.uid}`
    case 'workload':
      return `${line.kind} ${line.cluster}/${line.namespace}/${line.data.name}`
    case 'pod':
      return `pod ${line.cluster}/${line.namespace}/${line.workload.name}/${line.data.name}`
    default:
      return `${line.type} ${line.cluster}/${line.data.name}`
  }
}

/** A line of a file, or what is wrong with it. */
export function parseLine(text: string): Line | { readonly problem: string } {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    return { problem: `no JSON (${(error as Error).message})` }
  }
  if (!isRecord(value)) return { problem: 'not a JSON object' }
  const shape = typeof value.type === 'string' ? shapes.get(value.type) : undefined
  if (shape === undefined) return { problem: `"type" must be one of ${[...shapes.keys()].join(', ')}` }
  const wrong = Object.entries(shape).find(([path, check]) => !check(at(value as Data, path)))
  if (wrong !== undefined) return { problem: `"${wrong[0]}" is missing or has the wrong type` }
  return value as unknown as Line
}

type Check = (value: unknown) => boolean
const isRecord = (value: unknown): value is Data => typeof value === 'object' && value !== null && !Array.isArray(value)
const isText: Check = (value) => typeof value === 'string'
const isHost: Check = (value) => isRecord(value) && typeof value.ip === 'string' && typeof value.cloud === 'number'
const orAbsent =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value)
const at = (value: Data, path: string): unknown =>
  path.split('.').reduce<unknown>((found, name) => (isRecord(found) ? found[name] : undefined), value)

const shapes = new Map<string, Readonly<Record<string, Check>>>([
  ['podyard-export', { version: (v) => v === formatVersion, business: isText }],
  ['business', { 'data.bk_biz_name': isText }],
  ['host', { data: isRecord, 'data.bk_host_innerip': orAbsent(isText) }],
  ['cluster', { 'data.uid': isText, owner: orAbsent(isText) }],
  ['namespace', { cluster: isText, 'data.name': isText }],
  ['node', { cluster: isText, host: isHost, 'data.name': isText }],
  ['workload', { cluster: isText, namespace: isText, kind: isText, 'data.name': isText }],
  [
    'pod',
    {
      cluster: isText,
      namespace: isText,
      'workload.kind': isText,
      'workload.name': isText,
      node: isText,
      host: orAbsent(isHost),
      'data.name': isText,
    },
  ],
  ['end', { counts: isRecord }],
])
