import { cmdbErrors } from '../errors.ts'

export type AttributeRow = { readonly field: string; readonly type: string; readonly required: boolean }

/** Field and type of each row, in the original's order; `*` means required (container API reference 1.12). */
const tables: Readonly<Record<string, string>> = {
  cluster:
    'name:string* scheduling_engine:string uid:string* xid:string version:string environment:string network_type:enum region:string vpc:string network:string type:string* bk_project_name:string bk_project_id:string bk_project_code:string',
  namespace: 'name:string* labels:mapString cluster_uid:string* resource_quotas:array',
  node: 'name:string* roles:enum labels:mapString taints:mapString unschedulable:bool internal_ip:array external_ip:array hostname:string runtime_component:string kube_proxy_mode:string pod_cidr:string',
  workload:
    'name:string* namespace:string* labels:mapString selector:object replicas:numeric* strategy_type:string min_ready_seconds:numeric rolling_update_strategy:object',
  customResource:
    'name:string* cr_kind:string* cr_api_version:string* labels:mapString selector:object replicas:numeric strategy_type:string min_ready_seconds:numeric rolling_update_strategy:object',
  pod: 'name:string* priority:numeric labels:mapString ip:string ips:array controlled_by:string container_uid:array volumes:object qos_class:enum node_selectors:mapString tolerations:object operator:array*',
  container:
    'name:string* container_uid:string* image:string* ports:array host_ports:array args:array started:numeric requests:object limits:object liveness:object environment:array mounts:array',
  biz: '',
  folder: '',
}

const rowsOf = new Map(
  Object.entries(tables).map(([object, table]) => [object, table === '' ? [] : table.split(' ').map(attributeRow)]),
)

function attributeRow(text: string): AttributeRow {
  const [field = '', type = ''] = text.split(':')
  return { field, type: type.replace('*', ''), required: type.endsWith('*') }
}

/** find/kube/{object}/attributes: what an object's fields are. 1199006 `object` for one that is not known. */
export function kubeAttributes(object: string): readonly AttributeRow[] {
  const rows = rowsOf.get(object)
  if (rows === undefined) throw cmdbErrors.mismatch('object')
  return rows
}
