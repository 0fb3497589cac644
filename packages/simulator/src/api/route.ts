import { kinds } from '../store/kinds.ts'
import { StatusError } from '../store/status-error.ts'
import type { Kind } from '../store/types.ts'

/** What a request path is about. */
export type Target = {
  readonly kind: Kind
  /** undefined: all namespaces, or a cluster-scoped kind. */
  readonly namespace: string | undefined
  readonly name: string | undefined
  readonly subresource: 'status' | 'scale' | 'binding' | 'eviction' | undefined
  /** The old form /api/v1/watch/... */
  readonly watch: boolean
}

const versions = new Map<string, Map<string, Kind>>()
for (const kind of kinds) {
  const at = `${kind.group}/${kind.version}`
  const served = versions.get(at) ?? new Map<string, Kind>()
  served.set(kind.plural, kind)
  versions.set(at, served)
}

/** The groups that are served, '' included, each with its version. */
export const groups: readonly { readonly group: string; readonly version: string }[] = [...versions.keys()].map(
  (at) => {
    const slash = at.lastIndexOf('/')
    return { group: at.slice(0, slash), version: at.slice(slash + 1) }
  },
)

/**
 * What the path means; `'unknown-path'` for paths outside the API, which the server answers in plain text. Throws the
 * API server's 404 for what is in the API but not served.
 */
export function parsePath(path: string): Target | 'unknown-path' {
  const segments = path.split('/').slice(1)
  if (segments.at(-1) === '') segments.pop()
  let group = ''
  let rest: readonly string[]
  if (segments[0] === 'api') {
    rest = segments.slice(1)
  } else if (segments[0] === 'apis' && groups.some((served) => served.group === segments[1] && served.group !== '')) {
    group = segments[1] as string
    rest = segments.slice(2)
  } else {
    return 'unknown-path'
  }
  const served = versions.get(`${group}/${rest[0]}`)
  if (served === undefined) throw unknownResource()
  const parts = rest.slice(1).map(decodeSegment)
  const watch = parts[0] === 'watch'
  return parseResource(served, watch ? parts.slice(1) : parts, watch)
}

function parseResource(served: ReadonlyMap<string, Kind>, parts: readonly string[], watch: boolean): Target {
  const inNamespace = parts[0] === 'namespaces' && parts.length >= 3 ? served.get(parts[2] as string) : undefined
  if (inNamespace?.namespaced === true) {
    return target(inNamespace, parts[1], parts.slice(3), watch)
  }
  const kind = served.get(parts[0] ?? '')
  // An object of a namespaced kind has no address outside its namespace.
  if (kind === undefined || (kind.namespaced && parts.length > 1)) throw unknownResource()
  return target(kind, undefined, parts.slice(1), watch)
}

function target(kind: Kind, namespace: string | undefined, rest: readonly string[], watch: boolean): Target {
  const [name, sub, ...more] = rest
  if (more.length > 0) throw unknownResource()
  const known =
    sub === undefined ||
    (sub === 'status' && kind.hasStatus) ||
    (sub === 'scale' && kind.hasScale === true) ||
    ((sub === 'binding' || sub === 'eviction') && kind.plural === 'pods')
  if (!known) throw unknownResource()
  return { kind, namespace, name, subresource: sub as Target['subresource'], watch }
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw unknownResource()
  }
}

export function unknownResource(): StatusError {
  return new StatusError(404, 'NotFound', 'the server could not find the requested resource', {})
}

export function methodNotAllowed(): StatusError {
  return new StatusError(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {})
}
