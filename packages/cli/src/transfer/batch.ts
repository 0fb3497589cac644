import type { Directory, Parent } from './directory.ts'
import { describe, type RowLine } from './line.ts'
import { BadLine } from './problems.ts'

/** A line of the file with its place. */
export type Item<Value extends RowLine = RowLine> = {
  /** From 1. */
  readonly line: number
  /** Bytes of the file before this line, and up to and with it. */
  readonly start: number
  readonly end: number
  readonly bytes: number
  readonly text: string
  readonly value: Value
}

export type Outcome = { readonly created: number; readonly updated: number; readonly skipped: number }

/** Items of one call, by the endpoints' own limits. */
const mostItems: Readonly<Record<RowLine['type'], number>> = {
  host: 200,
  cluster: 1,
  namespace: 200,
  node: 100,
  workload: 200,
  pod: 200,
}
/** Bytes of one call: half of what a request may have. */
const mostBytes = 4 * 1024 * 1024

/** Whether an item goes into the same call as those before it. */
export function fitsInto(batch: readonly Item[], item: Item): boolean {
  const [first] = batch
  if (first === undefined) return true
  if (first.value.type !== item.value.type) return false
  if (first.value.type === 'workload' && item.value.type === 'workload' && first.value.kind !== item.value.kind)
    return false
  const bytes = batch.reduce((sum, { bytes: one }) => sum + one, 0)
  return batch.length < mostItems[item.value.type] && bytes + item.bytes <= mostBytes
}

/** The rows that a line refers to; throws with the line when one is not there. */
export function parentsOf(
  directory: Directory,
  item: Item,
): Readonly<Record<'cluster' | 'namespace' | 'node' | 'workload' | 'host', Parent>> {
  const { value } = item
  const none: Parent = { id: 0 }
  const found = { cluster: none, namespace: none, node: none, workload: none, host: none }
  const need = (parent: Parent | undefined, what: string): Parent => {
    if (parent !== undefined) return parent
    throw new BadLine(
      item.line,
      `${describe(value)}: ${what} is not there: its line must come earlier, or it must exist`,
    )
  }
  if (value.type === 'host' || value.type === 'cluster') return found
  found.cluster = need(directory.cluster(value.cluster), `cluster ${value.cluster}`)
  if (value.type === 'workload' || value.type === 'pod')
    found.namespace = need(directory.namespace(value.cluster, value.namespace), `namespace ${value.namespace}`)
  if (value.type === 'node')
    found.host = need(directory.host(value.host), `host ${value.host.ip} (area ${value.host.cloud})`)
  if (value.type === 'pod') {
    const { kind, name } = value.workload
    found.workload = need(directory.workload(value.cluster, value.namespace, value.workload), `${kind} ${name}`)
    found.node = need(directory.node(value.cluster, value.node), `node ${value.node}`)
    found.host =
      value.host === undefined
        ? { id: found.node.host ?? 0 }
        : need(directory.host(value.host), `host ${value.host.ip} (area ${value.host.cloud})`)
  }
  return found
}
