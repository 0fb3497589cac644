import {
  CreateClusterBody,
  CreatedId,
  CreatedIds,
  CreateNamespacesBody,
  CreateNodesBody,
  CreatePodsBody,
  CreateWorkloadsBody,
  DeleteByIdsBody,
  DeletePodsBody,
  NoData,
} from '@podyard/contract'
import { type InventoryOperation, operation } from '../http/cmdb-dialect.ts'
import { createCluster } from './cluster-service.ts'
import { deleteClusters, deleteNamespaces, deleteNodes, deleteWorkloads } from './delete-service.ts'
import type { InventoryDeps } from './inventory-deps.ts'
import { createNamespaces } from './namespace-service.ts'
import { createNodes } from './node-service.ts'
import { createPods, deletePods } from './pod-service.ts'
import { createWorkloads, workloadKindOf } from './workload-service.ts'

/** The writes of the container half (container API reference 2.2, 2.3). */
export function kubeOperations(deps: InventoryDeps): readonly InventoryOperation[] {
  return [
    operation({
      name: 'create_kube_cluster',
      method: 'POST',
      path: '/create/kube/cluster',
      esb: true,
      storage: 'insert',
      summary: 'Creates a cluster',
      body: CreateClusterBody,
      data: CreatedId,
      handle: (call, body) => createCluster(deps, call.caller, body),
    }),
    operation({
      name: 'batch_create_kube_node',
      method: 'POST',
      path: '/createmany/kube/node',
      esb: true,
      storage: 'insert',
      summary: 'Creates nodes, 100 at most',
      body: CreateNodesBody,
      data: CreatedIds,
      handle: (call, body) => createNodes(deps, call.caller, body),
    }),
    operation({
      name: 'batch_create_kube_namespace',
      method: 'POST',
      path: '/createmany/kube/namespace',
      esb: true,
      storage: 'insert',
      summary: 'Creates namespaces, 200 at most',
      body: CreateNamespacesBody,
      data: CreatedIds,
      handle: (call, body) => createNamespaces(deps, call.caller, body),
    }),
    operation({
      name: 'batch_create_kube_workload',
      method: 'POST',
      path: '/createmany/kube/workload/:kind',
      esb: true,
      storage: 'insert',
      summary: 'Creates workloads of one kind, 200 at most',
      body: CreateWorkloadsBody,
      data: CreatedIds,
      handle: async (call, body) => createWorkloads(deps, call.caller, workloadKindOf(call.params.kind ?? ''), body),
    }),
    operation({
      name: 'batch_create_kube_pod',
      method: 'POST',
      path: '/createmany/kube/pod',
      esb: true,
      storage: 'insert',
      summary: 'Creates pods with their containers, 200 at most over all elements of data',
      description:
        'All or none. The ids are consecutive, in the order of the request. `bk_biz_id`, `namespace`, `cluster_uid` and the name of `ref` are the workload’s.',
      body: CreatePodsBody,
      data: CreatedIds,
      handle: (call, body) => createPods(deps, call.caller, body),
    }),
    operation({
      name: 'batch_delete_kube_pod',
      method: 'DELETE',
      path: '/deletemany/kube/pod',
      esb: true,
      storage: 'delete',
      summary: 'Deletes pods with their containers, 200 at most over all elements of data',
      body: DeletePodsBody,
      data: NoData,
      handle: (call, body) => deletePods(deps, call.caller, body),
    }),
    operation({
      name: 'batch_delete_kube_cluster',
      method: 'DELETE',
      path: '/delete/kube/cluster',
      esb: true,
      storage: 'delete',
      summary: 'Deletes clusters without children, 10 at most',
      body: DeleteByIdsBody,
      data: NoData,
      handle: (call, body) => deleteClusters(deps, call.caller, body),
    }),
    operation({
      name: 'batch_delete_kube_node',
      method: 'DELETE',
      path: '/deletemany/kube/node',
      esb: true,
      storage: 'delete',
      summary: 'Deletes nodes without pods, 100 at most',
      body: DeleteByIdsBody,
      data: NoData,
      handle: (call, body) => deleteNodes(deps, call.caller, body),
    }),
    operation({
      name: 'batch_delete_kube_namespace',
      method: 'DELETE',
      path: '/deletemany/kube/namespace',
      esb: true,
      storage: 'delete',
      summary: 'Deletes namespaces without workloads, 200 at most',
      body: DeleteByIdsBody,
      data: NoData,
      handle: (call, body) => deleteNamespaces(deps, call.caller, body),
    }),
    operation({
      name: 'batch_delete_kube_workload',
      method: 'DELETE',
      path: '/deletemany/kube/workload/:kind',
      esb: true,
      storage: 'delete',
      summary: 'Deletes workloads of one kind that have no pods, 200 at most',
      body: DeleteByIdsBody,
      data: NoData,
      handle: async (call, body) => deleteWorkloads(deps, call.caller, workloadKindOf(call.params.kind ?? ''), body),
    }),
  ]
}
