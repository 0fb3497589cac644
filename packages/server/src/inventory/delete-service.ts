import type { DeleteByIdsBody, DeleteTreesBody, RemovedCounts, WorkloadKind } from '@podyard/contract'
import { cmdbErrors } from '../errors.ts'
import type { Caller } from '../http/caller.ts'
import type { Statement } from '../store/database.ts'
import { inTransaction } from '../store/transaction.ts'
import { type InventoryDeps, writableTenants } from './inventory-deps.ts'
import { insertInventoryEvents, toInventoryEvent } from './inventory-log.ts'
import { detailsOf, lockRows, type OwnedRow, readIds, refuseForeignRows } from './owned-rows.ts'
import { nothingRemoved, removeTrees } from './tree-delete.ts'
import type { Row } from './views.ts'

/**
 * Deletes of what pods stand on: refused while anything hangs on it (container API reference 4.3 to 4.6). Each locks its
 * rows first and looks for children in a later statement: who makes a child holds its parent's row until the commit.
 */
type Target = {
  readonly object: 'cluster' | 'node' | 'namespace' | 'workload'
  readonly lock: Statement
  /** The ids among $1 that have children; for workloads $2 the kind. */
  readonly children: Statement
  /** $1 ids; for workloads $2 the kind */
  readonly remove: Statement
}

const statement = (name: string, text: string): Statement => ({ name: `inventory-${name}`, text })

const hasAny = (column: string, tables: readonly string[], where = '') =>
  tables.map((table) => `exists (select 1 from ${table} c where c.${column} = i.id ${where})`).join(' or ')

const cluster: Target = {
  object: 'cluster',
  lock: lockRows('cluster', 'update'),
  children: statement(
    'children-of-clusters',
    `select i.id from unnest($1::bigint[]) as i(id) where ${hasAny('bk_cluster_id', ['namespace', 'node', 'workload', 'pod'])}`,
  ),
  remove: statement('delete-clusters', 'delete from cluster where id = any($1::bigint[]) returning *'),
}

const node: Target = {
  object: 'node',
  lock: lockRows('node', 'update'),
  children: statement(
    'children-of-nodes',
    `select i.id from unnest($1::bigint[]) as i(id) where ${hasAny('bk_node_id', ['pod'])}`,
  ),
  remove: statement('delete-nodes', 'delete from node where id = any($1::bigint[]) returning *'),
}

const namespace: Target = {
  object: 'namespace',
  lock: lockRows('namespace', 'update'),
  children: statement(
    'children-of-namespaces',
    `select i.id from unnest($1::bigint[]) as i(id) where ${hasAny('bk_namespace_id', ['workload', 'pod'])}`,
  ),
  remove: statement(
    'delete-namespaces',
    `with s as (delete from namespace_shared where bk_namespace_id = any($1::bigint[]))
     delete from namespace where id = any($1::bigint[]) returning *`,
  ),
}

const workload: Target = {
  object: 'workload',
  lock: lockRows('workload', 'update'),
  children: statement(
    'children-of-workloads',
    `select i.id from unnest($1::bigint[]) as i(id) where ${hasAny('ref_id', ['pod'], 'and c.ref_kind = $2')}`,
  ),
  remove: statement('delete-workloads', 'delete from workload where id = any($1::bigint[]) and kind = $2 returning *'),
}

type Delete = {
  readonly bizId: number
  readonly ids: readonly number[]
  /** Throws when the rows that were found may not be deleted by this business. */
  readonly mayDelete: (found: readonly OwnedRow[]) => void
  /** X of the 1199006 when there are children. */
  readonly childrenText: string
  readonly childrenMessage: string
  readonly kind?: WorkloadKind
  /** Whether children go, too; the answer then says how many rows went. */
  readonly force?: boolean
}

