import { kinds } from '../store/kinds.ts'
import { type ControllerContext, parseKey } from './context.ts'
import { beginDeletion } from './deletion.ts'
import type { WorkQueue } from './queue.ts'

const ROOT_CERTIFICATES = 'kube-root-ca.crt'

/** Gives each namespace its service account and root certificates, and empties namespaces that are deleted. */
export class NamespaceController {
  readonly #context: ControllerContext
  readonly #queue: WorkQueue

  constructor(context: ControllerContext) {
    this.#context = context
    this.#queue = context.queue('namespace', (name) => this.#sync(name))
    context.follow('namespaces', ({ object }) => this.#queue.add(object.metadata.name))
    for (const { plural, namespaced } of kinds) {
      if (!namespaced) continue
      context.watch(plural, ({ type, object }) => {
        const { namespace = '', name } = object.metadata
        if (type === 'DELETED' && (name === 'default' || name === ROOT_CERTIFICATES)) this.#queue.add(namespace)
        const home = context.store.get('namespaces', { name: namespace })
        if (home?.metadata.deletionTimestamp !== undefined) this.#queue.add(namespace)
      })
    }
  }

  #sync(name: string): void {
    const { store } = this.#context
    const namespace = store.get('namespaces', { name })
    this.#queue.forget(name)
    if (namespace === undefined) return
    if (namespace.metadata.deletionTimestamp !== undefined) {
      this.#empty(name)
      return
    }
    if (store.get('serviceaccounts', { namespace: name, name: 'default' }) === undefined) {
      const metadata = { name: 'default', namespace: name }
      store.create('serviceaccounts', { apiVersion: 'v1', kind: 'ServiceAccount', metadata })
    }
    if (store.get('configmaps', { namespace: name, name: ROOT_CERTIFICATES }) === undefined) {
      store.create('configmaps', {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: ROOT_CERTIFICATES, namespace: name },
        data: { 'ca.crt': '' },
      })
    }
  }

  #empty(name: string): void {
    const { store } = this.#context
    const { phase } = (store.get('namespaces', { name })?.status ?? {}) as { readonly phase?: string }
    if (phase !== 'Terminating') {
      store.update('namespaces', { name }, (current) => ({ ...current, status: { phase: 'Terminating' } }))
    }
    // Pods first: whatever they might still need, policies above all, stays until the last of them is gone.
    if (this.#deleteAll(name, 'pods') > 0) return
    let left = 0
    for (const { plural, namespaced } of kinds) if (namespaced) left += this.#deleteAll(name, plural)
    if (left > 0) return
    const { finalizers = [] } = (store.get('namespaces', { name })?.spec ?? {}) as {
      readonly finalizers?: readonly string[]
    }
    if (!finalizers.includes('kubernetes')) return
    store.update('namespaces', { name }, (current) => ({
      ...current,
      spec: { ...(current.spec as object), finalizers: finalizers.filter((finalizer) => finalizer !== 'kubernetes') },
    }))
  }

  /** Deletes a kind's objects in the namespace, and counts those that are still there. */
  #deleteAll(name: string, plural: string): number {
    const { store } = this.#context
    let left = 0
    for (const object of [...store.list(plural, name)]) {
      beginDeletion(store, plural, parseKey(`${name}/${object.metadata.name}`), this.#context.now())
      if (store.get(plural, { namespace: name, name: object.metadata.name }) !== undefined) left++
    }
    return left
  }
}
