import type { Caller } from '../http/caller.ts'
import type { Parameters } from './filter/parameters.ts'
import { readableTenants, writableTenants } from './inventory-deps.ts'

/** SQL that is true for the rows that a caller may read (container API reference 4.0). */
export function visibleTenant(column: string, caller: Caller, parameters: Parameters): string {
  const tenants = readableTenants(caller)
  return tenants === null ? 'true' : `${column} = any(${parameters.add(tenants, 'text[]')})`
}

/** Whether a caller may change a row of this supplier account. */
export function isWritable(tenant: string, caller: Caller): boolean {
  return writableTenants(caller)?.includes(tenant) ?? true
}
