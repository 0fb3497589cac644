import type { Caller } from '../http/caller.ts'
import type { Database } from '../store/database.ts'

export { readableTenants, writableTenants } from '../http/caller.ts'

/** What the inventory's use cases stand on. */
export type InventoryDeps = {
  readonly db: Database
  /** Milliseconds since 1970, for the stamps of rows. */
  readonly now: () => number
}

/** Who keeps a row: clients over HTTP, or sync. Sync updates and removes its own rows only. */
export type Origin = 'client' | 'sync'

/** The stamps of a new row as its view has them; a user without a name leaves none. */
export function creationStamps(deps: InventoryDeps, caller: Caller) {
  const seconds = Math.floor(deps.now() / 1000)
  const user = caller.user === '' ? undefined : caller.user
  return { creator: user, modifier: user, create_time: seconds, last_time: seconds }
}
