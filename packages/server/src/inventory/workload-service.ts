import {
  type CreateWorkloadsBody,
  NewWorkload,
  rollingUpdateStrategies,
  type WorkloadKind,
  workloadKinds,
} from '@podyard/contract'
import { cmdbErrors, type ErrorDetail } from '../errors.ts'
import type { Caller } from '../http/caller.ts'
import { type Statement, UniqueViolation } from '../store/database.ts'
import { inTransaction } from '../store/transaction.ts'
import { duplicateError, keyText } from './duplicates.ts'
import { insertWorkloads } from './insert-statements.ts'
import { creationStamps, type InventoryDeps, type Origin, readableTenants } from './inventory-deps.ts'
import { memberForms, storedForm } from './stored-form.ts'

/** Workloads of one call at most. */
const maxWorkloads = 200

/**
 * The namespaces that a batch names, locked against deletion, with the business whose shared cluster they are in.
 * $1 namespace ids, $2 tenants (null: all), $3 number of workloads, $4 their sequence
 */
const readWorkloadParents: Statement = {
  name: 'inventory-read-workload-parents',
  text: `with n as (
      select id, name, bk_biz_id, bk_cluster_id, cluster_uid from namespace
      where id = any($1::bigint[]) and ($2::text[] is null or bk_supplier_account = any($2)) order by id for key share)
    select draw_ids($4::text::regclass, $3::int) as first_id, (select coalesce(json_agg(row), '[]') from (
      select n.*, s.bk_asst_biz_id as platform from n left join namespace_shared s on s.bk_namespace_id = n.id) row) as namespaces`,
}

type NamespaceParent = {
  readonly id: number
  readonly name: string
  readonly bk_biz_id: number
  readonly bk_cluster_id: number
  readonly cluster_uid: string
  readonly platform: number | null
}

/** Which of a workload's own members a kind stores; the rest is dropped (container API reference 1.7). */
const common = ['bk_namespace_id', 'name', 'labels', 'selector', 'replicas', 'min_ready_seconds'] as const
const members: Readonly<Record<WorkloadKind, readonly string[]>> = {
  deployment: [...common, 'strategy_type', 'rolling_update_strategy'],
  statefulSet: [...common, 'strategy_type', 'rolling_update_strategy'],
  daemonSet: [...common, 'strategy_type', 'rolling_update_strategy'],
  gameStatefulSet: [...common, 'strategy_type', 'rolling_update_strategy'],
  gameDeployment: [...common, 'strategy_type', 'rolling_update_strategy'],
  cronJob: common,
  job: common,
  pods: common,
  customResource: [...common, 'cr_kind', 'cr_api_version'],
}

const strategyForms = new Map(
  Object.entries(rollingUpdateStrategies).map(([kind, schema]) => [kind, storedForm(schema)]),
)
const formsOf = new Map(workloadKinds.map((kind) => [kind, memberForms(NewWorkload, members[kind])]))

/** The kind that a path names; any other word is the original's untyped error. */
export function workloadKindOf(word: string): WorkloadKind {
  const kind = workloadKinds.find((k) => k === word)
  if (kind === undefined) throw cmdbErrors.untyped(`can not support this type of workload, kind: ${word}`)
  return kind
}

/**
 * batch_create_kube_workload (container API reference 1.7, 4.6). Business, cluster and the namespace's name are the
 * namespace's: a platform business writes into namespaces of its shared clusters, and the rows become their user's.
 */
