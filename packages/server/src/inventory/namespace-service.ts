import { type CreatedIds, type CreateNamespacesBody, NewNamespace } from '@podyard/contract'
import { cmdbErrors, type ErrorDetail } from '../errors.ts'
import type { Caller } from '../http/caller.ts'
import { createBatch } from './batch-create.ts'
import { batchLevel } from './batch-level.ts'
import { batchOptions } from './batch-options.ts'
import { keyText } from './duplicates.ts'
import type { InventoryDeps, Origin } from './inventory-deps.ts'
import { type Problem, refuseProblems, unset } from './item-problems.ts'
import type { ParentRow, ParentRows } from './parent-statements.ts'
import { memberForms } from './stored-form.ts'
import type { Row } from './views.ts'

/** Namespaces of one call at most. */
const maxNamespaces = 200

const level = batchLevel({
  object: 'namespace',
  // Against deletion and a change of type.
  parents: [{ as: 'clusters', table: 'cluster', columns: 't.uid, t.bk_biz_id, t.type', lock: 'share' }],
  keyColumns: 'cluster bigint, name text',
  match: 't.bk_cluster_id = i.cluster and md5(t.name)::uuid = md5(i.name)::uuid',
})

type ClusterParent = ParentRow & { readonly uid: string; readonly bk_biz_id: number; readonly type: string }

const forms = memberForms(NewNamespace)

/**
 * batch_create_kube_namespace (container API reference 1.6, 4.2, 4.5): in clusters of the business, or in shared clusters
 * of others; there a relation is stored beside the namespace.
 */
export function createNamespaces(
  deps: InventoryDeps,
  caller: Caller,
  body: CreateNamespacesBody,
  origin: Origin = 'client',
): Promise<CreatedIds> {
  const { bizId, namespaces } = readNamespaces(body)
  const options = batchOptions(body)
  const clustersOf = (parents: ParentRows) => {
    const clusters = new Map((parents.clusters as readonly ClusterParent[]).map((c) => [c.id, c]))
    return namespaces.map((n) => clusters.get(n.bk_cluster_id))
  }
  const batch = {
    level,
    bizId,
    size: namespaces.length,
    kind: '',
    sequence: 'namespace_id_seq',
    parentIds: [[...new Set(namespaces.map((n) => n.bk_cluster_id))]],
    candidates: () =>
      namespaces.map(({ bk_cluster_id, name }, i) => ({
        path: `data[${i}].name`,
        key: keyText({ bk_cluster_id, name }),
        stored: { cluster: bk_cluster_id, name },
      })),
    place: (parents: ParentRows) => placeNamespaces(bizId, namespaces, clustersOf(parents)),
    mayTouch: (existing: readonly (Row | undefined)[], parents: ParentRows) => {
      const clusters = clustersOf(parents)
      const foreign = existing.flatMap((row, i) => {
        if (row === undefined || row.bk_biz_id === bizId || clusters[i]?.bk_biz_id === bizId) return []
        return [{ path: `data[${i}].name`, message: `exists already and does not belong to business ${bizId}` }]
      })
      if (foreign.length > 0) throw cmdbErrors.mismatch('bk_biz_id', foreign)
    },
  }
  return createBatch({ deps, caller, origin }, batch, options)
}

function placeNamespaces(
  bizId: number,
  namespaces: readonly CheckedNamespace[],
  clusters: readonly (ClusterParent | undefined)[],
) {
  const missing = problemsAt(clusters, (c) => c === undefined, 'no such cluster')
  if (missing.length > 0) throw cmdbErrors.notFound(missing)
  const closed = problemsAt(
    clusters,
    (c) => c?.bk_biz_id !== bizId && c?.type !== 'SHARE_CLUSTER',
    `the cluster belongs to another business than ${bizId} and is not shared`,
  )
  if (closed.length > 0) throw cmdbErrors.mismatch('type', closed)
  const derived = new Map(
    clusters.map((cluster) => [cluster, { bk_biz_id: bizId, cluster_uid: cluster?.uid || undefined }]),
  )
  return namespaces.map((namespace, i) => ({ own: forms(namespace), derived: derived.get(clusters[i]) ?? {} }))
}

function problemsAt(
  clusters: readonly (ClusterParent | undefined)[],
  wrong: (cluster: ClusterParent | undefined) => boolean,
  message: string,
): ErrorDetail[] {
  return clusters.flatMap((cluster, i) => (wrong(cluster) ? [{ path: `data[${i}].bk_cluster_id`, message }] : []))
}

type CheckedNamespace = NewNamespace & { readonly name: string; readonly bk_cluster_id: number }

function readNamespaces(body: CreateNamespacesBody) {
  const bizId = body?.bk_biz_id ?? 0
  if (bizId === 0) throw cmdbErrors.unset('bk_biz_id')
  const data = (body?.data ?? []).map((namespace) => namespace ?? {})
  if (data.length === 0) throw cmdbErrors.unset('data')
  if (data.length > maxNamespaces) throw cmdbErrors.tooMany('data', maxNamespaces)
  refuseProblems(data, problemOf)
  return { bizId, namespaces: data as readonly CheckedNamespace[] }
}

function problemOf(namespace: NewNamespace, path: string): Problem | undefined {
  if (!namespace.bk_cluster_id) return unset(`${path}.bk_cluster_id`, 'bk_cluster_id')
  if (!namespace.name) return unset(`${path}.name`, 'name')
  return undefined
}
