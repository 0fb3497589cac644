import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { businessOperations } from '../src/inventory/business-operations.ts'
import { ensureBusiness } from '../src/inventory/business-service.ts'
import { hostOperations } from '../src/inventory/host-operations.ts'
import { listOperations } from '../src/inventory/list-operations.ts'
import { useDatabase } from './support/database.ts'
import { type InventoryClient, inventoryClient } from './support/inventory-client.ts'

const t = useDatabase()
let api: InventoryClient
beforeAll(async () => {
  api = await inventoryClient([...businessOperations(t.db), ...hostOperations(t.db), ...listOperations(t.db)])
  await ensureBusiness(t.db, { user: 'admin', tenant: '0' }, 'shop')
  await t.db.query(
    `insert into cluster (id, bk_biz_id, name, uid, type, network) values (1, 1, 'c', 'u', 't', '["x"]')`,
  )
  await t.db.query(`insert into namespace (id, bk_biz_id, name, labels) values (1, 1, 'n', '{"a": "b"}')`)
  await t.db.query(
    `insert into node (id, bk_biz_id, name, labels, unschedulable) values (1, 1, 'n', '{"a": "b"}', true)`,
  )
  await t.db.query(`insert into workload (kind, id, bk_biz_id, labels) values ('deployment', 1, 1, '{"a": "b"}')`)
  await t.db.query(`insert into pod (id, bk_biz_id, name, ref_kind, ref_id, labels, ips, volumes, priority)
    values (1, 1, 'p', 'deployment', 1, '{"a": "b"}', '[{"ip": "1.1.1.1"}, null, "a"]', '[{"name": "a"}]', 1)`)
  await t.db.query(
    `insert into container (id, bk_biz_id, bk_pod_id, ref_kind, ref_id, container_uid) values (1, 1, 1, 'x', 1, 'u')`,
  )
  await api.ok('/hosts/add', { bk_biz_id: 1, host_info: { '0': { bk_host_innerip: '10.0.0.1', bk_cpu: 4 } } })
})
afterAll(() => api.app.close())

