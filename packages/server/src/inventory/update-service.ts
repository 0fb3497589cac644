import {
  ClusterChanges,
  NamespaceChanges,
  NodeChanges,
  type UpdateClustersBody,
  type UpdateClusterTypeBody,
  type UpdateNamespacesBody,
  type UpdateNodesBody,
  type UpdateWorkloadsBody,
  type WorkloadKind,
} from '@podyard/contract'
import { cmdbErrors } from '../errors.ts'
import type { Caller } from '../http/caller.ts'
import type { Statement, Transaction } from '../store/database.ts'
import { inTransaction } from '../store/transaction.ts'
import { isClusterType } from './cluster-service.ts'
import { type InventoryDeps, writableTenants } from './inventory-deps.ts'
import { insertInventoryEvents, toInventoryEvent } from './inventory-log.ts'
import { lockRows, type OwnedRow, readIds, refuseForeignRows } from './owned-rows.ts'
import { memberForms } from './stored-form.ts'
import { refuseImmutable, refuseNoAddress, refuseOthers } from './update-rules.ts'
import { editable, updateClusterType, updateRows } from './update-statements.ts'
import type { Row } from './views.ts'
import { partitionProblem, workloadForm } from './workload-rules.ts'

/*
 * Updates of what pods stand on (container API reference 4.0, 4.3 to 4.6): one change for all ids, given members only.
 * Every row is stamped, kept in history as it was, and told to watchers, whether or not a member differs.
 */

type Updatable = 'cluster' | 'node' | 'namespace' | 'workload'

const statements = {
  cluster: { lock: lockRows('cluster', 'no key update'), update: updateRows('cluster') },
  node: { lock: lockRows('node', 'no key update'), update: updateRows('node') },
  namespace: { lock: lockRows('namespace', 'no key update'), update: updateRows('namespace') },
  workload: { lock: lockRows('workload', 'no key update'), update: updateRows('workload') },
} as const satisfies Readonly<Record<Updatable, { readonly lock: Statement; readonly update: Statement }>>

type Update = {
  readonly object: Updatable
  readonly ids: readonly number[]
  readonly change: object
  /** Throws when the rows that were found may not be changed by the business of the request. */
  readonly mayUpdate: (found: readonly OwnedRow[]) => void
  readonly kind?: WorkloadKind
}

async function update(deps: InventoryDeps, caller: Caller, { object, ids, change, mayUpdate, kind }: Update) {
  const ofKind = kind === undefined ? [] : [kind]
  await inTransaction(deps.db, async (tx) => {
    const found = await tx.run<OwnedRow>(statements[object].lock, [ids, writableTenants(caller), ...ofKind])
    mayUpdate(found)
    if (found.length === 0) return
    const values = [JSON.stringify(change), ...stampValues(deps, caller), found.map((row) => row.id), ...ofKind]
    await tellOf(tx, object, await tx.run<Row>(statements[object].update, values))
  })
  return null
}

const stampValues = (deps: InventoryDeps, caller: Caller) => [caller.user, Math.floor(deps.now() / 1000)]

const tellOf = (tx: Transaction, object: Updatable, rows: readonly Row[]) =>
  insertInventoryEvents(
    tx,
    rows
      .toSorted((a, b) => Number(a.id) - Number(b.id))
      .map((row) => toInventoryEvent(`kube_${object}`, 'update', row)),
  )

const clusterForms = memberForms(ClusterChanges, editable.cluster)
const nodeForms = memberForms(NodeChanges, editable.node)
const namespaceForms = memberForms(NamespaceChanges, editable.namespace)

const notAllClusters = 'the clusterIDs must all be under the given business'

/** batch_update_kube_cluster (container API reference 4.3): 10 ids, distinct, all of the business; `type` is ignored. */
export async function updateClusters(deps: InventoryDeps, caller: Caller, body: UpdateClustersBody): Promise<null> {
  const { bizId, ids } = readIds(body, 10)
  const data = body?.data ?? {}
  refuseImmutable('cluster', data)
  const mayUpdate = (found: readonly OwnedRow[]) =>
    refuseOthers(found, bizId, ids, { repeated: notAllClusters, foreign: notAllClusters })
  return update(deps, caller, { object: 'cluster', ids, change: clusterForms(data), mayUpdate })
}

