import fc from 'fast-check'
import { encodeCursor, noEventCursor, watchResources } from '../../src/events/watch-cursor.ts'
import { kubeFields } from '../../src/inventory/fields.ts'
import { currentOperators, olderOperators } from '../../src/inventory/filter/operators.ts'
import { storableText } from './odd-values.ts'

const fieldNames = [
  ...new Set(Object.values(kubeFields).flatMap((fields) => fields.map((field) => field.name))),
  'element',
  'ref.kind',
  'ref.id',
  'labels.a',
  'bk_biz_name',
  'bk_host_id',
  'bk_host_innerip',
  'bk_cloud_id',
  'bk_comment',
  'bk_mem',
  'bk_set_id',
  'bk_module_name',
  'bk_data_status',
  'bk_created_at',
  'default',
]
const oldOperators = [
  '$eq',
  '$ne',
  '$in',
  '$nin',
  '$regex',
  '$options',
  '$lt',
  '$lte',
  '$gt',
  '$gte',
  'contains_s',
  '$or',
]

const scalar = fc.constantFrom<string | number | boolean>(1, 0, 2, -1, 1.5, 'web', 'a', 'deployment', '', true)
const time = fc.constantFrom('2026-01-02 03:04:05', '2026-01-02T03:04:05Z', '2026-01-02', 1767225600)
/** A value for members whose type the schema leaves open. */
export const plainValue: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 4, arbitrary: scalar },
  time,
  fc.array(scalar, { maxLength: 3 }),
  fc.constantFrom<unknown>(null, 1e15, 2 ** 53 - 1, -1e-7, 4e9, {}, []),
  storableText,
)

/** Fields that most objects have come more often. */
const field = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('id', 'name', 'labels', 'bk_biz_id', 'create_time', 'bk_cluster_id') },
  fc.constantFrom(...fieldNames),
)

const { rule } = fc.letrec<{ readonly rule: unknown; readonly atom: unknown }>((tie) => ({
  rule: fc.oneof(
    { maxDepth: 3, depthIdentifier: 'rule', withCrossShrink: true },
    tie('atom'),
    fc.record({
      condition: fc.oneof({ weight: 8, arbitrary: fc.constantFrom('AND', 'OR') }, fc.constantFrom('and', '')),
      rules: fc.array(tie('rule'), { minLength: 1, maxLength: 3, depthIdentifier: 'rule' }),
    }),
  ),
  atom: fc.constantFrom(...[...olderOperators, ...currentOperators]).chain(([operator, { takes }]) => {
    const fitting: Readonly<Record<typeof takes, fc.Arbitrary<unknown>>> = {
      scalar,
      scalars: fc.array(fc.integer({ min: -1, max: 3 }), { minLength: 1, maxLength: 3 }),
      number: fc.constantFrom(0, 1, -1, 1.5, 2 ** 53 - 1, 1e15, 1767225600),
      time,
      text: fc.oneof(fc.constantFrom('a', 'e', 'web'), storableText),
      size: fc.constantFrom(0, 1, 2),
      nothing: fc.constant(''),
      rule: tie('rule'),
    }
    const value = fc.oneof({ weight: 6, arbitrary: fitting[takes] }, plainValue)
    return fc.record({ field, operator: fc.constant(operator), value })
  }),
}))

const oldAtom = fc.record({
  field,
  operator: fc.constantFrom(...oldOperators),
  value: plainValue,
})
const oldAtoms = fc.oneof({ weight: 3, arbitrary: fc.constantFrom([], null) }, fc.array(oldAtom, { maxLength: 2 }))
const oldCondition = fc.dictionary(
  fc.constantFrom(...fieldNames),
  fc.oneof(plainValue, fc.dictionary(fc.constantFrom(...oldOperators), plainValue, { maxKeys: 2 })),
  { maxKeys: 3 },
)

const id = fc.oneof(
  { weight: 20, arbitrary: fc.constant(1) },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 4 }) },
  fc.constantFrom(-1, 2 ** 53 - 1, null),
)
const users = fc.constantFrom('ann', 'ann,bob', '', null)
const name = fc.oneof(fc.constantFrom('pod', 'web', 'node', 'default', 'x'.repeat(3_000), '__proto__'), storableText)

