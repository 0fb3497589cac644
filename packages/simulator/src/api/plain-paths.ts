import type { IncomingMessage } from 'node:http'
import { wantsAggregatedDiscovery } from './accept.ts'
import { aggregatedDiscovery, apiGroup, apiGroupList, apiResourceList, apiVersions, version } from './discovery.ts'
import { openApiDocument, openApiIndex } from './openapi.ts'
import { groups } from './route.ts'

const AGGREGATED = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'
const probes = new Set(['/healthz', '/livez', '/readyz'])

/** An answer that is about no resource. */
export type PlainAnswer = { readonly type: string; readonly body: string; readonly headers?: Record<string, string> }

/** The answers of probes, version and discovery; undefined for all other paths. */
export function plainAnswer(request: IncomingMessage, url: URL): PlainAnswer | undefined {
  const path = url.pathname.length > 1 ? url.pathname.replace(/\/$/, '') : url.pathname
  if (probes.has(path)) {
    return { type: 'text/plain; charset=utf-8', body: 'ok', headers: { 'x-content-type-options': 'nosniff' } }
  }
  const document = discoveryDocument(path, request)
  if (document === undefined) return undefined
  const aggregated = 'kind' in document && document.kind === 'APIGroupDiscoveryList'
  return {
    type: aggregated ? AGGREGATED : 'application/json',
    body: JSON.stringify(document),
    ...(aggregated ? { headers: { vary: 'Accept' } } : {}),
  }
}

function discoveryDocument(path: string, request: IncomingMessage): object | undefined {
  const aggregated = wantsAggregatedDiscovery(request.headers.accept)
  const segments = path.split('/').slice(1)
  if (path === '/version') return version
  if (path === '/api') return aggregated ? aggregatedDiscovery(true) : apiVersions(request.headers.host ?? '')
  if (path === '/apis') return aggregated ? aggregatedDiscovery(false) : apiGroupList
  if (path === '/openapi/v3') return openApiIndex()
  if (path.startsWith('/openapi/v3/')) return openApiDocument(path.slice('/openapi/v3/'.length))
  if (path === '/') return { paths: paths() }
  if (segments[0] === 'api' && segments.length === 2) return apiResourceList('', segments[1] as string)
  if (segments[0] === 'apis' && segments.length === 2) return apiGroup(segments[1] as string)
  if (segments[0] === 'apis' && segments.length === 3) {
    return segments[1] === '' ? undefined : apiResourceList(segments[1] as string, segments[2] as string)
  }
  return undefined
}

function paths(): readonly string[] {
  const named = groups.filter(({ group }) => group !== '')
  return [
    '/api',
    '/api/v1',
    '/apis',
    ...named.flatMap(({ group, version }) => [`/apis/${group}`, `/apis/${group}/${version}`]),
    ...probes,
    '/openapi/v3',
    ...groups.map(({ group, version }) => `/openapi/v3/${group === '' ? 'api' : `apis/${group}`}/${version}`),
    '/version',
  ]
}
