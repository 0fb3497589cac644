import {
  BusinessOnlyBody,
  ContainersByTopology,
  ContainersByTopologyBody,
  HostPaths,
  HostPathsBody,
  KubeAttributes,
  KubeHostSearchBody,
  KubeHostSearchData,
  KubeTopology,
  LabelKeys,
  LabelValues,
  LabelValuesBody,
  PodPaths,
  PodPathsBody,
  TopologyCountBody,
  TopologyCounts,
  TopologyPathBody,
  TopologyPathData,
} from '@podyard/contract'
import Type from 'typebox'
import { type InventoryOperation, operation } from '../http/cmdb-dialect.ts'
import type { Database } from '../store/database.ts'
import { kubeAttributes } from './attributes.ts'
import { listContainersByTopology } from './container-topology.ts'
import { labelKeys, labelValues, refreshCounts } from './label-service.ts'
import { businessTopology } from './topology-cache.ts'
import { countTopology } from './topology-counts.ts'
import { searchHostsByTopology } from './topology-hosts.ts'
import { findHostPaths, findPodPaths, findTopologyPath } from './topology-paths.ts'

/** Everything that asks about the tree of the container half and what hangs on it (container API reference 2.2, 2.5). */
export function topologyOperations(db: Database): readonly InventoryOperation[] {
  const read = { esb: false, storage: 'select' } as const
  return [
    operation({
      ...read,
      name: 'find_kube_attributes',
      method: 'GET',
      path: '/find/kube/:object/attributes',
      summary: 'The fields of an object, with their types',
      body: Type.Unsafe<unknown>({}),
      data: KubeAttributes,
      handle: async (call) => kubeAttributes(call.params.object ?? ''),
    }),
    operation({
      ...read,
      name: 'list_kube_container_by_topo',
      method: 'POST',
      path: '/findmany/kube/container/by_topo',
      summary: 'Lists containers with their pods below places of the tree',
      body: ContainersByTopologyBody,
      data: ContainersByTopology,
      handle: (call, body) => listContainersByTopology(db, call.caller, body),
    }),
    operation({
      ...read,
      name: 'get_biz_kube_cache_topo',
      method: 'POST',
      path: '/cache/find/biz/kube/topo',
      summary: 'The tree of a business with the number of containers below each node',
      body: BusinessOnlyBody,
      data: KubeTopology,
      handle: (call, body) => businessTopology(db, call.caller, body),
    }),
    operation({
      ...read,
      name: 'refresh_biz_kube_cache_topo',
      method: 'POST',
      path: '/cache/refresh/biz/kube/topo',
      summary: 'Counts the tree of a business anew, soon',
      body: BusinessOnlyBody,
      data: Type.Null(),
      handle: (_call, body) => refreshCounts(db, body),
    }),
    operation({
      ...read,
      name: 'list_cached_kube_pod_label_key',
      method: 'POST',
      path: '/cache/findmany/kube/pod/label/key',
      summary: 'The label keys of a business’s pods',
      body: BusinessOnlyBody,
      data: LabelKeys,
      handle: (call, body) => labelKeys(db, call.caller, body),
    }),
    operation({
      ...read,
      name: 'list_cached_kube_pod_label_value',
      method: 'POST',
      path: '/cache/findmany/kube/pod/label/value',
      summary: 'The values of one label key of a business’s pods',
      body: LabelValuesBody,
      data: LabelValues,
      handle: (call, body) => labelValues(db, call.caller, body),
    }),
    operation({
      ...read,
      name: 'refresh_kube_pod_label_cache',
      method: 'POST',
      path: '/cache/refresh/kube/pod/label',
      summary: 'Counts the labels of a business’s pods anew, soon',
      body: BusinessOnlyBody,
      data: Type.Null(),
      handle: (_call, body) => refreshCounts(db, body),
    }),
    operation({
      ...read,
      name: 'find_kube_topo_path',
      method: 'POST',
      path: '/find/kube/topo_path',
      summary: 'What lies one level below a business, cluster or namespace',
      body: TopologyPathBody,
      data: TopologyPathData,
      handle: (call, body) => findTopologyPath(db, call.caller, call.language, body),
    }),
    operation({
      ...read,
      name: 'count_kube_topo_node',
      method: 'POST',
      path: '/find/kube/topo_node/:type/count',
      summary: 'Counts the pods or hosts below places of the tree',
      body: TopologyCountBody,
      data: TopologyCounts,
      handle: (call, body) => countTopology(db, call.caller, call.params.type ?? '', body),
    }),
    operation({
      ...read,
      name: 'find_kube_host_node_path',
      method: 'POST',
      path: '/find/kube/host_node_path',
      summary: 'The clusters that hosts are nodes of',
      body: HostPathsBody,
      data: HostPaths,
      handle: (call, body) => findHostPaths(db, call.caller, body),
    }),
    operation({
      ...read,
      name: 'find_kube_pod_path',
      method: 'POST',
      path: '/find/kube/pod_path',
      summary: 'Business, cluster, namespace and workload of pods',
      body: PodPathsBody,
      data: PodPaths,
      handle: (call, body) => findPodPaths(db, call.caller, body),
    }),
    operation({
      ...read,
      name: 'search_kube_hosts',
      method: 'POST',
      path: '/hosts/kube/search',
      summary: 'Finds hosts by the cluster, namespace or workload that is on them',
      body: KubeHostSearchBody,
      data: KubeHostSearchData,
      handle: (call, body) => searchHostsByTopology(db, call.caller, body),
    }),
  ]
}
