import type { InventoryServer } from './inventory-server.ts'

type Ids = { readonly ids: readonly number[] }

/**
 * A business with something of everything: hosts of two areas, nodes, the nine kinds (two custom resources of one name),
 * pods with every member, one of them on another host than its node. Ids begin wherever the database is.
 */
export async function makeBusiness({ api }: InventoryServer, name: string, prefix = ''): Promise<number> {
  const biz = (await api.ok<{ bk_biz_id: number }>('/biz/0', {
    bk_biz_name: name,
    bk_biz_maintainer: 'ann,bob',
    operator: 'eve',
    life_cycle: '1',
    language: '2',
    time_zone: 'Africa/Accra',
  })) as { bk_biz_id: number }
  const bk_biz_id = biz.bk_biz_id
  await api.ok('/hosts/add', {
    bk_biz_id,
    host_info: {
      '0': { bk_host_innerip: '10.1.0.1,10.1.0.9', bk_cloud_id: 0, bk_host_name: 'h1', bk_cpu: 8, operator: 'ann,bob' },
      '1': { bk_host_innerip: '10.1.0.1', bk_cloud_id: 3, bk_os_type: '1', bk_comment: 'second area' },
      '2': { bk_host_innerip_v6: '2001:db8::2', bk_cloud_id: 0, bk_agent_id: `${prefix}agent` },
      '3': { bk_host_innerip: '10.1.0.4', bk_addressing: 'dynamic' },
    },
  })
  const hosts = await api.ok<{ info: { bk_host_id: number }[] }>(`/hosts/app/${bk_biz_id}/list_hosts`, {
    page: { limit: 10 },
  })
  const host = (i: number) => hosts.info[i]?.bk_host_id as number
  const { id: bk_cluster_id } = await api.ok<{ id: number }>('/create/kube/cluster', {
    bk_biz_id,
    name: 'prod',
    uid: `${prefix}prod-uid`,
    type: 'SHARE_CLUSTER',
    scheduling_engine: 'k8s',
    version: '1.34',
    network: ['10.1.0.0/16', '10.2.0.0/16'],
  })
  await api.ok('/create/kube/cluster', {
    bk_biz_id,
    name: 'prod',
    uid: `${prefix}test-uid`,
    type: 'INDEPENDENT_CLUSTER',
    vpc: '',
  })
  const namespaces = await api.ok<Ids>('/createmany/kube/namespace', {
    bk_biz_id,
    data: [
      {
        bk_cluster_id,
        name: 'shop',
        labels: { 'app.kubernetes.io/part-of': 'shop', team: '' },
        resource_quotas: [{ hard: { pods: '10' }, scopes: ['Terminating'] }],
      },
      { bk_cluster_id, name: 'empty' },
    ],
  })
  const nodes = await api.ok<Ids>('/createmany/kube/node', {
    bk_biz_id,
    data: [
      {
        bk_cluster_id,
        bk_host_id: host(0),
        name: 'node-1',
        roles: 'master',
        labels: { zone: 'a' },
        taints: { dedicated: 'x' },
        unschedulable: false,
        internal_ip: ['10.1.0.1'],
        external_ip: [],
        pod_cidr: '10.5.0.0/24',
      },
      { bk_cluster_id, bk_host_id: host(2), name: 'node-2', internal_ip: ['2001:db8::2'] },
      { bk_cluster_id, bk_host_id: host(1), name: 'node-3', hostname: 'third', internal_ip: ['10.1.0.1'] },
    ],
  })
  const bk_namespace_id = namespaces.ids[0] as number
  const workload = async (kind: string, ...data: object[]) =>
    (
      await api.ok<Ids>(`/createmany/kube/workload/${kind}`, {
        bk_biz_id,
        data: data.map((row) => ({ bk_namespace_id, ...row })),
      })
    ).ids
  const strategy = { max_unavailable: { type: 1, int_val: 0, str_val: '25%' } }
  const [web] = await workload(
    'deployment',
    {
      name: 'web',
      labels: { app: 'web' },
      selector: { match_labels: { app: 'web' }, match_expressions: [{ key: 'a', operator: 'In', values: ['b'] }] },
      replicas: 0,
      min_ready_seconds: 5,
      strategy_type: 'RollingUpdate',
      rolling_update_strategy: strategy,
    },
    { name: 'api' },
  )
  for (const kind of ['statefulSet', 'daemonSet', 'gameStatefulSet', 'gameDeployment', 'cronJob', 'job', 'pods'])
    await workload(kind, { name: kind.toLowerCase(), replicas: 2 })
  const [, second] = await workload(
    'customResource',
    { name: 'training', cr_kind: 'TFJob', cr_api_version: 'kubeflow.org/v1' },
    { name: 'training', cr_kind: 'MPIJob', cr_api_version: 'kubeflow.org/v1' },
  )
  const spec = (node: number, kind: string, id: number | undefined) => ({
    bk_cluster_id,
    bk_namespace_id,
    bk_node_id: nodes.ids[node],
    ref: { kind, id },
  })
  const container = (uid: string, more: object = {}) => ({ name: 'main', container_uid: uid, image: 'nginx', ...more })
  await api.ok('/createmany/kube/pod', {
    data: [
      {
        bk_biz_id,
        pods: [
          {
            spec: spec(0, 'deployment', web),
            bk_host_id: host(0),
            name: 'web-1',
            operator: ['ann'],
            priority: 0,
            labels: { 'app.kubernetes.io/name': 'web' },
            ip: '10.5.0.7',
            ips: [{ ip: '10.5.0.7' }, { ip: 'fd00::7' }],
            volumes: [{ name: 'data', hostPath: { path: '/data' } }],
            qos_class: 'Burstable',
            node_selectors: { zone: 'a' },
            tolerations: [{ key: 'dedicated', operator: 'Equal', value: 'x', effect: 'NoSchedule' }],
            containers: [
              container('web-1-main', {
                ports: [{ name: 'http', containerPort: 80, protocol: 'TCP' }],
                args: ['-g', 'daemon off;'],
                started: 1767225600,
                limits: { cpu: '100m', memory: '1Gi' },
                requests: { cpu: '50m' },
                liveness: { httpGet: { path: '/', port: { type: 0, int_val: 80, str_val: '' } }, periodSeconds: 5 },
                environment: [{ name: 'A', value: 'b' }],
                mounts: [{ name: 'data', mountPath: '/data', readOnly: true }],
              }),
              container('web-1-side', { name: 'side', image: '' }),
            ],
          },
          // On another host than its node.
          {
            spec: spec(1, 'deployment', web),
            bk_host_id: host(1),
            name: 'web-2',
            operator: ['ann', 'bob'],
            containers: [container('web-2-main')],
          },
          { spec: spec(2, 'customResource', second), bk_host_id: host(1), name: 'worker', operator: ['ann'] },
        ],
      },
    ],
  })
  return bk_biz_id
}

