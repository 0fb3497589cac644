import { conflict, notFound } from '../store/refusals.ts'
import type { Key, Kind, NewObject, StoredObject } from '../store/types.ts'
import { invalid, invalidStatus } from '../validation/field.ts'
import type { Api } from './context.ts'
import { ownedAfterScale, type Writer } from './managed/ownership.ts'
import type { Patcher } from './patch-object.ts'
import { checkName, checkVersion, inNamespace } from './write.ts'

type Selector = {
  readonly matchLabels?: Readonly<Record<string, string>>
  readonly matchExpressions?: readonly {
    readonly key: string
    readonly operator: string
    readonly values?: readonly string[]
  }[]
}

export type ScaleOptions = { readonly dryRun: boolean; readonly writer: Writer }

/** The Scale of a Deployment or ReplicaSet. */
export function readScale(api: Api, kind: Kind, key: Key): StoredObject {
  const object = api.store.get(kind.plural, key)
  if (object === undefined) throw notFound(kind, key.name)
  return scaleOf(object)
}

/** PUT of a Scale. */
export function replaceScale(api: Api, kind: Kind, key: Key, sent: NewObject, options: ScaleOptions): StoredObject {
  const current = api.store.get(kind.plural, key)
  if (current === undefined) throw notFound(kind, key.name)
  return writeScale(api, kind, key, current, sent, options)
}

/** PATCH of a Scale. */
export function patchScale(api: Api, kind: Kind, key: Key, patcher: Patcher, options: ScaleOptions): StoredObject {
  const current = api.store.get(kind.plural, key)
  if (current === undefined) throw notFound(kind, key.name)
  return writeScale(api, kind, key, current, patcher.apply(structuredClone(scaleOf(current))) as NewObject, options)
}

function writeScale(
  api: Api,
  kind: Kind,
  key: Key,
  current: StoredObject,
  sent: NewObject,
  { dryRun, writer }: ScaleOptions,
): StoredObject {
  const scale = inNamespace(kind, key.namespace, sent)
  checkName(key, scale)
  checkVersion(kind, current, scale)
  const uid = (scale.metadata as { readonly uid?: string }).uid
  if (uid !== undefined && uid !== '' && uid !== current.metadata.uid) throw conflict(kind, key.name)
  const replicas = ((scale.spec ?? {}) as { readonly replicas?: unknown }).replicas ?? 0
  if (typeof replicas !== 'number' || !Number.isInteger(replicas) || replicas < 0) {
    throw invalidStatus('autoscaling', 'Scale', key.name, [
      invalid('spec.replicas', replicas, 'must be greater than or equal to 0'),
    ])
  }
  const scaled = { ...current, spec: { ...(current.spec as object), replicas } }
  const managedFields = ownedAfterScale(kind, current, scaled, { ...writer, subresource: 'scale' })
  const wanted = { ...scaled, metadata: { ...current.metadata, managedFields } }
  if (dryRun) return scaleOf(wanted)
  return scaleOf(api.store.update(kind.plural, key, () => wanted))
}

function scaleOf(object: StoredObject): StoredObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata
  const spec = object.spec as { readonly replicas?: number; readonly selector?: Selector }
  const status = (object.status ?? {}) as { readonly replicas?: number }
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, ...(namespace === undefined ? {} : { namespace }), uid, resourceVersion, creationTimestamp },
    spec: spec.replicas === undefined || spec.replicas === 0 ? {} : { replicas: spec.replicas },
    status: { replicas: status.replicas ?? 0, selector: selectorText(spec.selector) },
  }
}

/** A label selector in the form of a `labelSelector` query, keys in order. */
export function selectorText(selector: Selector | undefined): string {
  const terms: [string, string][] = Object.entries(selector?.matchLabels ?? {}).map(([key, value]) => [
    key,
    `${key}=${value}`,
  ])
  for (const { key, operator, values } of selector?.matchExpressions ?? []) {
    const set = `(${[...(values ?? [])].sort().join(',')})`
    if (operator === 'In') terms.push([key, `${key} in ${set}`])
    else if (operator === 'NotIn') terms.push([key, `${key} notin ${set}`])
    else terms.push([key, operator === 'Exists' ? key : `!${key}`])
  }
  return terms
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([, text]) => text)
    .join(',')
}
