import type { Queryable, Statement } from '../store/database.ts'
import type { WorkloadKey } from './cluster-facts.ts'

export type StoredParent = { readonly id: number; readonly synced: boolean }
export type StoredNode = StoredParent & { readonly hostId: number }
export type StoredWorkload = StoredParent & WorkloadKey

/** What the inventory holds of the cluster: parents by name whatever their origin, pods of sync's own by uid. */
export type SyncedCluster = {
  readonly namespaces: ReadonlyMap<string, StoredParent>
  readonly nodes: ReadonlyMap<string, StoredNode>
  readonly workloads: ReadonlyMap<string, StoredWorkload>
  readonly pods: Map<string, number>
}

/** One text for a workload's key, for maps. */
export function workloadKeyText(key: WorkloadKey): string {
  return JSON.stringify([key.kind, key.namespace, key.name, key.cr_kind ?? '', key.cr_api_version ?? ''])
}

const loadNamespaces: Statement = {
  name: 'sync-load-namespaces',
  text: `select id, name, origin = 'sync' as synced from namespace where bk_cluster_id = $1`,
}
const loadNodes: Statement = {
  name: 'sync-load-nodes',
  text: `select id, name, bk_host_id, origin = 'sync' as synced from node where bk_cluster_id = $1`,
}
const loadWorkloads: Statement = {
  name: 'sync-load-workloads',
  text: `select id, kind, namespace, name, cr_kind, cr_api_version, origin = 'sync' as synced from workload where bk_cluster_id = $1`,
}
const loadPods: Statement = {
  name: 'sync-load-pods',
  text: `select id, uid from pod where bk_cluster_id = $1 and origin = 'sync' and uid is not null`,
}

export type WorkloadRow = {
  readonly id: number
  readonly kind: string
  readonly namespace: string
  readonly name: string
  readonly cr_kind: string | null
  readonly cr_api_version: string | null
}

/** Reads what is stored of the cluster. */
export async function loadSyncedCluster(db: Queryable, clusterId: number): Promise<SyncedCluster> {
  const at = [clusterId]
  const namespaces = await db.run<StoredParent & { name: string }>(loadNamespaces, at)
  const nodes = await db.run<StoredParent & { name: string; bk_host_id: number }>(loadNodes, at)
  const workloads = await db.run<StoredParent & WorkloadRow>(loadWorkloads, at)
  const pods = await db.run<{ id: number; uid: string }>(loadPods, at)
  return {
    namespaces: new Map(namespaces.map(({ name, id, synced }) => [name, { id, synced }])),
    nodes: new Map(nodes.map((node) => [node.name, { id: node.id, synced: node.synced, hostId: node.bk_host_id }])),
    workloads: new Map(
      workloads.map((row) => [workloadKeyText(keyOf(row)), { id: row.id, synced: row.synced, ...keyOf(row) }]),
    ),
    pods: new Map(pods.map(({ uid, id }) => [uid, id])),
  }
}

export function keyOf(row: WorkloadRow): WorkloadKey {
  const { kind, namespace, name, cr_kind, cr_api_version } = row
  return { kind, namespace, name, ...(cr_kind === null || cr_api_version === null ? {} : { cr_kind, cr_api_version }) }
}
