/**
 * What the conformance table has to show: the codes of each endpoint's section in the container API reference, and why a
 * code that the original knows is not shown. The endpoints themselves come from the server.
 */

import { cmdbMessage } from '../packages/server/src/cmdb-messages.ts'
import { watchOperations } from '../packages/server/src/events/watch-operations.ts'
import { businessOperations } from '../packages/server/src/inventory/business-operations.ts'
import { hostOperations } from '../packages/server/src/inventory/host-operations.ts'
import { kubeOperations } from '../packages/server/src/inventory/kube-operations.ts'
import { listOperations } from '../packages/server/src/inventory/list-operations.ts'

// Only described here, never called.
const operations = [
  ...kubeOperations({}),
  ...listOperations({}),
  ...watchOperations({ log: {} }),
  ...businessOperations({}),
  ...hostOperations({}),
]
const endpointOf = (o) => `${o.method} ${o.path.slice(1).replace(/:(\w+)/g, '{$1}')}`

export const endpoints = operations.map(endpointOf)
export const names = Object.fromEntries(operations.map((o) => [endpointOf(o), o.name]))

const ok = 0
const wrongType = 1199000
const mismatch = 1199006
const unset = 1199010
const invalid = 1199011
const duplicate = 1199014
const notFound = 1199019
const tooMany = 1199035
const pageTooLong = 1199059
const untyped = 1199998

const list = [ok, wrongType, mismatch, unset, invalid, pageTooLong]
const move = [ok, wrongType, unset, invalid, 1113002]

/** The rows of the table. */
export const codes = {
  'POST create/kube/cluster': [ok, wrongType, unset, invalid, duplicate],
  'POST createmany/kube/node': [ok, wrongType, mismatch, unset, invalid, duplicate, tooMany],
  'POST createmany/kube/namespace': [ok, wrongType, mismatch, unset, duplicate, notFound, tooMany],
  'POST createmany/kube/workload/{kind}': [
    ok,
    wrongType,
    mismatch,
    unset,
    invalid,
    duplicate,
    notFound,
    tooMany,
    untyped,
  ],
  'POST createmany/kube/pod': [ok, wrongType, mismatch, unset, invalid, duplicate, tooMany, untyped],
  'PUT updatemany/kube/cluster': [ok, wrongType, unset, invalid, tooMany, untyped],
  'PUT update/kube/cluster/type': [ok, wrongType, mismatch, unset, invalid, untyped],
  'PUT updatemany/kube/node': [ok, wrongType, unset, invalid, tooMany, untyped],
  'PUT updatemany/kube/namespace': [ok, wrongType, mismatch, unset, tooMany],
  'PUT updatemany/kube/workload/{kind}': [ok, wrongType, mismatch, unset, invalid, tooMany, untyped],
  'PUT updatemany/kube/pod': [ok, wrongType, mismatch, unset, invalid, tooMany],
  'DELETE delete/kube/cluster': [ok, wrongType, mismatch, unset, tooMany, untyped],
  'DELETE deletemany/kube/node': [ok, wrongType, mismatch, unset, tooMany, untyped],
  'DELETE deletemany/kube/namespace': [ok, wrongType, mismatch, unset, tooMany],
  'DELETE deletemany/kube/workload/{kind}': [ok, wrongType, mismatch, unset, invalid, tooMany, untyped],
  'DELETE deletemany/kube/pod': [ok, wrongType, mismatch, unset, tooMany],
  'POST findmany/kube/cluster': list,
  'POST findmany/kube/node': list,
  'POST findmany/kube/namespace': list,
  'POST findmany/kube/workload/{kind}': list,
  'POST findmany/kube/pod': list,
  'POST findmany/kube/container': list,
  'POST findmany/kube/container/by_topo': [...list, tooMany],
  'GET find/kube/{object}/attributes': [ok, mismatch],
  'POST cache/find/biz/kube/topo': [ok, wrongType, invalid],
  'POST cache/refresh/biz/kube/topo': [ok, wrongType, invalid],
  'POST cache/findmany/kube/pod/label/key': [ok, wrongType, invalid],
  'POST cache/findmany/kube/pod/label/value': [ok, wrongType, invalid],
  'POST cache/refresh/kube/pod/label': [ok, wrongType, invalid],
  'POST find/kube/topo_path': [ok, wrongType, mismatch, unset, invalid, pageTooLong, untyped],
  'POST find/kube/topo_node/{type}/count': [ok, wrongType, mismatch, unset, untyped],
  'POST find/kube/host_node_path': [ok, wrongType, unset, tooMany],
  'POST find/kube/pod_path': [ok, wrongType, unset, tooMany],
  'POST hosts/kube/search': [ok, wrongType, mismatch, unset, invalid, untyped],
  'POST event/watch/resource/{resource}': [ok, 1103007, wrongType, mismatch, untyped],
  'POST biz/{bk_supplier_account}': [ok, wrongType, unset, invalid, duplicate],
  'POST biz/search/{bk_supplier_account}': [ok, wrongType, mismatch],
  'PUT biz/{bk_supplier_account}/{bk_biz_id}': [ok, wrongType, invalid, duplicate, notFound],
  'PUT biz/status/{flag}/{bk_supplier_account}/{bk_biz_id}': [ok, 1101087, 1101128, invalid, notFound],
  'POST deletemany/biz': [ok, 1101030, 1101111, 1101112, wrongType, invalid, tooMany],
  'POST create/biz_set': [ok, 1101118, wrongType, mismatch, invalid],
  'POST findmany/biz_set': [ok, wrongType, mismatch],
  'POST find/biz_set/biz_list': [ok, wrongType, mismatch, unset, invalid, pageTooLong],
  'PUT updatemany/biz_set': [ok, 1101116, 1101118, wrongType, mismatch, unset, invalid, notFound],
  'POST deletemany/biz_set': [ok, 1101115, wrongType, unset, tooMany],
  'POST findmany/biz_set/{bk_biz_set_id}/kube/containers': [ok, wrongType, mismatch, unset, tooMany],
  'POST hosts/add': [ok, 1101033, 1110004, wrongType, unset],
  'POST hosts/add/business_idle': [ok, 1101033, wrongType, mismatch, unset, duplicate, tooMany, 1199091],
  'POST findmany/hosts/search/with_biz': [ok, wrongType, mismatch, untyped],
  'POST hosts/search': [ok, wrongType, mismatch, untyped],
  'POST hosts/app/{bk_biz_id}/list_hosts': [ok, wrongType, mismatch],
  'POST hosts/list_hosts_without_app': [ok, wrongType, mismatch],
  'POST hosts/list_resource_pool_hosts': [ok, wrongType, mismatch],
  'PUT hosts/batch': [ok, wrongType, invalid],
  'DELETE hosts/batch': [ok, 1113002, 1113043, wrongType, invalid],
  'POST hosts/modules/read': [ok, wrongType, 1199089],
  'GET topo/internal/{bk_supplier_account}/{bk_biz_id}': [ok, invalid],
  'POST hosts/modules/idle': move,
  'POST hosts/modules/fault': move,
  'POST hosts/modules/recycle': move,
  'POST hosts/modules/resource': [...move, 1113043],
  'POST hosts/modules/resource/idle': [...move, 1101033, 1113043],
  'POST hosts/modules/across/biz': [...move, 1101033, mismatch, 1113043],
  'POST hosts/modules': [...move, mismatch],
}

