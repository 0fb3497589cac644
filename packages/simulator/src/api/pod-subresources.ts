import { badRequest, notFound } from '../store/refusals.ts'
import { StatusError } from '../store/status-error.ts'
import type { Key, Kind, NewObject } from '../store/types.ts'
import type { Api } from './context.ts'
import { deleteObject, parseDeleteOptions } from './delete.ts'
import { timestamp } from './write.ts'

/** Deletes a pod in the way that its owner's disruption budget allows; the simulator has no budgets. */
export function evictPod(api: Api, kind: Kind, key: Key, eviction: NewObject, dryRun: boolean): void {
  if (api.store.get(kind.plural, key) === undefined) throw notFound(kind, key.name)
  if (eviction.metadata.name !== key.name) throw badRequest('name in URL does not match name in Eviction object')
  const sent = eviction.deleteOptions
  const options = parseDeleteOptions(sent === undefined ? '' : JSON.stringify(sent), new URLSearchParams())
  deleteObject(api, kind, key, { ...options, dryRun: dryRun || options.dryRun })
}

/** POST to pods/x/binding: what a scheduler does. */
export function bindPod(api: Api, kind: Kind, key: Key, sent: NewObject): void {
  const node = (sent.target as { readonly name?: unknown } | undefined)?.name
  if (typeof node !== 'string' || node === '') throw badRequest('target.name: Required value')
  api.store.update(kind.plural, key, (pod) => {
    const spec = pod.spec as { readonly nodeName?: string }
    if (pod.metadata.deletionTimestamp !== undefined) {
      throw bindingConflict(key.name, `pod ${key.name} is being deleted, cannot be assigned to a host`)
    }
    if (spec.nodeName !== undefined && spec.nodeName !== '') {
      throw bindingConflict(key.name, `pod ${key.name} is already assigned to node ${JSON.stringify(spec.nodeName)}`)
    }
    const status = (pod.status ?? {}) as { readonly conditions?: readonly { readonly type: string }[] }
    const lastTransitionTime = timestamp(api.now())
    const scheduled = { type: 'PodScheduled', status: 'True', lastProbeTime: null, lastTransitionTime }
    const conditions = [...(status.conditions ?? []).filter(({ type }) => type !== 'PodScheduled'), scheduled]
    return { ...pod, spec: { ...spec, nodeName: node }, status: { ...status, conditions } }
  })
}

function bindingConflict(name: string, text: string): StatusError {
  return new StatusError(409, 'Conflict', `Operation cannot be fulfilled on pods/binding "${name}": ${text}`, {
    name,
    kind: 'pods/binding',
  })
}
