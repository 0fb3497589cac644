import type { StoredObject } from '../store/types.ts'
import { ageOf } from './age.ts'

type NodeStatus = {
  readonly conditions?: readonly { readonly type: string; readonly status: string }[]
  readonly addresses?: readonly { readonly type: string; readonly address: string }[]
  readonly nodeInfo?: {
    readonly kubeletVersion?: string
    readonly osImage?: string
    readonly kernelVersion?: string
    readonly containerRuntimeVersion?: string
  }
}

const ROLE = 'node-role.kubernetes.io/'

/** A node's cells. */
export function nodeCells(node: StoredObject, now: Date): readonly unknown[] {
  const status = (node.status ?? {}) as NodeStatus
  const info = status.nodeInfo ?? {}
  const address = (type: string) => status.addresses?.find((entry) => entry.type === type)?.address || '<none>'
  return [
    node.metadata.name ?? '',
    readiness(node, status),
    roles(node.metadata.labels ?? {}),
    ageOf(node.metadata.creationTimestamp, now),
    info.kubeletVersion ?? '',
    address('InternalIP'),
    address('ExternalIP'),
    info.osImage || '<unknown>',
    info.kernelVersion || '<unknown>',
    info.containerRuntimeVersion || '<unknown>',
  ]
}

function readiness(node: StoredObject, status: NodeStatus): string {
  const ready = status.conditions?.find(({ type }) => type === 'Ready')
  const word = ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady'
  const cordoned = (node.spec as { readonly unschedulable?: boolean } | undefined)?.unschedulable === true
  return cordoned ? `${word},SchedulingDisabled` : word
}

function roles(labels: Readonly<Record<string, string>>): string {
  const found = new Set<string>()
  for (const [label, value] of Object.entries(labels)) {
    if (label.startsWith(ROLE) && label.length > ROLE.length) found.add(label.slice(ROLE.length))
    else if (label === 'kubernetes.io/role' && value !== '') found.add(value)
  }
  return found.size === 0 ? '<none>' : [...found].sort().join(',')
}
