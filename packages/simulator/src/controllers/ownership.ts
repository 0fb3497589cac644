import type { NewObject, OwnerReference, StoredObject } from '../store/types.ts'
import type { ControllerContext } from './context.ts'

/** Owner references between workloads and pods. */

export function controllerOf(object: StoredObject): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((owner) => owner.controller === true)
}

export function controllerReference(owner: StoredObject): OwnerReference {
  return {
    apiVersion: owner.apiVersion,
    kind: owner.kind,
    name: owner.metadata.name,
    uid: owner.metadata.uid,
    controller: true,
    blockOwnerDeletion: true,
  }
}

export function withOwner(object: StoredObject, owner: StoredObject): NewObject {
  const owners = object.metadata.ownerReferences ?? []
  return { ...object, metadata: { ...object.metadata, ownerReferences: [...owners, controllerReference(owner)] } }
}

export function withoutOwner(object: StoredObject, uid: string): NewObject {
  const owners = (object.metadata.ownerReferences ?? []).filter((owner) => owner.uid !== uid)
  return { ...object, metadata: { ...object.metadata, ownerReferences: owners } }
}

/** Objects of one kind that no controller owns, by namespace: what a selector may adopt. */
export class OrphanIndex {
  readonly #byNamespace = new Map<string, Map<string, StoredObject>>()

  constructor(context: ControllerContext, plural: string) {
    context.follow(plural, ({ type, object }) => {
      const namespace = object.metadata.namespace ?? ''
      const orphans = this.#byNamespace.get(namespace)
      if (type === 'DELETED' || controllerOf(object) !== undefined) {
        orphans?.delete(object.metadata.name)
        return
      }
      if (orphans === undefined) this.#byNamespace.set(namespace, new Map([[object.metadata.name, object]]))
      else orphans.set(object.metadata.name, object)
    })
  }

  list(namespace: string): readonly StoredObject[] {
    return [...(this.#byNamespace.get(namespace)?.values() ?? [])]
  }
}
