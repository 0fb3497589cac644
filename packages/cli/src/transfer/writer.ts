import type { Api } from './api.ts'
import { type Item, type Outcome, parentsOf } from './batch.ts'
import type { Directory } from './directory.ts'
import { describe, differences, type HostKey, hostKeyOf, hostKeysOf, ownMembers, type RowLine } from './line.ts'
import { BadLine, Refusal } from './problems.ts'

export type OnDuplicate = 'update' | 'skip' | 'fail'
type ItemOf<Type extends RowLine['type']> = Item<Extract<RowLine, { readonly type: Type }>>
type Ids = {
  readonly ids: readonly number[]
  readonly created?: readonly number[]
  readonly updated?: readonly number[]
  readonly skipped?: readonly number[]
}

/** What of a cluster cannot change; the type has a call of its own. */
const fixedOfCluster: ReadonlySet<string> = new Set(['uid', 'xid', 'scheduling_engine', 'vpc', 'type'])

/** Writes lines through the API: each call is done as a whole or not at all, and doing it again changes nothing. */
export class Writer {
  readonly #api: Api
  readonly #directory: Directory
  readonly #onDuplicate: OnDuplicate

  constructor(api: Api, directory: Directory, onDuplicate: OnDuplicate) {
    this.#api = api
    this.#directory = directory
    this.#onDuplicate = onDuplicate
  }

  /** Items that `fitsInto` put together. Throws `BadLine` where it knows the line, else `Refusal`. */
  async write(items: readonly Item[]): Promise<Outcome> {
    const type = items[0]?.value.type
    if (type === 'host') return this.#hosts(items as readonly ItemOf<'host'>[])
    await this.#directory.prepare(items)
    if (type === 'cluster') return this.#cluster(items[0] as ItemOf<'cluster'>)
    if (type === 'pod') return this.#pods(items as readonly ItemOf<'pod'>[])
    return this.#level(items as readonly ItemOf<'namespace' | 'node' | 'workload'>[])
  }

  async #level(items: readonly ItemOf<'namespace' | 'node' | 'workload'>[]): Promise<Outcome> {
    const data = items.map((item) => {
      const { cluster, namespace, host } = parentsOf(this.#directory, item)
      if (item.value.type === 'workload') return { bk_namespace_id: namespace.id, ...item.value.data }
      const place = item.value.type === 'node' ? { bk_host_id: host.id } : {}
      return { bk_cluster_id: cluster.id, ...place, ...item.value.data }
    })
    const [first] = items as [ItemOf<'namespace' | 'node' | 'workload'>]
    const path = first.value.type === 'workload' ? `workload/${first.value.kind}` : first.value.type
    const answer = await this.#create(`/createmany/kube/${path}`, { bk_biz_id: this.#directory.business, data }, items)
    for (const [i, item] of items.entries()) {
      const host = item.value.type === 'node' ? { host: this.#directory.host(item.value.host)?.id ?? 0 } : {}
      this.#directory.note(item.value, answer.ids[i] ?? 0, host)
    }
    return outcomeOf(answer)
  }

  async #pods(items: readonly ItemOf<'pod'>[]): Promise<Outcome> {
    const pods = items.map((item) => {
      const { cluster, namespace, workload, node, host } = parentsOf(this.#directory, item)
      const ref = { kind: item.value.workload.kind, id: workload.id }
      const spec = { bk_cluster_id: cluster.id, bk_namespace_id: namespace.id, bk_node_id: node.id, ref }
      return { ...item.value.data, spec, bk_host_id: host.id }
    })
    const data = [{ bk_biz_id: this.#directory.business, pods }]
    return outcomeOf(await this.#create('/createmany/kube/pod', { data }, items))
  }

  async #create(path: string, body: object, items: readonly Item[]): Promise<Ids> {
    const mode = this.#onDuplicate === 'fail' ? {} : { on_duplicate: this.#onDuplicate }
    try {
      return await this.#api.call<Ids>('POST', path, { ...body, ...mode })
    } catch (error) {
      throw error instanceof Refusal ? atLine(error, items) : error
    }
  }

  async #cluster(item: ItemOf<'cluster'>): Promise<Outcome> {
    const { data, owner } = item.value
    const { business } = this.#directory
    const [stored] = await this.#directory.list('cluster', business, [
      { field: 'uid', operator: 'equal', value: data.uid },
    ])
    if (owner !== undefined) {
      this.#directory.owners.set(data.uid, owner)
      return { created: 0, updated: 0, skipped: 1 }
    }
    if (stored === undefined) {
      const { id } = await this.#api
        .call<{ id: number }>('POST', '/create/kube/cluster', { bk_biz_id: business, ...data })
        .catch((error: unknown) => {
          if (error instanceof Refusal) throw new BadLine(item.line, clusterRefusal(error, item.value))
          throw error
        })
      this.#directory.note(item.value, id)
      return { created: 1, updated: 0, skipped: 0 }
    }
    const id = Number(stored.id)
    if (stored.bk_biz_id !== business || this.#onDuplicate === 'fail')
      throw new BadLine(
        item.line,
        `${describe(item.value)} exists already${stored.bk_biz_id === business ? '' : ', in another business'}`,
      )
    this.#directory.note(item.value, id)
    if (this.#onDuplicate === 'skip') return { created: 0, updated: 0, skipped: 1 }
    const changed = differences(data, ownMembers(stored))
    const changes = Object.fromEntries(
      changed.flatMap((name) => (fixedOfCluster.has(name) ? [] : [[name, data[name]]])),
    )
    if (Object.keys(changes).length > 0)
      await this.#api.call('PUT', '/updatemany/kube/cluster', { bk_biz_id: business, ids: [id], data: changes })
    if (changed.includes('type'))
      await this.#api.call('PUT', '/update/kube/cluster/type', { bk_biz_id: business, id, type: data.type })
    return { created: 0, updated: 1, skipped: 0 }
  }

  async #hosts(items: readonly ItemOf<'host'>[]): Promise<Outcome> {
    const keys = items.map((item) => {
      const key = hostKeyOf(item.value.data)
      if (key === undefined) throw new BadLine(item.line, 'the host has neither bk_host_innerip nor bk_host_innerip_v6')
      return key
    })
    const stored = await this.#storedHosts(items)
    const wanted = this.#onDuplicate === 'skip' ? items.filter((_, i) => stored[i] === undefined) : items
    const taken = items.find((_, i) => stored[i] !== undefined)
    if (this.#onDuplicate === 'fail' && taken !== undefined)
      throw new BadLine(taken.line, `${describe(taken.value)} exists already`)
    if (wanted.length > 0) {
      // Numbered by their lines, which the server's complaints name.
      const hostInfo = Object.fromEntries(
        wanted.map((item) => {
          const id = stored[items.indexOf(item)]
          return [String(item.line), { ...item.value.data, ...(id === undefined ? {} : { bk_host_id: id }) }]
        }),
      )
      const body = { bk_biz_id: this.#directory.business, host_info: hostInfo }
      await this.#api.call('POST', '/hosts/add', body).catch((error: unknown) => {
        throw error instanceof Refusal ? hostRefusal(error, wanted) : error
      })
    }
    const now = await this.#storedHosts(items)
    items.forEach((item, i) => {
      const id = now[i]
      // A known address is updated where it is: then the host is another business's.
      if (id === undefined) throw new BadLine(item.line, foreignHost(keys[i] as HostKey))
      this.#directory.note(item.value, id)
    })
    const created = stored.filter((id) => id === undefined).length
    const rest = items.length - created
    return this.#onDuplicate === 'skip'
      ? { created, updated: 0, skipped: rest }
      : { created, updated: rest, skipped: 0 }
  }

  /** The ids of the business's hosts at these addresses, where they exist. */
  async #storedHosts(items: readonly ItemOf<'host'>[]): Promise<(number | undefined)[]> {
    const keys = items.map((item) => hostKeysOf(item.value.data))
    const rows = await this.#directory.hostRows(keys.flat(), 'business')
    const ids = new Map(
      rows.flatMap((row) => hostKeysOf(row).map((key) => [JSON.stringify(key), Number(row.bk_host_id)])),
    )
    return keys.map((some) => some.map((key) => ids.get(JSON.stringify(key))).find((id) => id !== undefined))
  }
}