const foreignNamespaces: Statement = {
  name: 'inventory-foreign-namespaces',
  text: 'select 1 from namespace where bk_cluster_id = $1 and bk_biz_id <> $2 limit 1',
}

/**
 * update_kube_cluster_type (container API reference 4.2): the type that it has already is a success without a change; a
 * shared cluster with namespaces of other businesses stays shared.
 */
export async function changeClusterType(
  deps: InventoryDeps,
  caller: Caller,
  body: UpdateClusterTypeBody,
): Promise<null> {
  const bizId = body?.bk_biz_id ?? 0
  if (bizId === 0) throw cmdbErrors.unset('bk_biz_id')
  const id = body?.id ?? 0
  if (id === 0) throw cmdbErrors.unset('id')
  const type = body?.type
  if (!isClusterType(type)) throw cmdbErrors.invalid('type')
  await inTransaction(deps.db, async (tx) => {
    const found = await tx.run<OwnedRow>(statements.cluster.lock, [[id], writableTenants(caller)])
    if (found[0]?.bk_biz_id !== bizId)
      throw cmdbErrors.untyped(notAllClusters, [{ path: 'id', message: `is not one of business ${bizId}` }])
    const [stored] = await tx.run<{ type: string }>(readClusterType, [id])
    if (stored?.type === type) return
    if (type === 'INDEPENDENT_CLUSTER' && (await tx.run(foreignNamespaces, [id, bizId])).length > 0)
      throw cmdbErrors.mismatch('bk_cluster_id', [{ path: 'id', message: 'other businesses have namespaces in it' }])
    await tellOf(tx, 'cluster', await tx.run<Row>(updateClusterType, [id, ...stampValues(deps, caller), type]))
  })
  return null
}

const readClusterType: Statement = { name: 'inventory-cluster-type', text: 'select type from cluster where id = $1' }

/** batch_update_kube_node (container API reference 4.4): 100 ids, distinct, all of the business. */
export async function updateNodes(deps: InventoryDeps, caller: Caller, body: UpdateNodesBody): Promise<null> {
  const { bizId, ids } = readIds(body, 100)
  const data = body?.data ?? {}
  refuseImmutable('node', data)
  refuseNoAddress(data)
  const mayUpdate = (found: readonly OwnedRow[]) =>
    refuseOthers(found, bizId, ids, {
      repeated: 'duplicate value for nodeID parameter',
      foreign: 'the nodeIDs must all be under the given business',
    })
  return update(deps, caller, { object: 'node', ids, change: nodeForms(data), mayUpdate })
}

/** batch_update_kube_namespace (container API reference 4.5): 200 ids; unknown ones are ignored. */
export async function updateNamespaces(deps: InventoryDeps, caller: Caller, body: UpdateNamespacesBody): Promise<null> {
  const { bizId, ids } = readIds(body, 200)
  const mayUpdate = (found: readonly OwnedRow[]) => refuseForeignRows(found, bizId, ids)
  return update(deps, caller, { object: 'namespace', ids, change: namespaceForms(body?.data ?? {}), mayUpdate })
}

/** Ids of one call at most; 200 are refused with 200 as the limit, as in the original. */
const maxWorkloadIds = 199

/** batch_update_kube_workload (container API reference 4.6): 199 ids of one kind; at least one must exist. */
export async function updateWorkloads(
  deps: InventoryDeps,
  caller: Caller,
  kind: WorkloadKind,
  body: UpdateWorkloadsBody,
): Promise<null> {
  const partition = partitionProblem(kind, body?.data, 'data')
  if (partition.length > 0) throw cmdbErrors.undecodable(partition)
  const noIds = () => cmdbErrors.invalid('ids')
  const { bizId, ids } = readIds(body, maxWorkloadIds, noIds, () => cmdbErrors.tooMany('data', maxWorkloadIds + 1))
  const data = body?.data
  if (data === undefined || data === null) throw cmdbErrors.invalid('data')
  if (kind === 'customResource') refuseImmutable('customResource', data)
  const mayUpdate = (found: readonly OwnedRow[]) => {
    if (found.length === 0) throw cmdbErrors.untyped('no workload founded')
    refuseForeignRows(found, bizId, ids)
  }
  return update(deps, caller, { object: 'workload', ids, change: workloadForm(kind, data, true), mayUpdate, kind })
}
