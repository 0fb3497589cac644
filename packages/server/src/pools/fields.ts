import type {
  V1Affinity,
  V1Toleration,
  V1TopologySpreadConstraint,
  V1Volume,
  V1VolumeMount,
} from '@kubernetes/client-node'
import { isObject, type JsonObject, mismatch, own, parseJson, type Shape } from './json-shape.ts'

/**
 * The JSON texts of a pool, read as tolerantly as pool API reference 2.4 says: what cannot be read is left out, and a
 * note names it and why. Pure.
 */

/** What could be read, and a note for everything that was left out. */
export type Parsed<T> = { readonly value: T; readonly notes: readonly string[] }

const labelSelector: Shape = {
  members: {
    matchLabels: { map: 'string' },
    matchExpressions: { list: { members: { key: 'string', operator: 'string', values: { list: 'string' } } } },
  },
}
const nodeRequirements: Shape = {
  list: { members: { key: 'string', operator: 'string', values: { list: 'string' } } },
}
const nodeTerm: Shape = { members: { matchExpressions: nodeRequirements, matchFields: nodeRequirements } }
const podTerm: Shape = {
  members: {
    labelSelector,
    namespaceSelector: labelSelector,
    namespaces: { list: 'string' },
    topologyKey: 'string',
    matchLabelKeys: { list: 'string' },
    mismatchLabelKeys: { list: 'string' },
  },
}
const podAffinity: Shape = {
  members: {
    requiredDuringSchedulingIgnoredDuringExecution: { list: podTerm },
    preferredDuringSchedulingIgnoredDuringExecution: {
      list: { members: { weight: 'integer', podAffinityTerm: podTerm } },
    },
  },
}
const affinity: Shape = {
  members: {
    nodeAffinity: {
      members: {
        requiredDuringSchedulingIgnoredDuringExecution: { members: { nodeSelectorTerms: { list: nodeTerm } } },
        preferredDuringSchedulingIgnoredDuringExecution: {
          list: { members: { weight: 'integer', preference: nodeTerm } },
        },
      },
    },
    podAffinity,
    podAntiAffinity: podAffinity,
  },
}

const keyItems: Shape = { list: { members: { key: 'string', path: 'string', mode: 'integer' } } }

/** In the order in which they are looked for; of a volume with two sources the first counts. */
const volumeSources: Readonly<Record<string, { readonly [member: string]: Shape }>> = {
  hostPath: { path: 'string', type: 'string' },
  configMap: { name: 'string', defaultMode: 'integer', items: keyItems },
  emptyDir: { medium: 'string', sizeLimit: 'string' },
  secret: { secretName: 'string', defaultMode: 'integer', optional: 'boolean', items: keyItems },
  projected: { sources: { list: 'object' }, defaultMode: 'integer' },
  persistentVolumeClaim: { claimName: 'string', readOnly: 'boolean' },
}

const mountMembers: Readonly<Record<string, Shape>> = {
  name: 'string',
  mountPath: 'string',
  readOnly: 'boolean',
  subPath: 'string',
  subPathExpr: 'string',
  mountPropagation: 'string',
}

const tolerationMembers: Readonly<Record<string, Shape>> = {
  key: 'string',
  operator: 'string',
  value: 'string',
  effect: 'string',
  tolerationSeconds: 'integer',
}

const constraintMembers: Readonly<Record<string, Shape>> = {
  maxSkew: 'integer',
  minDomains: 'integer',
  topologyKey: 'string',
  whenUnsatisfiable: 'string',
  labelSelector,
  matchLabelKeys: { list: 'string' },
  nodeAffinityPolicy: 'string',
  nodeTaintsPolicy: 'string',
}

export function parseVolumes(text: string): Parsed<V1Volume[]> {
  return parseList(text, 'volumes', (item) => {
    const name = own(item, 'name')
    if (typeof name !== 'string' || name === '') return { left: 'it has no name' }
    for (const [source, members] of Object.entries(volumeSources)) {
      const given = own(item, source)
      if (given === undefined || given === null) continue
      if (!isObject(given)) return { left: `${source} is not an object` }
      const wrong = mismatch({ members }, given, source)
      if (wrong !== undefined) return { left: wrong }
      return { taken: { name, [source]: pick(given, members) } as unknown as V1Volume }
    }
    return { left: `it has none of the sources ${Object.keys(volumeSources).join(', ')}` }
  })
}

export function parseVolumeMounts(text: string): Parsed<V1VolumeMount[]> {
  return parseList(text, 'volume_mounts', (item) => {
    const wrong = mismatch({ members: mountMembers }, item, '')
    if (wrong !== undefined) return { left: wrong }
    if (!own(item, 'name')) return { left: 'it has no name' }
    if (!own(item, 'mountPath')) return { left: 'it has no mountPath' }
    return { taken: pick(item, mountMembers) as unknown as V1VolumeMount }
  })
}

export function parseTolerations(text: string): Parsed<V1Toleration[]> {
  return parseList(text, 'tolerations', (item) => {
    const wrong = mismatch({ members: tolerationMembers }, item, '')
    if (wrong !== undefined) return { left: wrong }
    if (!own(item, 'effect')) return { left: 'it has no effect' }
    return { taken: pick(item, tolerationMembers) as V1Toleration }
  })
}

export function parseTopologySpreadConstraints(text: string): Parsed<V1TopologySpreadConstraint[]> {
  return parseList(text, 'topology_spread_constraints', (item) => {
    const wrong = mismatch({ members: constraintMembers }, item, '')
    if (wrong !== undefined) return { left: wrong }
    if (!own(item, 'topologyKey')) return { left: 'it has no topologyKey' }
    return { taken: pick(item, constraintMembers) as unknown as V1TopologySpreadConstraint }
  })
}

/** Taken as a whole or not at all. */
export function parseAffinities(text: string): Parsed<V1Affinity> {
  if (text === '') return { value: {}, notes: [] }
  const left = (why: string): Parsed<V1Affinity> => ({ value: {}, notes: [`affinities is ignored: ${why}`] })
  const parsed = parseJson(text)
  if (!parsed.ok) return left(parsed.reason)
  if (!isObject(parsed.value)) return left('it is not an object')
  const wrong = mismatch(affinity, parsed.value, '')
  if (wrong !== undefined) return left(wrong)
  const members = { nodeAffinity: affinity, podAffinity: affinity, podAntiAffinity: affinity }
  return { value: pick(parsed.value, members) as V1Affinity, notes: [] }
}

function parseList<T>(
  text: string,
  field: string,
  read: (item: JsonObject) => { readonly taken: T } | { readonly left: string },
): Parsed<T[]> {
  if (text === '') return { value: [], notes: [] }
  const parsed = parseJson(text)
  if (!parsed.ok) return { value: [], notes: [`${field} is ignored: ${parsed.reason}`] }
  if (!Array.isArray(parsed.value)) return { value: [], notes: [`${field} is ignored: it is not a list`] }
  const value: T[] = []
  const notes: string[] = []
  parsed.value.forEach((item: unknown, i) => {
    const result = isObject(item) ? read(item) : { left: 'it is not an object' }
    if ('taken' in result) value.push(result.taken)
    else notes.push(`${field}[${i}] is ignored: ${result.left}`)
  })
  return { value, notes }
}

/** The named members that are given, in the order of their names. */
function pick(value: JsonObject, members: Readonly<Record<string, Shape>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.keys(members).flatMap((name) => {
      const member = own(value, name)
      return member === undefined || member === null ? [] : [[name, member]]
    }),
  )
}