/** More pods of `web`, in full batches. */
export async function addPods(server: InventoryServer, bizId: number, count: number): Promise<void> {
  const { api, db } = server
  const [place] = await db.query<{ id: number; cluster: number; namespace: number; node: number; host: number }>(
    `select w.id, w.bk_cluster_id as cluster, w.bk_namespace_id as namespace, n.id as node, n.bk_host_id as host
     from workload w join node n on n.bk_cluster_id = w.bk_cluster_id and n.name = 'node-1'
     where w.kind = 'deployment' and w.name = 'web' and w.bk_biz_id = $1`,
    [bizId],
  )
  if (place === undefined) throw new Error('no deployment web')
  const spec = {
    bk_cluster_id: place.cluster,
    bk_namespace_id: place.namespace,
    bk_node_id: place.node,
    ref: { kind: 'deployment', id: place.id },
  }
  const pod = (i: number) => ({
    spec,
    bk_host_id: place.host,
    name: `more-${i}`,
    operator: ['ann'],
    containers: [{ name: 'main', container_uid: `more-${i}`, image: 'nginx' }],
  })
  for (let made = 0; made < count; made += 200) {
    const pods = Array.from({ length: Math.min(200, count - made) }, (_, i) => pod(made + i))
    await api.ok('/createmany/kube/pod', { data: [{ bk_biz_id: bizId, pods }] })
  }
}
