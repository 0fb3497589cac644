import type { Kind, NewObject, ObjectStore, StoredObject } from '../store/types.ts'
import { decodeObject } from './decode.ts'

/** What admission may look at. `now` stamps what the server stamps. */
export type AdmitContext = {
  readonly store: ObjectStore
  readonly now: Date
  readonly subresource?: 'status' | 'scale'
}

/** What a kube-apiserver does with an object to create: decode, defaults, admission, validation. Throws StatusError. */
export function admit(kind: Kind, object: NewObject, _context: AdmitContext): { object: NewObject } {
  return { object: decodeObject(kind, object) }
}

/** The same for a replaced or patched object. Throws StatusError. */
export function admitUpdate(
  kind: Kind,
  _before: StoredObject,
  after: NewObject,
  _context: AdmitContext,
): { object: NewObject } {
  return { object: decodeObject(kind, after) }
}