/** Values that get a request past its first checks, by the name of the member or parameter. */
export const plausible: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  bk_biz_id: id,
  bk_cluster_id: id,
  bk_namespace_id: id,
  bk_node_id: id,
  bk_pod_id: fc.oneof(id, fc.constant(0)),
  bk_host_id: fc.oneof(id, fc.constantFrom('1', '1,2', [1, 2])),
  ids: fc.array(id, { maxLength: 3 }),
  name,
  uid: name,
  container_uid: name,
  type: fc.constantFrom('INDEPENDENT_CLUSTER', 'SHARE_CLUSTER', 'INDEPENDENT_CLUSTER', 'x'),
  kind: fc.constantFrom('deployment', 'deployment', 'deployment', 'job', 'customResource', 'pods', 'workload'),
  flag: fc.constantFrom('enable', 'disabled', 'bk_host_innerip', 'bk_host_outerip', 'bk_host_innerip|bk_host_outerip'),
  bk_supplier_account: fc.constantFrom('0', 'x', 'search', '%2F'),
  internal_ip: fc.array(fc.constantFrom('10.0.0.1', 'x', ''), { maxLength: 2 }),
  host_info: fc.dictionary(
    fc.constantFrom('0', '1', '-3', '007', 'x', '9007199254740993'),
    fc.record(
      {
        bk_host_id: id,
        bk_host_innerip: fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0.2,10.0.0.3', '', 'x'),
        bk_cloud_id: fc.oneof(id, fc.constant(0)),
        bk_addressing: fc.constantFrom('static', 'dynamic', 'x'),
        bk_agent_id: fc.constantFrom('agent1', 'agent2', '-', ''),
        bk_comment: storableText,
        bk_mem: plainValue,
        operator: fc.oneof(fc.constantFrom('ann', 'ann,bob'), plainValue),
      },
      { requiredKeys: [] },
    ),
    { maxKeys: 3 },
  ),
  bk_biz_name: fc.oneof(
    fc.constantFrom('demo', 'other', 'x'.repeat(256), '名'.repeat(86)),
    storableText,
    fc.string({ unit: 'grapheme-ascii', minLength: 1 }),
  ),
  bk_biz_maintainer: fc.constantFrom('ann', 'ann,bob'),
  bk_biz_productor: users,
  bk_biz_tester: users,
  bk_biz_developer: users,
  life_cycle: fc.constantFrom('1', '2', '1', '2', '4'),
  language: fc.constantFrom('1', '2'),
  time_zone: fc.constantFrom('Asia/Shanghai', 'UTC'),
  end: fc.oneof(time.map(String), storableText),
  limit: fc.oneof({ weight: 6, arbitrary: fc.constantFrom(1, 10, 500) }, fc.constantFrom(501, 0, -1, 2 ** 53 - 1)),
  start: fc.oneof({ weight: 6, arbitrary: fc.constantFrom(0, 1) }, fc.constantFrom(-1, 2 ** 53 - 1)),
  enable_count: fc.oneof({ weight: 8, arbitrary: fc.constantFrom(false, null) }, fc.constant(true)),
  offset: fc.constantFrom('0', '1', '-1', '9223372036854775807', 'x', ''),
  sort: fc.constantFrom('id', '-name', 'name:-1,id', 'labels', 'ref.id', 'operator', 'x,,,', ' '),
  filter: rule,
  biz_property_filter: fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, rule),
  host_property_filter: rule,
  condition: fc.oneof(
    fc.constant(null),
    oldCondition,
    fc.array(
      fc.record(
        {
          bk_obj_id: fc.constantFrom('host', 'biz', 'set', 'module', 'x'),
          fields: fc.array(field, { maxLength: 3 }),
          condition: fc.array(oldAtom, { maxLength: 3 }),
        },
        { requiredKeys: [] },
      ),
      { maxLength: 3 },
    ),
  ),
  exact: fc.constantFrom(0, 1),
  bk_set_ids: fc.constantFrom([], null, [1], [1, -1]),
  bk_module_ids: fc.constantFrom([], null, [1], [2, 2]),
  set_cond: oldAtoms,
  module_cond: oldAtoms,
  field,
  operator: fc.oneof(fc.constantFrom(...oldOperators), fc.constantFrom('ann', 'ann,bob', ['ann'])),
  fields: fc.array(field, { maxLength: 4 }),
  data: fc.constantFrom(['10.0.0.1'], ['0:10.0.0.1', 'x'], ['::1'], ['(']),
  group: fc.constantFrom('group', 'default', '', 'a'),
  id: fc.oneof(id, fc.constantFrom('pool', 'a', 'b', 'c', 'Bad')),
  resource: fc.constantFrom(...Object.keys(watchResources), 'kube_pod', 'host', 'x'),
  bk_event_types: fc.constantFrom([], ['create'], ['delete', 'update'], ['x']),
  bk_fields: fc.array(field, { maxLength: 4 }),
  bk_start_from: fc.constantFrom(0, 0, 0, 1, -1, 2 ** 53 - 1, Math.floor(Date.now() / 1000) - 60),
  bk_cursor: fc.constantFrom(
    '',
    noEventCursor,
    encodeCursor('kube_pod', { seq: 1, type: 'create', at: new Date(0), key: '' }),
    encodeCursor('host', { seq: 2 ** 53 - 1, type: 'create', at: new Date(0), key: '' }),
    'x',
  ),
  bk_sub_resource: fc.constantFrom('', 'deployment', 'x'),
  size: fc.constantFrom(0, 1, 3),
  max_size: fc.constantFrom(0, 1, 3, 2 ** 53 - 1),
}
