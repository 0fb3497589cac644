/**
 * How the lists and maps of the served kinds are merged, after `x-kubernetes-list-type`, `-list-map-keys`, `-map-type`,
 * `-patch-strategy` and `-patch-merge-key` of a kube-apiserver 1.36's OpenAPI v3 documents. A list that is not named
 * here is atomic, a map and a struct are granular.
 */

/** Server-side apply: the keys of an item, by struct and member. */
export const listKeys: Readonly<Record<string, readonly string[]>> = {
  'v1.Container.env': ['name'],
  'v1.Container.ports': ['containerPort', 'protocol'],
  'v1.Container.volumeDevices': ['devicePath'],
  'v1.Container.volumeMounts': ['mountPath'],
  'v1.ContainerStatus.allocatedResourcesStatus': ['name'],
  'v1.ContainerStatus.volumeMounts': ['mountPath'],
  'v1.DeploymentStatus.conditions': ['type'],
  'v1.EphemeralContainer.env': ['name'],
  'v1.EphemeralContainer.ports': ['containerPort', 'protocol'],
  'v1.EphemeralContainer.volumeDevices': ['devicePath'],
  'v1.EphemeralContainer.volumeMounts': ['mountPath'],
  'v1.NamespaceStatus.conditions': ['type'],
  'v1.NodeStatus.addresses': ['type'],
  'v1.NodeStatus.conditions': ['type'],
  'v1.ObjectMeta.ownerReferences': ['uid'],
  'v1.PersistentVolumeClaimStatus.conditions': ['type'],
  'v1.PodSpec.containers': ['name'],
  'v1.PodSpec.ephemeralContainers': ['name'],
  'v1.PodSpec.hostAliases': ['ip'],
  'v1.PodSpec.imagePullSecrets': ['name'],
  'v1.PodSpec.initContainers': ['name'],
  'v1.PodSpec.resourceClaims': ['name'],
  'v1.PodSpec.schedulingGates': ['name'],
  'v1.PodSpec.topologySpreadConstraints': ['topologyKey', 'whenUnsatisfiable'],
  'v1.PodSpec.volumes': ['name'],
  'v1.PodStatus.conditions': ['type'],
  'v1.PodStatus.podIPs': ['ip'],
  'v1.PodStatus.resourceClaimStatuses': ['name'],
  'v1.ReplicaSetStatus.conditions': ['type'],
  'v1.ResourceRequirements.claims': ['name'],
  'v1.ResourceStatus.resources': ['resourceID'],
  'v1.ServiceAccount.secrets': ['name'],
  'v2.HorizontalPodAutoscalerStatus.conditions': ['type'],
}

/** Server-side apply: lists whose items are scalars that each have an owner. */
export const setLists: ReadonlySet<string> = new Set([
  'v1.ContainerRestartRuleOnExitCodes.values',
  'v1.NodeAllocatableResourceClaimStatus.containers',
  'v1.NodeSpec.podCIDRs',
  'v1.ObjectMeta.finalizers',
])

/** A key that an item may leave out, as it has a default. */
export const keyDefaults: Readonly<Record<string, unknown>> = { protocol: 'TCP' }

/** Server-side apply: structs and maps that have one owner as a whole. */
export const atomicStructs: ReadonlySet<string> = new Set([
  'v1.ConfigMapKeySelector',
  'v1.FileKeySelector',
  'v1.LabelSelector',
  'v1.LocalObjectReference',
  'v1.NodeSelector',
  'v1.NodeSelectorTerm',
  'v1.ObjectFieldSelector',
  'v1.ObjectReference',
  'v1.OwnerReference',
  'v1.ResourceFieldSelector',
  'v1.SecretKeySelector',
  'v1.SecretReference',
  'v1.TypedLocalObjectReference',
])
export const atomicMembers: ReadonlySet<string> = new Set(['v1.PodSpec.nodeSelector', 'v1.Scheduling.nodeSelector'])
/** A reference that is granular here, although its struct is atomic. */
export const granularMembers: ReadonlySet<string> = new Set(['v1.PersistentVolumeSpec.claimRef'])

/** Strategic merge patch: lists that are merged where apply has other rules, or several keys. '' for lists of scalars. */
export const patchMergeKeys: Readonly<Record<string, string>> = {
  'v1.Container.ports': 'containerPort',
  'v1.EphemeralContainer.ports': 'containerPort',
  'v1.NodeSpec.podCIDRs': '',
  'v1.ObjectMeta.finalizers': '',
  'v1.PodSpec.topologySpreadConstraints': 'topologyKey',
  'v1.PodStatus.hostIPs': 'ip',
}
/** Strategic merge patch: lists with keys for apply that a patch replaces whole. */
export const patchReplaces: ReadonlySet<string> = new Set([
  'v1.ContainerRestartRuleOnExitCodes.values',
  'v1.NodeAllocatableResourceClaimStatus.containers',
  'v1.ResourceRequirements.claims',
  'v1.ResourceStatus.resources',
])
