import type { CreatedIds, CreateWorkloadsBody, NewWorkload, WorkloadKind } from '@podyard/contract'
import { cmdbErrors, type ErrorDetail } from '../errors.ts'
import type { Caller } from '../http/caller.ts'
import { createBatch } from './batch-create.ts'
import { batchLevel } from './batch-level.ts'
import { batchOptions } from './batch-options.ts'
import { keyText } from './duplicates.ts'
import type { InventoryDeps, Origin } from './inventory-deps.ts'
import { invalid, refuseProblems } from './item-problems.ts'
import type { ParentRow, ParentRows } from './parent-statements.ts'
import { partitionProblem, workloadForm } from './workload-rules.ts'

/** Workloads of one call at most. */
const maxWorkloads = 200

/** What the index `workload_name_key` is over. */
const nameKey = (row: string) =>
  `md5(case when ${row}.kind = 'customResource' then md5(${row}.cr_kind) || md5(${row}.cr_api_version) || ${row}.name else ${row}.name end)::uuid`

const level = batchLevel({
  object: 'workload',
  parents: [
    {
      as: 'namespaces',
      table: 'namespace',
      columns: `t.name, t.bk_biz_id, t.bk_cluster_id, t.cluster_uid,
        (select s.bk_asst_biz_id from namespace_shared s where s.bk_namespace_id = t.id) as platform`,
      lock: 'key share',
    },
  ],
  keyColumns: 'kind text, namespace bigint, name text, cr_kind text, cr_api_version text',
  match: `t.kind = i.kind and t.bk_namespace_id = i.namespace and ${nameKey('t')} = ${nameKey('i')}`,
})

type NamespaceParent = ParentRow & {
  readonly name: string
  readonly bk_biz_id: number
  readonly bk_cluster_id: number
  readonly cluster_uid: string
  /** Whose shared cluster it is in, if it is another business's. */
  readonly platform: number | null
}

/**
 * batch_create_kube_workload (container API reference 1.7, 4.6). Business, cluster and the namespace's name are the
 * namespace's: a platform business writes into namespaces of its shared clusters, and the rows become their user's.
 */
export function createWorkloads(
  deps: InventoryDeps,
  caller: Caller,
  kind: WorkloadKind,
  body: CreateWorkloadsBody,
  origin: Origin = 'client',
): Promise<CreatedIds> {
  const { bizId, workloads } = readWorkloads(kind, body)
  const options = batchOptions(body)
  const batch = {
    level,
    bizId,
    size: workloads.length,
    kind,
    sequence: `workload_${kind.toLowerCase()}_id_seq`,
    parentIds: [[...new Set(workloads.map((w) => w.bk_namespace_id ?? 0))]],
    candidates: () => workloads.map(candidateOf(kind)),
    place: (parents: ParentRows) => placeWorkloads(bizId, workloads, parents.namespaces as readonly NamespaceParent[]),
  }
  return createBatch({ deps, caller, origin }, batch, options)
}

function placeWorkloads(bizId: number, workloads: readonly NewWorkload[], parents: readonly NamespaceParent[]) {
  const namespaces = new Map(parents.map((n) => [n.id, n]))
  const found = workloads.map((w) => namespaces.get(w.bk_namespace_id ?? 0))
  const missing = problemsAt(found, (n) => n === undefined, 'no such namespace')
  if (missing.length > 0) throw cmdbErrors.notFound(missing)
  const foreign = problemsAt(
    found,
    (n) => n?.bk_biz_id !== bizId && n?.platform !== bizId,
    `the namespace is not shared with business ${bizId}`,
  )
  if (foreign.length > 0) throw cmdbErrors.mismatch('bk_biz_id', foreign)
  const derived = new Map(
    parents.map((namespace) => [
      namespace.id,
      {
        bk_biz_id: namespace.bk_biz_id || undefined,
        bk_cluster_id: namespace.bk_cluster_id || undefined,
        cluster_uid: namespace.cluster_uid || undefined,
        namespace: namespace.name || undefined,
      },
    ]),
  )
  return workloads.map((own) => ({ own, derived: derived.get(own.bk_namespace_id ?? 0) ?? {} }))
}

const candidateOf = (kind: WorkloadKind) => (workload: NewWorkload, i: number) => {
  const name = workload.name ?? ''
  const bk_namespace_id = workload.bk_namespace_id ?? 0
  const cr = { cr_kind: workload.cr_kind ?? '', cr_api_version: workload.cr_api_version ?? '' }
  return {
    path: `data[${i}].name`,
    key: keyText(kind === 'customResource' ? { bk_namespace_id, ...cr, name } : { bk_namespace_id, name }),
    stored: { kind, namespace: bk_namespace_id, name, ...cr },
  }
}

function problemsAt(
  namespaces: readonly (NamespaceParent | undefined)[],
  wrong: (namespace: NamespaceParent | undefined) => boolean,
  message: string,
): ErrorDetail[] {
  return namespaces.flatMap((n, i) => (wrong(n) ? [{ path: `data[${i}].bk_namespace_id`, message }] : []))
}

function readWorkloads(
  kind: WorkloadKind,
  body: CreateWorkloadsBody,
): { readonly bizId: number; readonly workloads: readonly NewWorkload[] } {
  const data = (body?.data ?? []).map((workload) => workload ?? {})
  const partitions = data.flatMap((workload, i) => partitionProblem(kind, workload, `data[${i}]`))
  if (partitions.length > 0) throw cmdbErrors.undecodable(partitions)
  const bizId = body?.bk_biz_id ?? 0
  if (bizId === 0) throw cmdbErrors.unset('bk_biz_id')
  if (data.length === 0) throw cmdbErrors.unset('data')
  if (data.length > maxWorkloads) throw cmdbErrors.tooMany('data', maxWorkloads)
  if (kind === 'customResource')
    refuseProblems(data, (workload, path) => {
      const name = (['cr_kind', 'cr_api_version'] as const).find((n) => (workload[n] ?? undefined) === undefined)
      return name === undefined ? undefined : invalid(`${path}.${name}`, name)
    })
  return { bizId, workloads: data.map((workload) => workloadForm(kind, workload)) }
}
