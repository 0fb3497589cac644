/**
 * What the creates of the container half refuse, by endpoint (container API reference 2.2, 3.3, 4): every code of its
 * section, on the rows of `addSharedWorld`.
 */
import { many, noBusiness, type Refusal, unique, type WriteEndpoint } from './write-cases.ts'

const cluster = (changes: object = {}) => ({
  bk_biz_id: 1,
  name: 'c',
  uid: unique('uid'),
  type: 'SHARE_CLUSTER',
  ...changes,
})
const node = (changes: object = {}) => ({
  bk_cluster_id: 1,
  bk_host_id: 1,
  name: unique('n'),
  internal_ip: [''],
  ...changes,
})
const nodes = (...data: unknown[]) => ({ bk_biz_id: 1, data })
const namespace = (changes: object = {}) => ({ bk_cluster_id: 1, name: unique('ns'), ...changes })
const workload = (changes: object = {}) => ({ bk_namespace_id: 1, name: unique('w'), ...changes })
const spec = { bk_cluster_id: 1, bk_namespace_id: 1, bk_node_id: 1, ref: { kind: 'deployment', id: 1 } }
const pod = (changes: object = {}) => ({ spec, bk_host_id: 1, name: unique('p'), containers: [], ...changes })
const pods = (...list: unknown[]) => ({ data: [{ bk_biz_id: 1, pods: list }] })
const placed = (changes: object) => pods(pod({ spec: { ...spec, ...changes } }))
const onPod = 'data[0].pods[0]'

const noData: Refusal = ['there is no data', { bk_biz_id: 1 }, 1199010, ['data']]
const wrongType: Refusal = ['a member has the wrong type', { bk_biz_id: '1' }, 1199000, [], 'bk_biz_id']
const badWords = (good: () => Record<string, unknown>): readonly Refusal[] => [
  ['on_duplicate is another word', { ...good(), on_duplicate: 'replace' }, 1199006, ['on_duplicate'], 'on_duplicate'],
  ['return is another word', { ...good(), return: 'all' }, 1199006, ['return'], 'return'],
]

