import type { InventoryOperation } from '../http/cmdb-dialect.ts'
import type { InventoryDeps } from './inventory-deps.ts'
import { kubeCreates } from './kube-creates.ts'
import { kubeDeletes } from './kube-deletes.ts'
import { kubeUpdates } from './kube-updates.ts'

/** The writes of the container half (container API reference 2.2, 2.3). */
export function kubeOperations(deps: InventoryDeps): readonly InventoryOperation[] {
  return [...kubeCreates(deps), ...kubeUpdates(deps), ...kubeDeletes(deps)]
}
