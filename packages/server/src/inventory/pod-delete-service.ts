import type { DeletePodsBody } from '@podyard/contract'
import { cmdbErrors } from '../errors.ts'
import type { Caller } from '../http/caller.ts'
import { TransactionRace } from '../store/database.ts'
import { inTransaction } from '../store/transaction.ts'
import { type InventoryDeps, writableTenants } from './inventory-deps.ts'
import { insertInventoryEvents, toInventoryEvent } from './inventory-log.ts'
import { problemsError, unset } from './item-problems.ts'
import type { OwnedRow } from './owned-rows.ts'
import { deletePodRows, lockNodesOfPods, lockPods, markNodesWithoutPods } from './pod-delete-statements.ts'
import type { Row } from './views.ts'

/** Ids of one call at most (container API reference 4.8). */
const maxDeletes = 200

/**
 * batch_delete_kube_pod (container API reference 4.8): the pods with their containers; nodes that lose their last pod
 * lose `has_pod`. Unknown ids are ignored.
 */
export async function deletePods(deps: InventoryDeps, caller: Caller, body: DeletePodsBody): Promise<null> {
  const wanted = readDeletes(body)
  const seconds = Math.floor(deps.now() / 1000)
  await inTransaction(deps.db, async (tx) => {
    const selected = [wanted.map((w) => w.id), writableTenants(caller)]
    const nodeIds = (await tx.run<{ id: number }>(lockNodesOfPods, selected)).map((node) => node.id)
    const found = await tx.run<OwnedRow & { readonly bk_node_id: number }>(lockPods, selected)
    refuseForeignPods(wanted, found)
    if (found.length === 0) return
    const held = new Set(nodeIds)
    if (found.some((pod) => !held.has(pod.bk_node_id)))
      throw new TransactionRace('a pod went to another node before it could be deleted')
    const deleted = await tx.run<Row>(deletePodRows, [found.map((pod) => pod.id)])
    const emptied = await tx.run<Row>(markNodesWithoutPods, [nodeIds, caller.user, seconds])
    await insertInventoryEvents(tx, [
      ...deleted.map((row) => toInventoryEvent('kube_pod', 'delete', row)),
      ...emptied.map((row) => toInventoryEvent('kube_node', 'update', row)),
    ])
  })
  return null
}

type WantedDelete = { readonly id: number; readonly bizId: number; readonly path: string }

function refuseForeignPods(wanted: readonly WantedDelete[], found: readonly OwnedRow[]): void {
  const byId = new Map(found.map((pod) => [pod.id, pod]))
  const foreign = wanted.filter(({ id, bizId }) => {
    const pod = byId.get(id)
    return pod !== undefined && pod.bk_biz_id !== bizId && pod.platform !== bizId
  })
  if (foreign.length > 0)
    throw cmdbErrors.mismatch(
      'bk_biz_id',
      foreign.map(({ path, bizId }) => ({ path, message: `the pod does not belong to business ${bizId}` })),
    )
}

function readDeletes(body: DeletePodsBody): WantedDelete[] {
  const data = body?.data ?? []
  if (data.length === 0) throw cmdbErrors.unset('data')
  if (data.length > maxDeletes) throw cmdbErrors.tooMany('data', maxDeletes)
  const problems = data.flatMap((element, i) => {
    if (!element?.bk_biz_id) return [unset(`data[${i}].bk_biz_id`, 'bk_biz_id')]
    return (element.ids ?? []).length === 0 ? [unset(`data[${i}].ids`, 'ids')] : []
  })
  if (problems.length > 0) throw problemsError(problems)
  const wanted = data.flatMap((element, i) =>
    (element?.ids ?? []).map((id, j) => ({
      id: id ?? 0,
      bizId: element?.bk_biz_id ?? 0,
      path: `data[${i}].ids[${j}]`,
    })),
  )
  if (wanted.length > maxDeletes) throw cmdbErrors.tooMany('pods', maxDeletes)
  return wanted
}
