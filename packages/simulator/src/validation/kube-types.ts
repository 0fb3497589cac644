/**
 * The parts of the Kubernetes objects that the simulator's rules look at. Objects are decoded against the full Go
 * structs first (decode.ts), so a view of these types is safe. Long because it is one list of types. What a kube-apiserver stores may hold more members.
 */
import type { ObjectMeta } from '../store/types.ts'

export type StringMap = Readonly<Record<string, string>>

export type LabelRequirement = { readonly key: string; readonly operator: string; readonly values?: readonly string[] }
export type LabelSelector = {
  readonly matchLabels?: StringMap
  readonly matchExpressions?: readonly LabelRequirement[]
}

export type ResourceRequirements = {
  readonly limits?: StringMap
  readonly requests?: StringMap
  readonly claims?: readonly { readonly name: string; readonly request?: string }[]
}

export type Handler = {
  readonly exec?: { readonly command?: readonly string[] }
  readonly httpGet?: {
    readonly path?: string
    readonly port: number | string
    readonly scheme?: string
    readonly httpHeaders?: readonly { readonly name: string; readonly value: string }[]
  }
  readonly tcpSocket?: { readonly port: number | string }
  readonly grpc?: { readonly port: number; readonly service?: string }
  readonly sleep?: { readonly seconds: number }
}

export type Probe = Handler & {
  readonly initialDelaySeconds?: number
  readonly timeoutSeconds?: number
  readonly periodSeconds?: number
  readonly successThreshold?: number
  readonly failureThreshold?: number
  readonly terminationGracePeriodSeconds?: number
}

export type FieldRef = { readonly apiVersion?: string; readonly fieldPath: string }
export type ResourceFieldRef = { readonly containerName?: string; readonly resource: string; readonly divisor?: string }
export type KeyRef = { readonly name?: string; readonly key: string; readonly optional?: boolean }
export type EnvVar = {
  readonly name: string
  readonly value?: string
  readonly valueFrom?: {
    readonly fieldRef?: FieldRef
    readonly resourceFieldRef?: ResourceFieldRef
    readonly configMapKeyRef?: KeyRef
    readonly secretKeyRef?: KeyRef
    readonly fileKeyRef?: { readonly volumeName: string; readonly path: string; readonly key: string }
  }
}

export type EnvFrom = {
  readonly prefix?: string
  readonly configMapRef?: { readonly name?: string }
  readonly secretRef?: { readonly name?: string }
}

export type VolumeMount = {
  readonly name: string
  readonly mountPath: string
  readonly readOnly?: boolean
  readonly subPath?: string
  readonly subPathExpr?: string
  readonly mountPropagation?: string
  readonly recursiveReadOnly?: string
}

export type ContainerPort = {
  readonly name?: string
  readonly containerPort: number
  readonly hostPort?: number
  readonly hostIP?: string
  readonly protocol?: string
}

export type SecurityContext = {
  readonly privileged?: boolean
  readonly runAsUser?: number
  readonly runAsGroup?: number
  readonly allowPrivilegeEscalation?: boolean
  readonly capabilities?: { readonly add?: readonly string[]; readonly drop?: readonly string[] }
  readonly procMount?: string
  readonly runAsNonRoot?: boolean
  readonly readOnlyRootFilesystem?: boolean
}

export type Container = {
  readonly name: string
  readonly image?: string
  readonly command?: readonly string[]
  readonly args?: readonly string[]
  readonly ports?: readonly ContainerPort[]
  readonly env?: readonly EnvVar[]
  readonly envFrom?: readonly EnvFrom[]
  readonly resources?: ResourceRequirements
  readonly restartPolicy?: string
  readonly volumeMounts?: readonly VolumeMount[]
  readonly volumeDevices?: readonly { readonly name: string; readonly devicePath: string }[]
  readonly livenessProbe?: Probe
  readonly readinessProbe?: Probe
  readonly startupProbe?: Probe
  readonly lifecycle?: { readonly postStart?: Handler; readonly preStop?: Handler }
  readonly terminationMessagePath?: string
  readonly terminationMessagePolicy?: string
  readonly imagePullPolicy?: string
  readonly securityContext?: SecurityContext
}

