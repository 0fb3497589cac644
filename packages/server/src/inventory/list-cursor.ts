/**
 * Where a page of `page.cursor` ended: the list and the id of its last row. Opaque on the wire; a page that follows begins
 * after that id, whatever was written or removed meanwhile.
 */
export function cursorAfter(list: string, id: number): string {
  return Buffer.from(`1 ${list} ${id}`).toString('base64url')
}

/** The id after which the next page begins, 0 at the start (`""`); undefined for a text that is no cursor of this list. */
export function idOfCursor(list: string, cursor: string): number | undefined {
  if (cursor === '') return 0
  if (cursor.length > 200) return undefined
  const text = Buffer.from(cursor, 'base64url').toString()
  const id = Number(/^1 \S+ (\d{1,16})$/.exec(text)?.[1])
  return Number.isSafeInteger(id) && cursorAfter(list, id) === cursor ? id : undefined
}