export const foreignHost = ({ ip, cloud }: HostKey) =>
  `host ${ip} (area ${cloud}), or another of its addresses, belongs to another business: move it, or remove it there`

const outcomeOf = ({ ids, created, updated, skipped }: Ids): Outcome => ({
  created: created?.length ?? ids.length,
  updated: updated?.length ?? 0,
  skipped: skipped?.length ?? 0,
})

/** A refusal that names an item is that line's. */
function atLine(refusal: Refusal, items: readonly Item[]): Error {
  const [detail] = refusal.details
  const [, data, pod] = /^data\[(\d+)\](?:\.pods\[(\d+)\])?/.exec(detail?.path ?? '') ?? []
  const item = items[Number(items[0]?.value.type === 'pod' ? pod : data)]
  if (item === undefined)
    return items.length === 1 ? new BadLine(items[0]?.line ?? 0, refusalText(refusal, items[0])) : refusal
  const what = detail?.path.replace(/^data\[\d+\](\.pods\[\d+\])?\.?/, '')
  return new BadLine(
    item.line,
    `${describe(item.value)}: ${what} ${detail?.message} (${refusal.code} ${refusal.message})`,
  )
}

const refusalText = (refusal: Refusal, item: Item | undefined) =>
  `${item === undefined ? '' : `${describe(item.value)}: `}${refusal.message} (${refusal.code})`

function clusterRefusal(refusal: Refusal, line: ItemOf<'cluster'>['value']): string {
  const hint = refusal.code === 1199014 ? ': another business has a cluster of this uid' : ''
  return `${describe(line)}: ${refusal.message} (${refusal.code})${hint}`
}

function hostRefusal(refusal: Refusal, items: readonly ItemOf<'host'>[]): Error {
  const problems = (refusal.data as { readonly error?: readonly string[] } | null)?.error ?? []
  const line = Number(/^\D*(\d+)/.exec(problems[0] ?? '')?.[1])
  const item = items.find((one) => one.line === line)
  if (item === undefined)
    return items.length === 1 ? new BadLine(items[0]?.line ?? 0, refusalText(refusal, items[0])) : refusal
  return new BadLine(item.line, `${describe(item.value)}: ${problems[0]} (${refusal.code})`)
}