export type KeyToPath = { readonly key: string; readonly path: string; readonly mode?: number }
export type DownwardFile = {
  readonly path: string
  readonly fieldRef?: FieldRef
  readonly resourceFieldRef?: ResourceFieldRef
  readonly mode?: number
}
export type Projection = {
  readonly secret?: { readonly name?: string; readonly items?: readonly KeyToPath[] }
  readonly configMap?: { readonly name?: string; readonly items?: readonly KeyToPath[] }
  readonly downwardAPI?: { readonly items?: readonly DownwardFile[] }
  readonly serviceAccountToken?: { readonly path: string; readonly expirationSeconds?: number }
}
export type Volume = {
  readonly name: string
  readonly emptyDir?: { readonly medium?: string; readonly sizeLimit?: string }
  readonly hostPath?: { readonly path: string; readonly type?: string }
  readonly secret?: {
    readonly secretName?: string
    readonly items?: readonly KeyToPath[]
    readonly defaultMode?: number
  }
  readonly configMap?: { readonly name?: string; readonly items?: readonly KeyToPath[]; readonly defaultMode?: number }
  readonly persistentVolumeClaim?: { readonly claimName: string; readonly readOnly?: boolean }
  readonly nfs?: { readonly server: string; readonly path: string }
  readonly downwardAPI?: { readonly items?: readonly DownwardFile[]; readonly defaultMode?: number }
  readonly projected?: { readonly sources?: readonly Projection[] | null; readonly defaultMode?: number }
  readonly csi?: { readonly driver: string }
  readonly [source: string]: unknown
}

export type NodeSelectorTerm = {
  readonly matchExpressions?: readonly LabelRequirement[]
  readonly matchFields?: readonly LabelRequirement[]
}
export type NodeSelector = { readonly nodeSelectorTerms: readonly NodeSelectorTerm[] | null }
export type PodAffinityTerm = {
  readonly labelSelector?: LabelSelector
  readonly namespaces?: readonly string[]
  readonly namespaceSelector?: LabelSelector
  readonly topologyKey: string
  readonly matchLabelKeys?: readonly string[]
  readonly mismatchLabelKeys?: readonly string[]
}
export type PodAffinityRules = {
  readonly requiredDuringSchedulingIgnoredDuringExecution?: readonly PodAffinityTerm[]
  readonly preferredDuringSchedulingIgnoredDuringExecution?: readonly {
    readonly weight: number
    readonly podAffinityTerm: PodAffinityTerm
  }[]
}
export type Affinity = {
  readonly nodeAffinity?: {
    readonly requiredDuringSchedulingIgnoredDuringExecution?: NodeSelector
    readonly preferredDuringSchedulingIgnoredDuringExecution?: readonly {
      readonly weight: number
      readonly preference: NodeSelectorTerm
    }[]
  }
  readonly podAffinity?: PodAffinityRules
  readonly podAntiAffinity?: PodAffinityRules
}

export type Toleration = {
  readonly key?: string
  readonly operator?: string
  readonly value?: string
  readonly effect?: string
  readonly tolerationSeconds?: number
}
export type Taint = { readonly key: string; readonly value?: string; readonly effect: string }

export type SpreadConstraint = {
  readonly maxSkew: number
  readonly topologyKey: string
  readonly whenUnsatisfiable: string
  readonly labelSelector?: LabelSelector
  readonly minDomains?: number
  readonly nodeAffinityPolicy?: string
  readonly nodeTaintsPolicy?: string
  readonly matchLabelKeys?: readonly string[]
}

export type PodSpec = {
  readonly volumes?: readonly Volume[]
  readonly initContainers?: readonly Container[]
  readonly containers: readonly Container[] | null
  readonly ephemeralContainers?: readonly unknown[]
  readonly restartPolicy?: string
  readonly terminationGracePeriodSeconds?: number
  readonly activeDeadlineSeconds?: number
  readonly dnsPolicy?: string
  readonly dnsConfig?: { readonly nameservers?: readonly string[] }
  readonly nodeSelector?: StringMap
  readonly serviceAccountName?: string
  readonly serviceAccount?: string
  readonly automountServiceAccountToken?: boolean
  readonly nodeName?: string
  readonly hostNetwork?: boolean
  readonly hostPID?: boolean
  readonly shareProcessNamespace?: boolean
  readonly securityContext?: {
    readonly runAsUser?: number
    readonly runAsGroup?: number
    readonly fsGroup?: number
    readonly supplementalGroups?: readonly number[]
  }
  readonly imagePullSecrets?: readonly { readonly name?: string }[]
  readonly hostname?: string
  readonly subdomain?: string
  readonly affinity?: Affinity
  readonly schedulerName?: string
  readonly tolerations?: readonly Toleration[]
  readonly priorityClassName?: string
  readonly priority?: number
  readonly preemptionPolicy?: string
  readonly runtimeClassName?: string
  readonly enableServiceLinks?: boolean
  readonly overhead?: StringMap
  readonly topologySpreadConstraints?: readonly SpreadConstraint[]
  readonly schedulingGates?: readonly { readonly name: string }[]
  readonly resources?: ResourceRequirements
  readonly [member: string]: unknown
}

export type PodTemplate = {
  readonly metadata?: { readonly labels?: StringMap; readonly annotations?: StringMap }
  readonly spec: PodSpec
}

export type Condition = {
  readonly type: string
  readonly status: string
  readonly reason?: string
  readonly message?: string
  readonly lastTransitionTime?: string
  readonly lastUpdateTime?: string
  readonly lastProbeTime?: string | null
  readonly observedGeneration?: number
}

