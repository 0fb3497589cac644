import { PodChanges, type UpdatePodsBody } from '@podyard/contract'
import type { Caller } from '../http/caller.ts'
import { inTransaction } from '../store/transaction.ts'
import { type InventoryDeps, writableTenants } from './inventory-deps.ts'
import { insertInventoryEvents, toInventoryEvent } from './inventory-log.ts'
import { lockRows, type OwnedRow, readIds, refuseForeignRows } from './owned-rows.ts'
import { readPodRows } from './pod-change-statements.ts'
import { memberForms } from './stored-form.ts'
import { refuseImmutable } from './update-rules.ts'
import { updateRows } from './update-statements.ts'
import type { Row } from './views.ts'

const lockPods = lockRows('pod', 'no key update')
const updatePodRows = updateRows('pod')
const forms = memberForms(PodChanges)

/**
 * batch_update_kube_pod, which the original has not: one change for 200 pods at most, given members only. Unknown ids are
 * ignored; what makes a pod the one it is (name, place, containers) is 1199011. The events carry the containers.
 */
export async function updatePods(deps: InventoryDeps, caller: Caller, body: UpdatePodsBody): Promise<null> {
  const { bizId, ids } = readIds(body, 200)
  const data = body?.data ?? {}
  refuseImmutable('pod', data)
  const { operator, ...change } = forms(data)
  // A pod has at least one operator; an empty list is as good as none given, as on creation.
  const operators = (operator as readonly unknown[] | undefined)?.length ? { operator } : {}
  await inTransaction(deps.db, async (tx) => {
    const found = await tx.run<OwnedRow>(lockPods, [ids, writableTenants(caller)])
    refuseForeignRows(found, bizId, ids)
    if (found.length === 0) return
    const foundIds = found.map((pod) => pod.id)
    const by = [caller.user, Math.floor(deps.now() / 1000)]
    await tx.run(updatePodRows, [JSON.stringify({ ...change, ...operators }), ...by, foundIds])
    const rows = await tx.run<Row>(readPodRows, [foundIds])
    await insertInventoryEvents(
      tx,
      rows.map((row) => toInventoryEvent('kube_pod', 'update', row)),
    )
  })
  return null
}
