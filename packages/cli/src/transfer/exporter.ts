import type { Api } from './api.ts'
import {
  type Data,
  formatVersion,
  givenMembers,
  type HostKey,
  hostKeyOf,
  type Line,
  ownMembers,
  type WorkloadKey,
} from './line.ts'
import { allRows, countRows, type Listing, type PagePlace, pages } from './pages.ts'
import { TransferProblem } from './problems.ts'
import { RecentlyUsed } from './recently-used.ts'

export const workloadKinds = [
  'deployment',
  'statefulSet',
  'daemonSet',
  'gameStatefulSet',
  'gameDeployment',
  'cronJob',
  'job',
  'pods',
  'customResource',
] as const

/** Where an export goes on: a section, and in it a page. */
export type ExportPlace = { readonly section: string; readonly page?: PagePlace | undefined }

export type ExportChunk = { readonly lines: readonly Line[]; readonly next: ExportPlace | undefined }

/** Names that are remembered, of hosts and nodes. */
const remembered = 20_000

/** A business with its rows, whatever it is asked by. */
export async function findBusiness(api: Api, wanted: string): Promise<Data> {
  const rule = /^\d+$/.test(wanted)
    ? { field: 'bk_biz_id', operator: 'equal', value: Number(wanted) }
    : { field: 'bk_biz_name', operator: 'equal', value: wanted }
  const body = { biz_property_filter: { condition: 'AND', rules: [rule] } }
  const { info } = await api.call<{ info: readonly Data[] }>('POST', '/biz/search/0', body)
  if (info[0] === undefined)
    throw new TransferProblem(`there is no business ${wanted}, or it is archived: look at POST /api/v3/biz/search/0`)
  return info[0]
}

/**
 * Everything that one business owns, as lines in an order in which each refers to earlier ones only. A page of pods is in
 * memory at a time, with its containers, and bounded tables of names.
 */
export class Exporter {
  readonly #api: Api
  readonly #business: Data
  readonly #id: number
  readonly #hosts = new RecentlyUsed<HostKey | null>(remembered)
  /** The host of a node, by the node's id. */
  readonly #nodeHosts = new RecentlyUsed<number>(remembered)
  readonly #customResources = new RecentlyUsed<Data>(remembered)

  constructor(api: Api, business: Data) {
    this.#api = api
    this.#business = business
    this.#id = Number(business.bk_biz_id)
  }

