/**
 * What the updates and deletes of the container half refuse, by endpoint (container API reference 2.2, 3.3, 4): every code of its
 * section, on the rows of `addSharedWorld`.
 */
import { ids, many, nextNumber, noBusiness, type Refusal, unique, type WriteEndpoint } from './write-cases.ts'

const idRules = (limit: number): readonly Refusal[] => [
  noBusiness,
  ['there are no ids', { bk_biz_id: 1, ids: [] }, 1199010, ['ids']],
  [`there are ${limit + 1} ids`, { bk_biz_id: 1, ids: ids(limit + 1) }, 1199035, ['ids', limit]],
  ['an id is a text', { bk_biz_id: 1, ids: ['1'] }, 1199000, [], 'ids[0]'],
]
const foreignIds: Refusal = [
  'a row is another business’s',
  { bk_biz_id: 3, ids: [999, 3], data: {} },
  1199006,
  ['bk_biz_id'],
  'ids[1]',
]

export const updates: readonly WriteEndpoint[] = [
  {
    at: 'updatemany/kube/cluster',
    method: 'PUT',
    esbName: 'batch_update_kube_cluster',
    good: () => ({ bk_biz_id: 1, ids: [1, 2], data: { version: unique('v') } }),
    refusals: [
      ...idRules(10),
      ...(['scheduling_engine', 'uid', 'xid', 'vpc'] as const).map(
        (name): Refusal => [
          `${name} is given`,
          { bk_biz_id: 1, ids: [1], data: { [name]: '' } },
          1199011,
          [name],
          `data.${name}`,
        ],
      ),
      ...(
        [
          ['an id is unknown', [1, 999], 1],
          ['an id is there twice', [1, 2, 1], 2],
          ['a cluster is another business’s', [3], 0],
        ] as const
      ).map(
        ([when, list, at]): Refusal => [
          when,
          { bk_biz_id: 1, ids: list, data: { name: 'x' } },
          1199998,
          ['the clusterIDs must all be under the given business'],
          `ids[${at}]`,
        ],
      ),
    ],
  },
  {
    at: 'update/kube/cluster/type',
    method: 'PUT',
    esbName: 'update_kube_cluster_type',
    good: () => ({ bk_biz_id: 1, id: 2, type: 'SHARE_CLUSTER' }),
    refusals: [
      ['there is no business', { id: 2, type: 'SHARE_CLUSTER' }, 1199010, ['bk_biz_id']],
      ['there is no id', { bk_biz_id: 1, type: 'SHARE_CLUSTER' }, 1199010, ['id']],
      ['there is no type', { bk_biz_id: 1, id: 2 }, 1199011, ['type']],
      ['the type is another word', { bk_biz_id: 1, id: 2, type: 'SHARED_CLUSTER' }, 1199011, ['type']],
      ['the type is a number', { bk_biz_id: 1, id: 2, type: 1 }, 1199000, [], 'type'],
      [
        'other businesses have namespaces in it',
        { bk_biz_id: 1, id: 2, type: 'INDEPENDENT_CLUSTER' },
        1199006,
        ['bk_cluster_id'],
        'id',
      ],
      ...([2, 9] as const).map(
        (bk_biz_id): Refusal => [
          `business ${bk_biz_id} asks, which does not own it`,
          { bk_biz_id, id: 2, type: 'SHARE_CLUSTER' },
          1199998,
          ['the clusterIDs must all be under the given business'],
          'id',
        ],
      ),
    ],
  },
  {
    at: 'updatemany/kube/node',
    method: 'PUT',
    esbName: 'batch_update_kube_node',
    good: () => ({ bk_biz_id: 1, ids: [1, 2], data: { hostname: unique('h') } }),
    refusals: [
      ...idRules(100),
      ['the name is given', { bk_biz_id: 1, ids: [1], data: { name: 'node1' } }, 1199011, ['name'], 'data.name'],
      ['has_pod is given', { bk_biz_id: 1, ids: [1], data: { has_pod: false } }, 1199011, ['has_pod'], 'data.has_pod'],
      [
        'both address lists are empty',
        { bk_biz_id: 1, ids: [1], data: { internal_ip: [], external_ip: [] } },
        1199011,
        ['internal_ip or external_ip'],
        'data.internal_ip',
      ],
      [
        'an id is there twice',
        { bk_biz_id: 1, ids: [1, 1], data: {} },
        1199998,
        ['duplicate value for nodeID parameter'],
        'ids[1]',
      ],
      [
        'an id is unknown',
        { bk_biz_id: 1, ids: [1, 999], data: {} },
        1199998,
        ['the nodeIDs must all be under the given business'],
        'ids[1]',
      ],
      [
        'a node is another business’s',
        { bk_biz_id: 2, ids: [2], data: {} },
        1199998,
        ['the nodeIDs must all be under the given business'],
        'ids[0]',
      ],
    ],
  },
  {
    at: 'updatemany/kube/namespace',
    method: 'PUT',
    esbName: 'batch_update_kube_namespace',
    good: () => ({ bk_biz_id: 1, ids: [1, 3], data: { labels: { a: unique('l') } } }),
    refusals: [...idRules(200), foreignIds],
  },
  {
    at: 'updatemany/kube/workload/{kind}',
    method: 'PUT',
    esbName: 'batch_update_kube_workload',
    params: { kind: 'deployment' },
    good: () => ({ bk_biz_id: 1, ids: [1, 3], data: { replicas: nextNumber() } }),
    refusals: [
      noBusiness,
      ['there are no ids', { bk_biz_id: 1, ids: [], data: {} }, 1199011, ['ids']],
      ['there are 200 ids', { bk_biz_id: 1, ids: ids(200), data: {} }, 1199035, ['data', 200]],
      ['there is no data', { bk_biz_id: 1, ids: [1] }, 1199011, ['data']],
      ['no id is known', { bk_biz_id: 1, ids: [998, 999], data: {} }, 1199998, ['no workload founded']],
      foreignIds,
      ['replicas are a text', { bk_biz_id: 1, ids: [1], data: { replicas: '1' } }, 1199000, [], 'data.replicas'],
    ],
  },
  {
    at: 'updatemany/kube/pod',
    method: 'PUT',
    esbName: 'batch_update_kube_pod',
    good: () => ({ bk_biz_id: 1, ids: [1, 4], data: { ip: unique('ip') } }),
    refusals: [
      ...idRules(200),
      ['a pod is another business’s', { bk_biz_id: 2, ids: [4, 1], data: {} }, 1199006, ['bk_biz_id'], 'ids[1]'],
      ...(
        ['id', 'bk_biz_id', 'ref', 'bk_host_id', 'bk_node_id', 'name', 'create_time', 'spec', 'containers'] as const
      ).map(
        (name): Refusal => [
          `${name} is given`,
          { bk_biz_id: 1, ids: [1], data: { [name]: 1 } },
          1199011,
          [name],
          `data.${name}`,
        ],
      ),
    ],
  },
]

