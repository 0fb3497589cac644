/** What the cluster holds from its start on: all that the seed's pool refers to. Pure. */

export type KubeObject = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Record<string, string> }
  readonly [member: string]: unknown
}

/** An object with the path of its collection. */
export type Placed = { readonly path: string; readonly object: KubeObject }

export const claimName = 'test-client-pvc-claim'

/** Node `node-<number>`; numbers count from 1. The first two also have the label `node-type=system`. */
export function node(number: number): Placed {
  const name = `node-${number}`
  // "1000" would come back as "1k".
  const room = { cpu: '900', memory: '900Gi', pods: '900' }
  return {
    path: '/api/v1/nodes',
    object: {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: {
        name,
        labels: {
          'kubernetes.io/hostname': name,
          'node-role.kubernetes.io/controlplane': 'true',
          ...(number <= 2 ? { 'node-type': 'system' } : {}),
        },
      },
      status: {
        capacity: room,
        allocatable: room,
        // KWOK keeps addresses that are there, if the name is one of them, and gives its own to all other nodes alike.
        addresses: [
          { type: 'InternalIP', address: nodeAddress(number) },
          { type: 'Hostname', address: name },
        ],
      },
    },
  }
}

/** 10.0.0.1 for node 1: one address each, none on loopback, where no host can be told from another. */
export function nodeAddress(number: number): string {
  const index = number - 1
  return `10.0.${Math.floor(index / 250)}.${(index % 250) + 1}`
}

/** Most nodes that have an address: 10.0.0.1 to 10.0.255.250. */
export const maxNodes = 256 * 250

/** The RuntimeClass `runc`, and the claim with the volume that binds it. */
export const clusterObjects: readonly Placed[] = [
  {
    path: '/apis/node.k8s.io/v1/runtimeclasses',
    object: { apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass', metadata: { name: 'runc' }, handler: 'runc' },
  },
  {
    path: '/api/v1/persistentvolumes',
    object: {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name: 'test-client-pv' },
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteMany'],
        persistentVolumeReclaimPolicy: 'Retain',
        storageClassName: '',
        hostPath: { path: '/nonexistent' },
        claimRef: { namespace: 'default', name: claimName },
      },
    },
  },
  {
    path: '/api/v1/namespaces/default/persistentvolumeclaims',
    object: {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: claimName, namespace: 'default' },
      spec: {
        accessModes: ['ReadWriteMany'],
        storageClassName: '',
        volumeName: 'test-client-pv',
        resources: { requests: { storage: '1Gi' } },
      },
    },
  },
]

/** The priority level and flow schema `podyard-throttle`, which refuse (429) what one user asks beyond its few seats. */
export function throttleObjects(user: string, shares: number): readonly [level: Placed, schema: Placed] {
  const apiVersion = 'flowcontrol.apiserver.k8s.io/v1'
  const path = `/apis/${apiVersion}`
  const metadata = { name: throttleName }
  const everything = { verbs: ['*'], apiGroups: ['*'], resources: ['*'], namespaces: ['*'], clusterScope: true }
  return [
    {
      path: `${path}/prioritylevelconfigurations`,
      object: {
        apiVersion,
        kind: 'PriorityLevelConfiguration',
        metadata,
        spec: {
          type: 'Limited',
          limited: {
            nominalConcurrencyShares: shares,
            lendablePercent: 0,
            borrowingLimitPercent: 0,
            limitResponse: { type: 'Reject' },
          },
        },
      },
    },
    {
      path: `${path}/flowschemas`,
      object: {
        apiVersion,
        kind: 'FlowSchema',
        metadata,
        spec: {
          priorityLevelConfiguration: { name: throttleName },
          matchingPrecedence: 10,
          distinguisherMethod: { type: 'ByUser' },
          rules: [
            {
              subjects: [{ kind: 'User', user: { name: user } }],
              resourceRules: [everything],
              nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
            },
          ],
        },
      },
    },
  ]
}

export const throttleName = 'podyard-throttle'