/** Why no test shows a code that is listed above. */
export const reasons = {
  'POST findmany/kube/workload/{kind} 1199010': 'as in the original, this list asks for no business',
  'POST deletemany/biz 1101111': 'the resource pool is no row here, so it has no id to delete',
}

export const texts = (code) => cmdbMessage(code, 'en', code === untyped ? ['the raw text'] : ['X', 'N'])

/** Codes of the dialect as a whole, with the name of the test that shows each. */
export const shared = [
  { code: -1, status: 404, when: 'there is no such path', name: 'POST /api/v3/nowhere is unknown: code -1' },
  {
    code: 1199000,
    status: 415,
    when: 'the content type says that it is no JSON',
    name: 'content type text/plain: 415',
  },
  { code: 1199004, status: 413, when: 'the body is over 8 MiB', name: 'over 8 MiB: 413' },
  {
    code: 1199047,
    status: 401,
    when: 'no or wrong credentials',
    name: 'without credentials 401, before the body is judged',
  },
  {
    code: 1199047,
    status: 403,
    when: 'a foreign host name in the open mode',
    name: 'the open mode refuses foreign hosts in the envelope',
  },
  {
    code: '1199017, 1199018, 1199020, 1199021',
    status: 503,
    when: 'the database is away: what was to be done decides',
    name: 'storage down is 503 with the code of what was to be done; nothing internal shows',
  },
  { code: 1199999, status: 500, when: 'a defect', name: 'a defect is 500 with the request id' },
].map((one) => ({ file: 'inventory-dialect', ...one }))
