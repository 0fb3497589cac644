import { AppError } from '../errors.ts'
import type { Caller } from '../http/caller.ts'
import type { Statement } from '../store/database.ts'
import { createCluster } from './cluster-service.ts'
import type { InventoryDeps } from './inventory-deps.ts'

/** A cluster that sync keeps in step: where it stands in the inventory. */
export type RegisteredCluster = { readonly id: number; readonly bizId: number; readonly tenant: string }

const findByUid: Statement = {
  name: 'inventory-cluster-by-uid',
  text: `select id, bk_biz_id as "bizId", bk_supplier_account as tenant from cluster where md5(uid)::uuid = md5($1)::uuid and uid = $1`,
}

/** The cluster with this uid, which is made when there is none; one that a client registered keeps its business. */
export async function ensureCluster(
  deps: InventoryDeps,
  caller: Caller,
  cluster: { readonly uid: string; readonly name: string; readonly bizId: number; readonly version: string },
): Promise<RegisteredCluster> {
  const find = async () => (await deps.db.run<RegisteredCluster>(findByUid, [cluster.uid]))[0]
  const existing = await find()
  if (existing !== undefined) return existing
  try {
    await createCluster(
      deps,
      caller,
      {
        bk_biz_id: cluster.bizId,
        name: cluster.name,
        uid: cluster.uid,
        type: 'INDEPENDENT_CLUSTER',
        scheduling_engine: 'k8s',
        version: cluster.version,
      },
      'sync',
    )
  } catch (error) {
    // Another replica was quicker.
    if (!(error instanceof AppError)) throw error
  }
  const made = await find()
  if (made === undefined) throw new Error(`the cluster ${cluster.uid} could not be registered`)
  return made
}
