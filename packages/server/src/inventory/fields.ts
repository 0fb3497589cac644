import type { WorkloadKind } from '@podyard/contract'

/** The tables of the container half, as objects of the API. */
export type KubeObject = 'cluster' | 'node' | 'namespace' | 'workload' | 'pod' | 'container'

/** Types as the attributes endpoint names them (container API reference 1.12), and `ref`'s members. */
export type FieldType = 'numeric' | 'string' | 'enum' | 'mapString' | 'bool' | 'array' | 'object' | 'timestamp'

export type ColumnType = 'bigint' | 'integer' | 'text' | 'boolean' | 'jsonb'

/** Where a field lies in its table. Columns have the names of the wire; only `ref` is spread over three. */
export type FieldColumn =
  | { readonly name: string; readonly type: ColumnType }
  | { readonly members: Readonly<Record<string, { readonly name: string; readonly type: ColumnType }>> }

export type Field = {
  readonly name: string
  readonly type: FieldType
  /**
   * When a row shows it (container API reference 1.2): `val` not while it is zero, `ptr` whenever something was given,
   * `always` even when `fields` leaves it out.
   */
  readonly presence: 'val' | 'ptr' | 'always'
  /** Absent: the field may stand in a filter, but nothing stores it, so it matches nothing. */
  readonly column?: FieldColumn
  /** Whether filters know it (container API reference 5.2). */
  readonly filterable: boolean
}

type Options = { readonly filterable?: boolean; readonly column?: ColumnType }

const columnTypes: Readonly<Record<FieldType, ColumnType>> = {
  numeric: 'bigint',
  string: 'text',
  enum: 'text',
  mapString: 'jsonb',
  bool: 'boolean',
  array: 'jsonb',
  object: 'jsonb',
  timestamp: 'bigint',
}

function field(presence: Field['presence'], name: string, type: FieldType, options: Options = {}): Field {
  return {
    name,
    type,
    presence,
    column: { name, type: options.column ?? columnTypes[type] },
    filterable: options.filterable ?? true,
  }
}
const val = (name: string, type: FieldType, options?: Options) => field('val', name, type, options)
const ptr = (name: string, type: FieldType, options?: Options) => field('ptr', name, type, options)
const always = (name: string, type: FieldType, options?: Options) => field('always', name, type, options)
const notStored = (name: string, type: FieldType): Field => ({ name, type, presence: 'ptr', filterable: true })

const stamps = [
  val('creator', 'string'),
  val('modifier', 'string'),
  val('create_time', 'timestamp'),
  val('last_time', 'timestamp'),
]

const ref = (members: Extract<FieldColumn, { members: unknown }>['members']): Field => ({
  name: 'ref',
  type: 'object',
  presence: 'ptr',
  column: { members },
  filterable: true,
})
const refKind = { name: 'ref_kind', type: 'text' } as const
const refId = { name: 'ref_id', type: 'bigint' } as const

/**
 * The fields of every object: name, type, column, when they show and whether filters know them. `ref.kind`, `ref.id` and
 * `ref.name` are the members of `ref`. A workload's `kind` is a column but no field: rows do not carry it.
 */
