import type { Statement } from '../store/database.ts'
import { type KubeObject, kubeFields } from './fields.ts'
import type { BatchObject } from './insert-statements.ts'

/** What a client may change of a row (container API reference 1.4 to 1.8). */
export const editable = {
  cluster: ['name', 'version', 'network_type', 'region', 'environment', 'network'],
  node: [
    'roles',
    'labels',
    'taints',
    'unschedulable',
    'internal_ip',
    'external_ip',
    'hostname',
    'runtime_component',
    'kube_proxy_mode',
    'pod_cidr',
  ],
  namespace: ['labels', 'resource_quotas'],
  workload: ['labels', 'selector', 'replicas', 'min_ready_seconds', 'strategy_type', 'rolling_update_strategy'],
  pod: ['operator', 'priority', 'labels', 'ip', 'ips', 'volumes', 'qos_class', 'node_selectors', 'tolerations'],
} as const satisfies Partial<Record<KubeObject, readonly string[]>>

/** Objects that have updates. */
export type EditableObject = keyof typeof editable

const typeOf = (object: KubeObject, name: string): string => {
  const column = kubeFields[object].find((field) => field.name === name)?.column
  if (column === undefined || 'members' in column) throw new Error(`${object} has no column ${name}`)
  return column.type
}

export const typed = (object: KubeObject, names: readonly string[]) =>
  names.map((name) => `${name} ${typeOf(object, name)}`).join(', ')

/** Given members replace what is stored, absent ones leave it; nothing can be unset. */
export const assignments = (names: readonly string[]) =>
  names.map((name) => `${name} = coalesce(x.${name}, t.${name})`).join(', ')

/** Whether the assignments change anything. */
export const differs = (names: readonly string[]) =>
  `(${names.map((n) => `t.${n}`).join(', ')}) is distinct from (${names.map((n) => `coalesce(x.${n}, t.${n})`).join(', ')})`

export const stamped = 'modifier = $2, last_time = $3, valid_from = now()'

/**
 * One change for several rows, all of which are stamped; gives the rows as they are then.
 * $1 the change, $2 modifier, $3 Unix seconds, $4 ids, $5 for workloads the kind
 */
export function updateRows(object: EditableObject): Statement {
  const names = editable[object]
  return {
    name: `inventory-update-${object}`,
    text: `update ${object} t set ${assignments(names)}, ${stamped}
      from jsonb_to_record($1::jsonb) as x(${typed(object, names)})
      where t.id = any($4::bigint[]) ${object === 'workload' ? 'and t.kind = $5' : ''}
      returning t.*`,
  }
}

/**
 * A change for each row; rows that are already as they should be stay untouched. A node may move to another host.
 * $1 an array of changes with ids, $2 modifier, $3 Unix seconds, $4 for workloads the kind
 */
export function updateDifferingRows(object: BatchObject): Statement {
  const names = object === 'node' ? [...editable.node, 'bk_host_id'] : editable[object]
  return {
    name: `inventory-update-differing-${object}`,
    text: `update ${object} t set ${assignments(names)}, ${stamped}
      from jsonb_to_recordset($1::jsonb) as x(id bigint, ${typed(object, names)})
      where t.id = x.id ${object === 'workload' ? 'and t.kind = $4' : ''} and ${differs(names)}
      returning t.*`,
  }
}

/** Locked first, so that nobody makes a namespace there meanwhile. $1 id, $2 modifier, $3 Unix seconds, $4 type */
export const updateClusterType: Statement = {
  name: 'inventory-update-cluster-type',
  text: `update cluster set type = $4, ${stamped} where id = $1 returning *`,
}