function remove(deps: InventoryDeps, caller: Caller, target: Target, wanted: Delete): Promise<RemovedCounts | null> {
  const { ids, kind, force = false } = wanted
  const ofKind = kind === undefined ? [] : [kind]
  return inTransaction(deps.db, async (tx) => {
    const found = await tx.run<OwnedRow>(target.lock, [ids, writableTenants(caller), ...ofKind])
    wanted.mayDelete(found)
    if (found.length === 0) return force ? nothingRemoved : null
    const foundIds = found.map((row) => row.id)
    if (force && target.object !== 'node') {
      const trees = { root: target.object, ids: foundIds, sent: ids, ...(kind === undefined ? {} : { kind }) }
      return removeTrees(tx, caller, trees, Math.floor(deps.now() / 1000))
    }
    const parents = new Set((await tx.run<{ id: number }>(target.children, [foundIds, ...ofKind])).map((row) => row.id))
    if (parents.size > 0)
      throw cmdbErrors.mismatch(wanted.childrenText, detailsOf(ids, parents, wanted.childrenMessage))
    const deleted = await tx.run<Row>(target.remove, [foundIds, ...ofKind])
    await insertInventoryEvents(
      tx,
      deleted.map((row) => toInventoryEvent(`kube_${target.object}`, 'delete', row)),
    )
    return null
  })
}

/** All in one business, and in this one: clusters and nodes of shared clusters are their platform's alone. */
function refuseOtherBusinesses(
  things: 'cluster' | 'node',
  found: readonly OwnedRow[],
  bizId: number,
  ids: readonly number[],
): void {
  const others = new Set(found.filter((row) => row.bk_biz_id !== bizId).map((row) => row.id))
  const details = detailsOf(ids, others, `does not belong to business ${bizId}`)
  if (new Set(found.map((row) => row.bk_biz_id)).size > 1)
    throw cmdbErrors.untyped('node ids exist in different businesses', details)
  if (others.size > 0) throw cmdbErrors.untyped(`${things} ids not in biz ${bizId}`, details)
}

/** batch_delete_kube_cluster (container API reference 4.3): 10 ids; at least one must exist. */
export async function deleteClusters(
  deps: InventoryDeps,
  caller: Caller,
  body: DeleteTreesBody,
): Promise<RemovedCounts | null> {
  const { bizId, ids } = readIds(body, 10)
  return remove(deps, caller, cluster, {
    bizId,
    ids,
    mayDelete(found) {
      if (found.length === 0)
        throw cmdbErrors.untyped(
          'node ids exist in different businesses',
          detailsOf(ids, new Set(ids), 'no such cluster'),
        )
      refuseOtherBusinesses('cluster', found, bizId, ids)
    },
    childrenText: 'ids',
    childrenMessage: 'has namespaces, nodes, workloads or pods',
    force: body?.force ?? false,
  })
}

/** batch_delete_kube_node (container API reference 4.4): 100 ids; unknown ones are ignored. */
export async function deleteNodes(deps: InventoryDeps, caller: Caller, body: DeleteByIdsBody): Promise<null> {
  const { bizId, ids } = readIds(body, 100)
  await remove(deps, caller, node, {
    bizId,
    ids,
    mayDelete: (found) => refuseOtherBusinesses('node', found, bizId, ids),
    childrenText: 'no pods can exist under the node',
    childrenMessage: 'has pods',
  })
  return null
}

/** batch_delete_kube_namespace (container API reference 4.5): 200 ids; unknown ones are ignored. */
export async function deleteNamespaces(
  deps: InventoryDeps,
  caller: Caller,
  body: DeleteTreesBody,
): Promise<RemovedCounts | null> {
  const { bizId, ids } = readIds(body, 200)
  return remove(deps, caller, namespace, {
    bizId,
    ids,
    mayDelete: (found) => refuseForeignRows(found, bizId, ids),
    childrenText: 'id',
    childrenMessage: 'has workloads or pods',
    force: body?.force ?? false,
  })
}

/** batch_delete_kube_workload (container API reference 4.6): 200 ids of one kind; unknown ones are ignored. */
export async function deleteWorkloads(
  deps: InventoryDeps,
  caller: Caller,
  kind: WorkloadKind,
  body: DeleteTreesBody,
): Promise<RemovedCounts | null> {
  const { bizId, ids } = readIds(body, 200, () => cmdbErrors.invalid('ids'))
  return remove(deps, caller, workload, {
    bizId,
    ids,
    mayDelete: (found) => refuseForeignRows(found, bizId, ids),
    childrenText: 'id',
    childrenMessage: 'has pods',
    kind,
    force: body?.force ?? false,
  })
}
