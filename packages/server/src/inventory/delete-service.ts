import type { DeleteByIdsBody, WorkloadKind } from '@podyard/contract'
import { cmdbErrors, type ErrorDetail } from '../errors.ts'
import type { Caller } from '../http/caller.ts'
import type { Statement } from '../store/database.ts'
import { inTransaction } from '../store/transaction.ts'
import { type InventoryDeps, writableTenants } from './inventory-deps.ts'
import { insertInventoryEvents, toInventoryEvent } from './inventory-log.ts'
import type { Row } from './views.ts'

/**
 * Deletes of what pods stand on: refused while anything hangs on it (container API reference 4.3 to 4.6). Each locks its
 * rows first and looks for children in a later statement: who makes a child holds its parent's row until the commit.
 */
type Target = {
  /** $1 ids, $2 tenants (null: all), for workloads $3 the kind; `platform` is whose shared cluster a row is in. */
  readonly lock: Statement
  /** The ids among $1 that have children; for workloads $2 the kind. */
  readonly children: Statement
  /** $1 ids; for workloads $2 the kind */
  readonly remove: Statement
  readonly resource: 'kube_cluster' | 'kube_node' | 'kube_namespace' | 'kube_workload'
}

const statement = (name: string, text: string): Statement => ({ name: `inventory-${name}`, text })

const lockText = (table: string, platform: string, join = '', where = '') =>
  `select t.id, t.bk_biz_id, ${platform} as platform from ${table} t ${join}
   where t.id = any($1::bigint[]) and ($2::text[] is null or t.bk_supplier_account = any($2)) ${where}
   order by t.id for update of t`

const shared = (namespaceId: string) => `left join namespace_shared s on s.bk_namespace_id = t.${namespaceId}`

const hasAny = (column: string, tables: readonly string[], where = '') =>
  tables.map((table) => `exists (select 1 from ${table} c where c.${column} = i.id ${where})`).join(' or ')

const cluster: Target = {
  lock: statement('lock-clusters', lockText('cluster', 'null::bigint')),
  children: statement(
    'children-of-clusters',
    `select i.id from unnest($1::bigint[]) as i(id) where ${hasAny('bk_cluster_id', ['namespace', 'node', 'workload', 'pod'])}`,
  ),
  remove: statement('delete-clusters', 'delete from cluster where id = any($1::bigint[]) returning *'),
  resource: 'kube_cluster',
}

const node: Target = {
  lock: statement('lock-nodes-to-delete', lockText('node', 'null::bigint')),
  children: statement(
    'children-of-nodes',
    `select i.id from unnest($1::bigint[]) as i(id) where ${hasAny('bk_node_id', ['pod'])}`,
  ),
  remove: statement('delete-nodes', 'delete from node where id = any($1::bigint[]) returning *'),
  resource: 'kube_node',
}

const namespace: Target = {
  lock: statement('lock-namespaces', lockText('namespace', 's.bk_asst_biz_id', shared('id'))),
  children: statement(
    'children-of-namespaces',
    `select i.id from unnest($1::bigint[]) as i(id) where ${hasAny('bk_namespace_id', ['workload', 'pod'])}`,
  ),
  remove: statement(
    'delete-namespaces',
    `with s as (delete from namespace_shared where bk_namespace_id = any($1::bigint[]))
     delete from namespace where id = any($1::bigint[]) returning *`,
  ),
  resource: 'kube_namespace',
}

const workload: Target = {
  lock: statement(
    'lock-workloads',
    lockText('workload', 's.bk_asst_biz_id', shared('bk_namespace_id'), 'and t.kind = $3'),
  ),
  children: statement(
    'children-of-workloads',
    `select i.id from unnest($1::bigint[]) as i(id) where ${hasAny('ref_id', ['pod'], 'and c.ref_kind = $2')}`,
  ),
  remove: statement('delete-workloads', 'delete from workload where id = any($1::bigint[]) and kind = $2 returning *'),
  resource: 'kube_workload',
}

type Locked = { readonly id: number; readonly bk_biz_id: number; readonly platform: number | null }
type Rules = {
  /** Throws when the rows that were found may not be deleted by this business. */
  readonly mayDelete: (found: readonly Locked[], bizId: number, ids: readonly number[]) => void
  /** X of the 1199006 when there are children. */
  readonly childrenText: string
  readonly childrenMessage: string
}

