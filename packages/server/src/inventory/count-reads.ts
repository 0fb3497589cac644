import type { Parameters } from './filter/parameters.ts'
import type { Rule } from './filter/rule.ts'

/**
 * The rows of a count's table and of its deltas that a business sees (container API reference 4.2): its own, and those of
 * others' namespaces in its shared clusters. As a table expression; the counts are sums over it.
 */
export function visibleCounts(table: 'label_count' | 'workload_count', business: string): string {
  const branches = [table, `${table}_delta`].flatMap((name) => [
    `select c.* from ${name} c where c.bk_biz_id = ${business}`,
    `select c.* from namespace_shared s join ${name} c on c.bk_namespace_id = s.bk_namespace_id
     where s.bk_asst_biz_id = ${business} and c.bk_biz_id <> ${business}`,
  ])
  return `(${branches.join(' union all ')})`
}

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
