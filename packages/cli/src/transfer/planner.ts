import { type Item, parentsOf } from './batch.ts'
import { anyOf, type Directory } from './directory.ts'
import {
  type Data,
  describe,
  differences,
  givenMembers,
  hostKeyOf,
  hostKeysOf,
  ownMembers,
  type RowLine,
} from './line.ts'
import { BadLine } from './problems.ts'
import { foreignHost, type OnDuplicate } from './writer.ts'

/** What an import would do with a line. */
export type Plan = {
  readonly item: Item
  readonly act: 'create' | 'update' | 'leave'
  /** The members that would change. */
  readonly members: readonly string[]
}
type Stored = {
  readonly id: number
  readonly data: Data
  readonly host?: number
  /** What differs beside the line's own members: where a pod is. */
  readonly moved?: readonly string[]
}
type ItemOf<Type extends RowLine['type']> = Item<Extract<RowLine, { readonly type: Type }>>

/** What no update changes. */
const fixed: Readonly<Partial<Record<RowLine['type'], ReadonlySet<string>>>> = {
  host: new Set(['bk_host_innerip', 'bk_host_innerip_v6', 'bk_cloud_id', 'bk_addressing']),
  cluster: new Set(['uid', 'xid', 'scheduling_engine', 'vpc']),
}

/** Compares lines with what is stored, and writes nothing. */
export class Planner {
  readonly #directory: Directory
  readonly #onDuplicate: OnDuplicate

  constructor(directory: Directory, onDuplicate: OnDuplicate) {
    this.#directory = directory
    this.#onDuplicate = onDuplicate
  }

