import type { Key, ObjectStore, StoredObject } from '../store/types.ts'
import { type Pod, viewAs } from '../validation/kube-types.ts'

/** Deletions as the API server begins them for the controllers. */

export type Propagation = 'Background' | 'Foreground' | 'Orphan'

const FINALIZER: Readonly<Record<Propagation, string | undefined>> = {
  Background: undefined,
  Foreground: 'foregroundDeletion',
  Orphan: 'orphan',
}

/** Seconds that a pod gets: none when nothing runs yet. */
function graceOf(object: StoredObject): number {
  if (object.kind !== 'Pod') return 0
  const { spec, status } = viewAs<Pod>(object)
  if ((spec.nodeName ?? '') === '' || status?.phase === 'Succeeded' || status?.phase === 'Failed') return 0
  return spec.terminationGracePeriodSeconds ?? 30
}

/** Deletes the object as the given key's DELETE would: now, or after its grace period and its finalizers. */
export function beginDeletion(
  store: ObjectStore,
  plural: string,
  key: Key,
  now: Date,
  propagation: Propagation = 'Background',
): void {
  const object = store.get(plural, key)
  if (object === undefined) return
  const finalizer = FINALIZER[propagation]
  const finalizers = [...(object.metadata.finalizers ?? [])]
  if (finalizer !== undefined && !finalizers.includes(finalizer)) finalizers.push(finalizer)
  const grace = graceOf(object)
  const kept = finalizers.length > 0 || grace > 0 || plural === 'namespaces'
  if (!kept) {
    store.remove(plural, key)
    return
  }
  const began = object.metadata.deletionTimestamp !== undefined
  if (began && finalizers.length === (object.metadata.finalizers ?? []).length) return
  store.update(plural, key, (current) => ({
    ...current,
    metadata: {
      ...current.metadata,
      finalizers,
      deletionTimestamp:
        current.metadata.deletionTimestamp ?? `${new Date(now.getTime() + grace * 1000).toISOString().slice(0, 19)}Z`,
      deletionGracePeriodSeconds: current.metadata.deletionGracePeriodSeconds ?? grace,
    },
  }))
}
