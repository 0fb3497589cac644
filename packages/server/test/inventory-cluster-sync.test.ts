import { beforeEach, describe, expect, test } from 'vitest'
import type { NodeFacts, PodFacts, WorkloadFacts } from '../src/inventory/cluster-facts.ts'
import { loadSyncedCluster } from '../src/inventory/cluster-stored.ts'
import { applyClusterChanges, type ClusterChanges, type SyncTarget } from '../src/inventory/cluster-sync.ts'
import { useDatabase } from './support/database.ts'

const t = useDatabase()

const target: SyncTarget = {
  clusterId: 1,
  clusterUid: 'cluster-uid',
  bizId: 7,
  tenant: '0',
  user: 'podyard',
  hostsOf: async (nodes) => nodes.map((node) => Number(node.name.slice(-1)) + 100),
}
const nothing: ClusterChanges = {
  namespaces: { upsert: [], remove: [] },
  nodes: { upsert: [], remove: [] },
  workloads: { upsert: [], remove: [] },
  pods: { upsert: [], remove: [] },
}
const node = (name: string, more: Partial<NodeFacts> = {}): NodeFacts => ({
  uid: `uid-${name}`,
  name,
  roles: 'node',
  labels: {},
  taints: {},
  unschedulable: false,
  internal_ip: ['10.0.0.1'],
  external_ip: [],
  hostname: name,
  runtime_component: '',
  pod_cidr: '',
  ...more,
})
const deployment = (name: string, replicas = 1): WorkloadFacts => ({
  kind: 'deployment',
  namespace: 'ns',
  name,
  uid: `uid-${name}`,
  labels: { app: name },
  selector: null,
  replicas,
  min_ready_seconds: 0,
  strategy_type: null,
  rolling_update_strategy: null,
})
const pod = (name: string, more: Partial<PodFacts> = {}): PodFacts => ({
  uid: `uid-${name}`,
  namespace: 'ns',
  name,
  node_name: 'n1',
  workload: { kind: 'deployment', namespace: 'ns', name: 'web' },
  priority: 0,
  labels: { 'app.kubernetes.io/name': 'web' },
  ip: '10.1.0.1',
  ips: [{ ip: '10.1.0.1' }],
  volumes: [],
  qos_class: null,
  node_selectors: {},
  tolerations: [],
  containers: [
    {
      name: 'main',
      container_uid: `uid-${name}/main`,
      image: 'img',
      ports: [],
      host_ports: [],
      args: [],
      started: null,
      limits: {},
      requests: { cpu: '100m' },
      liveness: null,
      environment: [],
      mounts: [],
    },
  ],
  ...more,
})

async function apply(changes: Partial<ClusterChanges>) {
  return applyClusterChanges(t.db, undefined, target, await loadSyncedCluster(t.db, target.clusterId), {
    ...nothing,
    ...changes,
  })
}
const base = {
  namespaces: { upsert: [{ uid: 'uid-ns', name: 'ns', labels: {} }], remove: [] },
  nodes: { upsert: [node('n1'), node('n2')], remove: [] },
  workloads: { upsert: [deployment('web')], remove: [] },
  pods: { upsert: [pod('a'), pod('b')], remove: [] },
}
const rows = (sql: string) => t.db.query<Record<string, unknown>>(sql)

beforeEach(async () => {
  await t.db.query('truncate namespace, node, workload, pod, container, event, history')
})

