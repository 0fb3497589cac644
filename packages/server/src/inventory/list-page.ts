import type { InventoryPage } from '@podyard/contract'
import { cmdbErrors } from '../errors.ts'

/** A page that passed its checks: a count, or some rows. */
export type Page =
  | { readonly kind: 'count' }
  | { readonly kind: 'rows'; readonly start: number; readonly limit: number; readonly sort: string }

/** Rows of one page at most. The original's 999999999, which slips through there, is refused like any other. */
const maxLimit = 500

/** Checks a page (container API reference 5.4); throws the error that the client gets. */
export function checkPage(page: InventoryPage | null | undefined): Page {
  const start = page?.start ?? 0
  const limit = page?.limit ?? 0
  const sort = page?.sort ?? ''
  if (page?.enable_count === true) {
    if (start !== 0 || limit !== 0 || sort !== '') throw cmdbErrors.mismatch('page.enable_count')
    return { kind: 'count' }
  }
  if (start < 0) throw cmdbErrors.invalid('page.start')
  if (limit <= 0) throw cmdbErrors.invalid('page.limit')
  if (limit > maxLimit) throw cmdbErrors.pageTooLong()
  return { kind: 'rows', start, limit, sort }
}
