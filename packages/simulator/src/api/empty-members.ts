type Members = Readonly<Record<string, unknown>>

const nothing: Members = {}
const template = { metadata: {}, spec: { containers: null } }

/**
 * What an object of a kind shows beside its metadata when it holds nothing at all, as bookmarks do: the members that the
 * real server's types always write. Recorded from a kube-apiserver 1.36.
 */
export const emptyMembers: Readonly<Record<string, Members>> = {
  configmaps: nothing,
  deployments: { spec: { replicas: 0, selector: null, template, strategy: {} }, status: {} },
  events: {
    involvedObject: {},
    source: {},
    firstTimestamp: null,
    lastTimestamp: null,
    eventTime: null,
    reportingComponent: '',
    reportingInstance: '',
  },
  horizontalpodautoscalers: {
    spec: { scaleTargetRef: { kind: '', name: '' }, maxReplicas: 0 },
    status: { desiredReplicas: 0, currentMetrics: null },
  },
  leases: { spec: {} },
  namespaces: { spec: {}, status: {} },
  nodes: {
    spec: {},
    status: {
      daemonEndpoints: { kubeletEndpoint: { Port: 0 } },
      nodeInfo: {
        machineID: '',
        systemUUID: '',
        bootID: '',
        kernelVersion: '',
        osImage: '',
        containerRuntimeVersion: '',
        kubeletVersion: '',
        kubeProxyVersion: '',
        operatingSystem: '',
        architecture: '',
      },
    },
  },
  persistentvolumeclaims: { spec: { resources: {} }, status: {} },
  persistentvolumes: { spec: {}, status: {} },
  pods: { spec: { containers: null }, status: {} },
  replicasets: { spec: { replicas: 0, selector: null, template }, status: { replicas: 0 } },
  runtimeclasses: { handler: '' },
  secrets: nothing,
  serviceaccounts: nothing,
}
