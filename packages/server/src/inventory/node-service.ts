import { type CreatedIds, type CreateNodesBody, NewNode } from '@podyard/contract'
import { cmdbErrors } from '../errors.ts'
import type { Caller } from '../http/caller.ts'
import { createBatch } from './batch-create.ts'
import { batchLevel } from './batch-level.ts'
import { batchOptions } from './batch-options.ts'
import { keyText } from './duplicates.ts'
import type { InventoryDeps, Origin } from './inventory-deps.ts'
import { detailsAt, invalid, type Problem, refuseProblems, unset } from './item-problems.ts'
import type { ParentRow, ParentRows } from './parent-statements.ts'
import { memberForms } from './stored-form.ts'

/** Nodes of one call at most. */
const maxNodes = 100

const level = batchLevel({
  object: 'node',
  parents: [
    { as: 'clusters', table: 'cluster', columns: 't.uid, t.bk_biz_id', lock: 'key share' },
    // Against a move to another business, too.
    { as: 'hosts', table: 'host', columns: 't.bk_biz_id', lock: 'share', onlyBusiness: true },
  ],
  keyColumns: 'cluster bigint, name text',
  match: 't.bk_cluster_id = i.cluster and md5(t.name)::uuid = md5(i.name)::uuid',
})

type Parents = ParentRows & {
  readonly clusters: readonly (ParentRow & { readonly uid: string; readonly bk_biz_id: number })[]
  readonly hosts?: readonly (ParentRow & { readonly bk_biz_id: number })[]
}

const forms = memberForms(NewNode)

/**
 * batch_create_kube_node (container API reference 1.5, 4.4): a node ties one cluster to one host, both of the business
 * that the call names (a shared cluster's platform business).
 */
export function createNodes(
  deps: InventoryDeps,
  caller: Caller,
  body: CreateNodesBody,
  origin: Origin = 'client',
): Promise<CreatedIds> {
  const { bizId, nodes } = readNodes(body)
  const options = batchOptions(body)
  const batch = {
    level,
    bizId,
    size: nodes.length,
    kind: '',
    sequence: 'node_id_seq',
    parentIds: [
      [...new Set(nodes.map((node) => node.bk_cluster_id))],
      [...new Set(nodes.map((node) => node.bk_host_id ?? 0))],
    ],
    candidates: () =>
      nodes.map(({ bk_cluster_id, name }, i) => ({
        path: `data[${i}].name`,
        key: keyText({ bk_cluster_id, name }),
        stored: { cluster: bk_cluster_id, name },
      })),
    place: (parents: ParentRows) => placeNodes(bizId, nodes, parents as Parents),
  }
  return createBatch({ deps, caller, origin }, batch, options)
}

function placeNodes(bizId: number, nodes: readonly CheckedNode[], parents: Parents) {
  const clusters = new Map(parents.clusters.map((c) => [c.id, c]))
  refuse(
    'bk_cluster_id',
    nodes.map((node) => clusters.get(node.bk_cluster_id)?.bk_biz_id === bizId),
    `no cluster of business ${bizId}`,
  )
  if (parents.hosts !== undefined) {
    const hosts = new Map(parents.hosts.map((h) => [h.id, h.bk_biz_id]))
    // A host that nobody knows is in no business.
    const holds = nodes.map((node) => (hosts.get(node.bk_host_id ?? 0) ?? 0) === bizId)
    refuse('bk_host_id', holds, `no host of business ${bizId}`)
  }
  const derived = new Map(
    parents.clusters.map(({ id, uid }) => [id, { bk_biz_id: bizId, cluster_uid: uid || undefined, has_pod: false }]),
  )
  return nodes.map((node) => ({ own: forms(node), derived: derived.get(node.bk_cluster_id) ?? {} }))
}

function refuse(what: string, holds: readonly boolean[], message: string): void {
  const details = detailsAt(holds, (i) => `data[${i}].${what}`, message)
  if (details.length > 0) throw cmdbErrors.mismatch(what, details)
}

type CheckedNode = NewNode & { readonly name: string; readonly bk_cluster_id: number }

function readNodes(body: CreateNodesBody): { readonly bizId: number; readonly nodes: readonly CheckedNode[] } {
  const bizId = body?.bk_biz_id ?? 0
  if (bizId === 0) throw cmdbErrors.unset('bk_biz_id')
  const data = (body?.data ?? []).map((node) => node ?? {})
  if (data.length === 0) throw cmdbErrors.unset('data')
  if (data.length > maxNodes) throw cmdbErrors.tooMany('data', maxNodes)
  refuseProblems(data, problemOf)
  return { bizId, nodes: data as readonly CheckedNode[] }
}

/** What is wrong with one node first, in the original's order. */
function problemOf(node: NewNode, path: string): Problem | undefined {
  if (!node.bk_cluster_id) return unset(`${path}.bk_cluster_id`, 'bk_cluster_id')
  if (node.name === undefined || node.name === null) return invalid(`${path}.name`, 'name')
  const [internal, external] = [node.internal_ip ?? undefined, node.external_ip ?? undefined]
  if (internal === undefined && external === undefined)
    return invalid(`${path}.internal_ip`, 'external_ip and internal_ip cannot be null at the same time')
  if (internal?.length === 0 && external?.length === 0)
    return invalid(`${path}.internal_ip`, 'the length of external_ip and internal_ip cannot be 0 at the same time')
  return undefined
}
