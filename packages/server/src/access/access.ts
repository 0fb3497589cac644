import { hash, timingSafeEqual } from 'node:crypto'
import type { Access, AccessDecision, RequestFacts } from '../http/caller.ts'
import { identityOf, presentedSecrets } from './credentials.ts'

/**
 * `open`: the quick start (embedded database, simulated cluster, loopback only): every request acts as `admin`.
 * `token`: every request must carry the admin token, in one of the forms that the originals' clients send.
 */
export type AccessMode = { readonly kind: 'open' } | { readonly kind: 'token'; readonly token: string }

export function createAccess(mode: AccessMode): Access {
  if (mode.kind === 'open') return { mode: 'open', check: checkOpen }
  const expected = digest(mode.token)
  return {
    mode: 'token',
    check(request) {
      const secrets = presentedSecrets(request)
      if (secrets.length === 0)
        return {
          allowed: false,
          status: 401,
          reason: 'credentials are required: send Authorization: Bearer <admin token>',
        }
      if (!secrets.some((secret) => timingSafeEqual(digest(secret), expected)))
        return { allowed: false, status: 401, reason: 'the credentials are not valid' }
      return { allowed: true, caller: identityOf(request) }
    },
  }
}

const digest = (text: string) => hash('sha256', text, 'buffer')

/**
 * The open mode trusts whoever reaches loopback, so it must be sure that a person's browser is not lent to a foreign
 * page: only loopback names as Host (DNS rebinding), and browser requests only from the same origin.
 */
function checkOpen(request: RequestFacts): AccessDecision {
  const host = request.header('host') ?? ''
  if (!isLoopbackHost(host))
    return { allowed: false, status: 403, reason: 'this Podyard runs open and answers to loopback host names only' }
  const origin = request.header('origin')
  const site = request.header('sec-fetch-site')
  const foreignOrigin = origin !== undefined && origin !== `http://${host}`
  const foreignSite = site !== undefined && site !== 'same-origin' && site !== 'none'
  if (foreignOrigin || foreignSite)
    return { allowed: false, status: 403, reason: 'this Podyard runs open and takes no requests from other origins' }
  return { allowed: true, caller: { ...identityOf(request), user: 'admin' } }
}

/** `localhost`, `*.localhost`, 127.0.0.0/8 and [::1], with or without a port. */
export function isLoopbackHost(host: string): boolean {
  const name = host.replace(/:\d+$/, '').toLowerCase()
  return (
    name === 'localhost' ||
    name.endsWith('.localhost') ||
    name === '[::1]' ||
    /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name)
  )
}
