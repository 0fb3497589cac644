import type { HttpRequest, KubeHttp } from './http.ts'
import { collectionPath } from './paths.ts'
import { isExpired } from './status.ts'
import type { CallOptions, KubeObject, ListOptions, ObjectList, Resource } from './types.ts'

type Page = {
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string }
  readonly items?: readonly KubeObject[] | null
}

const defaultPageSize = 500
const defaultTimeoutMs = 30_000
/** A place to go on from is kept for about five minutes; who meets 410 twice is too slow for pages. */
const maxPagedTries = 2

/**
 * Lists all objects page by page: only one page is ever held undecoded or untransformed. All pages show one moment,
 * whose version is the answer's. When the server no longer keeps that moment (410), the list starts again, and the
 * third time it asks for everything at once.
 */
export async function listObjects<T extends KubeObject>(
  http: KubeHttp,
  resource: Resource<T>,
  options: ListOptions = {},
): Promise<ObjectList<T>> {
  const endsAtMs = performance.now() + (options.timeoutMs ?? defaultTimeoutMs)
  for (let tries = 1; ; tries += 1) {
    const pageSize = tries <= maxPagedTries ? (options.pageSize ?? defaultPageSize) : undefined
    try {
      return await listPages(http, resource, options, pageSize, endsAtMs)
    } catch (error) {
      if (!isExpired(error) || pageSize === undefined) throw error
    }
  }
}

async function listPages<T extends KubeObject>(
  http: KubeHttp,
  resource: Resource<T>,
  options: ListOptions,
  pageSize: number | undefined,
  endsAtMs: number,
): Promise<ObjectList<T>> {
  const apiVersion = resource.group === '' ? resource.version : `${resource.group}/${resource.version}`
  const items: T[] = []
  let next: string | undefined
  for (;;) {
    const request: HttpRequest = {
      verb: 'list',
      resource: resource.plural,
      method: 'GET',
      path: collectionPath(resource, options.namespace),
      query: {
        labelSelector: options.labelSelector,
        fieldSelector: options.fieldSelector,
        limit: pageSize?.toString(),
        continue: next,
      },
    }
    const call: CallOptions = {
      timeoutMs: Math.max(1, Math.ceil(endsAtMs - performance.now())),
      ...(options.signal ? { signal: options.signal } : {}),
    }
    const page = (await http.call(request, call)) as Page
    for (const item of page.items ?? []) {
      // A real API server leaves both out of a list's items; a watch's objects have them.
      item.apiVersion ??= apiVersion
      item.kind ??= resource.kind
      items.push((options.transform?.(item) ?? item) as T)
    }
    next = page.metadata?.continue
    if (!next) return { items, resourceVersion: page.metadata?.resourceVersion ?? '' }
  }
}
