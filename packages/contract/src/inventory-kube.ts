import Type, { type Static, type TSchema } from 'typebox'
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

const nodeMembers = {
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
}
export const NewNode = members(nodeMembers)
export type NewNode = NonNullable<Static<typeof NewNode>>

const namespaceMembers = {
  bk_cluster_id: int64('required'),
  name: text('required; unique in its cluster'),
  labels: textMap(),
  resource_quotas: list(resourceQuota),
}
export const NewNamespace = members(namespaceMembers)
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

/**
 * What Podyard adds to the batch creates. `on_duplicate` says what becomes of an item whose unique key is stored already;
 * absent, the batch is refused with 1199014. `return: "full"` adds the rows to the answer.
 */
const batchExtensions = {
  on_duplicate: text('update or skip: what becomes of items that exist already (absent: 1199014)'),
  return: text('full: the answer has the rows, too, as info'),
}

export const CreateClusterBody = members({ bk_biz_id: int64('required'), ...clusterMembers })
export type CreateClusterBody = Static<typeof CreateClusterBody>

export const CreateNodesBody = members({
  bk_biz_id: int64('required'),
  data: list(NewNode, '1 to 100'),
  ...batchExtensions,
})
export type CreateNodesBody = Static<typeof CreateNodesBody>

export const CreateNamespacesBody = members({
  bk_biz_id: int64('required'),
  data: list(NewNamespace, '1 to 200'),
  ...batchExtensions,
})
export type CreateNamespacesBody = Static<typeof CreateNamespacesBody>

export const CreateWorkloadsBody = members({
  bk_biz_id: int64('required'),
  data: list(NewWorkload, '1 to 200'),
  ...batchExtensions,
})
export type CreateWorkloadsBody = Static<typeof CreateWorkloadsBody>

export const CreatePodsBody = members({
  data: list(
    members({ bk_biz_id: int64('required'), pods: list(NewPod) }),
    'required; 200 pods at most over all elements',
  ),
  ...batchExtensions,
})
export type CreatePodsBody = Static<typeof CreatePodsBody>

const updateOf = <Data extends TSchema>(data: Data, ids: string) =>
  members({ bk_biz_id: int64('required'), ids: list(int64(), ids), data })

export const ClusterChanges = members(clusterMembers, 'type is ignored; uid, xid, scheduling_engine, vpc are refused')
export const UpdateClustersBody = updateOf(ClusterChanges, '1 to 10, distinct')
export type UpdateClustersBody = Static<typeof UpdateClustersBody>

export const UpdateClusterTypeBody = members({
  bk_biz_id: int64('required'),
  id: int64('required'),
  type: text('required: INDEPENDENT_CLUSTER or SHARE_CLUSTER'),
})
export type UpdateClusterTypeBody = Static<typeof UpdateClusterTypeBody>

export const NodeChanges = members({ ...nodeMembers, has_pod: flag() }, 'name and has_pod are refused')
export const UpdateNodesBody = updateOf(NodeChanges, '1 to 100, distinct')
export type UpdateNodesBody = Static<typeof UpdateNodesBody>

export const NamespaceChanges = members(namespaceMembers, 'labels and resource_quotas are changed, the rest is ignored')
export const UpdateNamespacesBody = updateOf(NamespaceChanges, '1 to 200')
export type UpdateNamespacesBody = Static<typeof UpdateNamespacesBody>

export const UpdateWorkloadsBody = updateOf(NewWorkload, '1 to 199')
export type UpdateWorkloadsBody = Static<typeof UpdateWorkloadsBody>

export const PodChanges = members({
  operator: list(text()),
  priority: int32(),
  labels: textMap(),
  ip: text(),
  ips: list(podIp),
  volumes: oneOrMany(volume),
  qos_class: text(),
  node_selectors: textMap(),
  tolerations: oneOrMany(toleration),
})
export const UpdatePodsBody = updateOf(PodChanges, '1 to 200')
export type UpdatePodsBody = Static<typeof UpdatePodsBody>

export const DeleteByIdsBody = members({ bk_biz_id: int64('required'), ids: list(int64(), 'required') })
export type DeleteByIdsBody = Static<typeof DeleteByIdsBody>

export const DeleteTreesBody = members({
  bk_biz_id: int64('required'),
  ids: list(int64(), 'required'),
  force: flag('whether everything that hangs on them goes, too (absent: refused while anything does)'),
})
export type DeleteTreesBody = Static<typeof DeleteTreesBody>

export const DeletePodsBody = members({
  data: list(members({ bk_biz_id: int64('required'), ids: list(int64()) }), 'required; 200 ids at most in all'),
})
export type DeletePodsBody = Static<typeof DeletePodsBody>

// ---- answers ----

export const CreatedId = Type.Object({ id: Type.Integer() })
const idList = (description: string) => Type.Optional(Type.Array(Type.Integer(), { description }))
export const CreatedIds = Type.Object({
  ids: Type.Array(Type.Integer(), { description: 'in the order of the request' }),
  created: idList('with on_duplicate: the new ones'),
  updated: idList('with on_duplicate: those that were there and are as the request says now'),
  skipped: idList('with on_duplicate: those that were there and stayed as they were'),
  info: Type.Optional(
    Type.Array(Type.Object({}, { additionalProperties: true }), {
      description: 'with return full: the rows in the order of the request, pods with their containers',
    }),
  ),
})
export type CreatedIds = Static<typeof CreatedIds>
export const RemovedCounts = Type.Union([
  Type.Null(),
  Type.Object(
    {
      clusters: Type.Integer(),
      nodes: Type.Integer(),
      namespaces: Type.Integer(),
      workloads: Type.Integer(),
      pods: Type.Integer(),
      containers: Type.Integer(),
    },
    { description: 'with force: how many rows went' },
  ),
])
export type RemovedCounts = NonNullable<Static<typeof RemovedCounts>>
export const NoData = Type.Null()