export type ContainerStatus = {
  readonly name: string
  readonly image: string
  readonly imageID: string
  readonly containerID?: string
  readonly ready: boolean
  readonly started?: boolean
  readonly restartCount: number
  readonly state?: Readonly<Record<string, unknown>>
  readonly lastState?: Readonly<Record<string, unknown>>
}

export type PodStatus = {
  readonly phase?: string
  readonly reason?: string
  readonly message?: string
  readonly conditions?: readonly Condition[]
  readonly hostIP?: string
  readonly hostIPs?: readonly { readonly ip: string }[]
  readonly podIP?: string
  readonly podIPs?: readonly { readonly ip: string }[]
  readonly startTime?: string
  readonly qosClass?: string
  readonly initContainerStatuses?: readonly ContainerStatus[]
  readonly containerStatuses?: readonly ContainerStatus[]
  readonly observedGeneration?: number
}

export type Pod = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: ObjectMeta
  readonly spec: PodSpec
  readonly status?: PodStatus
}

export type Node = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: ObjectMeta
  readonly spec?: {
    readonly podCIDR?: string
    readonly podCIDRs?: readonly string[]
    readonly taints?: readonly Taint[]
    readonly unschedulable?: boolean
  }
  readonly status?: {
    readonly capacity?: StringMap
    readonly allocatable?: StringMap
    readonly conditions?: readonly Condition[]
    readonly addresses?: readonly { readonly type: string; readonly address: string }[]
  }
}

export type DeploymentSpec = {
  readonly replicas?: number
  readonly selector?: LabelSelector
  readonly template: PodTemplate
  readonly strategy?: {
    readonly type?: string
    readonly rollingUpdate?: { readonly maxUnavailable?: number | string; readonly maxSurge?: number | string }
  }
  readonly minReadySeconds?: number
  readonly revisionHistoryLimit?: number
  readonly paused?: boolean
  readonly progressDeadlineSeconds?: number
}
export type DeploymentStatus = {
  readonly observedGeneration?: number
  readonly replicas?: number
  readonly updatedReplicas?: number
  readonly readyReplicas?: number
  readonly availableReplicas?: number
  readonly unavailableReplicas?: number
  readonly terminatingReplicas?: number
  readonly conditions?: readonly Condition[]
  readonly collisionCount?: number
}
export type Deployment = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: ObjectMeta
  readonly spec: DeploymentSpec
  readonly status?: DeploymentStatus
}

export type ReplicaSetStatus = {
  readonly replicas: number
  readonly fullyLabeledReplicas?: number
  readonly readyReplicas?: number
  readonly availableReplicas?: number
  readonly terminatingReplicas?: number
  readonly observedGeneration?: number
  readonly conditions?: readonly Condition[]
}
export type ReplicaSet = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: ObjectMeta
  readonly spec: {
    readonly replicas?: number
    readonly minReadySeconds?: number
    readonly selector?: LabelSelector
    readonly template: PodTemplate
  }
  readonly status?: ReplicaSetStatus
}

export type MetricTarget = {
  readonly type: string
  readonly value?: string
  readonly averageValue?: string
  readonly averageUtilization?: number
}
export type MetricIdentifier = { readonly name: string; readonly selector?: LabelSelector }
export type TargetRef = { readonly kind: string; readonly name: string; readonly apiVersion?: string }
export type MetricSpec = {
  readonly type: string
  readonly object?: {
    readonly describedObject: TargetRef
    readonly target: MetricTarget
    readonly metric: MetricIdentifier
  }
  readonly pods?: { readonly metric: MetricIdentifier; readonly target: MetricTarget }
  readonly resource?: { readonly name: string; readonly target: MetricTarget }
  readonly containerResource?: { readonly name: string; readonly target: MetricTarget; readonly container: string }
  readonly external?: { readonly metric: MetricIdentifier; readonly target: MetricTarget }
}
export type ScalingRules = {
  readonly stabilizationWindowSeconds?: number
  readonly selectPolicy?: string
  readonly policies?: readonly { readonly type: string; readonly value: number; readonly periodSeconds: number }[]
  readonly tolerance?: string
}
export type AutoscalerSpec = {
  readonly scaleTargetRef: TargetRef
  readonly minReplicas?: number
  readonly maxReplicas: number
  readonly metrics?: readonly MetricSpec[]
  readonly behavior?: { readonly scaleUp?: ScalingRules; readonly scaleDown?: ScalingRules }
}
export type Autoscaler = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: ObjectMeta
  readonly spec: AutoscalerSpec
  readonly status?: {
    readonly currentReplicas?: number
    readonly desiredReplicas: number
    readonly observedGeneration?: number
    readonly lastScaleTime?: string
    readonly conditions?: readonly Condition[]
    readonly currentMetrics?: unknown
  }
}

/** A decoded object seen as one of the types above. */
export function viewAs<T>(object: { readonly metadata: object }): T {
  return object as unknown as T
}
