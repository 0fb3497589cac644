import type { Kind } from './types.ts'

/** Every kind that the simulator serves, in the order in which discovery lists them. */
export const kinds: readonly Kind[] = [
  core('configmaps', 'ConfigMap', ['cm']),
  core('events', 'Event', ['ev']),
  core('namespaces', 'Namespace', ['ns'], { namespaced: false, hasStatus: true }),
  core('nodes', 'Node', ['no'], { namespaced: false, hasStatus: true }),
  core('persistentvolumeclaims', 'PersistentVolumeClaim', ['pvc'], { hasStatus: true }),
  core('persistentvolumes', 'PersistentVolume', ['pv'], { namespaced: false, hasStatus: true }),
  core('pods', 'Pod', ['po'], { hasStatus: true }),
  core('secrets', 'Secret', []),
  core('serviceaccounts', 'ServiceAccount', ['sa']),
  grouped('apps', 'v1', 'deployments', 'Deployment', ['deploy'], { hasStatus: true, hasScale: true }),
  grouped('apps', 'v1', 'replicasets', 'ReplicaSet', ['rs'], { hasStatus: true, hasScale: true }),
  grouped('autoscaling', 'v2', 'horizontalpodautoscalers', 'HorizontalPodAutoscaler', ['hpa'], { hasStatus: true }),
  grouped('coordination.k8s.io', 'v1', 'leases', 'Lease', []),
  grouped('node.k8s.io', 'v1', 'runtimeclasses', 'RuntimeClass', [], { namespaced: false }),
]

const byPlural: ReadonlyMap<string, Kind> = new Map(kinds.map((kind) => [kind.plural, kind]))

/** The kind with this plural; a plural that is not served is a defect of the caller. */
export function kindOf(plural: string): Kind {
  const kind = byPlural.get(plural)
  if (kind === undefined) throw new Error(`the simulator serves no ${plural}`)
  return kind
}

/** `v1`, `apps/v1`. */
export function apiVersionOf(kind: Kind): string {
  return kind.group === '' ? kind.version : `${kind.group}/${kind.version}`
}

/** `pods`, `deployments.apps`: how messages name a resource. */
export function resourceText(kind: Kind): string {
  return kind.group === '' ? kind.plural : `${kind.plural}.${kind.group}`
}

/** Whether objects of the kind have `metadata.generation`, as a kube-apiserver 1.36 has it. */
export function hasGeneration(plural: string): boolean {
  return plural === 'pods' || plural === 'deployments' || plural === 'replicasets'
}

type Traits = { readonly namespaced?: boolean; readonly hasStatus?: boolean; readonly hasScale?: boolean }

function core(plural: string, kind: string, shortNames: readonly string[], traits: Traits = {}): Kind {
  return grouped('', 'v1', plural, kind, shortNames, traits)
}

function grouped(
  group: string,
  version: string,
  plural: string,
  kind: string,
  shortNames: readonly string[],
  traits: Traits = {},
): Kind {
  return Object.freeze({
    group,
    version,
    plural,
    singular: kind.toLowerCase(),
    kind,
    shortNames,
    namespaced: traits.namespaced ?? true,
    hasStatus: traits.hasStatus ?? false,
    hasScale: traits.hasScale ?? false,
  })
}