  /** Items that `fitsInto` put together. Throws `BadLine` for what an import would refuse, as far as can be told. */
  async plan(items: readonly Item[]): Promise<Plan[]> {
    await this.#directory.prepare(items)
    for (const item of items) parentsOf(this.#directory, item)
    const stored = await this.#stored(items)
    return items.map((item, i) => this.#compare(item, stored[i]))
  }

  #compare(item: Item, stored: Stored | undefined): Plan {
    const { value } = item
    if (value.type === 'cluster' && value.owner !== undefined) {
      this.#directory.owners.set(value.data.uid, value.owner)
      return { item, act: 'leave', members: [] }
    }
    if (stored === undefined) {
      this.#directory.note(value, 0)
      return { item, act: 'create', members: [] }
    }
    this.#directory.note(value, stored.id, stored.host === undefined ? {} : { host: stored.host })
    if (this.#onDuplicate === 'fail') throw new BadLine(item.line, `${describe(value)} exists already`)
    if (this.#onDuplicate === 'skip') return { item, act: 'leave', members: [] }
    const own = differences(value.data, stored.data).filter((name) => fixed[value.type]?.has(name) !== true)
    const members = [...(stored.moved ?? []), ...own]
    return { item, act: members.length === 0 ? 'leave' : 'update', members }
  }

  #stored(items: readonly Item[]): Promise<(Stored | undefined)[]> {
    switch (items[0]?.value.type) {
      case 'host':
        return this.#hosts(items as readonly ItemOf<'host'>[])
      case 'cluster':
        return this.#clusters(items as readonly ItemOf<'cluster'>[])
      case 'pod':
        return this.#pods(items as readonly ItemOf<'pod'>[])
      default:
        return this.#level(items as readonly ItemOf<'namespace' | 'node' | 'workload'>[])
    }
  }

  async #hosts(items: readonly ItemOf<'host'>[]): Promise<(Stored | undefined)[]> {
    const keys = items.map((item) => hostKeysOf(item.value.data))
    const rowsByKey = async (of: 'business' | 'all') =>
      new Map(
        (await this.#directory.hostRows(keys.flat(), of)).flatMap((row) =>
          hostKeysOf(row).map((key) => [text(key), row]),
        ),
      )
    const own = await rowsByKey('business')
    const all = await rowsByKey('all')
    return items.map((item, i) => {
      const first = hostKeyOf(item.value.data)
      if (first === undefined)
        throw new BadLine(item.line, 'the host has neither bk_host_innerip nor bk_host_innerip_v6')
      const found = (rows: ReadonlyMap<string, Data>) =>
        keys[i]?.map((key) => rows.get(text(key))).find((row) => row !== undefined)
      const row = found(own)
      if (row === undefined && found(all) !== undefined) throw new BadLine(item.line, foreignHost(first))
      return row === undefined ? undefined : { id: Number(row.bk_host_id), data: givenMembers(row) }
    })
  }

  async #clusters(items: readonly ItemOf<'cluster'>[]): Promise<(Stored | undefined)[]> {
    const { business } = this.#directory
    const rules = [
      anyOf(
        'uid',
        items.map((item) => item.value.data.uid),
      ),
    ]
    const rows = new Map((await this.#directory.list('cluster', business, rules)).map((row) => [row.uid, row]))
    return items.map(({ line, value }) => {
      const row = rows.get(value.data.uid)
      if (row !== undefined && value.owner === undefined && row.bk_biz_id !== business)
        throw new BadLine(line, `${describe(value)} exists already, in another business`)
      return row === undefined ? undefined : { id: Number(row.id), data: ownMembers(row) }
    })
  }

  async #level(items: readonly ItemOf<'namespace' | 'node' | 'workload'>[]): Promise<(Stored | undefined)[]> {
    const parents = items.map((item) => parentsOf(this.#directory, item))
    const [first] = items as [(typeof items)[number]]
    const isWorkload = first.value.type === 'workload'
    const object = first.value.type === 'workload' ? (`workload/${first.value.kind}` as const) : first.value.type
    const field = isWorkload ? 'bk_namespace_id' : 'bk_cluster_id'
    const parentIds = parents.map(({ cluster, namespace }) => (isWorkload ? namespace.id : cluster.id))
    const known = parentIds.filter((id) => id !== 0)
    if (known.length === 0) return items.map(() => undefined)
    const rules = [
      anyOf(field, known),
      anyOf(
        'name',
        items.map((item) => item.value.data.name),
      ),
    ]
    const keyOf = (parent: unknown, data: Data) =>
      JSON.stringify([
        parent,
        data.name,
        ...(object === 'workload/customResource' ? [data.cr_kind, data.cr_api_version] : []),
      ])
    const found = new Map<string, Data>()
    for (const row of await this.#directory.list(object, this.#directory.business, rules))
      found.set(keyOf(row[field], { ...row, name: row.name ?? '' }), row)
    return items.map((item, i) => {
      const row = found.get(keyOf(parentIds[i], item.value.data))
      if (row === undefined) return undefined
      const data = { ...ownMembers(row), name: row.name ?? '' }
      return { id: Number(row.id), data, ...(object === 'node' ? { host: Number(row.bk_host_id) } : {}) }
    })
  }

  async #pods(items: readonly ItemOf<'pod'>[]): Promise<(Stored | undefined)[]> {
    const parents = items.map((item) => parentsOf(this.#directory, item))
    const found = new Map<string, Data>()
    for (const [kind, some] of Map.groupBy(items.entries(), ([, item]) => item.value.workload.kind)) {
      const ids = some.map(([i]) => parents[i]?.workload.id ?? 0).filter((id) => id !== 0)
      if (ids.length === 0) continue
      const rules = [
        { field: 'ref.kind', operator: 'equal', value: kind },
        anyOf('ref.id', ids),
        anyOf(
          'name',
          some.map(([, item]) => item.value.data.name),
        ),
      ]
      for (const row of await this.#directory.list('pod', this.#directory.business, rules))
        found.set(text([kind, (row.ref as { id: number }).id, row.name]), row)
    }
    const rows = items.map((item, i) =>
      found.get(text([item.value.workload.kind, parents[i]?.workload.id, item.value.data.name])),
    )
    const podIds = rows.flatMap((row) => (row === undefined ? [] : [row.id]))
    const containers = Map.groupBy(
      podIds.length === 0
        ? []
        : await this.#directory.list('container', this.#directory.business, [anyOf('bk_pod_id', podIds)]),
      (row) => row.bk_pod_id,
    )
    return items.map((item, i) => {
      const row = rows[i]
      if (row === undefined) return undefined
      const { node, host } = parents[i] as (typeof parents)[number]
      const moved = [...(row.bk_node_id === node.id ? [] : ['node']), ...(row.bk_host_id === host.id ? [] : ['host'])]
      const stored = sameOrder(item.value.data.containers, containers.get(row.id) ?? [])
      return { id: Number(row.id), data: { ...ownMembers(row), containers: stored }, moved }
    })
  }
}

/** The stored containers in the order of the line's: an update matches them by `container_uid`. */
function sameOrder(wanted: unknown, stored: readonly Data[]): Data[] {
  const uids = Array.isArray(wanted) ? wanted.map((one: Data) => one.container_uid) : []
  const place = (row: Data) => {
    const index = uids.indexOf(row.container_uid)
    return index < 0 ? uids.length : index
  }
  return stored.map(ownMembers).toSorted((a, b) => place(a) - place(b))
}

const text = (value: unknown) => JSON.stringify(value)
