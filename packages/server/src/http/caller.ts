/** What of a request says who sends it. */
export type RequestFacts = {
  /** First value of a header, by lower-case name. */
  header(name: string): string | undefined
  /** The parsed JSON body, where one was read: ESB clients put their credentials into it (container API reference 7.3). */
  readonly body: unknown
}

/** Who is calling, as far as the use cases need to know. */
export type Caller = {
  /** Stored as creator and modifier. */
  readonly user: string
  /** Supplier account: the tenant whose rows are seen and written. */
  readonly tenant: string
}

export type AccessDecision =
  | { readonly allowed: true; readonly caller: Caller }
  | { readonly allowed: false; readonly status: 401 | 403; readonly reason: string }

/** The access check as the HTTP shell knows it; `access/` implements it. */
export type Access = { readonly mode: 'open' | 'token'; check(request: RequestFacts): AccessDecision }

/** The tenant that sees and changes everything (container API reference 4.0). */
const superTenant = 'superadmin'

/** The supplier accounts whose rows a caller reads: account 0's and its own; null: everybody's. */
export function readableTenants(caller: Caller): readonly string[] | null {
  if (caller.tenant === superTenant) return null
  return caller.tenant === '0' ? ['0'] : ['0', caller.tenant]
}

/** The supplier accounts whose rows a caller changes: its own; null: everybody's. */
export function writableTenants(caller: Caller): readonly string[] | null {
  return caller.tenant === superTenant ? null : [caller.tenant]
}
