/**
 * What a cluster says of its objects, in the inventory's words (container API reference 1.5-1.9): what sync hands to
 * `cluster-sync.ts`. Member names are the wire's; null means "not given".
 */
export type NamespaceFacts = { readonly uid: string; readonly name: string; readonly labels: StringMap }

export type NodeFacts = {
  readonly uid: string
  readonly name: string
  readonly roles: string
  readonly labels: StringMap
  readonly taints: StringMap
  readonly unschedulable: boolean
  readonly internal_ip: readonly string[]
  readonly external_ip: readonly string[]
  readonly hostname: string
  readonly runtime_component: string
  readonly pod_cidr: string
}

/** What identifies a workload inside a cluster. `cr_kind` and `cr_api_version` only under `customResource`. */
export type WorkloadKey = {
  readonly kind: string
  readonly namespace: string
  readonly name: string
  readonly cr_kind?: string
  readonly cr_api_version?: string
}

export type WorkloadFacts = WorkloadKey & {
  readonly uid: string | null
  readonly labels: StringMap | null
  readonly selector: object | null
  readonly replicas: number | null
  readonly min_ready_seconds: number | null
  readonly strategy_type: string | null
  readonly rolling_update_strategy: object | null
}

export type PodFacts = {
  readonly uid: string
  readonly namespace: string
  readonly name: string
  readonly node_name: string
  readonly workload: WorkloadKey
  readonly priority: number | null
  readonly labels: StringMap
  readonly ip: string | null
  readonly ips: readonly { readonly ip: string }[]
  readonly volumes: readonly object[]
  readonly qos_class: string | null
  readonly node_selectors: StringMap
  readonly tolerations: readonly object[]
  readonly containers: readonly ContainerFacts[]
}

export type ContainerFacts = {
  readonly name: string
  /** The runtime's id, or `<pod uid>/<container name>` while there is none. */
  readonly container_uid: string
  readonly image: string
  readonly ports: readonly object[]
  readonly host_ports: readonly object[]
  readonly args: readonly string[]
  readonly started: number | null
  readonly limits: StringMap
  readonly requests: StringMap
  readonly liveness: object | null
  readonly environment: readonly object[]
  readonly mounts: readonly object[]
}

export type StringMap = Readonly<Record<string, string>>
