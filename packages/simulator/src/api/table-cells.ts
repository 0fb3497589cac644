import type { StoredObject } from '../store/types.ts'
import { ageOf } from './age.ts'
import { nodeCells } from './node-cells.ts'
import { podCells } from './pod-cells.ts'
import { selectorText } from './scale.ts'

/**
 * The columns and cells of `kubectl get`, as a kube-apiserver 1.36 prints them. A column's text is its name; a trailing
 * `#` marks an integer, `+` one that only `-o wide` shows.
 */
export type Printer = {
  readonly columns: readonly string[]
  readonly cells: (object: StoredObject, now: Date) => readonly unknown[]
}

type Members = { readonly [member: string]: unknown }

const members = (object: Members, member: string): Members => (object[member] ?? {}) as Members
const text = (value: unknown): string => (value === undefined || value === null ? '' : String(value))
const number = (value: unknown): number => (typeof value === 'number' ? value : 0)
const sizeOf = (value: unknown): number => Object.keys((value ?? {}) as object).length

const age = (object: StoredObject, now: Date) => ageOf(object.metadata.creationTimestamp, now)

const plain: Printer = {
  columns: ['Name', 'Age'],
  cells: (object, now) => [object.metadata.name ?? '', age(object, now)],
}

const printers: Readonly<Record<string, Printer>> = {
  pods: {
    columns: ['Name', 'Ready', 'Status', 'Restarts', 'Age', 'IP+', 'Node+', 'Nominated Node+', 'Readiness Gates+'],
    cells: podCells,
  },
  deployments: {
    columns: ['Name', 'Ready', 'Up-to-date', 'Available', 'Age', 'Containers+', 'Images+', 'Selector+'],
    cells: (object, now) => {
      const spec = members(object, 'spec')
      const status = members(object, 'status')
      return [
        object.metadata.name ?? '',
        `${number(status.readyReplicas)}/${number(spec.replicas)}`,
        number(status.updatedReplicas),
        number(status.availableReplicas),
        age(object, now),
        ...templateCells(spec),
      ]
    },
  },
  replicasets: {
    columns: ['Name', 'Desired#', 'Current#', 'Ready#', 'Age', 'Containers+', 'Images+', 'Selector+'],
    cells: (object, now) => {
      const spec = members(object, 'spec')
      const status = members(object, 'status')
      return [
        object.metadata.name ?? '',
        number(spec.replicas),
        number(status.replicas),
        number(status.readyReplicas),
        age(object, now),
        ...templateCells(spec),
      ]
    },
  },
  horizontalpodautoscalers: {
    columns: ['Name', 'Reference', 'Targets', 'MinPods', 'MaxPods', 'Replicas', 'Age'],
    cells: (object, now) => {
      const spec = members(object, 'spec')
      const target = members(spec, 'scaleTargetRef')
      return [
        object.metadata.name ?? '',
        `${text(target.kind)}/${text(target.name)}`,
        metricsText(spec, members(object, 'status')),
        spec.minReplicas === undefined ? '<unset>' : text(spec.minReplicas),
        number(spec.maxReplicas),
        number(members(object, 'status').currentReplicas),
        age(object, now),
      ]
    },
  },
  nodes: {
    columns: [
      'Name',
      'Status',
      'Roles',
      'Age',
      'Version',
      'Internal-IP+',
      'External-IP+',
      'OS-Image+',
      'Kernel-Version+',
      'Container-Runtime+',
    ],
    cells: nodeCells,
  },
  namespaces: {
    columns: ['Name', 'Status', 'Age'],
    cells: (object, now) => [object.metadata.name ?? '', text(members(object, 'status').phase), age(object, now)],
  },
  events: {
    columns: [
      'Last Seen',
      'Type',
      'Reason',
      'Object',
      'Subobject+',
      'Source+',
      'Message',
      'First Seen+',
      'Count+',
      'Name+',
    ],
    cells: eventCells,
  },
  configmaps: {
    columns: ['Name', 'Data', 'Age'],
    cells: (object, now) => [
      object.metadata.name ?? '',
      sizeOf(object.data) + sizeOf(object.binaryData),
      age(object, now),
    ],
  },
  secrets: {
    columns: ['Name', 'Type', 'Data', 'Age'],
    cells: (object, now) => [object.metadata.name ?? '', text(object.type), sizeOf(object.data), age(object, now)],
  },
  serviceaccounts: plain,
  leases: {
    columns: ['Name', 'Holder', 'Age'],
    cells: (object, now) => [
      object.metadata.name ?? '',
      text(members(object, 'spec').holderIdentity),
      age(object, now),
    ],
  },
  runtimeclasses: {
    columns: ['Name', 'Handler', 'Age'],
    cells: (object, now) => [object.metadata.name ?? '', text(object.handler), age(object, now)],
  },
  persistentvolumeclaims: {
    columns: [
      'Name',
      'Status',
      'Volume',
      'Capacity',
      'Access Modes',
      'StorageClass',
      'VolumeAttributesClass',
      'Age',
      'VolumeMode+',
    ],
    cells: (object, now) => {
      const spec = members(object, 'spec')
      const status = members(object, 'status')
      const bound = text(spec.volumeName) !== ''
      return [
        object.metadata.name ?? '',
        phase(object, status),
        text(spec.volumeName),
        bound ? text(members(status, 'capacity').storage) : '',
        bound ? accessModes(status.accessModes) : '',
        text(spec.storageClassName),
        text(spec.volumeAttributesClassName) || '<unset>',
        age(object, now),
        text(spec.volumeMode) || '<unset>',
      ]
    },
  },
  persistentvolumes: {
    columns: [
      'Name',
      'Capacity',
      'Access Modes',
      'Reclaim Policy',
      'Status',
      'Claim',
      'StorageClass',
      'VolumeAttributesClass',
      'Reason',
      'Age',
      'VolumeMode+',
    ],
    cells: (object, now) => {
      const spec = members(object, 'spec')
      const status = members(object, 'status')
      const claim = members(spec, 'claimRef')
      return [
        object.metadata.name ?? '',
        text(members(spec, 'capacity').storage),
        accessModes(spec.accessModes),
        text(spec.persistentVolumeReclaimPolicy),
        phase(object, status),
        claim.name === undefined ? '' : `${text(claim.namespace)}/${text(claim.name)}`,
        text(spec.storageClassName),
        text(spec.volumeAttributesClassName) || '<unset>',
        text(status.reason),
        age(object, now),
        text(spec.volumeMode) || '<unset>',
      ]
    },
  },
}

