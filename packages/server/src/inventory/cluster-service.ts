import type { CreateClusterBody } from '@podyard/contract'
import { cmdbErrors } from '../errors.ts'
import type { Caller } from '../http/caller.ts'
import { type Statement, UniqueViolation } from '../store/database.ts'
import { inTransaction } from '../store/transaction.ts'
import { keyText } from './duplicates.ts'
import { insertClusters } from './insert-statements.ts'
import { creationStamps, type InventoryDeps, type Origin } from './inventory-deps.ts'

const nextClusterId: Statement = {
  name: 'inventory-next-cluster-id',
  text: `select draw_ids('cluster_id_seq', 1) as id`,
}

/** The types of clusters; a SHARE_CLUSTER may hold namespaces of other businesses (container API reference 4.2). */
export const clusterTypes = ['INDEPENDENT_CLUSTER', 'SHARE_CLUSTER'] as const

/** create_kube_cluster (container API reference 1.4, 4.3). The business is not checked to exist, as in the original. */
export async function createCluster(
  deps: InventoryDeps,
  caller: Caller,
  body: CreateClusterBody,
  origin: Origin = 'client',
): Promise<{ readonly id: number }> {
  const bizId = body?.bk_biz_id ?? 0
  if (bizId === 0) throw cmdbErrors.unset('bk_biz_id')
  for (const name of ['name', 'uid', 'type'] as const)
    if (body?.[name] === undefined || body[name] === null) throw cmdbErrors.invalid(name)
  if (!(clusterTypes as readonly (string | null | undefined)[]).includes(body?.type)) throw cmdbErrors.invalid('type')
  try {
    return await inTransaction(deps.db, async (tx) => {
      const [{ id } = { id: 0 }] = await tx.run<{ id: number }>(nextClusterId)
      const view = {
        id,
        bk_biz_id: bizId,
        bk_supplier_account: caller.tenant,
        name: body?.name,
        uid: body?.uid,
        type: body?.type,
        scheduling_engine: body?.scheduling_engine ?? undefined,
        xid: body?.xid ?? undefined,
        version: body?.version ?? undefined,
        network_type: body?.network_type ?? undefined,
        region: body?.region ?? undefined,
        vpc: body?.vpc ?? undefined,
        environment: body?.environment ?? undefined,
        network: body?.network?.map((range) => range ?? '') ?? undefined,
        ...creationStamps(deps, caller),
      }
      await tx.run(insertClusters, [JSON.stringify([view]), origin])
      return { id }
    })
  } catch (error) {
    if (error instanceof UniqueViolation)
      throw cmdbErrors.duplicate(keyText({ uid: body?.uid ?? '' }), [{ path: 'uid', message: 'exists already' }], error)
    throw error
  }
}
