import { type ControllerOptions, type Controllers, startControllers, zeroDelays } from '../src/controllers/index.ts'
import { kindOf } from '../src/store/kinds.ts'
import { MemoryStore } from '../src/store/object-store.ts'
import type { NewObject, StoredObject } from '../src/store/types.ts'
import { admit, admitUpdate } from '../src/validation/admit.ts'
import { type Deployment, type Pod, type ReplicaSet, viewAs } from '../src/validation/kube-types.ts'

type Members = { readonly [member: string]: unknown }

/** A simulated cluster without its API: objects go in as through the API's admission. */
export class TestCluster {
  readonly store: MemoryStore
  readonly #options: Partial<ControllerOptions>
  #controllers: Controllers | undefined

  constructor(options: Partial<ControllerOptions> = {}, store = new MemoryStore()) {
    this.store = store
    this.#options = options
    if (store.get('namespaces', { name: 'default' }) === undefined) {
      this.create('namespaces', { metadata: { name: 'default' } })
    }
  }

  start(): this {
    this.#controllers = startControllers(this.store, { delays: zeroDelays, ...this.#options })
    return this
  }

  async stop(): Promise<void> {
    await this.#controllers?.stop()
  }

  create(plural: string, object: Members): StoredObject {
    const kind = kindOf(plural)
    const apiVersion = kind.group === '' ? kind.version : `${kind.group}/${kind.version}`
    const metadata = { ...(kind.namespaced ? { namespace: 'default' } : {}), ...(object.metadata as object) }
    const sent = { ...object, apiVersion, kind: kind.kind, metadata } as NewObject
    return this.store.create(plural, admit(kind, sent, { store: this.store, now: new Date() }).object)
  }

  change(plural: string, name: string, change: (current: StoredObject) => NewObject): StoredObject {
    const kind = kindOf(plural)
    const key = { namespace: kind.namespaced ? 'default' : undefined, name }
    return this.store.update(plural, key, (current) => {
      return admitUpdate(kind, current, change(current), { store: this.store, now: new Date() }).object
    })
  }

  node(name: string, options: { readonly labels?: Members; readonly cpu?: string; readonly taints?: unknown } = {}) {
    const amounts = { cpu: options.cpu ?? '8', memory: '16Gi', pods: '110' }
    return this.create('nodes', {
      metadata: { name, labels: { 'kubernetes.io/hostname': name, ...options.labels } },
      spec: { ...(options.taints === undefined ? {} : { taints: options.taints }) },
      status: {
        capacity: amounts,
        allocatable: amounts,
        addresses: [{ type: 'InternalIP', address: '10.0.0.1' }],
        conditions: [{ type: 'Ready', status: 'True' }],
      },
    })
  }

  pods(): readonly Pod[] {
    return this.store.list('pods', 'default').map((pod) => viewAs<Pod>(pod))
  }

  pod(name: string): Pod {
    const found = this.store.get('pods', { namespace: 'default', name })
    if (found === undefined) throw new Error(`no pod ${name}`)
    return viewAs<Pod>(found)
  }

  deployment(name: string): Deployment {
    const found = this.store.get('deployments', { namespace: 'default', name })
    if (found === undefined) throw new Error(`no deployment ${name}`)
    return viewAs<Deployment>(found)
  }

  sets(): readonly ReplicaSet[] {
    return this.store.list('replicasets', 'default').map((set) => viewAs<ReplicaSet>(set))
  }

  eventReasons(): readonly string[] {
    return this.store.list('events', 'default').map((event) => String(event.reason))
  }
}

export function deploymentOf(name: string, replicas: number, podSpec: Members = {}, spec: Members = {}): Members {
  const labels = { app: name }
  return {
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { automountServiceAccountToken: false, containers: [{ name: 'c', image: 'app:1' }], ...podSpec },
      },
      ...spec,
    },
  }
}

export function podSpecOf(spec: Members = {}): Members {
  return { automountServiceAccountToken: false, containers: [{ name: 'c', image: 'app:1' }], ...spec }
}

/** Waits until the condition holds; fails with `what` when it does not within the limit. */
export async function until(what: string, condition: () => boolean, limitMs = 60_000): Promise<void> {
  const end = performance.now() + limitMs
  while (!condition()) {
    if (performance.now() > end) throw new Error(`not within ${limitMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

export function conditionText(pod: Pod, type: string): string {
  const condition = pod.status?.conditions?.find((one) => one.type === type)
  return [condition?.status, condition?.reason, condition?.message].filter((part) => part !== undefined).join(' ')
}

export const isPodReady = (pod: Pod): boolean => conditionText(pod, 'Ready') === 'True'