/** How objects of a kind are printed. */
export function printerOf(plural: string): Printer {
  return printers[plural] ?? plain
}

function templateCells(spec: Members): readonly string[] {
  const template = members(members(spec, 'template'), 'spec')
  const containers = (template.containers ?? []) as readonly { readonly name?: string; readonly image?: string }[]
  return [
    containers.map(({ name }) => text(name)).join(','),
    containers.map(({ image }) => text(image)).join(','),
    selectorText(spec.selector as Parameters<typeof selectorText>[0]) || '<none>',
  ]
}

function phase(object: StoredObject, status: Members): string {
  return object.metadata.deletionTimestamp === undefined ? text(status.phase) : 'Terminating'
}

const modeNames: Readonly<Record<string, string>> = {
  ReadWriteOnce: 'RWO',
  ReadOnlyMany: 'ROX',
  ReadWriteMany: 'RWX',
  ReadWriteOncePod: 'RWOP',
}

function accessModes(modes: unknown): string {
  const sent = (modes ?? []) as readonly string[]
  return Object.entries(modeNames)
    .filter(([mode]) => sent.includes(mode))
    .map(([, short]) => short)
    .join(',')
}

type Metric = {
  readonly resource?: {
    readonly name: string
    readonly target?: { readonly averageUtilization?: number; readonly averageValue?: string }
    readonly current?: { readonly averageUtilization?: number; readonly averageValue?: string }
  }
}

/** At most two metrics are shown. */
function metricsText(spec: Members, status: Members): string {
  const wanted = (spec.metrics ?? []) as readonly Metric[]
  const current = (status.currentMetrics ?? []) as readonly Metric[]
  if (wanted.length === 0) return '<none>'
  const shown = wanted.slice(0, 2).map(({ resource }, at) => {
    if (resource === undefined) return '<unknown type>'
    const { averageUtilization, averageValue } = resource.target ?? {}
    const now = current[at]?.resource?.current
    return averageUtilization === undefined
      ? `${resource.name}: ${now?.averageValue ?? '<unknown>'}/${averageValue ?? '<auto>'}`
      : `${resource.name}: ${now?.averageUtilization === undefined ? '<unknown>' : `${now.averageUtilization}%`}/${averageUtilization}%`
  })
  const more = wanted.length - shown.length
  return more > 0 ? `${shown.join(', ')} + ${more} more...` : shown.join(', ')
}

function eventCells(object: StoredObject, now: Date): readonly unknown[] {
  const involved = members(object, 'involvedObject')
  const source = members(object, 'source')
  const series = members(object, 'series')
  const first = text(object.firstTimestamp) || text(object.eventTime)
  const last = text(series.lastObservedTime) || text(object.lastTimestamp) || first
  const component = text(source.component) || text(object.reportingComponent)
  const host = text(source.host) || text(object.reportingInstance)
  return [
    ageOf(last, now),
    text(object.type),
    text(object.reason),
    `${text(involved.kind).toLowerCase()}/${text(involved.name)}`,
    text(involved.fieldPath),
    host === '' ? component : `${component}, ${host}`,
    text(object.message).trim(),
    ageOf(first, now),
    number(series.count) || number(object.count) || 1,
    object.metadata.name ?? '',
  ]
}
