import type { CreateClusterBody } from '@podyard/contract'
import { type AppError, cmdbErrors } from '../errors.ts'
import type { Caller } from '../http/caller.ts'
import { UniqueViolation } from '../store/database.ts'
import { keyText } from './duplicates.ts'
import { insertCluster } from './insert-statements.ts'
import { creationStamps, type InventoryDeps, type Origin } from './inventory-deps.ts'

const clusterTypes: readonly unknown[] = ['INDEPENDENT_CLUSTER', 'SHARE_CLUSTER']

/** A SHARE_CLUSTER may hold namespaces of other businesses (container API reference 4.2). */
export const isClusterType = (word: unknown): word is string => clusterTypes.includes(word)

/** create_kube_cluster (container API reference 1.4, 4.3). The business is not checked to exist, as in the original. */
export async function createCluster(
  deps: InventoryDeps,
  caller: Caller,
  body: CreateClusterBody,
  origin: Origin = 'client',
): Promise<{ readonly id: number }> {
  const problem = problemOf(body)
  if (problem !== undefined) throw problem
  const view = {
    bk_biz_id: body?.bk_biz_id,
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
  try {
    const [made] = await deps.db.run<{ id: number }>(insertCluster, [JSON.stringify(view), origin])
    return { id: made?.id ?? 0 }
  } catch (error) {
    if (error instanceof UniqueViolation)
      throw cmdbErrors.duplicate(keyText({ uid: body?.uid ?? '' }), [{ path: 'uid', message: 'exists already' }], error)
    throw error
  }
}

function problemOf(body: CreateClusterBody): AppError | undefined {
  if (!body?.bk_biz_id) return cmdbErrors.unset('bk_biz_id', [{ path: 'bk_biz_id', message: 'is required' }])
  for (const name of ['name', 'uid', 'type'] as const)
    if (body[name] === undefined || body[name] === null)
      return cmdbErrors.invalid(name, [{ path: name, message: 'is required' }])
  if (!isClusterType(body.type))
    return cmdbErrors.invalid('type', [{ path: 'type', message: `must be ${clusterTypes.join(' or ')}` }])
  return undefined
}
