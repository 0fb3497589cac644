import type { MemoryStore } from '../store/object-store.ts'
import { badRequest } from '../store/refusals.ts'
import { StatusError } from '../store/status-error.ts'
import type { Kind, StoredObject } from '../store/types.ts'
import { selectedName } from './field-selector.ts'
import { goJsonProblem } from './go-json.ts'
import { type ListQuery, selects, versionNumber } from './query.ts'

/** One page of a list. */
export type Page = {
  readonly items: readonly StoredObject[]
  /** The version that the whole list is consistent with. */
  readonly revision: number
  /** Where the next page starts; '' on the last. */
  readonly continue: string
  /** How many objects follow; only known without selectors. */
  readonly remaining: number | undefined
}

type Start = { readonly revision: number; readonly from: string; readonly kindOfExpiry: 'list' | 'continue' }

/** Selects one page. Throws 400 for a broken version or token, 410 when the version's history is gone. */
export function listPage(store: MemoryStore, kind: Kind, namespace: string | undefined, query: ListQuery): Page {
  const start = startOf(store, namespace, query)
  const limit = ignoresLimit(query) ? 0 : query.limit
  const found = candidates(store, kind, namespace, start)
  const selective = query.labels.length > 0 || query.fields.length > 0
  const items: StoredObject[] = []
  let next = 0
  for (; next < found.length && (limit === 0 || items.length < limit); next += 1) {
    const object = found[next] as StoredObject
    if (!selective || selects(query, object)) items.push(object)
  }
  // A token is handed out as soon as anything follows, even if the selectors do not mean it; but a selected name is
  // read by itself.
  const more = next < found.length && selectedName(query.fields) === undefined
  const last = items.at(-1)
  return {
    items,
    revision: start.revision,
    continue: more && last !== undefined ? encodeToken(start.revision, keyText(kind, namespace, last)) : '',
    remaining: more && !selective ? found.length - next : undefined,
  }
}

function candidates(
  store: MemoryStore,
  kind: Kind,
  namespace: string | undefined,
  start: Start,
): readonly StoredObject[] {
  if (start.revision === store.revision && start.from === '') return store.list(kind.plural, namespace)
  const prefix = kind.namespaced && namespace !== undefined ? `${namespace}/` : ''
  const found = store.listAt(kind.plural, start.revision, namespace, `${prefix}${start.from}`)
  if (found !== 'expired') return found
  if (start.kindOfExpiry === 'list') {
    throw new StatusError(410, 'Expired', 'The resourceVersion for the provided list is too old.')
  }
  throw new StatusError(
    410,
    'Expired',
    'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.',
    undefined,
    { continue: token({ v: TOKEN_VERSION, rv: -1, start: start.from }) },
  )
}

/** A list "at least as new as 0" is served whole, from the API server's cache. */
function ignoresLimit(query: ListQuery): boolean {
  return query.resourceVersion === '0' && query.continue === ''
}

function startOf(store: MemoryStore, namespace: string | undefined, query: ListQuery): Start {
  if (query.continue !== '') {
    const { rv, start } = decodeToken(query.continue)
    if (query.resourceVersion !== '' && query.resourceVersion !== '0') {
      throw badRequest('specifying resource version is not allowed when using continue')
    }
    const from = start.startsWith('/') ? start.slice(1) : start
    if (namespace !== undefined && from.includes('/')) throw badRequest(`invalid continue token: ${OUT_OF_RANGE}`)
    // -1 goes on at the newest version, inconsistently.
    return { revision: rv < 0 ? store.revision : rv, from, kindOfExpiry: 'continue' }
  }
  const newest = { revision: store.revision, from: '', kindOfExpiry: 'list' } as const
  if (query.resourceVersion === '' || query.resourceVersion === '0') return newest
  const revision = versionNumber(query.resourceVersion)
  if (revision === undefined) {
    throw badRequest(`invalid resource version: ${badVersion(query.resourceVersion)}`)
  }
  checkNotAhead(store, revision)
  const exact = query.resourceVersionMatch === 'Exact' || (query.resourceVersionMatch === '' && query.limit > 0)
  return exact ? { ...newest, revision } : newest
}

/** 504 for a version that the server has not reached. */
export function checkNotAhead(store: MemoryStore, revision: number): void {
  if (revision <= store.revision) return
  throw new StatusError(
    504,
    'Timeout',
    `Timeout: Too large resource version: ${revision}, current: ${store.revision}`,
    {
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
      retryAfterSeconds: 1,
    },
    { retryAfterSeconds: 1 },
  )
}

export function badVersion(text: string): string {
  return `resourceVersion: Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`
}

const TOKEN_VERSION = 'meta.k8s.io/v1'
const OUT_OF_RANGE = 'continue key is not valid: encoded start key is out of range'

/** The key of an object below the list's own prefix. */
function keyText(kind: Kind, namespace: string | undefined, { metadata }: StoredObject): string {
  return kind.namespaced && namespace === undefined ? `${metadata.namespace}/${metadata.name}` : metadata.name
}

/** The token of a kube-apiserver: the list's version, and the first possible key after the page's last. */
function encodeToken(revision: number, lastKey: string): string {
  return token({ v: TOKEN_VERSION, rv: revision, start: `/${lastKey}\0` })
}

function token(content: { readonly v: string; readonly rv: number; readonly start: string }): string {
  return Buffer.from(JSON.stringify(content)).toString('base64url')
}

function decodeToken(text: string): { readonly rv: number; readonly start: string } {
  const invalid = (problem: string) => badRequest(`invalid continue token: continue key is not valid: ${problem}`)
  const wrong = /[^A-Za-z0-9_-]/.exec(text)
  if (wrong !== null) throw invalid(`illegal base64 data at input byte ${wrong.index}`)
  const json = Buffer.from(text, 'base64url').toString()
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch {
    throw invalid(goJsonProblem(json))
  }
  const { v, rv, start } = (value ?? {}) as { v?: unknown; rv?: unknown; start?: unknown }
  if (v !== TOKEN_VERSION) throw invalid(`server does not recognize this encoded version ${String(v ?? '')}`)
  if (typeof rv !== 'number' || !Number.isInteger(rv) || rv === 0) {
    throw invalid('incorrect encoded start resourceVersion (version meta.k8s.io/v1)')
  }
  if (typeof start !== 'string' || start === '') throw invalid('encoded start key empty (version meta.k8s.io/v1)')
  return { rv, start }
}