const fields = [
  ...['bk_biz_id', 'bk_biz_name', 'bk_biz_maintainer', 'create_time', 'life_cycle', 'default', 'bk_data_status'],
  ...['bk_host_id', 'bk_host_innerip', 'bk_cpu', 'bk_os_type', 'bk_cloud_host_identifier', 'bk_cloud_id', 'operator'],
  ...['id', 'name', 'labels', 'ips', 'network', 'priority', 'unschedulable', 'ref', 'ref.kind', 'volumes', '__proto__'],
]
const operators = [
  ...['equal', 'not_equal', 'in', 'not_in', 'less', 'greater_or_equal', 'datetime_less', 'contains', 'begins_with_i'],
  ...['is_empty', 'size', 'is_null', 'exist', 'filter_object', 'filter_array', 'between', 'constructor'],
  ...['$eq', '$ne', '$in', '$nin', '$gt', '$regex', 'contains_s', '$where'],
]
const value = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    0,
    -1,
    1.5,
    1e308,
    9007199254740991,
    '',
    '1',
    '*',
    '(',
    '\\',
    "'",
    '$1',
    '2026-02-30',
  ),
  fc.constantFrom<unknown>(
    [],
    [1, 'a'],
    ['a'],
    [[1]],
    {},
    { $in: [1] },
    { $in: 1 },
    { $gt: '2026-01-01' },
    '0:1.2.3.4',
  ),
  fc.jsonValue({ maxDepth: 2 }),
)
const rule = fc.letrec((tie) => ({
  rule: fc.oneof(
    { depthSize: 'small' },
    fc.record({
      field: fc.constantFrom(...fields),
      operator: fc.constantFrom(...operators),
      value: fc.oneof({ depthSize: 'small' }, value, tie('rule')),
    }),
    fc.record({ condition: fc.constantFrom('AND', 'OR', 'NOT'), rules: fc.array(tie('rule'), { maxLength: 3 }) }),
    value,
  ),
})).rule
const names = fc.array(fc.constantFrom(...fields), { maxLength: 3 })
const page = fc.oneof(
  value,
  fc.record(
    {
      start: fc.constantFrom(-1, 0, 1, 9007199254740991),
      limit: fc.constantFrom(-1, 0, 1, 500, 9007199254740991),
      sort: fc.oneof(fc.string(), fc.constantFrom(...fields)),
    },
    { requiredKeys: [] },
  ),
)
const atoms = fc.array(
  fc.record({ field: fc.constantFrom(...fields), operator: fc.constantFrom(...operators), value }),
  { maxLength: 2 },
)
const members: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  bk_biz_id: fc.constantFrom<unknown>(1, 0, -1, '1', 9007199254740991),
  bk_pod_id: fc.constantFrom<unknown>(0, 1, null),
  filter: rule,
  biz_property_filter: rule,
  host_property_filter: rule,
  fields: names,
  page,
  condition: fc.oneof(
    value,
    fc.dictionary(fc.constantFrom(...fields), value, { maxKeys: 2 }),
    fc.array(
      fc.record({ bk_obj_id: fc.constantFrom('host', 'biz', 'set', 'module', 'x'), fields: names, condition: atoms }),
    ),
  ),
  time_condition: fc.record({
    oper: fc.constantFrom('and', 'or', ''),
    rules: fc.array(
      fc.record({
        field: fc.constantFrom(...fields),
        start: fc.constantFrom('', '2026-01-01', 'x'),
        end: fc.constant('2026-01-02 00:00:00'),
      }),
    ),
  }),
  ip: fc.record({
    data: fc.array(fc.constantFrom('10.0.0.1', '0:10.0.0.1', '999999999999999:1.2.3.4', '[', '::', ''), {
      maxLength: 3,
    }),
    exact: fc.constantFrom(0, 1, 2),
    flag: fc.constantFrom('bk_host_innerip', 'bk_host_innerip|bk_host_outerip', 'x', ''),
  }),
  bk_set_ids: fc.array(fc.constantFrom(1, -1), { maxLength: 2 }),
  set_cond: fc.oneof(value, atoms),
}
/** A good request with one or two members of it replaced. */
const body = fc
  .subarray(Object.keys(members), { maxLength: 2 })
  .chain((names) =>
    fc
      .record(Object.fromEntries(names.map((name) => [name, members[name] as fc.Arbitrary<unknown>])))
      .map((replaced) => ({ bk_biz_id: 1, page: { limit: 10 }, ...replaced })),
  )
const routes = [
  '/biz/search/0',
  '/hosts/search',
  '/findmany/hosts/search/with_biz',
  '/hosts/app/1/list_hosts',
  '/hosts/list_hosts_without_app',
  ...['cluster', 'node', 'namespace', 'workload/deployment', 'pod', 'container'].map(
    (what) => `/findmany/kube/${what}`,
  ),
]

test('no search or list turns a bad body into a defect', async () => {
  let answered = 0
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...routes), body, async (route, sent) => {
      const answer = await api.send(route, sent)
      expect(answer.status).toBe(200)
      expect([0, 1199000, 1199006, 1199010, 1199011, 1199059, 1199998]).toContain(answer.code)
      if (answer.result) answered += 1
    }),
    { numRuns: 1000 },
  )
  expect(answered).toBeGreaterThan(100)
})

test('no row of a business or host turns into a defect', async () => {
  const attributes = [
    ...fields,
    'bk_host_innerip_v6',
    'bk_addressing',
    'bk_agent_id',
    'bk_comment',
    'language',
    'time_zone',
  ]
  const row = fc.dictionary(fc.constantFrom(...attributes), value, { maxKeys: 6 })
  await fc.assert(
    fc.asyncProperty(row, fc.constantFrom('/biz/0', '/biz/0/1', '/hosts/add', '/hosts/batch'), async (sent, route) => {
      const put = route === '/biz/0/1' || route === '/hosts/batch'
      const payload = route === '/hosts/add' ? { bk_biz_id: 1, host_info: { '0': sent } } : sent
      const answer = await api.send(route, payload, { method: put ? 'PUT' : 'POST' })
      expect(answer.status).toBe(200)
      expect([0, 1199000, 1199010, 1199011, 1199014, 1110004]).toContain(answer.code)
    }),
    { numRuns: 200 },
  )
})
