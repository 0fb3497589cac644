import { apiVersionOf, kinds } from '../store/kinds.ts'
import type { Kind } from '../store/types.ts'
import { groups } from './route.ts'

const allVerbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']
const subresourceVerbs = ['get', 'patch', 'update']
const inCategoryAll = new Set(['pods', 'deployments', 'replicasets', 'horizontalpodautoscalers'])

const verbsOf = (kind: Kind) =>
  kind.plural === 'namespaces' ? allVerbs.filter((verb) => verb !== 'deletecollection') : allVerbs

const kindsOf = (group: string, version: string) =>
  kinds.filter((kind) => kind.group === group && kind.version === version)

/** /version: what the simulator stands for. */
export const version = {
  major: '1',
  minor: '36',
  gitVersion: 'v1.36.3+podyard-simulator',
  gitCommit: '',
  gitTreeState: '',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: '',
  compiler: '',
  platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
}

/** /api */
export function apiVersions(host: string) {
  return {
    kind: 'APIVersions',
    versions: ['v1'],
    serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: host }],
  }
}

/** /apis */
export const apiGroupList = {
  kind: 'APIGroupList',
  apiVersion: 'v1',
  groups: groups.filter(({ group }) => group !== '').map(({ group, version }) => groupEntry(group, version)),
}

function groupEntry(group: string, version: string) {
  const entry = { groupVersion: `${group}/${version}`, version }
  return { name: group, versions: [entry], preferredVersion: entry }
}

/** /apis/<group> */
export function apiGroup(group: string) {
  const found = groups.find((served) => served.group === group && group !== '')
  return found === undefined ? undefined : { kind: 'APIGroup', apiVersion: 'v1', ...groupEntry(group, found.version) }
}

/** /api/v1, /apis/<group>/<version> */
export function apiResourceList(group: string, version: string) {
  const served = kindsOf(group, version)
  const [first] = served
  if (first === undefined) return undefined
  return {
    kind: 'APIResourceList',
    ...(group === '' ? {} : { apiVersion: 'v1' }),
    groupVersion: apiVersionOf(first),
    resources: served.flatMap((kind) => [
      {
        name: kind.plural,
        singularName: kind.singular,
        namespaced: kind.namespaced,
        kind: kind.kind,
        verbs: verbsOf(kind),
        ...(kind.shortNames.length === 0 ? {} : { shortNames: kind.shortNames }),
        ...(inCategoryAll.has(kind.plural) ? { categories: ['all'] } : {}),
      },
      ...subresources(kind).map(({ name, group, version, kind: of, verbs }) => ({
        name: `${kind.plural}/${name}`,
        singularName: '',
        namespaced: kind.namespaced,
        ...(group === '' ? {} : { group, version }),
        kind: of,
        verbs,
      })),
    ]),
  }
}

/** /api and /apis in the aggregated form: one request for everything. */
export function aggregatedDiscovery(core: boolean) {
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: 'apidiscovery.k8s.io/v2',
    metadata: {},
    items: groups
      .filter(({ group }) => (group === '') === core)
      .map(({ group, version }) => ({
        metadata: group === '' ? {} : { name: group },
        versions: [
          {
            version,
            resources: kindsOf(group, version).map((kind) => ({
              resource: kind.plural,
              // The real server leaves group and version out of the kinds of the group itself.
              responseKind: { group: '', version: '', kind: kind.kind },
              scope: kind.namespaced ? 'Namespaced' : 'Cluster',
              singularResource: kind.singular,
              verbs: verbsOf(kind),
              ...(kind.shortNames.length === 0 ? {} : { shortNames: kind.shortNames }),
              ...(inCategoryAll.has(kind.plural) ? { categories: ['all'] } : {}),
              ...(subresources(kind).length === 0
                ? {}
                : {
                    subresources: subresources(kind).map((sub) => ({
                      subresource: sub.name,
                      responseKind: { group: sub.group, version: sub.version, kind: sub.kind },
                      verbs: sub.verbs,
                    })),
                  }),
            })),
            freshness: 'Current',
          },
        ],
      })),
  }
}

function subresources(kind: Kind) {
  const none = { group: '', version: '' }
  return [
    ...(kind.plural === 'pods'
      ? [
          { name: 'binding', ...none, kind: 'Binding', verbs: ['create'] },
          { name: 'eviction', group: 'policy', version: 'v1', kind: 'Eviction', verbs: ['create'] },
        ]
      : []),
    ...(kind.hasScale === true
      ? [{ name: 'scale', group: 'autoscaling', version: 'v1', kind: 'Scale', verbs: subresourceVerbs }]
      : []),
    ...(kind.hasStatus ? [{ name: 'status', ...none, kind: kind.kind, verbs: subresourceVerbs }] : []),
  ]
}
