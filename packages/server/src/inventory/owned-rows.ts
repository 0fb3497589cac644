import { cmdbErrors, type ErrorDetail } from '../errors.ts'
import type { Statement } from '../store/database.ts'
import type { EditableObject } from './update-statements.ts'

/** A row that is about to change or to go. */
export type OwnedRow = {
  readonly id: number
  readonly bk_biz_id: number
  /** Whose shared cluster it is in, if it is another business's. */
  readonly platform: number | null
}

const namespaceColumn: Readonly<Partial<Record<EditableObject, string>>> = {
  namespace: 'id',
  workload: 'bk_namespace_id',
  pod: 'bk_namespace_id',
}

/**
 * Locks rows until the commit, in the order of ids: `update` before they go, `no key update` before they change.
 * $1 ids, $2 tenants that the caller writes (null: all), for workloads $3 the kind
 */
export function lockRows(object: EditableObject, strength: 'update' | 'no key update'): Statement {
  const column = namespaceColumn[object]
  const shared = column === undefined ? '' : `left join namespace_shared s on s.bk_namespace_id = t.${column}`
  return {
    name: `inventory-lock-${object}-for-${strength.replaceAll(' ', '-')}`,
    text: `select t.id, t.bk_biz_id,${object === 'pod' ? ' t.bk_node_id,' : ''} ${column === undefined ? 'null::bigint' : 's.bk_asst_biz_id'} as platform
      from ${object} t ${shared}
      where t.id = any($1::bigint[]) and ($2::text[] is null or t.bk_supplier_account = any($2))
        ${object === 'workload' ? 'and t.kind = $3' : ''}
      order by t.id for ${strength} of t`,
  }
}

/** Where in the request the ids of some rows stand. */
export const detailsOf = (ids: readonly number[], wrong: ReadonlySet<number>, message: string): ErrorDetail[] =>
  ids.flatMap((id, i) => (wrong.has(id) ? [{ path: `ids[${i}]`, message }] : []))

/** Rows that are neither the business's nor in a cluster that it shares: 1199006 (container API reference 4.2). */
export function refuseForeignRows(found: readonly OwnedRow[], bizId: number, ids: readonly number[]): void {
  const foreign = new Set(found.filter((row) => row.bk_biz_id !== bizId && row.platform !== bizId).map((row) => row.id))
  if (foreign.size > 0)
    throw cmdbErrors.mismatch('bk_biz_id', detailsOf(ids, foreign, `does not belong to business ${bizId}`))
}

type IdsBody = {
  readonly bk_biz_id?: number | null | undefined
  readonly ids?: readonly (number | null)[] | null | undefined
}

/** Business and ids of a request for several rows. `noIds` and `over` tell how an empty list and too long a one are refused. */
export function readIds(
  body: IdsBody | null | undefined,
  limit: number,
  noIds = () => cmdbErrors.unset('ids'),
  over = () => cmdbErrors.tooMany('ids', limit),
): { readonly bizId: number; readonly ids: readonly number[] } {
  const bizId = body?.bk_biz_id ?? 0
  if (bizId === 0) throw cmdbErrors.unset('bk_biz_id')
  const ids = (body?.ids ?? []).map((id) => id ?? 0)
  if (ids.length === 0) throw noIds()
  if (ids.length > limit) throw over()
  return { bizId, ids }
}
