import type { Parameters } from './filter/parameters.ts'

/**
 * Which tenants' rows a reader sees (container API reference 4.0): account `0` its own, another account its own and
 * those of `0`, the super account everything. Writes touch only rows of exactly the caller's account.
 */
export function visibleTenant(column: string, tenant: string, parameters: Parameters): string {
  if (tenant === 'superadmin') return 'true'
  const tenants = tenant === '0' ? ['0'] : ['0', tenant]
  return `${column} = any(${parameters.add(tenants, 'text[]')})`
}
