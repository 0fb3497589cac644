import { badRequest, notFound } from '../store/refusals.ts'
import type { Key, Kind, NewObject } from '../store/types.ts'
import type { Api } from './context.ts'
import { deleteObject, parseDeleteOptions } from './delete.ts'

/** Deletes a pod in the way that its owner's disruption budget allows; the simulator has no budgets. */
export function evictPod(api: Api, kind: Kind, key: Key, eviction: NewObject, dryRun: boolean): void {
  if (api.store.get(kind.plural, key) === undefined) throw notFound(kind, key.name)
  if (eviction.metadata.name !== key.name) throw badRequest('name in URL does not match name in Eviction object')
  const sent = eviction.deleteOptions
  const options = parseDeleteOptions(sent === undefined ? '' : JSON.stringify(sent), new URLSearchParams())
  deleteObject(api, kind, key, { ...options, dryRun: dryRun || options.dryRun })
}