export const kubeFields: Readonly<Record<KubeObject, readonly Field[]>> = {
  cluster: [
    always('id', 'numeric'),
    always('bk_biz_id', 'numeric'),
    always('bk_supplier_account', 'string'),
    ptr('name', 'string'),
    ptr('scheduling_engine', 'string'),
    ptr('uid', 'string'),
    ptr('xid', 'string'),
    ptr('version', 'string'),
    ptr('environment', 'string'),
    ptr('network_type', 'enum'),
    ptr('region', 'string'),
    ptr('vpc', 'string'),
    ptr('network', 'string', { column: 'jsonb' }),
    ptr('type', 'string'),
    notStored('bk_project_name', 'string'),
    notStored('bk_project_id', 'string'),
    notStored('bk_project_code', 'string'),
    ...stamps,
  ],
  node: [
    val('id', 'numeric'),
    val('bk_biz_id', 'numeric'),
    val('bk_supplier_account', 'string'),
    val('bk_host_id', 'numeric'),
    val('bk_cluster_id', 'numeric'),
    val('cluster_uid', 'string'),
    ptr('name', 'string'),
    ptr('roles', 'enum'),
    ptr('labels', 'mapString'),
    ptr('taints', 'mapString'),
    ptr('unschedulable', 'bool'),
    ptr('internal_ip', 'array'),
    ptr('external_ip', 'array'),
    ptr('hostname', 'string'),
    ptr('runtime_component', 'string'),
    ptr('kube_proxy_mode', 'string'),
    ptr('pod_cidr', 'string'),
    ptr('has_pod', 'bool', { filterable: false }),
    ...stamps,
  ],
  namespace: [
    val('id', 'numeric'),
    val('bk_biz_id', 'numeric'),
    val('bk_supplier_account', 'string'),
    val('bk_cluster_id', 'numeric'),
    val('cluster_uid', 'string'),
    val('name', 'string'),
    ptr('labels', 'mapString'),
    ptr('resource_quotas', 'array'),
    ...stamps,
  ],
  workload: [
    val('id', 'numeric'),
    val('bk_biz_id', 'numeric', { filterable: false }),
    val('bk_supplier_account', 'string'),
    val('bk_cluster_id', 'numeric'),
    val('cluster_uid', 'string'),
    val('bk_namespace_id', 'numeric'),
    val('namespace', 'string'),
    val('name', 'string'),
    ptr('labels', 'mapString'),
    ptr('selector', 'object'),
    ptr('replicas', 'numeric'),
    ptr('strategy_type', 'string'),
    ptr('min_ready_seconds', 'numeric'),
    ptr('rolling_update_strategy', 'object'),
    // Filters of the kind customResource only: see `filterFields`.
    ptr('cr_kind', 'string'),
    ptr('cr_api_version', 'string'),
    ...stamps,
  ],
  pod: [
    val('id', 'numeric'),
    val('bk_biz_id', 'numeric'),
    val('bk_supplier_account', 'string'),
    val('bk_cluster_id', 'numeric'),
    val('cluster_uid', 'string'),
    val('bk_namespace_id', 'numeric'),
    val('namespace', 'string'),
    ref({ kind: refKind, name: { name: 'ref_name', type: 'text' }, id: refId }),
    val('bk_host_id', 'numeric'),
    val('bk_node_id', 'numeric'),
    val('node_name', 'string'),
    ptr('name', 'string'),
    ptr('operator', 'array'),
    ptr('priority', 'numeric', { column: 'integer' }),
    ptr('labels', 'mapString'),
    ptr('ip', 'string'),
    ptr('ips', 'array'),
    notStored('controlled_by', 'string'),
    notStored('container_uid', 'array'),
    ptr('volumes', 'object'),
    ptr('qos_class', 'enum'),
    ptr('node_selectors', 'mapString'),
    ptr('tolerations', 'object'),
    ...stamps,
  ],
  container: [
    val('id', 'numeric'),
    val('bk_pod_id', 'numeric'),
    val('bk_biz_id', 'numeric'),
    always('bk_supplier_account', 'string'),
    val('bk_cluster_id', 'numeric'),
    val('bk_namespace_id', 'numeric'),
    ref({ kind: refKind, id: refId }),
    ptr('name', 'string'),
    ptr('container_uid', 'string'),
    ptr('image', 'string'),
    ptr('ports', 'array'),
    ptr('host_ports', 'array'),
    ptr('args', 'array'),
    ptr('started', 'numeric'),
    ptr('limits', 'object'),
    ptr('requests', 'object'),
    ptr('liveness', 'object'),
    ptr('environment', 'array'),
    ptr('mounts', 'array'),
    ...stamps,
  ],
}

/** The fields that a filter over an object may name; for workloads `kind` says which. */
export function filterFields(object: KubeObject, kind?: WorkloadKind): readonly Field[] {
  return kubeFields[object].filter(
    (f) => f.filterable && (!f.name.startsWith('cr_') || object !== 'workload' || kind === 'customResource'),
  )
}
