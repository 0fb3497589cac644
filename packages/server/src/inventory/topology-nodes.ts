import { type TopologyNode, type WorkloadKind, workloadKinds } from '@podyard/contract'
import { cmdbErrors } from '../errors.ts'

/** The kinds of workloads in the order in which a namespace shows them (container API reference 2.5). */
export const kindsInTopology: readonly WorkloadKind[] = [
  'deployment',
  'gameDeployment',
  'job',
  'cronJob',
  'gameStatefulSet',
  'statefulSet',
  'daemonSet',
  'pods',
  'customResource',
]

/** A place in the tree that a client names: folder ids are those of their cluster. */
export type PlaceInTopology = {
  readonly kind: 'biz' | 'cluster' | 'node' | 'folder' | 'namespace' | WorkloadKind
  readonly id: number
}

const places: ReadonlySet<string> = new Set(['biz', 'cluster', 'node', 'folder', 'namespace', ...workloadKinds])

/** Checks places; 1199006 `non-kube objects` for a kind that is none, with the items at fault. */
export function checkPlaces(given: readonly TopologyNode[], member: string): PlaceInTopology[] {
  const wrong = given.flatMap((one, i) =>
    places.has(one.kind ?? '') ? [] : [{ path: `${member}[${i}].kind`, message: 'is no kind of the container half' }],
  )
  if (wrong.length > 0) throw cmdbErrors.mismatch('non-kube objects', wrong)
  return given.map((one) => ({ kind: one.kind as PlaceInTopology['kind'], id: one.id ?? 0 }))
}
