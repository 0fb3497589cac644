import { type CreateNamespacesBody, NewNamespace } from '@podyard/contract'
import { cmdbErrors, type ErrorDetail } from '../errors.ts'
import type { Caller } from '../http/caller.ts'
import { type Statement, UniqueViolation } from '../store/database.ts'
import { inTransaction } from '../store/transaction.ts'
import { duplicateError, keyText } from './duplicates.ts'
import { insertNamespaces, insertSharedNamespaces } from './insert-statements.ts'
import { creationStamps, type InventoryDeps, type Origin, readableTenants } from './inventory-deps.ts'
import { memberForms } from './stored-form.ts'

/** Namespaces of one call at most. */
const maxNamespaces = 200

/**
 * The clusters that a batch names, locked against deletion and a change of type, and its ids.
 * $1 cluster ids, $2 tenants (null: all), $3 number of namespaces
 */
const readNamespaceParents: Statement = {
  name: 'inventory-read-namespace-parents',
  text: `with c as (
      select id, uid, bk_biz_id, type from cluster
      where id = any($1::bigint[]) and ($2::text[] is null or bk_supplier_account = any($2)) order by id for share)
    select draw_ids('namespace_id_seq', $3::int) as first_id, (select coalesce(json_agg(c), '[]') from c) as clusters`,
}

type ClusterParent = {
  readonly id: number
  readonly uid: string
  readonly bk_biz_id: number
  readonly type: string
}

const forms = memberForms(NewNamespace)

/**
 * batch_create_kube_namespace (container API reference 1.6, 4.2, 4.5): in clusters of the business, or in shared clusters
 * of others; there a relation is stored beside the namespace.
 */
export async function createNamespaces(
  deps: InventoryDeps,
  caller: Caller,
  body: CreateNamespacesBody,
  origin: Origin = 'client',
): Promise<{ readonly ids: number[] }> {
  const { bizId, namespaces } = readNamespaces(body)
  try {
    const first = await inTransaction(deps.db, async (tx) => {
      const [parents] = await tx.run<{ first_id: number; clusters: readonly ClusterParent[] }>(readNamespaceParents, [
        [...new Set(namespaces.map((n) => n.bk_cluster_id))],
        readableTenants(caller),
        namespaces.length,
      ])
      if (parents === undefined) throw new Error('the statement that reads the parents of namespaces gave no row')
      const clusters = new Map(parents.clusters.map((c) => [c.id, c]))
      const found = namespaces.map((n) => clusters.get(n.bk_cluster_id))
      const missing = problemsAt(found, (c) => c === undefined, 'no such cluster')
      if (missing.length > 0) throw cmdbErrors.notFound(missing)
      const closed = problemsAt(
        found,
        (c) => c?.bk_biz_id !== bizId && c?.type !== 'SHARE_CLUSTER',
        `the cluster belongs to another business than ${bizId} and is not shared`,
      )
      if (closed.length > 0) throw cmdbErrors.mismatch('type', closed)
      const stamps = creationStamps(deps, caller)
      const views = namespaces.map((namespace, index) => ({
        ...forms(namespace),
        id: parents.first_id + index,
        bk_biz_id: bizId,
        bk_supplier_account: caller.tenant,
        cluster_uid: found[index]?.uid || undefined,
        ...stamps,
      }))
      const shared = namespaces.flatMap(({ bk_cluster_id }, index) => {
        const owner = found[index]?.bk_biz_id
        if (owner === bizId) return []
        return {
          bk_namespace_id: parents.first_id + index,
          bk_cluster_id,
          bk_biz_id: bizId,
          bk_asst_biz_id: owner,
          bk_supplier_account: caller.tenant,
        }
      })
      if (shared.length > 0) await tx.run(insertSharedNamespaces, [JSON.stringify(shared)])
      await tx.run(insertNamespaces, [JSON.stringify(views), origin])
      return parents.first_id
    })
    return { ids: namespaces.map((_, index) => first + index) }
  } catch (error) {
    if (!(error instanceof UniqueViolation)) throw error
    throw await duplicateError(
      deps.db,
      namespaces.map(({ bk_cluster_id, name }, i) => ({
        path: `data[${i}].name`,
        key: keyText({ bk_cluster_id, name }),
        stored: { cluster: bk_cluster_id, name },
      })),
      `select i.ord from json_to_recordset($1) as i(ord int, cluster bigint, name text) where exists (
         select 1 from namespace n where n.bk_cluster_id = i.cluster and md5(n.name)::uuid = md5(i.name)::uuid)`,
      error,
    )
  }
}

function problemsAt(
  clusters: readonly (ClusterParent | undefined)[],
  wrong: (cluster: ClusterParent | undefined) => boolean,
  message: string,
): ErrorDetail[] {
  return clusters.flatMap((cluster, i) => (wrong(cluster) ? [{ path: `data[${i}].bk_cluster_id`, message }] : []))
}

type CheckedNamespace = NewNamespace & { readonly name: string; readonly bk_cluster_id: number }

function readNamespaces(body: CreateNamespacesBody): {
  readonly bizId: number
  readonly namespaces: readonly CheckedNamespace[]
} {
  const bizId = body?.bk_biz_id ?? 0
  if (bizId === 0) throw cmdbErrors.unset('bk_biz_id')
  const data = body?.data ?? []
  if (data.length === 0) throw cmdbErrors.unset('data')
  if (data.length > maxNamespaces) throw cmdbErrors.tooMany('data', maxNamespaces)
  const namespaces = data.map((element, i): CheckedNamespace => {
    const namespace = element ?? {}
    const at = (member: string) => [{ path: `data[${i}].${member}`, message: 'is required' }]
    if (!namespace.bk_cluster_id) throw cmdbErrors.unset('bk_cluster_id', at('bk_cluster_id'))
    if (!namespace.name) throw cmdbErrors.unset('name', at('name'))
    return { ...namespace, name: namespace.name, bk_cluster_id: namespace.bk_cluster_id }
  })
  return { bizId, namespaces }
}
