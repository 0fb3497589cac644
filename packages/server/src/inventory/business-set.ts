import { businessNameProblem } from './business.ts'
import { parseFilter } from './filter/parse.ts'
import type { Rule } from './filter/rule.ts'
import { checkAttribute } from './instance-attributes.ts'

/** A business set as stored. */
export type BusinessSetRow = {
  readonly id: number
  readonly bk_supplier_account: string
  readonly bk_biz_set_name: string
  readonly bk_biz_set_desc: string
  readonly bk_biz_maintainer: string | null
  readonly bk_scope: BusinessSetScope
  readonly create_time: Date
  readonly last_time: Date
  readonly bk_created_by: string
  readonly bk_updated_at: Date | null
  readonly bk_updated_by: string | null
}

/** Which businesses are in a set; looked at anew by every read. */
export type BusinessSetScope =
  | { readonly match_all: true }
  | { readonly match_all: false; readonly filter: Readonly<Record<string, unknown>> }

/** What a client gives of a set; absent members were not given, a null takes the value away. */
export type BusinessSetInput = {
  readonly bk_biz_set_name?: string
  readonly bk_biz_set_desc?: string
  readonly bk_biz_maintainer?: string | null
}

/** The one that comes with the installation (container API reference 10.7). */
export const builtInSet = 9991001

/** Checks the attributes of a set; the problem is the text of 1199011. */
export function checkSetAttributes(
  row: Readonly<Record<string, unknown>>,
): { readonly ok: true; readonly input: BusinessSetInput } | { readonly ok: false; readonly problem: string } {
  const input: { -readonly [Name in keyof BusinessSetInput]: BusinessSetInput[Name] } = {}
  const { bk_biz_set_name: name, bk_biz_set_desc: description, bk_biz_maintainer: maintainer } = row
  if (name !== undefined && name !== null) {
    const checked = checkAttribute({ name: 'bk_biz_set_name', kind: 'text' }, name)
    if (!checked.ok) return checked
    const problem = businessNameProblem(checked.value as string, 'bk_biz_set_name')
    if (problem !== undefined) return { ok: false, problem }
    input.bk_biz_set_name = checked.value as string
  }
  if (description !== undefined) {
    const checked = checkAttribute({ name: 'bk_biz_set_desc', kind: 'long' }, description)
    if (!checked.ok) return checked
    input.bk_biz_set_desc = (checked.value as string | null) ?? ''
  }
  if (maintainer !== undefined) {
    const checked = checkAttribute({ name: 'bk_biz_maintainer', kind: 'users' }, maintainer)
    if (!checked.ok) return checked
    input.bk_biz_maintainer = checked.value as string | null
  }
  return { ok: true, input }
}

/** Fields of a business that a scope may speak of: the id and the enums. */
const scopeFields = new Map([
  ['bk_biz_id', 'numeric'],
  ['life_cycle', 'enum'],
  ['language', 'enum'],
] as const)

/**
 * Checks a scope (container API reference 10.7): everything without a filter, or exactly one AND of `equal` and `in` over
 * the business's id or its enums.
 */
export function checkScope(
  given: unknown,
): { readonly ok: true; readonly scope: BusinessSetScope } | { readonly ok: false; readonly problem: string } {
  const problem = (text: string) => ({ ok: false, problem: text }) as const
  if (!isRecord(given)) return problem('must be an object')
  const { match_all: all, filter } = given
  if (all === true)
    return filter === undefined || filter === null
      ? { ok: true, scope: { match_all: true } }
      : problem('match_all takes no filter')
  if (all !== false && all !== undefined && all !== null) return problem('match_all must be true or false')
  if (!isRecord(filter) || filter.condition !== 'AND') return problem('filter must be an AND of rules')
  const parsed = parseFilter(filter, { dialect: 'older', fields: scopeFields, maxDepth: 2 })
  if (!parsed.ok) return problem(parsed.reason === 'shape' ? 'filter must be a rule' : parsed.message)
  const isPlain = (rule: Rule) =>
    rule.kind === 'atom' && (rule.test.kind === 'equal' || rule.test.kind === 'in') && !rule.test.negated
  if (parsed.rule.kind !== 'and' || !parsed.rule.rules.every(isPlain))
    return problem('filter takes the operators equal and in')
  return { ok: true, scope: { match_all: false, filter: { condition: 'AND', rules: filter.rules } } }
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The rule of a stored scope; undefined: every business. */
export function scopeRule(scope: BusinessSetScope): Rule | undefined {
  if (scope.match_all) return undefined
  const parsed = parseFilter(scope.filter, { dialect: 'older', fields: scopeFields, maxDepth: 2 })
  if (!parsed.ok) throw new Error('a stored scope cannot be read')
  return parsed.rule
}

/** The row on the wire, all members. */
export function businessSetView(row: BusinessSetRow): Record<string, unknown> {
  return {
    bk_biz_set_id: row.id,
    bk_biz_set_name: row.bk_biz_set_name,
    bk_biz_set_desc: row.bk_biz_set_desc,
    bk_biz_maintainer: row.bk_biz_maintainer,
    bk_scope: row.bk_scope,
    default: row.id === builtInSet ? 1 : 0,
    bk_supplier_account: row.bk_supplier_account,
    create_time: row.create_time.toISOString(),
    last_time: row.last_time.toISOString(),
    bk_created_at: row.create_time.toISOString(),
    bk_created_by: row.bk_created_by,
    ...(row.bk_updated_at === null
      ? {}
      : { bk_updated_at: row.bk_updated_at.toISOString(), bk_updated_by: row.bk_updated_by ?? '' }),
  }
}
