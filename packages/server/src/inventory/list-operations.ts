import {
  ContainerListBody,
  InventoryListBody,
  InventoryListData,
  type WorkloadKind,
  workloadKinds,
} from '@podyard/contract'
import { cmdbErrors } from '../errors.ts'
import { type InventoryOperation, operation } from '../http/cmdb-dialect.ts'
import type { Database } from '../store/database.ts'
import type { KubeObject } from './fields.ts'
import { listInventory } from './list-service.ts'
import { topologyOperations } from './topology-operations.ts'

/** The reads of the container half: its six lists, and what asks about its tree (container API reference 2.2, 2.4, 2.5). */
export function listOperations(db: Database): readonly InventoryOperation[] {
  const list = (object: Exclude<KubeObject, 'workload' | 'container'>, things: string) =>
    operation({
      name: `list_kube_${object}`,
      method: 'POST',
      path: `/findmany/kube/${object}`,
      esb: true,
      storage: 'select',
      summary: `Lists ${things} of a business`,
      body: InventoryListBody,
      data: InventoryListData,
      handle: (call, body) => listInventory(db, call.caller, { object, body }),
    })
  return [
    list('cluster', 'the clusters, and the shared clusters it uses,'),
    list('node', 'the nodes'),
    list('namespace', 'the namespaces'),
    operation({
      name: 'list_kube_workload',
      method: 'POST',
      path: '/findmany/kube/workload/:kind',
      esb: true,
      storage: 'select',
      summary: 'Lists the workloads of one kind of a business',
      body: InventoryListBody,
      data: InventoryListData,
      handle(call, body) {
        const kind = call.params.kind as WorkloadKind
        if (!workloadKinds.includes(kind)) throw cmdbErrors.mismatch('kind')
        return listInventory(db, call.caller, { object: 'workload', kind, body })
      },
    }),
    list('pod', 'the pods'),
    operation({
      name: 'list_kube_container',
      method: 'POST',
      path: '/findmany/kube/container',
      esb: true,
      storage: 'select',
      summary: 'Lists the containers of a business, or of one pod',
      body: ContainerListBody,
      data: InventoryListData,
      handle: (call, body) => listInventory(db, call.caller, { object: 'container', body }),
    }),
    ...topologyOperations(db),
  ]
}
