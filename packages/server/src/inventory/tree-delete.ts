import type { RemovedCounts } from '@podyard/contract'
import { cmdbErrors } from '../errors.ts'
import type { Caller } from '../http/caller.ts'
import type { Transaction } from '../store/database.ts'
import { writableTenants } from './inventory-deps.ts'
import { detailsOf } from './owned-rows.ts'
import * as sql from './tree-delete-statements.ts'

/** The roots of what goes, locked `for update` by the caller. */
export type Trees = {
  readonly root: sql.TreeRoot
  readonly ids: readonly number[]
  /** The workloads' kind. */
  readonly kind?: string
  /** The ids as the request has them, for its errors. */
  readonly sent: readonly number[]
}

const podsAtOnce = 5_000
const eventsAtOnce = 20_000

export const nothingRemoved: RemovedCounts = {
  clusters: 0,
  nodes: 0,
  namespaces: 0,
  workloads: 0,
  pods: 0,
  containers: 0,
}

/**
 * Removes everything that hangs on some rows, and themselves: other businesses' namespaces of a shared cluster, too, but
 * not another tenant's rows (1199006). Each row keeps its past and has its event, children before parents. The rows stay
 * in the database and go in portions, so neither memory nor a statement's time limit bounds the size of a subtree.
 */
export async function removeTrees(
  tx: Transaction,
  caller: Caller,
  { root, ids, kind, sent }: Trees,
  nowSeconds: number,
): Promise<RemovedCounts> {
  const scope: readonly unknown[] = kind === undefined ? [ids] : [ids, kind]
  for (const table of sql.lockOrder) if (sql.isWithin(root, table)) await tx.query(sql.lockText(root, table), scope)
  const nodes =
    root === 'cluster' ? [] : (await tx.query<{ id: number }>(sql.lockNodesText(root), scope)).map((node) => node.id)
  const tenants = writableTenants(caller)
  if (tenants !== null)
    for (const table of [...sql.lockOrder, 'pod'] as const)
      if (sql.isWithin(root, table) && (await tx.query(sql.foreignText(root, table), [...scope, tenants])).length > 0)
        throw cmdbErrors.mismatch('ids', detailsOf(sent, new Set(ids), 'has rows of another supplier account'))

  await tx.query(sql.createRemovedText)
  const counts = { ...nothingRemoved }
  for (let last = 0; ; ) {
    type Portion = { readonly pods: number; readonly containers: number; readonly last: number | null }
    const [gone] = await tx.query<Portion>(sql.removePodsText(root), [...scope, last, podsAtOnce])
    counts.pods += gone?.pods ?? 0
    counts.containers += gone?.containers ?? 0
    if (gone === undefined || gone.last === null) break
    last = gone.last
  }
  if (nodes.length > 0) await tx.query(sql.unmarkNodesText, [nodes, caller.user, nowSeconds])
  for (const table of sql.removeOrder) {
    if (!sql.isWithin(root, table)) continue
    const [gone] = await tx.query<{ rows: number }>(sql.removeText(root, table), scope)
    counts[`${table}s`] = gone?.rows ?? 0
  }
  await tell(tx)
  return counts
}

async function tell(tx: Transaction): Promise<void> {
  const [all] = await tx.query<{ last: number | null }>('select max(ord) as last from removed')
  for (let from = 0; from < (all?.last ?? 0); from += eventsAtOnce)
    await tx.query(sql.tellText, [from, from + eventsAtOnce])
}
