import type { BusinessOnlyBody, LabelValuesBody } from '@podyard/contract'
import { cmdbErrors } from '../errors.ts'
import type { Caller } from '../http/caller.ts'
import type { Database } from '../store/database.ts'
import { ofLabelKey, visibleCounts } from './count-reads.ts'
import { requestRecount } from './count-sweep.ts'
import { createParameters } from './filter/parameters.ts'
import { visibleTenant } from './list-tenant.ts'

/** The business of a cache's call; 1199011 `opt` without one. */
export function cachedBusiness(body: BusinessOnlyBody): number {
  const business = body.bk_biz_id ?? 0
  if (business <= 0) throw cmdbErrors.invalid('opt')
  return business
}

/**
 * list_cached_kube_pod_label_key (container API reference 2.4): the label keys of a business's pods, in their order. Read
 * from the counts, which are exact at every moment; the original's cache lags behind.
 */
export async function labelKeys(
  db: Database,
  caller: Caller,
  body: BusinessOnlyBody,
): Promise<{ readonly keys: readonly string[] }> {
  const parameters = createParameters()
  const business = parameters.add(cachedBusiness(body), 'bigint')
  const rows = await db.query<{ key: string }>(
    `select c.key from ${visibleCounts('label_count', business)} c
     where c.value is null and ${visibleTenant('c.bk_supplier_account', caller, parameters)}
     group by c.key having sum(c.pods) > 0 order by c.key`,
    parameters.values,
  )
  return { keys: rows.map((row) => row.key) }
}

/** list_cached_kube_pod_label_value: the values of one key. 1199011 `opt` without business or key. */
export async function labelValues(
  db: Database,
  caller: Caller,
  body: LabelValuesBody,
): Promise<{ readonly values: readonly string[] }> {
  const key = body.key ?? ''
  const business = cachedBusiness(body)
  if (key === '') throw cmdbErrors.invalid('opt')
  const parameters = createParameters()
  const rows = await db.query<{ value: string }>(
    `select c.value from ${visibleCounts('label_count', parameters.add(business, 'bigint'))} c
     where c.value is not null and ${ofLabelKey(key, parameters)} and ${visibleTenant('c.bk_supplier_account', caller, parameters)}
     group by c.value having sum(c.pods) > 0 order by c.value`,
    parameters.values,
  )
  return { values: rows.map((row) => row.value) }
}

/** The refreshes of both caches: the lease holder counts the business anew, soon. Answers at once. */
export async function refreshCounts(db: Database, body: BusinessOnlyBody): Promise<null> {
  await requestRecount(db, cachedBusiness(body))
  return null
}