async function remove(
  deps: InventoryDeps,
  caller: Caller,
  target: Target,
  wanted: { readonly bizId: number; readonly ids: readonly number[] },
  rules: Rules,
  kind: readonly string[] = [],
): Promise<null> {
  await inTransaction(deps.db, async (tx) => {
    const found = await tx.run<Locked>(target.lock, [wanted.ids, writableTenants(caller), ...kind])
    rules.mayDelete(found, wanted.bizId, wanted.ids)
    if (found.length === 0) return
    const ids = found.map((row) => row.id)
    const parents = new Set((await tx.run<{ id: number }>(target.children, [ids, ...kind])).map((row) => row.id))
    if (parents.size > 0)
      throw cmdbErrors.mismatch(rules.childrenText, detailsOf(wanted.ids, parents, rules.childrenMessage))
    const deleted = await tx.run<Row>(target.remove, [ids, ...kind])
    await insertInventoryEvents(
      tx,
      deleted.map((row) => toInventoryEvent(target.resource, 'delete', row)),
    )
  })
  return null
}

const detailsOf = (ids: readonly number[], wrong: ReadonlySet<number>, message: string): ErrorDetail[] =>
  ids.flatMap((id, i) => (wrong.has(id) ? [{ path: `ids[${i}]`, message }] : []))

function readIds(body: DeleteByIdsBody, limit: number, noIds = cmdbErrors.unset) {
  const bizId = body?.bk_biz_id ?? 0
  if (bizId === 0) throw cmdbErrors.unset('bk_biz_id')
  const ids = (body?.ids ?? []).map((id) => id ?? 0)
  if (ids.length === 0) throw noIds('ids')
  if (ids.length > limit) throw cmdbErrors.tooMany('ids', limit)
  return { bizId, ids }
}

/** All in one business, and in this one: clusters and nodes of shared clusters are their platform's alone. */
const ownRows = (things: 'cluster' | 'node') => (found: readonly Locked[], bizId: number) => {
  if (new Set(found.map((row) => row.bk_biz_id)).size > 1)
    throw cmdbErrors.untyped('node ids exist in different businesses')
  if (found.some((row) => row.bk_biz_id !== bizId)) throw cmdbErrors.untyped(`${things} ids not in biz ${bizId}`)
}

/** The user's or the platform's. */
const sharedRows = (found: readonly Locked[], bizId: number, ids: readonly number[]) => {
  const foreign = new Set(found.filter((row) => row.bk_biz_id !== bizId && row.platform !== bizId).map((row) => row.id))
  if (foreign.size > 0)
    throw cmdbErrors.mismatch('bk_biz_id', detailsOf(ids, foreign, `does not belong to business ${bizId}`))
}

/** batch_delete_kube_cluster (container API reference 4.3): 10 ids; at least one must exist. */
export function deleteClusters(deps: InventoryDeps, caller: Caller, body: DeleteByIdsBody): Promise<null> {
  return remove(deps, caller, cluster, readIds(body, 10), {
    mayDelete(found, bizId) {
      if (found.length === 0) throw cmdbErrors.untyped('node ids exist in different businesses')
      ownRows('cluster')(found, bizId)
    },
    childrenText: 'ids',
    childrenMessage: 'has namespaces, nodes, workloads or pods',
  })
}

/** batch_delete_kube_node (container API reference 4.4): 100 ids; unknown ones are ignored. */
export function deleteNodes(deps: InventoryDeps, caller: Caller, body: DeleteByIdsBody): Promise<null> {
  return remove(deps, caller, node, readIds(body, 100), {
    mayDelete: ownRows('node'),
    childrenText: 'no pods can exist under the node',
    childrenMessage: 'has pods',
  })
}

/** batch_delete_kube_namespace (container API reference 4.5): 200 ids; unknown ones are ignored. */
export function deleteNamespaces(deps: InventoryDeps, caller: Caller, body: DeleteByIdsBody): Promise<null> {
  return remove(deps, caller, namespace, readIds(body, 200), {
    mayDelete: sharedRows,
    childrenText: 'id',
    childrenMessage: 'has workloads or pods',
  })
}

/** batch_delete_kube_workload (container API reference 4.6): 200 ids of one kind; unknown ones are ignored. */
export function deleteWorkloads(
  deps: InventoryDeps,
  caller: Caller,
  kind: WorkloadKind,
  body: DeleteByIdsBody,
): Promise<null> {
  const rules = { mayDelete: sharedRows, childrenText: 'id', childrenMessage: 'has pods' }
  return remove(deps, caller, workload, readIds(body, 200, cmdbErrors.invalid), rules, [kind])
}
