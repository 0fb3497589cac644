import type { InventoryPage, LoosePage } from '@podyard/contract'
import { cmdbErrors } from '../errors.ts'
import { cursorAfter, idOfCursor } from './list-cursor.ts'

/** A page that passed its checks: a count, some rows by their place, or the rows that follow a cursor. */
export type Page =
  | { readonly kind: 'count' }
  | { readonly kind: 'rows'; readonly start: number; readonly limit: number; readonly sort: string }
  /** `after`: the rows with larger ids, in their order. */
  | { readonly kind: 'cursor'; readonly after: number; readonly limit: number; readonly list: string }

/** Rows of one page at most. The original's 999999999, which slips through there, is refused like any other. */
const maxLimit = 500

/**
 * Checks a page (container API reference 5.4); throws the error that the client gets. `list` says whose cursors are good
 * here; a list without one knows no cursors.
 */
export function checkPage(page: InventoryPage | null | undefined, list?: string): Page {
  const start = page?.start ?? 0
  const limit = page?.limit ?? 0
  const sort = page?.sort ?? ''
  const cursor = list === undefined ? undefined : (page?.cursor ?? undefined)
  if (page?.enable_count === true) {
    if (start !== 0 || limit !== 0 || sort !== '' || cursor !== undefined)
      throw cmdbErrors.mismatch('page.enable_count')
    return { kind: 'count' }
  }
  if (start < 0) throw cmdbErrors.invalid('page.start')
  if (limit <= 0) throw cmdbErrors.invalid('page.limit')
  if (limit > maxLimit) throw cmdbErrors.pageTooLong()
  if (cursor === undefined || list === undefined) return { kind: 'rows', start, limit, sort }
  if (start !== 0 || sort !== '') throw cmdbErrors.mismatch('page.cursor')
  return { kind: 'cursor', after: afterCursor(list, cursor), limit, list }
}

/** A page that nobody checks, as businesses and hosts have it; `limit` undefined: all rows. */
export type UncheckedPage =
  | { readonly kind: 'rows'; readonly start: number; readonly limit: number | undefined; readonly sort: string }
  | { readonly kind: 'cursor'; readonly after: number; readonly limit: number | undefined; readonly list: string }

/** Reads such a page; only a cursor that is wrong is refused (1199006 `page.cursor`). */
export function readLoosePage(page: LoosePage | null | undefined, list: string): UncheckedPage {
  const start = Math.max(page?.start ?? 0, 0)
  const limit = (page?.limit ?? 0) > 0 ? (page?.limit as number) : undefined
  const sort = page?.sort ?? ''
  if (page?.cursor == null) return { kind: 'rows', start, limit, sort }
  if (start !== 0 || sort !== '') throw cmdbErrors.mismatch('page.cursor')
  return { kind: 'cursor', after: afterCursor(list, page.cursor), limit, list }
}

/** The id that a cursor stands for; 1199006 for anything that is none of this list. */
export function afterCursor(list: string, cursor: string): number {
  const after = idOfCursor(list, cursor)
  if (after === undefined) throw cmdbErrors.mismatch('page.cursor')
  return after
}

/** `next_cursor` of a page: "" when it was the last one. */
export function nextCursor(list: string, limit: number | undefined, rows: number, lastId: number): string {
  return limit === undefined || rows < limit ? '' : cursorAfter(list, lastId)
}
