/**
 * From Kubernetes objects to what the inventory stores of them (container API reference 1.5-1.9). Pure: no I/O, no clock.
 */
import type {
  V1Container,
  V1Deployment,
  V1LabelSelector,
  V1Namespace,
  V1Node,
  V1OwnerReference,
  V1Pod,
  V1Probe,
} from '@kubernetes/client-node'
import type {
  ContainerFacts,
  NamespaceFacts,
  NodeFacts,
  PodFacts,
  WorkloadFacts,
  WorkloadKey,
} from '../inventory/cluster-facts.ts'

/** The controller of an object that we know, or undefined when we do not (yet). */
export type ControllerLookup = (namespace: string, owner: Owner) => Owner | null | undefined

export function namespaceFacts(namespace: V1Namespace): NamespaceFacts {
  return {
    uid: namespace.metadata?.uid ?? '',
    name: namespace.metadata?.name ?? '',
    labels: namespace.metadata?.labels ?? {},
  }
}

export function nodeFacts(node: V1Node): NodeFacts {
  const labels = node.metadata?.labels ?? {}
  const addresses = (type: string) =>
    (node.status?.addresses ?? []).filter((a) => a.type === type).map((a) => a.address)
  return {
    uid: node.metadata?.uid ?? '',
    name: node.metadata?.name ?? '',
    roles: Object.keys(labels).some((key) => /^node-role\.kubernetes\.io\/(control-?plane|master)$/.test(key))
      ? 'master'
      : 'node',
    labels,
    taints: Object.fromEntries((node.spec?.taints ?? []).map((taint) => [taint.key, taint.value ?? ''])),
    unschedulable: node.spec?.unschedulable ?? false,
    internal_ip: addresses('InternalIP'),
    external_ip: addresses('ExternalIP'),
    hostname: addresses('Hostname')[0] ?? labels['kubernetes.io/hostname'] ?? '',
    runtime_component: node.status?.nodeInfo?.containerRuntimeVersion ?? '',
    pod_cidr: node.spec?.podCIDR ?? '',
  }
}

export function deploymentFacts(deployment: V1Deployment): WorkloadFacts {
  const spec = deployment.spec
  const rolling = spec?.strategy?.rollingUpdate
  return {
    kind: 'deployment',
    namespace: deployment.metadata?.namespace ?? '',
    name: deployment.metadata?.name ?? '',
    uid: deployment.metadata?.uid ?? null,
    labels: deployment.metadata?.labels ?? {},
    selector: spec?.selector === undefined ? null : labelSelector(spec.selector),
    replicas: spec?.replicas ?? null,
    min_ready_seconds: spec?.minReadySeconds ?? 0,
    strategy_type: spec?.strategy?.type ?? null,
    rolling_update_strategy:
      rolling === undefined
        ? null
        : { max_unavailable: intOrString(rolling.maxUnavailable), max_surge: intOrString(rolling.maxSurge) },
  }
}

/** A workload of which only a pod's owner reference is known. */
export function bareWorkload(key: WorkloadKey): WorkloadFacts {
  return {
    ...key,
    uid: null,
    labels: null,
    selector: null,
    replicas: null,
    min_ready_seconds: null,
    strategy_type: null,
    rolling_update_strategy: null,
  }
}

const kindOf: Readonly<Record<string, string>> = {
  Deployment: 'deployment',
  StatefulSet: 'statefulSet',
  DaemonSet: 'daemonSet',
  Job: 'job',
  CronJob: 'cronJob',
  GameDeployment: 'gameDeployment',
  GameStatefulSet: 'gameStatefulSet',
}

/** A pod's controller, as far as its workload depends on it. */
type Owner = Pick<V1OwnerReference, 'apiVersion' | 'kind' | 'name'>

/**
 * What a pod says of itself for the inventory. Its workload is found when the pod is written, since other objects say it,
 * and they may be told later.
 */
export type PodReading = Omit<PodFacts, 'workload'> & { readonly owner: Owner | null }

/**
 * The workload that a pod hangs on: up its owner chain, ReplicaSet to Deployment and Job to CronJob; any other
 * controller is a `customResource`; without one, or on a ReplicaSet of its own, the namespace's `pods`.
 */