  /** The sections in their order, each with its list; the first one has none. */
  readonly #sections: readonly { readonly name: string; readonly listing: () => Listing }[] = [
    {
      name: 'host',
      listing: () => ({
        path: `/hosts/app/${this.#id}/list_hosts`,
        body: {},
        filter: 'host_property_filter',
        id: 'bk_host_id',
      }),
    },
    ...['cluster', 'namespace', 'node', ...workloadKinds.map((kind) => `workload/${kind}`), 'pod'].map((name) => ({
      name,
      listing: () => ({ path: `/findmany/kube/${name}`, body: { bk_biz_id: this.#id } }),
    })),
  ]

  /** How many rows there are to go through. */
  async count(): Promise<number> {
    let total = 0
    for (const { listing } of this.#sections) total += await countRows(this.#api, listing())
    return total
  }

  /** The lines from a place on, in chunks of a page; each says where to go on after it. */
  async *chunks(from?: ExportPlace): AsyncGenerator<ExportChunk> {
    if (from === undefined) {
      const business = String(this.#business.bk_biz_name)
      const head: Line[] = [
        { type: 'podyard-export', version: formatVersion, business },
        { type: 'business', data: givenMembers(this.#business) },
      ]
      yield { lines: head, next: { section: this.#sections[0]?.name ?? '' } }
    }
    const first = from === undefined ? 0 : this.#sections.findIndex(({ name }) => name === from.section)
    for (const [i, { name, listing }] of this.#sections.entries()) {
      if (i < first) continue
      const start = name === from?.section ? from.page : undefined
      for await (const { rows, next } of pages(this.#api, listing(), start)) {
        const section = next === undefined ? this.#sections[i + 1]?.name : name
        yield {
          lines: await this.#lines(name, rows),
          next: section === undefined ? undefined : { section, page: next },
        }
      }
    }
  }

  async #lines(section: string, rows: readonly Data[]): Promise<Line[]> {
    if (section === 'host') return rows.map((row): Line => ({ type: 'host', data: givenMembers(row) }))
    if (section === 'cluster') return this.#clusters(rows)
    // The owner of a shared cluster sees what others keep in it; that is theirs to export.
    const own = rows.filter((row) => row.bk_biz_id === this.#id)
    if (section === 'namespace')
      return own.map((row): Line => ({ type: 'namespace', cluster: text(row.cluster_uid), data: named(row) }))
    if (section === 'node') return this.#nodes(own)
    if (section === 'pod') return this.#pods(own)
    const kind = section.slice('workload/'.length)
    return own.map(
      (row): Line => ({
        type: 'workload',
        kind,
        cluster: text(row.cluster_uid),
        namespace: text(row.namespace),
        data: named(row),
      }),
    )
  }

  async #clusters(rows: readonly Data[]): Promise<Line[]> {
    const lines: Line[] = []
    for (const row of rows) {
      const uid = text(row.uid)
      if (row.bk_biz_id === this.#id) lines.push({ type: 'cluster', data: { ...ownMembers(row), uid } })
      else {
        const owner = await findBusiness(this.#api, String(row.bk_biz_id))
        lines.push({ type: 'cluster', owner: text(owner.bk_biz_name), data: { uid } })
      }
    }
    return lines
  }

  async #nodes(rows: readonly Data[]): Promise<Line[]> {
    await this.#readHosts(rows.map((row) => Number(row.bk_host_id)))
    return rows.flatMap((row): Line[] => {
      const host = this.#hosts.get(String(row.bk_host_id))
      if (!host)
        throw new TransferProblem(
          `node ${row.name} of cluster ${row.cluster_uid} is on host ${row.bk_host_id}, which does not exist: delete the node, or make it anew on a host`,
        )
      return [{ type: 'node', cluster: text(row.cluster_uid), host, data: named(row) }]
    })
  }

  async #pods(rows: readonly Data[]): Promise<Line[]> {
    if (rows.length === 0) return []
    const containers = Map.groupBy(
      await allRows(this.#api, {
        path: '/findmany/kube/container',
        body: { bk_biz_id: this.#id },
        rules: [{ field: 'bk_pod_id', operator: 'in', value: rows.map((row) => row.id) }],
      }),
      (container) => container.bk_pod_id,
    )
    await this.#readNodes(rows.map((row) => Number(row.bk_node_id)))
    const elsewhere = rows.filter((row) => row.bk_host_id !== this.#nodeHosts.get(String(row.bk_node_id)))
    await this.#readHosts(elsewhere.map((row) => Number(row.bk_host_id)))
    await this.#readCustomResources(rows.map((row) => row.ref as Ref).filter((ref) => ref.kind === 'customResource'))
    return rows.map((row): Line => {
      const isElsewhere = row.bk_host_id !== this.#nodeHosts.get(String(row.bk_node_id))
      const host = isElsewhere ? this.#hosts.get(String(row.bk_host_id)) : undefined
      return {
        type: 'pod',
        cluster: text(row.cluster_uid),
        namespace: text(row.namespace),
        workload: this.#workloadKey(row.ref as Ref),
        node: text(row.node_name),
        // A host that does not exist cannot be named: the pod then gets its node's.
        ...(host ? { host } : {}),
        data: { ...named(row), containers: (containers.get(row.id) ?? []).map(ownMembers) },
      }
    })
  }

  #workloadKey(ref: Ref): WorkloadKey {
    const key = { kind: ref.kind, name: ref.name ?? '' }
    if (ref.kind !== 'customResource') return key
    const row = this.#customResources.get(String(ref.id))
    return { ...key, cr_kind: text(row?.cr_kind), cr_api_version: text(row?.cr_api_version) }
  }

  async #readHosts(ids: readonly number[]): Promise<void> {
    const missing = [...new Set(ids)].filter((id) => this.#hosts.get(String(id)) === undefined)
    if (missing.length === 0) return
    const rules = [{ field: 'bk_host_id', operator: 'in', value: missing }]
    const filter = { condition: 'AND', rules }
    const page = { start: 0, limit: missing.length }
    const fields = ['bk_host_id', 'bk_cloud_id', 'bk_host_innerip', 'bk_host_innerip_v6']
    const body = { host_property_filter: filter, page, fields }
    const { info } = await this.#api.call<{ info: readonly Data[] }>('POST', '/hosts/list_hosts_without_app', body)
    for (const id of missing) this.#hosts.set(String(id), null)
    for (const row of info) this.#hosts.set(String(row.bk_host_id), hostKeyOf(row) ?? null)
  }

  /** Nodes of another business's shared cluster are not seen from here; their pods name their hosts. */
  async #readNodes(ids: readonly number[]): Promise<void> {
    const missing = [...new Set(ids)].filter((id) => this.#nodeHosts.get(String(id)) === undefined)
    if (missing.length === 0) return
    const rules = [{ field: 'id', operator: 'in', value: missing }]
    const listing = { path: '/findmany/kube/node', body: { bk_biz_id: this.#id, fields: ['id', 'bk_host_id'] }, rules }
    for (const id of missing) this.#nodeHosts.set(String(id), 0)
    for (const row of await allRows(this.#api, listing)) this.#nodeHosts.set(String(row.id), Number(row.bk_host_id))
  }

  async #readCustomResources(refs: readonly Ref[]): Promise<void> {
    const missing = [...new Set(refs.map((ref) => ref.id))].filter(
      (id) => this.#customResources.get(String(id)) === undefined,
    )
    if (missing.length === 0) return
    const rules = [{ field: 'id', operator: 'in', value: missing }]
    const listing = { path: '/findmany/kube/workload/customResource', body: { bk_biz_id: this.#id }, rules }
    for (const row of await allRows(this.#api, listing)) this.#customResources.set(String(row.id), row)
  }
}

type Ref = { readonly kind: string; readonly name?: string; readonly id: number }

const text = (value: unknown) => (typeof value === 'string' ? value : '')
const named = (row: Data) => ({ ...ownMembers(row), name: text(row.name) })
