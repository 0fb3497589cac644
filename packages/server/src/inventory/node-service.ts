import { type CreateNodesBody, NewNode } from '@podyard/contract'
import { cmdbErrors, type ErrorDetail } from '../errors.ts'
import type { Caller } from '../http/caller.ts'
import { type Statement, UniqueViolation } from '../store/database.ts'
import { inTransaction } from '../store/transaction.ts'
import { duplicateError, keyText } from './duplicates.ts'
import { insertNodes } from './insert-statements.ts'
import { creationStamps, type InventoryDeps, type Origin, readableTenants } from './inventory-deps.ts'
import { memberForms } from './stored-form.ts'

/** Nodes of one call at most. */
const maxNodes = 100

/**
 * The clusters and hosts that a batch names, and its ids. Hosts are locked against a move to another business, clusters
 * against their deletion. $1 cluster ids, $2 host ids, $3 tenants (null: all), $4 number of nodes
 */
const readNodeParents: Statement = {
  name: 'inventory-read-node-parents',
  text: `with c as (
      select id, uid, bk_biz_id from cluster
      where id = any($1::bigint[]) and ($3::text[] is null or bk_supplier_account = any($3)) order by id for key share),
    h as (
      select id, bk_biz_id from host
      where id = any($2::bigint[]) and ($3::text[] is null or bk_supplier_account = any($3)) order by id for share)
    select draw_ids('node_id_seq', $4::int) as first_id,
      (select coalesce(json_agg(c), '[]') from c) as clusters, (select coalesce(json_agg(h), '[]') from h) as hosts`,
}

type Parents = {
  readonly first_id: number
  readonly clusters: readonly { readonly id: number; readonly uid: string; readonly bk_biz_id: number }[]
  readonly hosts: readonly { readonly id: number; readonly bk_biz_id: number }[]
}

const forms = memberForms(NewNode)

/**
 * batch_create_kube_node (container API reference 1.5, 4.4): a node ties one cluster to one host, both of the business
 * that the call names (a shared cluster's platform business).
 */
export async function createNodes(
  deps: InventoryDeps,
  caller: Caller,
  body: CreateNodesBody,
  origin: Origin = 'client',
): Promise<{ readonly ids: number[] }> {
  const { bizId, nodes } = readNodes(body)
  try {
    const first = await inTransaction(deps.db, async (tx) => {
      const [parents] = await tx.run<Parents>(readNodeParents, [
        [...new Set(nodes.map((node) => node.bk_cluster_id))],
        [...new Set(nodes.map((node) => node.bk_host_id))],
        readableTenants(caller),
        nodes.length,
      ])
      if (parents === undefined) throw new Error('the statement that reads the parents of nodes gave no row')
      const clusters = new Map(parents.clusters.map((c) => [c.id, c]))
      const hosts = new Map(parents.hosts.map((h) => [h.id, h.bk_biz_id]))
      refuse(
        'bk_cluster_id',
        nodes.map((node) => clusters.get(node.bk_cluster_id)?.bk_biz_id === bizId),
        `no cluster of business ${bizId}`,
      )
      // A host that nobody knows is in no business.
      refuse(
        'bk_host_id',
        nodes.map((node) => (hosts.get(node.bk_host_id) ?? 0) === bizId),
        `no host of business ${bizId}`,
      )
      const stamps = creationStamps(deps, caller)
      const views = nodes.map((node, index) => ({
        ...forms(node),
        id: parents.first_id + index,
        bk_biz_id: bizId,
        bk_supplier_account: caller.tenant,
        bk_host_id: node.bk_host_id || undefined,
        cluster_uid: clusters.get(node.bk_cluster_id)?.uid || undefined,
        has_pod: false,
        ...stamps,
      }))
      await tx.run(insertNodes, [JSON.stringify(views), origin])
      return parents.first_id
    })
    return { ids: nodes.map((_, index) => first + index) }
  } catch (error) {
    if (!(error instanceof UniqueViolation)) throw error
    throw await duplicateError(
      deps.db,
      nodes.map(({ bk_cluster_id, name }, i) => ({
        path: `data[${i}].name`,
        key: keyText({ bk_cluster_id, name }),
        stored: { cluster: bk_cluster_id, name },
      })),
      `select i.ord from json_to_recordset($1) as i(ord int, cluster bigint, name text)
       where exists (select 1 from node where node.bk_cluster_id = i.cluster and md5(node.name)::uuid = md5(i.name)::uuid)`,
      error,
    )
  }
}

function refuse(what: string, holds: readonly boolean[], message: string): void {
  const details: ErrorDetail[] = holds.flatMap((ok, i) => (ok ? [] : [{ path: `data[${i}].${what}`, message }]))
  if (details.length > 0) throw cmdbErrors.mismatch(what, details)
}

type CheckedNode = NewNode & { readonly name: string; readonly bk_cluster_id: number; readonly bk_host_id: number }

function readNodes(body: CreateNodesBody): { readonly bizId: number; readonly nodes: readonly CheckedNode[] } {
  const bizId = body?.bk_biz_id ?? 0
  if (bizId === 0) throw cmdbErrors.unset('bk_biz_id')
  const data = body?.data ?? []
  if (data.length === 0) throw cmdbErrors.unset('data')
  if (data.length > maxNodes) throw cmdbErrors.tooMany('data', maxNodes)
  const nodes = data.map((element, i): CheckedNode => {
    const node = element ?? {}
    const at = (member: string, message = 'is required'): ErrorDetail[] => [{ path: `data[${i}].${member}`, message }]
    if (!node.bk_cluster_id) throw cmdbErrors.unset('bk_cluster_id', at('bk_cluster_id'))
    if (node.name === undefined || node.name === null) throw cmdbErrors.invalid('name', at('name'))
    const { internal_ip: internal, external_ip: external } = node
    const none = (ips: readonly unknown[] | null | undefined) => ips === undefined || ips === null
    if (none(internal) && none(external)) {
      const text = 'external_ip and internal_ip cannot be null at the same time'
      throw cmdbErrors.invalid(text, at('internal_ip', text))
    }
    if (internal?.length === 0 && external?.length === 0) {
      const text = 'the length of external_ip and internal_ip cannot be 0 at the same time'
      throw cmdbErrors.invalid(text, at('internal_ip', text))
    }
    return { ...node, name: node.name, bk_cluster_id: node.bk_cluster_id, bk_host_id: node.bk_host_id ?? 0 }
  })
  return { bizId, nodes }
}