export function workloadOf(
  { namespace, owner, labels }: Pick<PodReading, 'namespace' | 'owner' | 'labels'>,
  lookup: ControllerLookup,
): WorkloadKey {
  const naked = { kind: 'pods', namespace, name: 'pods' }
  if (owner === null) return naked
  if (owner.kind === 'ReplicaSet') {
    const above = lookup(namespace, owner)
    if (above !== undefined && above !== null) return keyOf(namespace, above)
    if (above === null) return naked
    // Not seen yet: a Deployment's ReplicaSet is named after it, with the hash that its pods carry.
    const hash = labels['pod-template-hash']
    return hash !== undefined && owner.name.endsWith(`-${hash}`)
      ? { kind: 'deployment', namespace, name: owner.name.slice(0, -hash.length - 1) }
      : naked
  }
  if (owner.kind === 'Job') {
    const above = lookup(namespace, owner)
    if (above !== undefined && above !== null) return keyOf(namespace, above)
  }
  return keyOf(namespace, owner)
}

function keyOf(namespace: string, owner: Owner): WorkloadKey {
  const kind = kindOf[owner.kind]
  return kind === undefined
    ? { kind: 'customResource', namespace, name: owner.name, cr_kind: owner.kind, cr_api_version: owner.apiVersion }
    : { kind, namespace, name: owner.name }
}

/** Undefined while the pod has no node: it enters the inventory when it has one. */
export function readPod(pod: V1Pod): PodReading | undefined {
  const { metadata, spec, status } = pod
  if (!spec?.nodeName) return undefined
  const uid = metadata?.uid ?? ''
  const owner = metadata?.ownerReferences?.find((reference) => reference.controller === true)
  return {
    uid,
    namespace: metadata?.namespace ?? '',
    name: metadata?.name ?? '',
    node_name: spec.nodeName,
    owner: owner === undefined ? null : { apiVersion: owner.apiVersion, kind: owner.kind, name: owner.name },
    priority: spec.priority ?? null,
    labels: metadata?.labels ?? {},
    ip: status?.podIP ?? null,
    ips: (status?.podIPs ?? []).map((entry) => ({ ip: entry.ip })),
    volumes: spec.volumes ?? [],
    qos_class: status?.qosClass ?? null,
    node_selectors: spec.nodeSelector ?? {},
    tolerations: spec.tolerations ?? [],
    containers: spec.containers.map((container) => containerFacts(uid, container, pod)),
  }
}

function containerFacts(podUid: string, container: V1Container, pod: V1Pod): ContainerFacts {
  const status = pod.status?.containerStatuses?.find((s) => s.name === container.name)
  const startedAt = status?.state?.running?.startedAt
  const ports = container.ports ?? []
  return {
    name: container.name,
    container_uid: status?.containerID || `${podUid}/${container.name}`,
    image: container.image ?? '',
    ports,
    host_ports: ports.filter((port) => port.hostPort !== undefined),
    args: container.args ?? [],
    started: startedAt === undefined ? null : Math.floor(new Date(startedAt).getTime() / 1000),
    limits: container.resources?.limits ?? {},
    requests: container.resources?.requests ?? {},
    liveness: container.livenessProbe === undefined ? null : probe(container.livenessProbe),
    environment: container.env ?? [],
    mounts: container.volumeMounts ?? [],
  }
}

/** Ports of probes are IntOrString objects on this wire (container API reference 1.10). */
function probe(from: V1Probe): object {
  const { httpGet, tcpSocket, ...rest } = from
  return {
    ...rest,
    ...(httpGet === undefined ? {} : { httpGet: { ...httpGet, port: intOrString(httpGet.port) } }),
    ...(tcpSocket === undefined ? {} : { tcpSocket: { ...tcpSocket, port: intOrString(tcpSocket.port) } }),
  }
}

/** `{type, int_val, str_val}` (container API reference 1.7). */
function intOrString(value: number | string | undefined): object | null {
  if (value === undefined) return null
  return typeof value === 'number' ? { type: 0, int_val: value, str_val: '' } : { type: 1, int_val: 0, str_val: value }
}

function labelSelector(selector: V1LabelSelector): object {
  return {
    match_labels: selector.matchLabels ?? null,
    match_expressions:
      selector.matchExpressions?.map(({ key, operator, values }) => ({ key, operator, values: values ?? [] })) ?? null,
  }
}
