import { type KubeHostSearchBody, workloadKinds } from '@podyard/contract'
import { cmdbErrors } from '../errors.ts'
import type { Caller } from '../http/caller.ts'
import type { Database } from '../store/database.ts'
import { compileFilter } from './filter/compile.ts'
import { createParameters, type Parameters } from './filter/parameters.ts'
import type { Rule } from './filter/rule.ts'
import { hostView } from './host.ts'
import { addressCondition, objectCondition } from './host-conditions.ts'
import { findHosts, withAreaObject } from './host-search.ts'
import { readingConditions } from './list-conditions.ts'
import { columnsByField, filterTypes } from './list-fields.ts'
import { checkFilter } from './list-service.ts'
import { visibleTenant } from './list-tenant.ts'
import { columnsOf, type Row, type View, viewOf } from './views.ts'

type FoundHost = { readonly host: View; readonly node: readonly View[] | null }

/**
 * hosts/kube/search (container API reference 2.5): hosts by what of the container half is on them. Without a cluster, a
 * namespace, a workload, a folder or a filter over nodes nothing is found. 1199010 without a business, 1199011 for a folder
 * without its cluster, 1199006 for a kind or a filter that is none, and what host searches refuse.
 */
export async function searchHostsByTopology(
  db: Database,
  caller: Caller,
  body: KubeHostSearchBody,
): Promise<{ readonly count: number; readonly info: readonly FoundHost[]; readonly next_cursor?: string }> {
  const business = body.bk_biz_id ?? 0
  if (business === 0) throw cmdbErrors.unset('bk_biz_id')
  if (body.folder === true && (body.bk_cluster_id ?? 0) === 0) throw cmdbErrors.invalid('bk_cluster_id')
  const kind = body.kind ?? ''
  if ((body.bk_workload_id ?? 0) !== 0 && !workloadKinds.includes(kind as never)) throw cmdbErrors.mismatch('kind')
  const nodeRule = checkFilter(body.node_cond?.filter, filterTypes('node'), 3, 'node_cond.filter')
  const parameters = createParameters()
  const places = placeConditions(body, nodeRule, caller, parameters)
  if (places.length === 0) return { count: 0, info: [] }
  const where = readingConditions(() => [
    ...places,
    visibleTenant('h.bk_supplier_account', caller, parameters),
    addressCondition(body.ip, body.ipv6, parameters),
    ...(body.host_condition == null
      ? []
      : [objectCondition({ ...body.host_condition, bk_obj_id: 'host' }, parameters)]),
  ])
  const found = await findHosts(db, where, body.page ?? {}, parameters)
  const nodeFields = body.node_cond?.fields ?? []
  const nodes =
    nodeFields.length === 0
      ? undefined
      : await nodesOfHosts(
          db,
          caller,
          body,
          nodeRule,
          nodeFields,
          found.rows.map((row) => row.id),
        )
  return {
    count: found.count,
    info: found.rows.map((row) => ({
      host: withAreaObject(hostView(row, body.host_condition?.fields ?? [])),
      node: nodes === undefined ? null : (nodes.get(row.id) ?? []),
    })),
    ...found.next,
  }
}

/** Conditions on the host `h`, each that it has something; all must hold. */
function placeConditions(
  body: KubeHostSearchBody,
  nodeRule: Rule | undefined,
  caller: Caller,
  parameters: Parameters,
): string[] {
  const conditions: string[] = []
  const namespace = body.bk_namespace_id ?? 0
  const workload = body.bk_workload_id ?? 0
  if (namespace !== 0 || workload !== 0) {
    const business = parameters.add(body.bk_biz_id, 'bigint')
    const parts = [
      `(p.bk_biz_id = ${business} or p.bk_namespace_id in (select bk_namespace_id from namespace_shared where bk_asst_biz_id = ${business}))`,
      visibleTenant('p.bk_supplier_account', caller, parameters),
      ...(namespace === 0 ? [] : [`p.bk_namespace_id = ${parameters.add(namespace, 'bigint')}`]),
      ...(workload === 0
        ? []
        : [`p.ref_id = ${parameters.add(workload, 'bigint')}`, `p.ref_kind = ${parameters.add(body.kind, 'text')}`]),
    ]
    // A workload's pods are few: their hosts first. A namespace may have any number: each host is asked for one.
    conditions.push(
      workload === 0
        ? `exists (select from pod p where p.bk_host_id = h.id and ${parts.join(' and ')})`
        : `h.id = any(array(select p.bk_host_id from pod p where ${parts.join(' and ')}))`,
    )
  }
  if ((body.bk_cluster_id ?? 0) !== 0 || body.folder === true || nodeRule !== undefined)
    conditions.push(
      `exists (select from node n where n.bk_host_id = h.id and ${nodeConditions(body, nodeRule, caller, parameters)})`,
    )
  return conditions
}

function nodeConditions(
  body: KubeHostSearchBody,
  nodeRule: Rule | undefined,
  caller: Caller,
  parameters: Parameters,
): string {
  const cluster = body.bk_cluster_id ?? 0
  return [
    `n.bk_biz_id = ${parameters.add(body.bk_biz_id, 'bigint')}`,
    visibleTenant('n.bk_supplier_account', caller, parameters),
    ...(cluster === 0 ? [] : [`n.bk_cluster_id = ${parameters.add(cluster, 'bigint')}`]),
    ...(body.folder === true ? ['not n.has_pod'] : []),
    ...(nodeRule === undefined ? [] : [compileFilter(nodeRule, columnsByField('node', 'n'), parameters)]),
  ].join(' and ')
}

async function nodesOfHosts(
  db: Database,
  caller: Caller,
  body: KubeHostSearchBody,
  nodeRule: Rule | undefined,
  fields: readonly string[],
  hosts: readonly number[],
): Promise<Map<number, View[]>> {
  const only = new Set(fields)
  const parameters = createParameters()
  const columns = new Set(['id', 'bk_host_id', ...columnsOf('node', only)])
  const rows = await db.query<Row & { bk_host_id: number }>(
    `select ${[...columns].map((name) => `n.${name}`).join(', ')} from node n
     where n.bk_host_id = any(${parameters.add(hosts, 'bigint[]')}) and ${nodeConditions(body, nodeRule, caller, parameters)}
     order by n.id`,
    parameters.values,
  )
  const byHost = Map.groupBy(rows, (row) => row.bk_host_id)
  return new Map([...byHost].map(([host, nodes]) => [host, nodes.map((row) => viewOf('node', row, only))]))
}
