/** Registers the cluster that Podyard runs on: its business, its hosts and itself, in this order. */
import { setTimeout as delay } from 'node:timers/promises'
import type { V1Namespace, V1Node } from '@kubernetes/client-node'
import { ensureBusiness } from '../inventory/business-service.ts'
import type { NodeFacts } from '../inventory/cluster-facts.ts'
import { ensureCluster } from '../inventory/cluster-registration.ts'
import type { SyncTarget } from '../inventory/cluster-sync.ts'
import { addHosts } from '../inventory/host-service.ts'
import type { KubeClient, Reflector } from '../kube/index.ts'
import type { Database } from '../store/database.ts'
import type { Logger } from '../telemetry/logger.ts'
import { nodeFacts } from './mapping.ts'

export type RegistrationOptions = {
  readonly db: Database
  readonly kube: KubeClient
  readonly clusterName: string
  /** Name of the business that the cluster belongs to; made when absent. */
  readonly business: string
  readonly nodes: Reflector<V1Node>
  readonly namespaces: Reflector<V1Namespace>
  readonly logger: Logger
  readonly signal: AbortSignal
}

/** Creator and modifier of what sync writes. */
const caller = { user: 'podyard', tenant: '0' }

/** Tries until it succeeds or the signal aborts: the database or the cluster may be away for a while. */
export async function registerCluster(options: RegistrationOptions): Promise<SyncTarget> {
  for (let failures = 0; ; failures += 1) {
    options.signal.throwIfAborted()
    try {
      return await register(options)
    } catch (error) {
      options.signal.throwIfAborted()
      options.logger.warn(
        { err: error, failures },
        'the cluster could not be registered in the inventory; trying again',
      )
      await delay(Math.random() * Math.min(10_000, 200 * 2 ** failures), undefined, { signal: options.signal }).catch(
        () => {},
      )
    }
  }
}

async function register(options: RegistrationOptions): Promise<SyncTarget> {
  const { db, nodes, namespaces, signal } = options
  await Promise.race([
    Promise.all([nodes.synced, namespaces.synced]),
    new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true })),
  ])
  const bizId = await ensureBusiness(db, caller, options.business)
  const hostsOf = (facts: readonly NodeFacts[], business: number) => ensureHosts(db, business, facts)
  const all = [...nodes.values()].map(nodeFacts).sort((a, b) => (a.name < b.name ? -1 : 1))
  await hostsOf(all, bizId)
  // The same for as long as the cluster lives, whatever it is called: the convention of cluster-wide tools.
  const uid = namespaces.get(undefined, 'kube-system')?.metadata?.uid ?? options.clusterName
  const { gitVersion } = (await options.kube.raw('/version', { signal })) as { readonly gitVersion?: string }
  const cluster = await ensureCluster({ db, now: Date.now }, caller, {
    uid,
    name: options.clusterName,
    bizId,
    version: gitVersion ?? '',
  })
  return {
    clusterId: cluster.id,
    clusterUid: uid,
    bizId: cluster.bizId,
    tenant: cluster.tenant,
    user: caller.user,
    hostsOf: (facts) => hostsOf(facts, cluster.bizId),
  }
}

/** The host of each node, by its first address: found, or made in the business. 0 where a node has no address that a host can have. */
async function ensureHosts(db: Database, bizId: number, nodes: readonly NodeFacts[]): Promise<readonly number[]> {
  const addressed = nodes.flatMap((node, index) => {
    const address = node.internal_ip.find((ip) => /^\d+(\.\d+){3}$/.test(ip))
    return address === undefined
      ? []
      : [{ index, row: { bk_host_innerip: address, bk_cloud_id: 0, bk_host_name: node.hostname } }]
  })
  const result = await addHosts(
    db,
    caller,
    bizId,
    addressed.map(({ row }) => row),
  )
  if (result.kind === 'unknown-business') throw new Error(`business ${bizId} does not exist any more`)
  if (result.kind === 'refused') throw new Error(`a host was refused: ${result.problems[0]?.problem}`)
  const ids = nodes.map(() => 0)
  addressed.forEach(({ index }, i) => {
    ids[index] = result.ids[i] ?? 0
  })
  return ids
}