const children = (what: string, at = 'ids[1]', list: readonly number[] = [999, 1]): Refusal => [
  'something hangs on it',
  { bk_biz_id: 1, ids: list },
  1199006,
  [what],
  at,
]

export const deletes: readonly WriteEndpoint[] = [
  {
    at: 'delete/kube/cluster',
    method: 'DELETE',
    esbName: 'batch_delete_kube_cluster',
    good: () => ({ bk_biz_id: 9, ids: [900, 999] }),
    refusals: [
      ...idRules(10),
      children('ids'),
      [
        'no id is known',
        { bk_biz_id: 1, ids: [998, 999] },
        1199998,
        ['node ids exist in different businesses'],
        'ids[0]',
      ],
      [
        'they are several businesses’',
        { bk_biz_id: 1, ids: [1, 3] },
        1199998,
        ['node ids exist in different businesses'],
        'ids[1]',
      ],
      ['all are another business’s', { bk_biz_id: 1, ids: [3] }, 1199998, ['cluster ids not in biz 1'], 'ids[0]'],
    ],
  },
  {
    at: 'deletemany/kube/node',
    method: 'DELETE',
    esbName: 'batch_delete_kube_node',
    good: () => ({ bk_biz_id: 1, ids: [999] }),
    refusals: [
      ...idRules(100),
      children('no pods can exist under the node'),
      ['all are another business’s', { bk_biz_id: 2, ids: [1] }, 1199998, ['node ids not in biz 2'], 'ids[0]'],
    ],
  },
  {
    at: 'deletemany/kube/namespace',
    method: 'DELETE',
    esbName: 'batch_delete_kube_namespace',
    good: () => ({ bk_biz_id: 1, ids: [999] }),
    refusals: [...idRules(200), children('id'), foreignIds],
  },
  {
    at: 'deletemany/kube/workload/{kind}',
    method: 'DELETE',
    esbName: 'batch_delete_kube_workload',
    params: { kind: 'deployment' },
    good: () => ({ bk_biz_id: 1, ids: [999] }),
    refusals: [
      noBusiness,
      ['there are no ids', { bk_biz_id: 1, ids: [] }, 1199011, ['ids']],
      ['there are 201 ids', { bk_biz_id: 1, ids: ids(201) }, 1199035, ['ids', 200]],
      ['an id is a text', { bk_biz_id: 1, ids: ['1'] }, 1199000, [], 'ids[0]'],
      children('id'),
      foreignIds,
    ],
  },
  {
    at: 'deletemany/kube/pod',
    method: 'DELETE',
    esbName: 'batch_delete_kube_pod',
    good: () => ({ data: [{ bk_biz_id: 1, ids: [999] }] }),
    refusals: [
      ['there is no data', {}, 1199010, ['data']],
      ['there are 201 elements', { data: many(201, () => ({ bk_biz_id: 1, ids: [999] })) }, 1199035, ['data', 200]],
      ['there are 201 ids', { data: [100, 101].map((n) => ({ bk_biz_id: 1, ids: ids(n) })) }, 1199035, ['pods', 200]],
      ['there is no business', { data: [{ ids: [1] }] }, 1199010, ['bk_biz_id'], 'data[0].bk_biz_id'],
      ['there are no ids', { data: [{ bk_biz_id: 1, ids: [1] }, { bk_biz_id: 1 }] }, 1199010, ['ids'], 'data[1].ids'],
      [
        'a pod is another business’s',
        { data: [{ bk_biz_id: 2, ids: [4, 1] }] },
        1199006,
        ['bk_biz_id'],
        'data[0].ids[1]',
      ],
      ['an id is a text', { data: [{ bk_biz_id: 1, ids: ['1'] }] }, 1199000, [], 'data[0].ids[0]'],
    ],
  },
]

/** Kinds beside the one that a table is written for: whatever is asked of them. */
export const kindRefusals: readonly (readonly [method: 'POST' | 'PUT' | 'DELETE', word: string, kind: string])[] = (
  ['workload', 'Deployment', 'pod', ''] as const
).flatMap((kind) =>
  (
    [
      ['POST', 'createmany'],
      ['PUT', 'updatemany'],
      ['DELETE', 'deletemany'],
    ] as const
  ).map(([method, word]) => [method, word, kind] as const),
)
export const kindText = (kind: string) => `can not support this type of workload, kind: ${kind}`
