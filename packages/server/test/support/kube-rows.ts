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
