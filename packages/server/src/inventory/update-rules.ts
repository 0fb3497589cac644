import { cmdbErrors } from '../errors.ts'
import { kubeFields } from './fields.ts'
import { invalid, type Problem, problemsError } from './item-problems.ts'
import { detailsOf, type OwnedRow } from './owned-rows.ts'
import { editable } from './update-statements.ts'

type Data = Readonly<Record<string, unknown>>

/** Members of `data` that an update refuses, though it knows them (container API reference 1.4 to 1.7); others are ignored. */
const refused = {
  cluster: ['scheduling_engine', 'uid', 'xid', 'vpc'],
  node: ['name', 'has_pod'],
  customResource: ['cr_kind', 'cr_api_version'],
  // There is no such call in the original; whoever sends one of these expects a change that does not come.
  pod: [
    ...kubeFields.pod.map((field) => field.name).filter((name) => !(editable.pod as readonly string[]).includes(name)),
    'spec',
    'containers',
  ],
} as const satisfies Readonly<Record<string, readonly string[]>>

/** Refuses a change of what cannot be changed: 1199011 with the first such member. */
export function refuseImmutable(object: keyof typeof refused, data: Data): void {
  const problems: Problem[] = refused[object]
    .filter((name) => data[name] !== undefined && data[name] !== null)
    .map((name) => ({ ...invalid(`data.${name}`, name), message: 'cannot be changed' }))
  if (problems.length > 0) throw problemsError(problems)
}

/** A node keeps at least one address list that is not empty, if both are given. */
export function refuseNoAddress(data: Data): void {
  const isEmpty = (list: unknown) => Array.isArray(list) && list.length === 0
  if (isEmpty(data.internal_ip) && isEmpty(data.external_ip))
    throw problemsError([
      { ...invalid('data.internal_ip', 'internal_ip or external_ip'), message: 'both address lists are empty' },
    ])
}

/** All distinct, and all rows of the business; else the original's untyped errors (container API reference 3.3). */
export function refuseOthers(
  found: readonly OwnedRow[],
  bizId: number,
  ids: readonly number[],
  texts: { readonly repeated: string; readonly foreign: string },
): void {
  const repeated = ids.flatMap((id, i) =>
    ids.indexOf(id) < i ? [{ path: `ids[${i}]`, message: `the same as ids[${ids.indexOf(id)}]` }] : [],
  )
  if (repeated.length > 0) throw cmdbErrors.untyped(texts.repeated, repeated)
  const own = new Set(found.filter((row) => row.bk_biz_id === bizId).map((row) => row.id))
  const others = new Set(ids.filter((id) => !own.has(id)))
  if (others.size > 0)
    throw cmdbErrors.untyped(texts.foreign, detailsOf(ids, others, `is not one of business ${bizId}`))
}
