import type { Container, Node, Pod, PodSpec, StringMap } from '../validation/kube-types.ts'
import { quantityNano } from '../validation/quantity.ts'

/** A node as the scheduler sees it: what it has, and what the pods on it asked for. */

/** Amounts in nano units by resource name. */
export type Amounts = ReadonlyMap<string, bigint>

export type NodeInfo = {
  readonly node: Node
  readonly allocatable: Amounts
  readonly pods: ReadonlyMap<string, Pod>
  readonly requested: Amounts
  /** Pods by the uid of their controller. */
  readonly byOwner: ReadonlyMap<string, number>
}

const NANO = 1_000_000_000n

function amountsOf(list: StringMap | undefined): Map<string, bigint> {
  return new Map(Object.entries(list ?? {}).map(([name, text]) => [name, quantityNano(text)]))
}

function add(total: Map<string, bigint>, amounts: Amounts, sign = 1n): void {
  for (const [name, amount] of amounts) total.set(name, (total.get(name) ?? 0n) + amount * sign)
}

function most(total: Map<string, bigint>, amounts: Amounts): void {
  for (const [name, amount] of amounts) if (amount > (total.get(name) ?? 0n)) total.set(name, amount)
}

const cache = new WeakMap<PodSpec, Amounts>()

/** What a pod needs: all containers together or the hungriest init container, sidecars and overhead included. */
export function podRequests(spec: PodSpec): Amounts {
  const known = cache.get(spec)
  if (known !== undefined) return known
  const requestsOf = (container: Container) => amountsOf(container.resources?.requests)
  const total = new Map<string, bigint>()
  for (const container of spec.containers ?? []) add(total, requestsOf(container))
  const sidecars = new Map<string, bigint>()
  const starting = new Map<string, bigint>()
  for (const container of spec.initContainers ?? []) {
    const requests = requestsOf(container)
    if (container.restartPolicy === 'Always') {
      add(total, requests)
      add(sidecars, requests)
      most(starting, sidecars)
      continue
    }
    const during = new Map(sidecars)
    add(during, requests)
    most(starting, during)
  }
  most(total, starting)
  for (const [name, text] of Object.entries(spec.resources?.requests ?? {})) total.set(name, quantityNano(text))
  add(total, amountsOf(spec.overhead))
  cache.set(spec, total)
  return total
}

/** The nodes and what runs on them, kept up to date by events. */
export class NodeInfoCache {
  readonly #nodes = new Map<string, MutableInfo>()
  readonly #podNodes = new Map<string, string>()

  /** The known nodes in name order. */
  list(): readonly NodeInfo[] {
    return [...this.#nodes.values()].filter((info): info is MutableInfo & NodeInfo => info.node !== undefined)
  }

  setNode(node: Node): void {
    const info = this.#info(node.metadata.name)
    info.node = node
    info.allocatable = amountsOf(node.status?.allocatable ?? node.status?.capacity)
  }

  removeNode(name: string): void {
    const info = this.#nodes.get(name)
    if (info === undefined) return
    info.node = undefined
    if (info.pods.size === 0) this.#nodes.delete(name)
  }

  /** Counts the pod on its node, or takes it off. */
  setPod(pod: Pod, present: boolean): void {
    const { uid } = pod.metadata
    const before = this.#podNodes.get(uid)
    const node = present ? (pod.spec.nodeName ?? '') : ''
    if (before !== undefined) {
      const info = this.#info(before)
      const known = info.pods.get(uid)
      if (known !== undefined) this.#count(info, known, -1)
      info.pods.delete(uid)
      this.#podNodes.delete(uid)
    }
    if (node === '') return
    const info = this.#info(node)
    info.pods.set(uid, pod)
    this.#podNodes.set(uid, node)
    this.#count(info, pod, 1)
  }

  #info(name: string): MutableInfo {
    let info = this.#nodes.get(name)
    if (info === undefined) {
      info = { node: undefined, allocatable: new Map(), pods: new Map(), requested: new Map(), byOwner: new Map() }
      this.#nodes.set(name, info)
    }
    return info
  }

  #count(info: MutableInfo, pod: Pod, sign: 1 | -1): void {
    add(info.requested, podRequests(pod.spec), BigInt(sign))
    const owner = pod.metadata.ownerReferences?.find((reference) => reference.controller === true)?.uid
    if (owner === undefined) return
    const count = (info.byOwner.get(owner) ?? 0) + sign
    if (count === 0) info.byOwner.delete(owner)
    else info.byOwner.set(owner, count)
  }
}

type MutableInfo = {
  node: Node | undefined
  allocatable: Amounts
  readonly pods: Map<string, Pod>
  readonly requested: Map<string, bigint>
  readonly byOwner: Map<string, number>
}

/** A NodeInfo of a node and the pods on it, for tests and what-if questions. */
export function nodeInfo(node: Node, pods: readonly Pod[] = []): NodeInfo {
  const nodes = new NodeInfoCache()
  nodes.setNode(node)
  for (const pod of pods) nodes.setPod({ ...pod, spec: { ...pod.spec, nodeName: node.metadata.name } }, true)
  const [info] = nodes.list()
  if (info === undefined) throw new Error('no node')
  return info
}

/** Whole units of a resource that a node has for pods. */
export const podLimit = (info: NodeInfo): number => Number((info.allocatable.get('pods') ?? 0n) / NANO)
