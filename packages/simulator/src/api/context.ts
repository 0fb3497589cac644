import type { Faults } from '../faults.ts'
import type { MemoryStore } from '../store/object-store.ts'
import type { Kind, NewObject, StoredObject } from '../store/types.ts'
import type { AdmitContext } from '../validation/admit.ts'
import type { WatchHub } from './watch-hub.ts'

/** What the API server does with an object at its door: decoding, defaults, admission, validation. */
export type Admission = {
  readonly admit: (kind: Kind, object: NewObject, context: AdmitContext) => { readonly object: NewObject }
  readonly admitUpdate: (
    kind: Kind,
    before: StoredObject,
    after: NewObject,
    context: AdmitContext,
  ) => { readonly object: NewObject }
}

/** What the handlers of the REST API work with. */
export type Api = {
  readonly store: MemoryStore
  readonly hub: WatchHub
  readonly faults: Faults
  readonly admission: Admission
  readonly now: () => Date
  readonly random: () => number
}
