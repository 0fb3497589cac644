import {
  NoData,
  UpdateClustersBody,
  UpdateClusterTypeBody,
  UpdateNamespacesBody,
  UpdateNodesBody,
  UpdatePodsBody,
  UpdateWorkloadsBody,
} from '@podyard/contract'
import { type InventoryOperation, operation } from '../http/cmdb-dialect.ts'
import type { InventoryDeps } from './inventory-deps.ts'
import { updatePods } from './pod-update-service.ts'
import { changeClusterType, updateClusters, updateNamespaces, updateNodes, updateWorkloads } from './update-service.ts'
import { workloadKindOf } from './workload-rules.ts'

const oneChange = 'One change for all ids: given members replace what is stored whole, absent and null ones leave it.'

/** What changes rows. */
export function kubeUpdates(deps: InventoryDeps): readonly InventoryOperation[] {
  return [
    operation({
      name: 'batch_update_kube_cluster',
      method: 'PUT',
      path: '/updatemany/kube/cluster',
      esb: true,
      storage: 'update',
      summary: 'Changes clusters, 10 at most',
      description: `${oneChange} The type has a call of its own.`,
      body: UpdateClustersBody,
      data: NoData,
      handle: (call, body) => updateClusters(deps, call.caller, body),
    }),
    operation({
      name: 'update_kube_cluster_type',
      method: 'PUT',
      path: '/update/kube/cluster/type',
      esb: true,
      storage: 'update',
      summary: 'Makes a cluster shared, or independent again',
      description: 'A shared cluster with namespaces of other businesses stays shared: 1199006.',
      body: UpdateClusterTypeBody,
      data: NoData,
      handle: (call, body) => changeClusterType(deps, call.caller, body),
    }),
    operation({
      name: 'batch_update_kube_node',
      method: 'PUT',
      path: '/updatemany/kube/node',
      esb: true,
      storage: 'update',
      summary: 'Changes nodes, 100 at most',
      description: oneChange,
      body: UpdateNodesBody,
      data: NoData,
      handle: (call, body) => updateNodes(deps, call.caller, body),
    }),
    operation({
      name: 'batch_update_kube_namespace',
      method: 'PUT',
      path: '/updatemany/kube/namespace',
      esb: true,
      storage: 'update',
      summary: 'Changes namespaces, 200 at most',
      description: oneChange,
      body: UpdateNamespacesBody,
      data: NoData,
      handle: (call, body) => updateNamespaces(deps, call.caller, body),
    }),
    operation({
      name: 'batch_update_kube_workload',
      method: 'PUT',
      path: '/updatemany/kube/workload/:kind',
      esb: true,
      storage: 'update',
      summary: 'Changes workloads of one kind, 199 at most',
      description: oneChange,
      body: UpdateWorkloadsBody,
      data: NoData,
      handle: async (call, body) => updateWorkloads(deps, call.caller, workloadKindOf(call.params.kind ?? ''), body),
    }),
    operation({
      name: 'batch_update_kube_pod',
      method: 'PUT',
      path: '/updatemany/kube/pod',
      esb: true,
      storage: 'update',
      summary: 'Changes pods, 200 at most',
      description: `${oneChange} Name, place and containers cannot be changed: 1199011.`,
      body: UpdatePodsBody,
      data: NoData,
      handle: (call, body) => updatePods(deps, call.caller, body),
    }),
  ]
}
