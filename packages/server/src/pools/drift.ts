import type { V1Deployment, V2HorizontalPodAutoscaler } from '@kubernetes/client-node'
import { amount } from '../kube/quantity.ts'
import type { JsonPatchOperation } from '../kube/types.ts'
import { isObject, own } from './json-shape.ts'
import { managedByLabel, managedByValue, templateHashAnnotation } from './names.ts'

/**
 * What somebody else changed in an object that Podyard made, and the operations that restore it. Pure.
 *
 * An API server adds defaults to what it stores, so a wanted value fits when everything in it is found in the stored
 * one; lists must have the same length. Fields that Podyard does not set are not its business.
 */
export type Drift = { readonly fields: readonly string[]; readonly operations: readonly JsonPatchOperation[] }

/** Fields of the pod's spec that a pool decides: in these, more than is wanted is an edit as well. */
const ownedPodFields = [
  'affinity',
  'nodeSelector',
  'tolerations',
  'topologySpreadConstraints',
  'runtimeClassName',
  'volumes',
  'initContainers',
  'containers',
] as const

/**
 * Replicas are not looked at. The pod template only when the Deployment was made from the same one: a new template file,
 * or a new version of Podyard, must not restart the pods of every pool.
 */
export function deploymentDrift(wanted: V1Deployment, actual: V1Deployment): Drift {
  const fields: string[] = []
  const operations: JsonPatchOperation[] = []
  const label = managedLabelDrift(actual.metadata?.labels)
  if (label !== undefined) {
    fields.push('metadata.labels')
    operations.push(label)
  }
  const hash = (d: V1Deployment) => d.metadata?.annotations?.[templateHashAnnotation]
  if (hash(wanted) !== hash(actual)) return { fields, operations }

  const [wantedPod, actualPod] = [wanted.spec?.template, actual.spec?.template]
  if (!isEqualBothWays(wantedPod?.metadata?.labels, actualPod?.metadata?.labels)) {
    fields.push('spec.template.metadata.labels')
    operations.push({ op: 'replace', path: '/spec/template/metadata/labels', value: wantedPod?.metadata?.labels })
  }
  for (const [key, value] of Object.entries(wantedPod?.metadata?.annotations ?? {})) {
    const annotations = actualPod?.metadata?.annotations
    if (annotations?.[key] === value) continue
    fields.push(`spec.template.metadata.annotations.${key}`)
    operations.push(
      annotations === undefined
        ? { op: 'add', path: '/spec/template/metadata/annotations', value: wantedPod?.metadata?.annotations }
        : { op: 'add', path: `/spec/template/metadata/annotations/${escapePointer(key)}`, value },
    )
    if (annotations === undefined) break
  }
  const changed = podFieldsChanged(wantedPod?.spec, actualPod?.spec)
  if (changed.length > 0) {
    fields.push(...changed.map((name) => `spec.template.spec.${name}`))
    operations.push({ op: 'replace', path: '/spec/template/spec', value: wantedPod?.spec })
  }
  return { fields, operations }
}

export function hpaDrift(wanted: V2HorizontalPodAutoscaler, actual: V2HorizontalPodAutoscaler): Drift {
  const fields: string[] = []
  const operations: JsonPatchOperation[] = []
  const label = managedLabelDrift(actual.metadata?.labels)
  if (label !== undefined) {
    fields.push('metadata.labels')
    operations.push(label)
  }
  if (!includes(wanted.spec, actual.spec, '', autoscalerQuantities)) {
    fields.push('spec')
    operations.push({ op: 'replace', path: '/spec', value: wanted.spec })
  }
  return { fields, operations }
}

function managedLabelDrift(labels: Readonly<Record<string, string>> | undefined): JsonPatchOperation | undefined {
  if (labels?.[managedByLabel] === managedByValue) return undefined
  return labels === undefined
    ? { op: 'add', path: '/metadata/labels', value: { [managedByLabel]: managedByValue } }
    : { op: 'add', path: `/metadata/labels/${escapePointer(managedByLabel)}`, value: managedByValue }
}

function podFieldsChanged(wanted: object | undefined, actual: object | undefined): string[] {
  const [w, a] = [wanted ?? {}, actual ?? {}] as [Record<string, unknown>, Record<string, unknown>]
  const names = new Set<string>([...Object.keys(w), ...ownedPodFields])
  return [...names].filter((name) => {
    if (!includes(own(w, name), own(a, name), name)) return true
    const isOwned = (ownedPodFields as readonly string[]).includes(name)
    // Where the server adds nothing, what was added is an edit. (Its defaults in lists are inside the items.)
    const isBare = isEmpty(own(w, name)) || name === 'nodeSelector' || name === 'affinity'
    return isOwned && isBare && !includes(own(a, name), own(w, name), name)
  })
}

const isEqualBothWays = (a: unknown, b: unknown) => includes(a, b, '') && includes(b, a, '')

const podQuantities = new Set(['sizeLimit', 'divisor'])
const autoscalerQuantities = new Set(['value', 'averageValue'])

/**
 * Whether everything that is wanted is there. What Go leaves out of JSON (empty, zero, false) may be missing.
 *
 * @param key the member's name
 * @param quantities names of members that hold quantities
 */
function includes(
  wanted: unknown,
  actual: unknown,
  key: string,
  quantities: ReadonlySet<string> = podQuantities,
): boolean {
  if (wanted === actual || (isEmpty(wanted) && (actual === undefined || actual === null))) return true
  if (Array.isArray(wanted))
    return (
      Array.isArray(actual) &&
      actual.length === wanted.length &&
      wanted.every((item: unknown, i) => includes(item, actual[i], key, quantities))
    )
  if (isObject(wanted))
    return isObject(actual) && Object.entries(wanted).every(([name, value]) => fits(name, value, own(actual, name)))
  return false

  function fits(name: string, value: unknown, there: unknown): boolean {
    if (includes(value, there, name, quantities)) return true
    const isQuantity = key === 'requests' || key === 'limits' || quantities.has(name)
    return isQuantity && isSameQuantity(value, there)
  }
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === 0 || value === false) return true
  if (Array.isArray(value)) return value.length === 0
  return isObject(value) && Object.keys(value).length === 0
}

/** An API server writes quantities in its own form: `1024Mi` comes back as `1Gi`. */
function isSameQuantity(a: unknown, b: unknown): boolean {
  const [x, y] = [amount(a), amount(b)]
  // A server that rounds up to whole nano units is still the same amount.
  return x !== undefined && y !== undefined && Math.abs(x - y) <= 1e-9 * Math.max(1, Math.abs(x))
}

const escapePointer = (key: string) => key.replaceAll('~', '~0').replaceAll('/', '~1')
