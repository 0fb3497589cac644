import Type, { type Static } from 'typebox'
import {
  anyRollingUpdateStrategy,
  containerPort,
  environmentVariable,
  labelSelector,
  podIp,
  probe,
  resourceQuota,
  toleration,
  volume,
  volumeMount,
} from './inventory-structures.ts'
import { flag, int32, int64, list, members, oneOrMany, quantities, text, textMap } from './inventory-types.ts'

/** The nine kinds of workload, case-sensitive (container API reference 1.7). */
export const workloadKinds = [
  'deployment',
  'statefulSet',
  'daemonSet',
  'gameStatefulSet',
  'gameDeployment',
  'cronJob',
  'job',
  'pods',
  'customResource',
] as const
export type WorkloadKind = (typeof workloadKinds)[number]

// ---- rows as clients send them (container API reference 1.4-1.9) ----

const clusterMembers = {
  name: text('required'),
  uid: text('required; unique in the whole installation'),
  type: text('required: INDEPENDENT_CLUSTER or SHARE_CLUSTER'),
  scheduling_engine: text(),
  xid: text('id of the underlying cluster'),
  version: text(),
  network_type: text('overlay or underlay by convention'),
  region: text(),
  vpc: text(),
  environment: text(),
  network: list(text(), 'address ranges'),
}

export const NewNode = members({
  bk_host_id: int64('required: a host of the business'),
  bk_cluster_id: int64('required'),
  name: text('required; unique in its cluster'),
  roles: text(),
  labels: textMap(),
  taints: textMap(),
  unschedulable: flag(),
  internal_ip: list(text(), 'this or external_ip is required'),
  external_ip: list(text(), 'this or internal_ip is required'),
  hostname: text(),
  runtime_component: text(),
  kube_proxy_mode: text(),
  pod_cidr: text(),
})
export type NewNode = NonNullable<Static<typeof NewNode>>

export const NewNamespace = members({
  bk_cluster_id: int64('required'),
  name: text('required; unique in its cluster'),
  labels: textMap(),
  resource_quotas: list(resourceQuota),
})
export type NewNamespace = NonNullable<Static<typeof NewNamespace>>

export const NewWorkload = members({
  bk_namespace_id: int64('required'),
  name: text('unique in its namespace and kind'),
  labels: textMap(),
  selector: labelSelector,
  replicas: int64(),
  min_ready_seconds: int64(),
  strategy_type: text(),
  rolling_update_strategy: anyRollingUpdateStrategy,
  cr_kind: text('required for customResource'),
  cr_api_version: text('required for customResource'),
})
export type NewWorkload = NonNullable<Static<typeof NewWorkload>>

export const NewContainer = members({
  name: text('required'),
  container_uid: text('required; unique in its pod'),
  image: text(),
  ports: list(containerPort),
  host_ports: list(containerPort),
  args: list(text()),
  started: int64('Unix seconds'),
  limits: quantities(),
  requests: quantities(),
  liveness: probe,
  environment: list(environmentVariable),
  mounts: list(volumeMount),
})
export type NewContainer = NonNullable<Static<typeof NewContainer>>

export const NewPod = members({
  spec: members({
    bk_cluster_id: int64('required'),
    bk_namespace_id: int64('required'),
    bk_node_id: int64('required'),
    ref: members({ kind: text(`required: ${workloadKinds.join(', ')}`), id: int64('required: the workload') }),
  }),
  bk_host_id: int64('required'),
  name: text('required; unique in its workload'),
  operator: list(text(), 'defaults to the calling user'),
  priority: int32(),
  labels: textMap(),
  ip: text(),
  ips: list(podIp),
  volumes: oneOrMany(volume),
  qos_class: text('Guaranteed, Burstable or BestEffort by convention'),
  node_selectors: textMap(),
  tolerations: oneOrMany(toleration),
  containers: list(NewContainer),
})
export type NewPod = NonNullable<Static<typeof NewPod>>

// ---- requests (container API reference 2.3) ----

export const CreateClusterBody = members({ bk_biz_id: int64('required'), ...clusterMembers })
export type CreateClusterBody = Static<typeof CreateClusterBody>

export const CreateNodesBody = members({ bk_biz_id: int64('required'), data: list(NewNode, '1 to 100') })
export type CreateNodesBody = Static<typeof CreateNodesBody>

export const CreateNamespacesBody = members({ bk_biz_id: int64('required'), data: list(NewNamespace, '1 to 200') })
export type CreateNamespacesBody = Static<typeof CreateNamespacesBody>

export const CreateWorkloadsBody = members({ bk_biz_id: int64('required'), data: list(NewWorkload, '1 to 200') })
export type CreateWorkloadsBody = Static<typeof CreateWorkloadsBody>

export const CreatePodsBody = members({
  data: list(
    members({ bk_biz_id: int64('required'), pods: list(NewPod) }),
    'required; 200 pods at most over all elements',
  ),
})
export type CreatePodsBody = Static<typeof CreatePodsBody>

export const DeleteByIdsBody = members({ bk_biz_id: int64('required'), ids: list(int64(), 'required') })
export type DeleteByIdsBody = Static<typeof DeleteByIdsBody>

export const DeletePodsBody = members({
  data: list(members({ bk_biz_id: int64('required'), ids: list(int64()) }), 'required; 200 ids at most in all'),
})
export type DeletePodsBody = Static<typeof DeletePodsBody>

// ---- answers ----

export const CreatedId = Type.Object({ id: Type.Integer() })
export const CreatedIds = Type.Object({
  ids: Type.Array(Type.Integer(), { description: 'in the order of the request' }),
})
export const NoData = Type.Null()
