import type { Database } from '../../src/store/database.ts'
import type { InventoryClient } from './inventory-client.ts'
import { addHost } from './kube-rows.ts'

/**
 * Business 1 owns cluster 1 and the shared cluster 2 with a node each; business 2 uses a namespace of the shared one, and
 * business 3 has a cluster of its own. Deployments 1-3 lie in namespaces 1-3, pods 1-3 on deployment 1, pod 4 (of business
 * 2) on deployment 3; each pod has two containers.
 */
export async function addSharedWorld(db: Database, api: InventoryClient): Promise<void> {
  await addHost(db, 1, 1)
  const cluster = { bk_biz_id: 1, name: 'c', version: '', network: ['1.1.1.0/21', '2.2.2.0/21'] }
  await api.ok('/create/kube/cluster', { ...cluster, uid: 'own', type: 'INDEPENDENT_CLUSTER', region: 'north' })
  await api.ok('/create/kube/cluster', { ...cluster, uid: 'shared', type: 'SHARE_CLUSTER' })
  await api.ok('/create/kube/cluster', { bk_biz_id: 3, name: 'other', uid: 'other', type: 'SHARE_CLUSTER' })
  const node = { bk_host_id: 1, internal_ip: ['10.0.0.1'], unschedulable: false }
  await api.ok('/createmany/kube/node', {
    bk_biz_id: 1,
    data: [
      { ...node, bk_cluster_id: 1, name: 'node1', labels: { 'kubernetes.io/os': 'linux' } },
      { ...node, bk_cluster_id: 2, name: 'node2', internal_ip: [], external_ip: ['8.8.8.8'] },
    ],
  })
  await api.ok('/createmany/kube/namespace', {
    bk_biz_id: 1,
    data: [
      { bk_cluster_id: 1, name: 'default', labels: { 'app.kubernetes.io/name': 'web', env: 'test' } },
      { bk_cluster_id: 2, name: 'system' },
    ],
  })
  await api.ok('/createmany/kube/namespace', { bk_biz_id: 2, data: [{ bk_cluster_id: 2, name: 'tenant' }] })
  for (const [bk_biz_id, bk_namespace_id] of [
    [1, 1],
    [1, 2],
    [2, 3],
  ])
    await api.ok('/createmany/kube/workload/deployment', {
      bk_biz_id,
      data: [{ bk_namespace_id, name: `web${bk_namespace_id}`, replicas: 0, labels: { app: 'web' } }],
    })
  await api.ok('/createmany/kube/workload/customResource', {
    bk_biz_id: 1,
    data: [{ bk_namespace_id: 1, name: 'cr', cr_kind: 'Squad', cr_api_version: 'v1' }],
  })
  const pod = (n: number, changes: object = {}) => ({
    spec: { bk_cluster_id: 1, bk_namespace_id: 1, bk_node_id: 1, ref: { kind: 'deployment', id: 1 } },
    bk_host_id: 1,
    name: `pod-${n}`,
    operator: ['ann'],
    ip: `10.1.0.${n}`,
    ips: [{ ip: `10.1.0.${n}` }, { ip: `fd00::${n}` }],
    containers: [
      { name: 'main', container_uid: `${n}-a`, image: 'nginx', started: 0 },
      { name: 'side', container_uid: `${n}-b`, image: '' },
    ],
    ...changes,
  })
  const shared = { spec: { bk_cluster_id: 2, bk_namespace_id: 3, bk_node_id: 2, ref: { kind: 'deployment', id: 3 } } }
  await api.ok('/createmany/kube/pod', {
    data: [
      {
        bk_biz_id: 1,
        pods: [
          pod(1, { labels: { 'app.kubernetes.io/name': 'web', env: 'test' }, priority: 0, qos_class: 'Burstable' }),
          pod(2, { labels: { env: 'TEST' }, priority: 5, volumes: [{ name: 'data', hostPath: { path: '/' } }] }),
          pod(3, {
            tolerations: [
              { key: 'a', operator: 'Exists' },
              { key: 'b', value: 'x' },
            ],
          }),
        ],
      },
      { bk_biz_id: 2, pods: [pod(4, shared)] },
    ],
  })
}
