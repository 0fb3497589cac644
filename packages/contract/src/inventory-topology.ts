import Type, { type Static } from 'typebox'
import { LoosePage, nextCursor } from './inventory-business.ts'
import { AddressCondition, ObjectCondition } from './inventory-host.ts'
import { FieldNames, InventoryFilter, InventoryPage } from './inventory-list.ts'
import { Nullable, SafeInteger } from './named.ts'

const id = (description: string) => Type.Optional(Nullable(SafeInteger({ description })))
const row = Type.Record(Type.String(), Type.Unknown())

/** The rows of find/kube/{object}/attributes (container API reference 1.12). */
export const KubeAttributes = Type.Array(
  Type.Object({ field: Type.String(), type: Type.String(), required: Type.Boolean() }),
)

/** A call about one business and nothing else: the caches and their refreshes. */
export const BusinessOnlyBody = Type.Object({ bk_biz_id: id('business') })
export type BusinessOnlyBody = Static<typeof BusinessOnlyBody>

export const LabelValuesBody = Type.Object({
  bk_biz_id: id('business'),
  key: Type.Optional(Nullable(Type.String({ description: 'label key' }))),
})
export type LabelValuesBody = Static<typeof LabelValuesBody>
export const LabelKeys = Type.Object({ keys: Type.Array(Type.String()) })
export const LabelValues = Type.Object({ values: Type.Array(Type.String()) })

/** The tree of a business down to its workloads; `cnt` is the number of containers below (container API reference 2.4). */
export const KubeTopology = Type.Object({
  biz: Type.Object({ id: Type.Integer(), nm: Type.String(), cnt: Type.Integer() }),
  nds: Type.Array(row, { description: 'clusters `{kind, id, nm, cnt, nds}`, in them namespaces, in them workloads' }),
})

export const TopologyPathBody = Type.Object({
  bk_biz_id: id('business'),
  bk_reference_obj_id: Type.Optional(Nullable(Type.String({ description: 'biz, cluster or namespace' }))),
  bk_reference_id: id('its id'),
  page: Type.Optional(Nullable(InventoryPage)),
})
export type TopologyPathBody = Static<typeof TopologyPathBody>
export const TopologyPathData = Type.Object({
  info: Type.Array(Type.Object({ id: Type.Integer(), name: Type.String(), kind: Type.String() })),
  count: Type.Integer(),
})

const TopologyNode = Type.Object({
  kind: Type.Optional(Nullable(Type.String({ description: 'cluster, namespace, folder or a kind of workload' }))),
  id: id('its id; of a folder, its cluster’s'),
})
export type TopologyNode = Static<typeof TopologyNode>

export const TopologyCountBody = Type.Object({
  bk_biz_id: id('business'),
  resource_info: Type.Optional(Nullable(Type.Array(TopologyNode, { description: '1 to 100' }))),
})
export type TopologyCountBody = Static<typeof TopologyCountBody>
export const TopologyCounts = Type.Array(
  Type.Object({ kind: Type.String(), id: Type.Integer(), count: Type.Integer() }),
)

export const HostPathsBody = Type.Object({
  ids: Type.Optional(Nullable(Type.Array(SafeInteger(), { description: 'hosts, 1 to 500' }))),
})
export type HostPathsBody = Static<typeof HostPathsBody>
export const HostPaths = Type.Object({
  info: Type.Array(
    Type.Object({
      bk_host_id: Type.Integer(),
      paths: Type.Array(
        Type.Object({
          bk_biz_id: Type.Integer(),
          biz_name: Type.String(),
          bk_cluster_id: Type.Integer(),
          cluster_name: Type.String(),
        }),
      ),
    }),
  ),
})

export const PodPathsBody = Type.Object({
  bk_biz_id: id('business'),
  ids: Type.Optional(Nullable(Type.Array(SafeInteger(), { description: 'pods, 1 to 500' }))),
})
export type PodPathsBody = Static<typeof PodPathsBody>
export const PodPaths = Type.Object({ info: Type.Array(row) })

/** hosts/kube/search (container API reference 2.5). */
export const KubeHostSearchBody = Type.Object({
  bk_biz_id: id('business'),
  bk_cluster_id: id('hosts of its nodes'),
  folder: Type.Optional(Nullable(Type.Boolean({ description: 'hosts of the cluster’s nodes without pods' }))),
  bk_namespace_id: id('hosts of its pods'),
  bk_workload_id: id('hosts of its pods; with `kind`'),
  kind: Type.Optional(Nullable(Type.String({ description: 'the workload’s kind' }))),
  node_cond: Type.Optional(
    Nullable(Type.Object({ filter: Type.Optional(InventoryFilter), fields: Type.Optional(Nullable(FieldNames)) })),
  ),
  ip: Type.Optional(Nullable(AddressCondition)),
  ipv6: Type.Optional(Nullable(AddressCondition)),
  host_condition: Type.Optional(Nullable(Type.Omit(ObjectCondition, ['bk_obj_id']))),
  page: Type.Optional(Nullable(LoosePage)),
})
export type KubeHostSearchBody = Static<typeof KubeHostSearchBody>
export const KubeHostSearchData = Type.Object({
  count: Type.Integer({ description: 'all that match, whatever the page' }),
  info: Type.Array(Type.Object({ host: row, node: Nullable(Type.Array(row)) })),
  next_cursor: nextCursor,
})

/** findmany/kube/container/by_topo (container API reference 2.4). */
export const ContainersByTopologyBody = Type.Object({
  bk_biz_id: id('business'),
  bk_kube_nodes: Type.Optional(
    Nullable(Type.Array(TopologyNode, { description: 'containers below any of these, 200 at most; empty: all' })),
  ),
  pod_filter: Type.Optional(InventoryFilter),
  container_filter: Type.Optional(InventoryFilter),
  pod_fields: Type.Optional(Nullable(Type.Array(Type.String(), { description: 'required' }))),
  container_fields: Type.Optional(Nullable(Type.Array(Type.String(), { description: 'required' }))),
  page: Type.Optional(Nullable(InventoryPage)),
})
export type ContainersByTopologyBody = Static<typeof ContainersByTopologyBody>
export const ContainersByTopology = Type.Object({
  count: Type.Integer({ description: 'the number of rows where `enable_count` was given, else 0' }),
  info: Type.Array(Type.Object({ container: row, pod: row, topo: row })),
  next_cursor: nextCursor,
})

/** findmany/biz_set/{bk_biz_set_id}/kube/containers (container API reference 2.4). */
export const ContainersInBusinessSetBody = Type.Object({
  bk_container_ids: Type.Optional(Nullable(Type.Array(SafeInteger(), { description: '1 to 500' }))),
  container_fields: Type.Optional(Nullable(Type.Array(Type.String(), { description: 'required' }))),
  pod_fields: Type.Optional(Nullable(Type.Array(Type.String(), { description: 'required' }))),
  host_fields: Type.Optional(Nullable(Type.Array(Type.String(), { description: 'required' }))),
})
export type ContainersInBusinessSetBody = Static<typeof ContainersInBusinessSetBody>
export const ContainersInBusinessSet = Type.Array(Type.Object({ container: row, pod: row, host: row }))