describe('applyClusterChanges', () => {
  test('creates parents and children in one go, with derived fields, has_pod and events in order', async () => {
    const result = await apply(base)
    expect(result.written).toEqual([
      { kind: 'kube_namespace', change: 'create', count: 1 },
      { kind: 'kube_node', change: 'create', count: 2 },
      { kind: 'kube_workload', change: 'create', count: 1 },
      { kind: 'kube_pod', change: 'create', count: 2 },
      { kind: 'kube_node', change: 'update', count: 1 },
    ])
    expect(
      await rows(
        `select name, bk_biz_id, bk_cluster_id, namespace, ref_kind, ref_name, bk_host_id, node_name, ip, origin, operator from pod order by id`,
      ),
    ).toEqual(
      ['a', 'b'].map((name) => ({
        name,
        bk_biz_id: 7,
        bk_cluster_id: 1,
        namespace: 'ns',
        ref_kind: 'deployment',
        ref_name: 'web',
        bk_host_id: 101,
        node_name: 'n1',
        ip: '10.1.0.1',
        origin: 'sync',
        operator: ['podyard'],
      })),
    )
    expect(await rows('select name, has_pod from node order by name')).toEqual([
      { name: 'n1', has_pod: true },
      { name: 'n2', has_pod: false },
    ])
    const events = await rows(
      `select resource, type, detail->>'name' as name, detail->'containers'->0->>'name' as container from event order by seq`,
    )
    expect(events.at(-2)).toEqual({ resource: 'kube_pod', type: 'create', name: 'b', container: 'main' })
  })

  test('the same again writes nothing', async () => {
    await apply(base)
    const before = await rows('select count(*) as n from event')
    expect((await apply(base)).written).toEqual([])
    expect(await rows('select count(*) as n from event')).toEqual(before)
    expect(await rows('select count(*) as n from history where collection = $$pod$$')).toEqual([{ n: 0 }])
  })

  test('a change keeps ids, tells one update, and keeps the old row; a restarted container keeps its row', async () => {
    await apply(base)
    const before = await rows(
      `select p.id, c.id as container from pod p join container c on c.bk_pod_id = p.id where p.name = 'a'`,
    )
    const restarted = pod('a', { ip: '10.1.0.9' })
    const containers = restarted.containers.map((c) => ({ ...c, container_uid: 'containerd://new', started: 5 }))
    const result = await apply({ pods: { upsert: [{ ...restarted, containers }, pod('b')], remove: [] } })
    expect(result.written).toEqual([{ kind: 'kube_pod', change: 'update', count: 1 }])
    expect(
      await rows(`select p.id, c.id as container from pod p join container c on c.bk_pod_id = p.id where p.name = 'a'`),
    ).toEqual(before)
    expect(await rows(`select row->>'ip' as ip from history where collection = 'pod'`)).toEqual([{ ip: '10.1.0.1' }])
  })

  test('containers come and go with the pod’s list', async () => {
    await apply(base)
    const [main] = pod('a').containers
    if (main === undefined) throw new Error('no container')
    await apply({
      pods: { upsert: [pod('a', { containers: [{ ...main, name: 'side', container_uid: 'x' }] })], remove: [] },
    })
    expect(await rows(`select c.name from container c join pod p on p.id = c.bk_pod_id where p.name = 'a'`)).toEqual([
      { name: 'side' },
    ])
  })

  test('a removed pod takes its containers along; a removed parent waits for its children', async () => {
    await apply(base)
    const early = await apply({
      workloads: { upsert: [], remove: [{ kind: 'deployment', namespace: 'ns', name: 'web' }] },
      nodes: { upsert: [], remove: ['n1', 'n2'] },
    })
    expect(early.kept).toEqual({
      namespaces: [],
      nodes: ['n1'],
      workloads: [{ kind: 'deployment', namespace: 'ns', name: 'web' }],
    })
    const late = await apply({
      pods: { upsert: [], remove: ['uid-a', 'uid-b'] },
      workloads: { upsert: [], remove: [{ kind: 'deployment', namespace: 'ns', name: 'web' }] },
      nodes: { upsert: [], remove: ['n1'] },
      namespaces: { upsert: [], remove: ['ns'] },
    })
    expect(late.kept).toEqual({ namespaces: [], nodes: [], workloads: [] })
    for (const table of ['pod', 'container', 'workload', 'node', 'namespace'])
      expect(await rows(`select * from ${table}`)).toEqual([])
    expect(
      await rows(
        `select detail->'containers'->0->>'name' as c from event where resource = 'kube_pod' and type = 'delete'`,
      ),
    ).toEqual([{ c: 'main' }, { c: 'main' }])
  })

  test('a client’s rows are parents at most: never changed, never removed', async () => {
    await t.db.query(
      `insert into namespace (id, bk_biz_id, bk_cluster_id, name, labels) values (nextval('namespace_id_seq'), 7, 1, 'ns', '{"mine": "1"}')`,
    )
    await apply(base)
    await t.db.query(`insert into pod (id, bk_cluster_id, bk_namespace_id, ref_kind, ref_id, name)
      select nextval('pod_id_seq'), 1, bk_namespace_id, ref_kind, ref_id, 'client' from pod where name = 'a'`)
    await apply({
      pods: { upsert: [pod('client')], remove: ['uid-a', 'uid-b'] },
      namespaces: { upsert: [], remove: ['ns'] },
    })
    expect(await rows('select labels, origin from namespace')).toEqual([{ labels: { mine: '1' }, origin: 'client' }])
    expect(await rows('select name, origin from pod')).toEqual([{ name: 'client', origin: 'client' }])
  })

  test('a StatefulSet’s pod that is made anew under its name is another row', async () => {
    await apply(base)
    const [old] = await rows(`select id from pod where name = 'a'`)
    await apply({ pods: { upsert: [pod('a', { uid: 'uid-a2' })], remove: ['uid-a'] } })
    const [fresh] = await rows(`select id from pod where name = 'a'`)
    expect(fresh?.id).not.toBe(old?.id)
  })
})