export const creates: readonly WriteEndpoint[] = [
  {
    at: 'create/kube/cluster',
    method: 'POST',
    esbName: 'create_kube_cluster',
    good: cluster,
    refusals: [
      ['there is nothing', undefined, 1199010, ['bk_biz_id'], 'bk_biz_id'],
      ['the business is 0', cluster({ bk_biz_id: 0 }), 1199010, ['bk_biz_id'], 'bk_biz_id'],
      ['there is no name', cluster({ name: null, uid: null }), 1199011, ['name'], 'name'],
      ['there is no uid', cluster({ uid: null, type: null }), 1199011, ['uid'], 'uid'],
      ['there is no type', cluster({ type: null }), 1199011, ['type'], 'type'],
      ['the type is another word', cluster({ type: 'SHARED' }), 1199011, ['type'], 'type'],
      ['the uid is taken, by whomever', cluster({ uid: 'own', bk_biz_id: 9 }), 1199014, [' uid: "own" '], 'uid'],
      ['the network is a text', cluster({ network: 'x' }), 1199000, [], 'network'],
    ],
  },
  {
    at: 'createmany/kube/node',
    method: 'POST',
    esbName: 'batch_create_kube_node',
    good: () => nodes(node()),
    refusals: [
      noBusiness,
      noData,
      wrongType,
      ['there are 101', nodes(...many(101, () => node())), 1199035, ['data', 100]],
      ['there is no cluster', nodes(node(), null), 1199010, ['bk_cluster_id'], 'data[1].bk_cluster_id'],
      ['there is no name', nodes(node({ name: null })), 1199011, ['name'], 'data[0].name'],
      [
        'there is no address',
        nodes(node({ internal_ip: null })),
        1199011,
        ['external_ip and internal_ip cannot be null at the same time'],
        'data[0].internal_ip',
      ],
      [
        'both address lists are empty',
        nodes(node({ internal_ip: [], external_ip: [] })),
        1199011,
        ['the length of external_ip and internal_ip cannot be 0 at the same time'],
        'data[0].internal_ip',
      ],
      [
        'the cluster is unknown',
        nodes(node({ bk_cluster_id: 999 })),
        1199006,
        ['bk_cluster_id'],
        'data[0].bk_cluster_id',
      ],
      [
        'the cluster is another business’s, shared or not',
        { bk_biz_id: 2, data: [node({ bk_cluster_id: 2 })] },
        1199006,
        ['bk_cluster_id'],
        'data[0].bk_cluster_id',
      ],
      ['the host is another business’s', nodes(node({ bk_host_id: 2 })), 1199006, ['bk_host_id'], 'data[0].bk_host_id'],
      ['the host is unknown', nodes(node(), node({ bk_host_id: 999 })), 1199006, ['bk_host_id'], 'data[1].bk_host_id'],
      [
        'a name is there twice',
        nodes(node({ name: 'n' }), node({ name: 'n' })),
        1199014,
        [' bk_cluster_id: 1, name: "n" '],
        'data[1].name',
      ],
      [
        'the cluster has the name',
        nodes(node(), node({ name: 'node1' })),
        1199014,
        [' bk_cluster_id: 1, name: "node1" '],
        'data[1].name',
      ],
      ...badWords(() => nodes(node())),
    ],
  },
  {
    at: 'createmany/kube/namespace',
    method: 'POST',
    esbName: 'batch_create_kube_namespace',
    good: () => nodes(namespace()),
    refusals: [
      noBusiness,
      noData,
      wrongType,
      ['there are 201', nodes(...many(201, () => namespace())), 1199035, ['data', 200]],
      ['there is no cluster', nodes({ name: 'a' }), 1199010, ['bk_cluster_id'], 'data[0].bk_cluster_id'],
      ['there is no name', nodes(namespace({ name: '' })), 1199010, ['name'], 'data[0].name'],
      ['the cluster is unknown', nodes(namespace({ bk_cluster_id: 999 })), 1199019, [], 'data[0].bk_cluster_id'],
      [
        'the cluster is another business’s and not shared',
        { bk_biz_id: 2, data: [namespace({ bk_cluster_id: 2 }), namespace()] },
        1199006,
        ['type'],
        'data[1].bk_cluster_id',
      ],
      [
        'a name is there twice',
        nodes(namespace({ name: 'a' }), namespace({ name: 'a' })),
        1199014,
        [' bk_cluster_id: 1, name: "a" '],
        'data[1].name',
      ],
      [
        'the cluster has the name',
        nodes(namespace({ name: 'default' })),
        1199014,
        [' bk_cluster_id: 1, name: "default" '],
        'data[0].name',
      ],
      [
        'the row to update is a third business’s',
        { bk_biz_id: 3, data: [namespace({ bk_cluster_id: 2, name: 'tenant' })], on_duplicate: 'update' },
        1199006,
        ['bk_biz_id'],
        'data[0].name',
      ],
      ...badWords(() => nodes(namespace())),
    ],
  },
  {
    at: 'createmany/kube/workload/{kind}',
    method: 'POST',
    esbName: 'batch_create_kube_workload',
    params: { kind: 'statefulSet' },
    good: () => nodes(workload()),
    refusals: [
      noBusiness,
      noData,
      wrongType,
      ['there are 201', nodes(...many(201, () => workload())), 1199035, ['data', 200]],
      ['there is no namespace', nodes({ name: 'j' }), 1199019, [], 'data[0].bk_namespace_id'],
      [
        'the namespace is unknown',
        nodes(workload(), workload({ bk_namespace_id: 999 })),
        1199019,
        [],
        'data[1].bk_namespace_id',
      ],
      [
        'the namespace is not shared with the business',
        { bk_biz_id: 2, data: [workload({ bk_namespace_id: 3 }), workload()] },
        1199006,
        ['bk_biz_id'],
        'data[1].bk_namespace_id',
      ],
      [
        'a name is there twice',
        nodes(workload({ name: 'a' }), workload({ name: 'a' })),
        1199014,
        [' bk_namespace_id: 1, name: "a" '],
        'data[1].name',
      ],
      [
        'an IntOrString is bare',
        nodes(workload({ rolling_update_strategy: { max_surge: '25%' } })),
        1199000,
        [],
        'data[0].rolling_update_strategy.max_surge',
      ],
      [
        'the partition of a statefulSet is an object',
        nodes(workload({ rolling_update_strategy: { partition: {} } })),
        1199000,
        [],
        'data[0].rolling_update_strategy.partition',
      ],
      ...badWords(() => nodes(workload())),
    ],
  },
  {
    at: 'createmany/kube/pod',
    method: 'POST',
    esbName: 'batch_create_kube_pod',
    good: () => pods(pod()),
    refusals: [
      ['there is no data', {}, 1199010, ['data']],
      ['no element has pods', { data: [{ bk_biz_id: 1, pods: [] }, {}] }, 1199998, ['no pods need created']],
      ['there are 201', pods(...many(201, () => pod())), 1199035, ['pods', 200]],
      [
        'there is no cluster',
        placed({ bk_cluster_id: 0 }),
        1199011,
        ['cluster id must be set'],
        `${onPod}.spec.bk_cluster_id`,
      ],
      [
        'there is no namespace',
        placed({ bk_namespace_id: 0 }),
        1199011,
        ['namespace id must be set'],
        `${onPod}.spec.bk_namespace_id`,
      ],
      ['there is no node', placed({ bk_node_id: 0 }), 1199011, ['node id must be set'], `${onPod}.spec.bk_node_id`],
      [
        'there is no workload',
        placed({ ref: { kind: 'job' } }),
        1199011,
        ['workload must be set'],
        `${onPod}.spec.ref`,
      ],
      [
        'the kind is unknown',
        placed({ ref: { kind: 'Job', id: 1 } }),
        1199011,
        ['workload is illegal type'],
        `${onPod}.spec.ref.kind`,
      ],
      ['there is no host', pods(pod({ bk_host_id: 0 })), 1199010, ['host id'], `${onPod}.bk_host_id`],
      ['there is no name', pods(pod({ name: '' })), 1199010, ['pod name'], `${onPod}.name`],
      [
        'a container has no name',
        pods(pod({ containers: [{ container_uid: 'u' }] })),
        1199010,
        ['container name'],
        `${onPod}.containers[0].name`,
      ],
      [
        'a container has no uid',
        pods(pod({ containers: [{ name: 'c' }] })),
        1199011,
        ['container_uid'],
        `${onPod}.containers[0].container_uid`,
      ],
      ['the workload is unknown', placed({ ref: { kind: 'job', id: 1 } }), 1199006, ['workload'], `${onPod}.spec.ref`],
      [
        'the namespace is not the workload’s',
        placed({ bk_namespace_id: 2 }),
        1199006,
        ['workload'],
        `${onPod}.spec.bk_namespace_id`,
      ],
      [
        'the cluster is not the workload’s',
        placed({ bk_cluster_id: 2 }),
        1199006,
        ['workload'],
        `${onPod}.spec.bk_cluster_id`,
      ],
      [
        'the namespace is not shared with the business',
        { data: [{ bk_biz_id: 2, pods: [pod()] }] },
        1199006,
        ['namespace'],
        `${onPod}.spec.bk_namespace_id`,
      ],
      ['the node is in another cluster', placed({ bk_node_id: 2 }), 1199006, ['node'], `${onPod}.spec.bk_node_id`],
      [
        'a name is there twice',
        pods(pod({ name: 'a' }), pod({ name: 'a' })),
        1199014,
        [' ref.id: 1, ref.kind: "deployment", name: "a" '],
        'data[0].pods[1].name',
      ],
      [
        'the workload has the name',
        pods(pod({ name: 'pod-2' })),
        1199014,
        [' ref.id: 1, ref.kind: "deployment", name: "pod-2" '],
        `${onPod}.name`,
      ],
      [
        'a container_uid is twice in one pod',
        pods(pod({ containers: many(2, () => ({ name: 'c', container_uid: 'u' })) })),
        1199014,
        [' pod: "data[0].pods[0]", container_uid: "u" '],
        `${onPod}.containers[1].container_uid`,
      ],
      ['a name is a number', pods(pod({ name: 5 })), 1199000, [], `${onPod}.name`],
      ...badWords(() => pods(pod())),
    ],
  },
]
