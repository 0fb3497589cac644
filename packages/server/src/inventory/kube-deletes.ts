import { DeleteByIdsBody, DeletePodsBody, DeleteTreesBody, NoData, RemovedCounts } from '@podyard/contract'
import { type InventoryOperation, operation } from '../http/cmdb-dialect.ts'
import { deleteClusters, deleteNamespaces, deleteNodes, deleteWorkloads } from './delete-service.ts'
import type { InventoryDeps } from './inventory-deps.ts'
import { deletePods } from './pod-delete-service.ts'
import { workloadKindOf } from './workload-rules.ts'

const force =
  '`force: true` removes everything that hangs on them, too, in one transaction, other businesses’ namespaces of a shared cluster included; the answer says how many rows went.'

/** What removes rows. */
export function kubeDeletes(deps: InventoryDeps): readonly InventoryOperation[] {
  return [
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
      description: force,
      body: DeleteTreesBody,
      data: RemovedCounts,
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
      description: force,
      body: DeleteTreesBody,
      data: RemovedCounts,
      handle: (call, body) => deleteNamespaces(deps, call.caller, body),
    }),
    operation({
      name: 'batch_delete_kube_workload',
      method: 'DELETE',
      path: '/deletemany/kube/workload/:kind',
      esb: true,
      storage: 'delete',
      summary: 'Deletes workloads of one kind that have no pods, 200 at most',
      description: force,
      body: DeleteTreesBody,
      data: RemovedCounts,
      handle: async (call, body) => deleteWorkloads(deps, call.caller, workloadKindOf(call.params.kind ?? ''), body),
    }),
  ]
}
