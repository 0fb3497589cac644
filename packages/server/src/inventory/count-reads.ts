import type { Parameters } from './filter/parameters.ts'
import type { Rule } from './filter/rule.ts'

type CountTable = 'label_count' | 'workload_count'

/**
 * The rows of a count's table and of its deltas that a business sees (container API reference 4.2): its own, and those of
 * others' namespaces in its shared clusters. As a table expression; the counts are sums over it. The namespaces are an
 * array that is made first: a join was planned as a walk over the counts of every other business.
 */
export function visibleCounts(table: CountTable, business: string): string {
  const shared = `c.bk_biz_id <> ${business} and c.bk_namespace_id = any(array(
    select bk_namespace_id from namespace_shared where bk_asst_biz_id = ${business}))`
  return `(select c.* from ${table} c where c.bk_biz_id = ${business}
    union all select c.* from ${table} c where ${shared}
    union all select c.* from ${table}_delta c where c.bk_biz_id = ${business} or (${shared}))`
}

/** The same without others' namespaces. */
export const ownCounts = (table: CountTable, business: string): string =>
  `(${[table, `${table}_delta`].map((name) => `select c.* from ${name} c where c.bk_biz_id = ${business}`).join(' union all ')})`

/** SQL that is true for the counts of one label key. The key's digest is what the index has. */
export function ofLabelKey(key: string, parameters: Parameters): string {
  const text = parameters.add(key, 'text')
  return `md5(c.key)::uuid = md5(${text})::uuid and c.key = ${text}`
}

/** The label that a rule asks for when that is all it asks for: those pods are counted already. */
export function onlyLabelOf(rule: Rule): { readonly key: string; readonly value: string } | undefined {
  if ((rule.kind === 'and' || rule.kind === 'or') && rule.rules.length === 1) return onlyLabelOf(rule.rules[0] as Rule)
  if (rule.kind !== 'object' || rule.field !== 'labels') return undefined
  let inner = rule.rule
  while ((inner.kind === 'and' || inner.kind === 'or') && inner.rules.length === 1) inner = inner.rules[0] as Rule
  if (inner.kind !== 'atom' || inner.test.kind !== 'equal' || inner.test.negated) return undefined
  const { value } = inner.test
  return typeof value === 'string' ? { key: inner.field, value } : undefined
}