export async function createWorkloads(
  deps: InventoryDeps,
  caller: Caller,
  kind: WorkloadKind,
  body: CreateWorkloadsBody,
  origin: Origin = 'client',
): Promise<{ readonly ids: number[] }> {
  const { bizId, workloads } = readWorkloads(kind, body)
  try {
    const first = await inTransaction(deps.db, async (tx) => {
      const [parents] = await tx.run<{ first_id: number; namespaces: readonly NamespaceParent[] }>(
        readWorkloadParents,
        [
          [...new Set(workloads.map((w) => w.bk_namespace_id ?? 0))],
          readableTenants(caller),
          workloads.length,
          `workload_${kind.toLowerCase()}_id_seq`,
        ],
      )
      if (parents === undefined) throw new Error('the statement that reads the parents of workloads gave no row')
      const namespaces = new Map(parents.namespaces.map((n) => [n.id, n]))
      const found = workloads.map((w) => namespaces.get(w.bk_namespace_id ?? 0))
      const missing = problemsAt(found, (n) => n === undefined, 'no such namespace')
      if (missing.length > 0) throw cmdbErrors.notFound(missing)
      const foreign = problemsAt(
        found,
        (n) => n?.bk_biz_id !== bizId && n?.platform !== bizId,
        `the namespace is not shared with business ${bizId}`,
      )
      if (foreign.length > 0) throw cmdbErrors.mismatch('bk_biz_id', foreign)
      const stamps = creationStamps(deps, caller)
      const views = workloads.map((workload, index) => {
        const namespace = found[index] as NamespaceParent
        return {
          ...workload,
          name: workload.name || undefined,
          id: parents.first_id + index,
          bk_biz_id: namespace.bk_biz_id || undefined,
          bk_supplier_account: caller.tenant,
          bk_cluster_id: namespace.bk_cluster_id || undefined,
          cluster_uid: namespace.cluster_uid || undefined,
          namespace: namespace.name || undefined,
          ...stamps,
        }
      })
      await tx.run(insertWorkloads, [JSON.stringify(views), origin, kind])
      return parents.first_id
    })
    return { ids: workloads.map((_, index) => first + index) }
  } catch (error) {
    if (!(error instanceof UniqueViolation)) throw error
    throw await duplicateError(deps.db, workloads.map(candidateOf(kind)), lookUp, error)
  }
}

const lookUp = `select i.ord from json_to_recordset($1)
    as i(ord int, kind text, namespace bigint, name text, cr_kind text, cr_api_version text)
  where exists (select 1 from workload w where w.kind = i.kind and w.bk_namespace_id = i.namespace and w.name = i.name
    and (w.kind <> 'customResource' or (w.cr_kind = i.cr_kind and w.cr_api_version = i.cr_api_version)))`

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
  const data = body?.data ?? []
  const partitions = data.flatMap((w, i) => partitionProblem(kind, w, i))
  if (partitions.length > 0) throw cmdbErrors.undecodable(partitions)
  const bizId = body?.bk_biz_id ?? 0
  if (bizId === 0) throw cmdbErrors.unset('bk_biz_id')
  if (data.length === 0) throw cmdbErrors.unset('data')
  if (data.length > maxWorkloads) throw cmdbErrors.tooMany('data', maxWorkloads)
  if (kind === 'customResource')
    data.forEach((workload, i) => {
      for (const name of ['cr_kind', 'cr_api_version'] as const)
        if (workload?.[name] === undefined || workload[name] === null)
          throw cmdbErrors.invalid(name, [{ path: `data[${i}].${name}`, message: 'is required' }])
    })
  const forms = formsOf.get(kind)
  const strategyForm = strategyForms.get(kind)
  const workloads = data.map((workload): NewWorkload => {
    const stored = forms?.(workload ?? {}) ?? {}
    const strategy = workload?.rolling_update_strategy
    if (strategyForm === undefined || strategy === undefined || strategy === null) return stored
    return { ...stored, rolling_update_strategy: strategyForm(strategy) as NewWorkload['rolling_update_strategy'] }
  })
  return { bizId, workloads }
}

/** `partition` is a number of statefulSets and an IntOrString object of the game kinds; the other kinds do not read it. */
function partitionProblem(kind: WorkloadKind, workload: NewWorkload | null, i: number): ErrorDetail[] {
  const partition = workload?.rolling_update_strategy?.partition
  if (partition === undefined || partition === null) return []
  const wanted = kind === 'statefulSet' ? 'number' : kind.startsWith('game') ? 'object' : undefined
  if (wanted === undefined || typeof partition === wanted) return []
  return [
    {
      path: `data[${i}].rolling_update_strategy.partition`,
      message: `must be ${wanted === 'number' ? 'integer' : wanted}`,
    },
  ]
}
