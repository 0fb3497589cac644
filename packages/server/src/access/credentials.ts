import type { Caller, RequestFacts } from '../http/caller.ts'

/** Every secret that the request presents; any of them may be the admin token. */
export function presentedSecrets(request: RequestFacts): string[] {
  const bearer = /^Bearer\s+(\S+)\s*$/i.exec(request.header('authorization') ?? '')?.[1]
  return [
    bearer,
    ...pick(gatewayAuthorization(request), ['bk_token', 'bk_ticket', 'access_token', 'bk_app_secret']),
    request.header('x-bkcmdb-user-token'),
    ...pick(request.body, ['bk_token', 'bk_app_secret']),
  ].filter((secret): secret is string => secret !== undefined && secret !== '')
}

/** The user and tenant that an authenticated request names; headers before the gateway's before the body's. */
export function identityOf(request: RequestFacts): Caller {
  const named = [
    request.header('x-bkcmdb-user'),
    request.header('bk_user'),
    ...pick(gatewayAuthorization(request), ['bk_username']),
    ...pick(request.body, ['bk_username']),
  ].find((name) => name !== undefined && name !== '')
  const tenant = [
    request.header('x-bkcmdb-supplier-account'),
    request.header('x-bkapi-supplier-account'),
    request.header('http_bk_supplier_account'),
    request.header('http_blueking_supplier_id'),
    ...pick(request.body, ['bk_supplier_account']),
  ].find((account) => account !== undefined && account !== '')
  return { user: (named ?? 'admin').slice(0, 256), tenant: (tenant ?? '0').slice(0, 256) }
}

function gatewayAuthorization(request: RequestFacts): unknown {
  const text = request.header('x-bkapi-authorization')
  if (text === undefined) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function pick(from: unknown, names: readonly string[]): (string | undefined)[] {
  if (typeof from !== 'object' || from === null) return []
  const members = from as Record<string, unknown>
  return names.map((name) => {
    const value = Object.hasOwn(members, name) ? members[name] : undefined
    return typeof value === 'string' ? value : undefined
  })
}
