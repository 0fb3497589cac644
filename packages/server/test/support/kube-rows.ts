import type { Database } from '../../src/store/database.ts'
import type { InventoryClient } from './inventory-client.ts'

/** Every table that an inventory write may touch. */
const tables = [
  'cluster',
  'node',
  'namespace',
  'namespace_shared',
  'workload',
  'pod',
  'container',
  'event',
  'history',
] as const

/** Empties the inventory and lets every sequence start again at 1. */
export async function emptyInventory(db: Database): Promise<void> {
  await db.query(`truncate ${tables.join(', ')}, business, host_address, host`)
  const sequences = await db.query<{ name: string }>(
    `select sequencename as name from pg_sequences where schemaname = 'public' and sequencename like '%\\_id\\_seq'`,
  )
  for (const { name } of sequences) await db.query(`alter sequence ${name} restart`)
}

/** How many rows each table holds: what a refused request must leave as it was. */
export async function countRows(db: Database): Promise<Readonly<Record<string, number>>> {
  const [row] = await db.query<Record<string, number>>(
    `select ${tables.map((table) => `(select count(*) from ${table}) as ${table}`).join(', ')}`,
  )
  return row ?? {}
}

/** Rows that hang on something that is not there, and nodes whose `has_pod` is not what their pods say. */
export function orphans(db: Database): Promise<readonly { readonly what: string; readonly id: number }[]> {
  return db.query(
    `select 'namespace' as what, id from namespace n where not exists (select 1 from cluster c where c.id = n.bk_cluster_id)
     union all select 'node', id from node n where not exists (select 1 from cluster c where c.id = n.bk_cluster_id)
     union all select 'relation', bk_namespace_id from namespace_shared s where not exists (
       select 1 from namespace n where n.id = s.bk_namespace_id)
     union all select 'workload', id from workload w where not exists (select 1 from namespace n where n.id = w.bk_namespace_id)
     union all select 'pod', id from pod p where not exists (
       select 1 from workload w where w.kind = p.ref_kind and w.id = p.ref_id)
     union all select 'pod without node', id from pod p where not exists (select 1 from node n where n.id = p.bk_node_id)
     union all select 'container', id from container c where not exists (select 1 from pod p where p.id = c.bk_pod_id)
     union all select 'has_pod', id from node n where has_pod <> exists (select 1 from pod p where p.bk_node_id = n.id)`,
  )
}

/** A host of a business, as the host half would store it. */
export async function addHost(db: Database, id: number, bizId: number): Promise<void> {
  await db.query('insert into host (id, bk_biz_id) values ($1, $2)', [id, bizId])
}

/** What the first seed refers to: cluster, namespace, deployment, node and host 1 of business 1, and a node 2. */
export async function addSeedRows(db: Database, api: InventoryClient): Promise<void> {
  await addHost(db, 1, 1)
  await addHost(db, 2, 1)
  await api.ok('/create/kube/cluster', { bk_biz_id: 1, name: 'c1', uid: 'cluster-1', type: 'INDEPENDENT_CLUSTER' })
  await api.ok('/createmany/kube/namespace', { bk_biz_id: 1, data: [{ bk_cluster_id: 1, name: 'default' }] })
  await api.ok('/createmany/kube/node', {
    bk_biz_id: 1,
    data: [
      { bk_cluster_id: 1, bk_host_id: 1, name: 'node1', internal_ip: ['10.0.0.1'] },
      { bk_cluster_id: 1, bk_host_id: 2, name: 'node2', internal_ip: ['10.0.0.2'] },
    ],
  })
  await api.ok('/createmany/kube/workload/deployment', {
    bk_biz_id: 1,
    data: [{ bk_namespace_id: 1, name: 'web' }],
  })
}

/** A pod of deployment 1 on node 1, as a client sends it. */
export function newPod(name: string, changes: object = {}) {
  return {
    spec: { bk_cluster_id: 1, bk_namespace_id: 1, bk_node_id: 1, ref: { kind: 'deployment', id: 1 } },
    bk_host_id: 1,
    name,
    operator: ['ann'],
    containers: [{ name: 'main', container_uid: `${name}-uid`, image: 'nginx' }],
    ...changes,
  }
}
