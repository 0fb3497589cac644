import { NewWorkload, rollingUpdateStrategies, type WorkloadKind, workloadKinds } from '@podyard/contract'
import { cmdbErrors, type ErrorDetail } from '../errors.ts'
import { memberForms, storedForm } from './stored-form.ts'
import { editable } from './update-statements.ts'

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
const isEditable = (name: string) => (editable.workload as readonly string[]).includes(name)
const newForms = new Map(workloadKinds.map((kind) => [kind, memberForms(NewWorkload, members[kind])]))
const changeForms = new Map(
  workloadKinds.map((kind) => [kind, memberForms(NewWorkload, members[kind].filter(isEditable))]),
)

/** The kind that a path names; any other word is the original's untyped error. */
export function workloadKindOf(word: string): WorkloadKind {
  const kind = workloadKinds.find((k) => k === word)
  if (kind === undefined) throw cmdbErrors.untyped(`can not support this type of workload, kind: ${word}`)
  return kind
}

/** A workload of a request as it is stored; `change`: only what an update may change. */
export function workloadForm(kind: WorkloadKind, workload: NewWorkload, change = false): NewWorkload {
  const formed: NewWorkload = (change ? changeForms : newForms).get(kind)?.(workload) ?? {}
  const given = workload.rolling_update_strategy ?? undefined
  const strategy = (given === undefined ? undefined : strategyForms.get(kind)?.(given)) as typeof given
  const isStrategySame = strategy === undefined || strategy === formed.rolling_update_strategy
  if (formed.name !== '' && isStrategySame) return formed
  const { name, ...members } = formed
  return { ...(name ? { name } : {}), ...members, ...(isStrategySame ? {} : { rolling_update_strategy: strategy }) }
}

/**
 * `partition` is a number of statefulSets and an IntOrString object of the game kinds; the other kinds do not read it.
 * `path` is the workload's.
 */
export function partitionProblem(
  kind: WorkloadKind,
  workload: NewWorkload | null | undefined,
  path: string,
): ErrorDetail[] {
  const partition = workload?.rolling_update_strategy?.partition
  if (partition === undefined || partition === null) return []
  const wanted = kind === 'statefulSet' ? 'number' : kind.startsWith('game') ? 'object' : undefined
  if (wanted === undefined || typeof partition === wanted) return []
  return [
    {
      path: `${path}.rolling_update_strategy.partition`,
      message: `must be ${wanted === 'number' ? 'integer' : wanted}`,
    },
  ]
}
