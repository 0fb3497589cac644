import type { IncomingMessage, ServerResponse } from 'node:http'
import { wantsAggregatedDiscovery } from './accept.ts'
import type { Api } from './context.ts'
import { aggregatedDiscovery, apiGroup, apiGroupList, apiResourceList, apiVersions, version } from './discovery.ts'
import { groups } from './route.ts'

const AGGREGATED = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'
const probes = new Set(['/healthz', '/livez', '/readyz'])

/** Answers the paths that are about no resource: probes, version, discovery. False for all others. */
export function answerPlain(_api: Api, request: IncomingMessage, response: ServerResponse, url: URL): boolean {
  const path = url.pathname.length > 1 ? url.pathname.replace(/\/$/, '') : url.pathname
  if (probes.has(path)) {
    response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' })
    response.end('ok')
    return true
  }
  const body = discoveryDocument(path, request)
  if (body === undefined) return false
  const aggregated = 'kind' in body && body.kind === 'APIGroupDiscoveryList'
  response.writeHead(200, {
    'content-type': aggregated ? AGGREGATED : 'application/json',
    'cache-control': 'no-cache, private',
    ...(aggregated ? { vary: 'Accept' } : {}),
  })
  response.end(JSON.stringify(body))
  return true
}

function discoveryDocument(path: string, request: IncomingMessage): object | undefined {
  const aggregated = wantsAggregatedDiscovery(request.headers.accept)
  const segments = path.split('/').slice(1)
  if (path === '/version') return version
  if (path === '/api') return aggregated ? aggregatedDiscovery(true) : apiVersions(request.headers.host ?? '')
  if (path === '/apis') return aggregated ? aggregatedDiscovery(false) : apiGroupList
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
    '/version',
  ]
}
