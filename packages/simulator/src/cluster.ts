import { apiVersionOf, kindOf } from './store/kinds.ts'
import type { MemoryStore } from './store/object-store.ts'
import type { NewObject } from './store/types.ts'
import { admit } from './validation/admit.ts'

export type ClusterOptions = {
  /** How many nodes a fresh cluster has. */
  readonly nodes: number
  /** A namespace that must exist beside the usual ones, with a bound claim of its own. */
  readonly namespace: string
  readonly now: () => Date
}

/** The claim that the pool API's documented example mounts. */
const CLAIM = 'test-client-pvc-claim'
const usualNamespaces = ['default', 'kube-node-lease', 'kube-public', 'kube-system']

/** Fills an empty store with what a fresh cluster has; of a store that has been used, only completes the namespace. */
export function prepareCluster(store: MemoryStore, options: ClusterOptions): void {
  if (store.revision === 0) {
    for (const namespace of usualNamespaces) createNamespace(store, namespace)
    for (let number = 1; number <= options.nodes; number += 1) create(store, 'nodes', node(number, options.now()))
    create(store, 'runtimeclasses', { metadata: { name: 'runc' }, handler: 'runc' })
    createClaim(store, 'default', 'test-client-pv')
    createDemo(store, options.now())
  }
  if (store.get('namespaces', { name: options.namespace }) !== undefined) return
  createNamespace(store, options.namespace)
  createClaim(store, options.namespace, `test-client-pv-${options.namespace}`)
}

function create(store: MemoryStore, plural: string, object: Omit<NewObject, 'apiVersion' | 'kind'>): void {
  const kind = kindOf(plural)
  store.create(plural, { apiVersion: apiVersionOf(kind), kind: kind.kind, ...object } as NewObject)
}

function createNamespace(store: MemoryStore, name: string): void {
  create(store, 'namespaces', {
    metadata: { name, labels: { 'kubernetes.io/metadata.name': name } },
    spec: { finalizers: ['kubernetes'] },
    status: { phase: 'Active' },
  })
  create(store, 'serviceaccounts', { metadata: { name: 'default', namespace: name } })
}

/** A volume and a claim that are bound to each other. */
function createClaim(store: MemoryStore, namespace: string, volume: string): void {
  const capacity = { storage: '1Gi' }
  const accessModes = ['ReadWriteMany']
  create(store, 'persistentvolumeclaims', {
    metadata: {
      name: CLAIM,
      namespace,
      annotations: { 'pv.kubernetes.io/bind-completed': 'yes' },
      finalizers: ['kubernetes.io/pvc-protection'],
    },
    spec: {
      accessModes,
      resources: { requests: capacity },
      storageClassName: '',
      volumeMode: 'Filesystem',
      volumeName: volume,
    },
    status: { phase: 'Bound', accessModes, capacity },
  })
  const claim = store.get('persistentvolumeclaims', { namespace, name: CLAIM })
  create(store, 'persistentvolumes', {
    metadata: {
      name: volume,
      annotations: { 'pv.kubernetes.io/bound-by-controller': 'yes' },
      finalizers: ['kubernetes.io/pv-protection'],
    },
    spec: {
      capacity,
      accessModes,
      claimRef: {
        kind: 'PersistentVolumeClaim',
        apiVersion: 'v1',
        namespace,
        name: CLAIM,
        uid: claim?.metadata.uid,
        resourceVersion: claim?.metadata.resourceVersion,
      },
      hostPath: { path: '/var/lib/podyard-simulator/test-client', type: '' },
      persistentVolumeReclaimPolicy: 'Retain',
      volumeMode: 'Filesystem',
    },
    status: { phase: 'Bound' },
  })
}

/** A small workload, so that a cluster that nobody has used yet has something to show. */
function createDemo(store: MemoryStore, now: Date): void {
  const kind = kindOf('deployments')
  const labels = { app: 'demo' }
  const deployment: NewObject = {
    apiVersion: apiVersionOf(kind),
    kind: kind.kind,
    metadata: { name: 'demo', namespace: 'default', labels },
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { containers: [{ name: 'pause', image: 'registry.k8s.io/pause:3.10' }] },
      },
    },
  }
  store.create(kind.plural, admit(kind, deployment, { store, now }).object)
}

/** Room for hundreds of pools; nothing really runs. The labels are those that the pool API's example selects. */
function node(number: number, now: Date): Omit<NewObject, 'apiVersion' | 'kind'> {
  const name = `node-${number}`
  const room = { cpu: '256', 'ephemeral-storage': '1Ti', memory: '1Ti', pods: '1k' }
  const time = now.toISOString().replace(/\.\d{3}Z$/, 'Z')
  const condition = (type: string, status: string, reason: string, message: string) => ({
    type,
    status,
    lastHeartbeatTime: time,
    lastTransitionTime: time,
    reason,
    message,
  })
  const subnet = `${Math.floor(number / 256)}.${number % 256}`
  return {
    metadata: {
      name,
      labels: {
        'beta.kubernetes.io/arch': 'amd64',
        'beta.kubernetes.io/os': 'linux',
        'kubernetes.io/arch': 'amd64',
        'kubernetes.io/hostname': name,
        'kubernetes.io/os': 'linux',
        'node-role.kubernetes.io/controlplane': 'true',
        'node-type': 'system',
      },
      annotations: { 'node.alpha.kubernetes.io/ttl': '0' },
    },
    spec: { podCIDR: podRange(number), podCIDRs: [podRange(number)] },
    status: {
      capacity: room,
      allocatable: room,
      conditions: [
        condition('MemoryPressure', 'False', 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'),
        condition('DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'),
        condition('PIDPressure', 'False', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'),
        condition('Ready', 'True', 'KubeletReady', 'kubelet is posting ready status'),
      ],
      addresses: [
        { type: 'InternalIP', address: `10.10.${subnet}` },
        { type: 'Hostname', address: name },
      ],
      daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
      nodeInfo: {
        machineID: '',
        systemUUID: '',
        bootID: '',
        kernelVersion: '6.12.0',
        osImage: 'Podyard simulator',
        containerRuntimeVersion: 'containerd://2.2.0',
        kubeletVersion: 'v1.36.3',
        kubeProxyVersion: '',
        operatingSystem: 'linux',
        architecture: 'amd64',
      },
    },
  }
}

/** Each node has 4,096 pod addresses of its own in 10.64.0.0/10. */
function podRange(number: number): string {
  const base = number * 16
  return `10.${64 + Math.floor(base / 256)}.${base % 256}.0/20`
}
