import type { Api } from './api.ts'
import { findBusiness } from './exporter.ts'
import { type Data, type HostKey, hostKeyOf, hostKeysOf, type RowLine, type WorkloadKey } from './line.ts'
import { allRows, type Rule } from './pages.ts'
import { Refusal, TransferProblem } from './problems.ts'
import { RecentlyUsed } from './recently-used.ts'

/** A row that others refer to. An id of 0: a dry run would make it. */
export type Parent = {
  readonly id: number
  /** A cluster's owner. */
  readonly business?: number
  /** A node's host. */
  readonly host?: number
}

type Item = { readonly value: RowLine }
type ListObject = 'cluster' | 'namespace' | 'node' | `workload/${string}`

/** Names that are remembered; a dry run has to remember all that it would make. */
const remembered = 50_000

const keyOf = {
  cluster: (uid: string) => JSON.stringify(['cluster', uid]),
  namespace: (cluster: string, name: string) => JSON.stringify(['namespace', cluster, name]),
  node: (cluster: string, name: string) => JSON.stringify(['node', cluster, name]),
  host: (host: HostKey) => JSON.stringify(['host', host.cloud, host.ip]),
  workload: (cluster: string, namespace: string, key: WorkloadKey) =>
    JSON.stringify(['workload', cluster, namespace, key.kind, key.name, key.cr_kind ?? '', key.cr_api_version ?? '']),
}

/** Finds the rows that lines name, in the system that is imported into. Ids are its own. */
export class Directory {
  readonly #api: Api
  /** The business that is imported into; 0: a dry run would make it. */
  readonly business: number
  /** Owners of clusters that are another business's, by uid. */
  readonly owners: Map<string, string>
  readonly #known: RecentlyUsed<Parent>

  constructor(api: Api, business: number, owners: ReadonlyMap<string, string>, dryRun: boolean) {
    this.#api = api
    this.business = business
    this.owners = new Map(owners)
    this.#known = new RecentlyUsed(dryRun ? Number.POSITIVE_INFINITY : remembered)
  }

  cluster = (uid: string) => this.#known.get(keyOf.cluster(uid))
  namespace = (cluster: string, name: string) => this.#known.get(keyOf.namespace(cluster, name))
  node = (cluster: string, name: string) => this.#known.get(keyOf.node(cluster, name))
  host = (host: HostKey) => this.#known.get(keyOf.host(host))
  workload = (cluster: string, namespace: string, key: WorkloadKey) =>
    this.#known.get(keyOf.workload(cluster, namespace, key))

  /** Remembers what a line made, or would make. */
  note(line: RowLine, id: number, more: Omit<Parent, 'id'> = {}): void {
    const parent = { id, ...more }
    if (line.type === 'cluster') this.#known.set(keyOf.cluster(line.data.uid), { business: this.business, ...parent })
    else if (line.type === 'namespace') this.#known.set(keyOf.namespace(line.cluster, line.data.name), parent)
    else if (line.type === 'node') this.#known.set(keyOf.node(line.cluster, line.data.name), parent)
    else if (line.type === 'workload')
      this.#known.set(keyOf.workload(line.cluster, line.namespace, workloadKeyOf(line)), parent)
    else if (line.type === 'host') {
      const host = hostKeyOf(line.data)
      if (host !== undefined) this.#known.set(keyOf.host(host), parent)
    }
  }

  /** Looks up what the lines refer to, in as few calls as their kinds and clusters allow. */
  async prepare(items: readonly Item[]): Promise<void> {
    const lines = items.map(({ value }) => value)
    await this.#findClusters(lines.flatMap((line) => ('cluster' in line ? [line.cluster] : [])))
    const workloads = lines.filter((line) => line.type === 'workload')
    await this.#findNamespaces(workloads.map((line) => [line.cluster, line.namespace]))
    const pods = lines.filter((line) => line.type === 'pod')
    if (pods.length > 0) {
      await this.#findNamespaces(pods.map((line) => [line.cluster, line.namespace]))
      await this.#findNodes(pods.map((line) => [line.cluster, line.node]))
      await this.#findWorkloads(pods)
    }
    await this.findHosts(lines.flatMap((line) => ('host' in line && line.host !== undefined ? [line.host] : [])))
  }

  async #findClusters(uids: readonly string[]): Promise<void> {
    for (const uid of new Set(uids)) {
      if (this.cluster(uid) !== undefined) continue
      const rules = [{ field: 'uid', operator: 'equal', value: uid }]
      let [row] = await this.list('cluster', this.business, rules)
      const owner = this.owners.get(uid)
      // Not used by this business yet, so only its owner sees it.
      if (row === undefined && owner !== undefined)
        [row] = await this.list('cluster', Number((await this.#owner(owner, uid)).bk_biz_id), rules)
      if (row === undefined) continue
      this.#known.set(keyOf.cluster(uid), { id: Number(row.id), business: Number(row.bk_biz_id) })
    }
  }

  async #owner(name: string, uid: string): Promise<Data> {
    return findBusiness(this.#api, name).catch((error: unknown) => {
      if (!(error instanceof TransferProblem)) throw error
      throw new TransferProblem(`cluster ${uid} belongs to business ${name}, which is not there: import that one first`)
    })
  }

