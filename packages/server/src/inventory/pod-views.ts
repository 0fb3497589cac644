import { NewContainer, NewPod } from '@podyard/contract'
import type { TSchema } from 'typebox'
import type { PlacedPod } from './pod-rules.ts'
import { storedForm } from './stored-form.ts'

/** The stamps of new rows; see `creationStamps`. */
export type Stamps = {
  readonly creator: string | undefined
  readonly modifier: string | undefined
  readonly create_time: number
  readonly last_time: number
}

const memberOf = (schema: TSchema, name: string) =>
  storedForm((schema as unknown as { readonly properties: Record<string, TSchema> }).properties[name] as TSchema)
const labels = memberOf(NewPod, 'labels')
const operators = memberOf(NewPod, 'operator')
const ips = memberOf(NewPod, 'ips')
const volumes = memberOf(NewPod, 'volumes')
const nodeSelectors = memberOf(NewPod, 'node_selectors')
const tolerations = memberOf(NewPod, 'tolerations')
const ports = memberOf(NewContainer, 'ports')
const args = memberOf(NewContainer, 'args')
const amounts = memberOf(NewContainer, 'limits')
const liveness = memberOf(NewContainer, 'liveness')
const environment = memberOf(NewContainer, 'environment')
const mounts = memberOf(NewContainer, 'mounts')

/**
 * New pods with their containers as the wire shows them, which is also what their create events carry and what the insert
 * reads its columns from: one JSON text is all that the database gets (container API reference 1.8, 1.9, 4.7). Members
 * that are undefined vanish in the text. Written out by hand: this runs for 600 rows a request.
 */
export function podViews(
  placed: readonly PlacedPod[],
  firstPodId: number,
  firstContainerId: number,
  tenant: string,
  user: string,
  stamps: Stamps,
): object[] {
  const defaultOperator = [user]
  let containerId = firstContainerId
  return placed.map(({ item, workload, node }, index) => {
    const { pod } = item
    const id = firstPodId + index
    const bizId = workload.bk_biz_id || undefined
    const containerRef = { kind: item.kind, id: item.workloadId }
    return {
      id,
      bk_biz_id: bizId,
      bk_supplier_account: tenant,
      bk_cluster_id: item.clusterId,
      cluster_uid: workload.cluster_uid || undefined,
      bk_namespace_id: item.namespaceId,
      namespace: workload.namespace || undefined,
      ref: { kind: item.kind, name: workload.name || undefined, id: item.workloadId },
      bk_host_id: item.hostId,
      bk_node_id: item.nodeId,
      node_name: node.name || undefined,
      name: pod.name,
      operator: given(operators, pod.operator?.length === 0 ? undefined : pod.operator) ?? defaultOperator,
      priority: pod.priority ?? undefined,
      labels: given(labels, pod.labels),
      ip: pod.ip ?? undefined,
      ips: given(ips, pod.ips),
      volumes: given(volumes, pod.volumes),
      qos_class: pod.qos_class ?? undefined,
      node_selectors: given(nodeSelectors, pod.node_selectors),
      tolerations: given(tolerations, pod.tolerations),
      ...stamps,
      containers: item.containers.map((container) => ({
        id: containerId++,
        bk_pod_id: id,
        bk_biz_id: bizId,
        bk_supplier_account: tenant,
        bk_cluster_id: item.clusterId,
        bk_namespace_id: item.namespaceId,
        ref: containerRef,
        name: container.name,
        container_uid: container.container_uid,
        // Required by the original, optional in its documents: absent is the empty text.
        image: container.image ?? '',
        ports: given(ports, container.ports),
        host_ports: given(ports, container.host_ports),
        args: given(args, container.args),
        started: container.started ?? undefined,
        limits: given(amounts, container.limits),
        requests: given(amounts, container.requests),
        liveness: given(liveness, container.liveness),
        environment: given(environment, container.environment),
        mounts: given(mounts, container.mounts),
        ...stamps,
      })),
    }
  })
}

const given = (form: (value: unknown) => unknown, value: unknown) =>
  value === undefined || value === null ? undefined : form(value)
