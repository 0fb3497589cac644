import {
  CreateClusterBody,
  CreatedId,
  CreatedIds,
  CreateNamespacesBody,
  CreateNodesBody,
  CreatePodsBody,
  CreateWorkloadsBody,
} from '@podyard/contract'
import { type InventoryOperation, operation } from '../http/cmdb-dialect.ts'
import { createCluster } from './cluster-service.ts'
import type { InventoryDeps } from './inventory-deps.ts'
import { createNamespaces } from './namespace-service.ts'
import { createNodes } from './node-service.ts'
import { createPods } from './pod-service.ts'
import { workloadKindOf } from './workload-rules.ts'
import { createWorkloads } from './workload-service.ts'

const extensions =
  '`on_duplicate` (`update` or `skip`) lets items pass that exist already: their ids survive, and the answer says which were created, updated and skipped. `return: "full"` adds the rows as `info`.'

/** What makes rows: all or none of a batch. */
export function kubeCreates(deps: InventoryDeps): readonly InventoryOperation[] {
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
      description: extensions,
      body: CreateNodesBody,
      data: CreatedIds,
      handle: async (call, body) => createNodes(deps, call.caller, body),
    }),
    operation({
      name: 'batch_create_kube_namespace',
      method: 'POST',
      path: '/createmany/kube/namespace',
      esb: true,
      storage: 'insert',
      summary: 'Creates namespaces, 200 at most',
      description: extensions,
      body: CreateNamespacesBody,
      data: CreatedIds,
      handle: async (call, body) => createNamespaces(deps, call.caller, body),
    }),
    operation({
      name: 'batch_create_kube_workload',
      method: 'POST',
      path: '/createmany/kube/workload/:kind',
      esb: true,
      storage: 'insert',
      summary: 'Creates workloads of one kind, 200 at most',
      description: extensions,
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
      description: `All or none. The ids of new pods are consecutive, in the order of the request. \`bk_biz_id\`, \`namespace\`, \`cluster_uid\` and the name of \`ref\` are the workload’s. ${extensions} An update makes the containers those that were sent, matched by \`container_uid\`; a pod without \`containers\` keeps its own.`,
      body: CreatePodsBody,
      data: CreatedIds,
      handle: (call, body) => createPods(deps, call.caller, body),
    }),
  ]
}