  async #findNamespaces(wanted: readonly (readonly [cluster: string, name: string])[]): Promise<void> {
    const missing = wanted.filter(([cluster, name]) => this.namespace(cluster, name) === undefined)
    for (const [uid, names] of byCluster(missing)) {
      const cluster = this.cluster(uid)
      if (cluster === undefined || cluster.id === 0) continue
      const rules = [inCluster(cluster), anyOf('name', names)]
      for (const row of await this.list('namespace', this.business, rules))
        this.#known.set(keyOf.namespace(uid, String(row.name ?? '')), { id: Number(row.id) })
    }
  }

  async #findNodes(wanted: readonly (readonly [cluster: string, name: string])[]): Promise<void> {
    const missing = wanted.filter(([cluster, name]) => this.node(cluster, name) === undefined)
    for (const [uid, names] of byCluster(missing)) {
      const cluster = this.cluster(uid)
      if (cluster === undefined || cluster.id === 0) continue
      const rules = [inCluster(cluster), anyOf('name', names)]
      for (const row of await this.list('node', cluster.business ?? this.business, rules))
        this.#known.set(keyOf.node(uid, String(row.name)), { id: Number(row.id), host: Number(row.bk_host_id) })
    }
  }

  async #findWorkloads(pods: readonly Extract<RowLine, { type: 'pod' }>[]): Promise<void> {
    const missing = pods.filter((pod) => this.workload(pod.cluster, pod.namespace, pod.workload) === undefined)
    for (const [kind, some] of Map.groupBy(missing, (pod) => pod.workload.kind))
      for (const [cluster, same] of Map.groupBy(some, (pod) => pod.cluster)) {
        const namespaces = new Map(
          same.flatMap(({ namespace }) => {
            const id = this.namespace(cluster, namespace)?.id ?? 0
            return id === 0 ? [] : [[id, namespace]]
          }),
        )
        if (namespaces.size === 0) continue
        const rules = [
          anyOf('bk_namespace_id', [...namespaces.keys()]),
          anyOf(
            'name',
            same.map((pod) => pod.workload.name),
          ),
        ]
        for (const row of await this.list(`workload/${kind}`, this.business, rules)) {
          const key = workloadKeyOf({ kind, data: { ...row, name: String(row.name ?? '') } })
          const namespace = namespaces.get(Number(row.bk_namespace_id)) ?? ''
          this.#known.set(keyOf.workload(cluster, namespace, key), { id: Number(row.id) })
        }
      }
  }

  /** Hosts of any business, by address and area. */
  async findHosts(wanted: readonly HostKey[]): Promise<void> {
    for (const row of await this.hostRows(
      wanted.filter((host) => this.host(host) === undefined),
      'all',
    )) {
      for (const host of hostKeysOf(row)) this.#known.set(keyOf.host(host), { id: Number(row.bk_host_id) })
    }
  }

  /** The hosts with these addresses, of the business that is imported into or of all. */
  async hostRows(wanted: readonly HostKey[], of: 'business' | 'all'): Promise<Data[]> {
    const found: Data[] = []
    if (of === 'business' && this.business === 0) return found
    const path = of === 'all' ? '/hosts/list_hosts_without_app' : `/hosts/app/${this.business}/list_hosts`
    for (const [cloud, hosts] of Map.groupBy(wanted, (host) => host.cloud))
      for (const [field, addresses] of Map.groupBy(hosts, (host) => addressField(host.ip)))
        found.push(
          ...(await allRows(this.#api, {
            path,
            body: {},
            filter: 'host_property_filter',
            id: 'bk_host_id',
            rules: [
              { field: 'bk_cloud_id', operator: 'equal', value: cloud },
              anyOf(
                field,
                addresses.map((host) => host.ip),
              ),
            ],
          })),
        )
    return found
  }

  /** Rows of a list of the container half; none while the business would have to be made. */
  async list(object: ListObject | 'pod' | 'container', business: number, rules: readonly Rule[]): Promise<Data[]> {
    if (business === 0) return []
    return allRows(this.#api, { path: `/findmany/kube/${object}`, body: { bk_biz_id: business }, rules }).catch(
      (error: unknown) => {
        // A kind that the server does not know: the write says so, with its line.
        if (error instanceof Refusal && object.startsWith('workload/')) return []
        throw error
      },
    )
  }
}

export function workloadKeyOf(line: {
  readonly kind: string
  readonly data: Data & { readonly name: string }
}): WorkloadKey {
  const key = { kind: line.kind, name: line.data.name }
  if (line.kind !== 'customResource') return key
  return { ...key, cr_kind: String(line.data.cr_kind ?? ''), cr_api_version: String(line.data.cr_api_version ?? '') }
}

const addressField = (ip: string) => (ip.includes(':') ? 'bk_host_innerip_v6' : 'bk_host_innerip')
const inCluster = (cluster: Parent): Rule => ({ field: 'bk_cluster_id', operator: 'equal', value: cluster.id })
export const anyOf = (field: string, values: readonly unknown[]): Rule => ({
  field,
  operator: 'in',
  value: [...new Set(values)],
})

function byCluster(pairs: readonly (readonly [cluster: string, name: string])[]): Map<string, string[]> {
  const groups = new Map<string, string[]>()
  for (const [cluster, name] of pairs) groups.set(cluster, [...(groups.get(cluster) ?? []), name])
  return groups
}
