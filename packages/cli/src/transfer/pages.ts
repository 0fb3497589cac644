import type { Api } from './api.ts'
import type { Data } from './line.ts'

/** Where to go on after a page: Podyard's cursor, or the last id where the server knows no cursors. */
export type PagePlace = { readonly cursor: string } | { readonly after: number }

export type Listing = {
  readonly path: string
  readonly body: Data
  /** How a rule is called and which field is the id: hosts have their own words. */
  readonly filter?: 'filter' | 'host_property_filter'
  readonly id?: 'id' | 'bk_host_id'
  readonly rules?: readonly Rule[]
}
export type Rule = { readonly field: string; readonly operator: string; readonly value: unknown }

const limit = 500

/**
 * All rows of a list in the order of their ids, page by page: deep pages cost what the first does, and rows that come and
 * go meanwhile shift nothing. By `page.cursor`; where an answer has no `next_cursor` (what Podyard replaces, and its lists of
 * hosts), by the condition that the id is greater than the last one.
 */
export async function* pages(
  api: Api,
  listing: Listing,
  from?: PagePlace,
): AsyncGenerator<{ readonly rows: readonly Data[]; readonly next: PagePlace | undefined }> {
  const { id = 'id', filter = 'filter', rules = [] } = listing
  let place: PagePlace | undefined = from ?? (id === 'id' ? { cursor: '' } : { after: 0 })
  while (place !== undefined) {
    const conditions = 'after' in place ? [...rules, { field: id, operator: 'greater', value: place.after }] : rules
    const body = {
      ...listing.body,
      ...(conditions.length === 0 ? {} : { [filter]: { condition: 'AND', rules: conditions } }),
      page: 'after' in place ? { start: 0, limit, sort: id } : { limit, cursor: place.cursor },
    }
    const data: { info: readonly Data[] | null; next_cursor?: string } = await api.call('POST', listing.path, body)
    const rows = data.info ?? []
    if ('after' in place) {
      place = rows.length < limit ? undefined : { after: Number(rows.at(-1)?.[id]) }
    } else if (data.next_cursor === undefined) {
      place = { after: 0 }
      continue
    } else place = data.next_cursor === '' ? undefined : { cursor: data.next_cursor }
    yield { rows, next: place }
  }
}

/** All rows of a short list. */
export async function allRows(api: Api, listing: Listing): Promise<Data[]> {
  const found: Data[] = []
  for await (const { rows } of pages(api, listing)) found.push(...rows)
  return found
}

/** How many rows a list has. */
export async function countRows(api: Api, listing: Listing): Promise<number> {
  const { filter = 'filter', rules = [] } = listing
  const body = { ...listing.body, ...(rules.length === 0 ? {} : { [filter]: { condition: 'AND', rules } }) }
  const isHosts = listing.id === 'bk_host_id'
  const page = isHosts ? { start: 0, limit: 1 } : { enable_count: true }
  return (await api.call<{ count: number }>('POST', listing.path, { ...body, page })).count
}
