import type { V1Deployment, V1Pod } from '@kubernetes/client-node'
import { type PoolSource, podSpecOf } from './deployment.ts'
import {
  deploymentName,
  idleLabel,
  managedByLabel,
  managedByValue,
  onDemandAnnotation,
  podPoolAnnotation,
  poolUidAnnotation,
  reuseLabel,
} from './names.ts'

/** A pod's name may be longer, but its host name may not. */
const maxNameLength = 63

/**
 * The name of a pod that Podyard makes itself: the Deployment's, and 20 hex digits, cut to 63 characters.
 *
 * @param hex 20 hexadecimal digits, random
 */
export function barePodName(poolId: string, hex: string): string {
  return `${deploymentName(poolId)}-${hex}`.slice(0, maxNameLength)
}

export type BarePodInit = {
  readonly pool: PoolSource
  /** The pool's Deployment as the cluster has it: the pod is copied from its template and owned by it. */
  readonly deployment: V1Deployment
  readonly name: string
  /** Made while there were fewer pods than the pool keeps: decides which idle policy the pod gets (pool API reference 5.1). */
  readonly isReserved: boolean
}

/** A pod of a scalable pool (pool API reference 4.2). Pure. */
export function buildBarePod({ pool, deployment, name, isReserved }: BarePodInit): V1Pod {
  const template = deployment.spec?.template
  const { [reuseLabel]: _, ...labels } = template?.metadata?.labels ?? {}
  const { idleRecycleTime } = pool.spec
  const idle = idleLabelValue(isReserved ? idleRecycleTime.reserved : idleRecycleTime.scaled)
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: deployment.metadata?.namespace ?? '',
      labels: {
        ...labels,
        ...(idle === undefined ? {} : { [idleLabel]: idle }),
        [managedByLabel]: managedByValue,
      },
      annotations: {
        ...template?.metadata?.annotations,
        [podPoolAnnotation]: pool.id,
        [poolUidAnnotation]: pool.uid,
        ...(isReserved ? {} : { [onDemandAnnotation]: 'true' }),
      },
      ownerReferences: [
        {
          apiVersion: 'apps/v1',
          kind: 'Deployment',
          name: deploymentName(pool.id),
          uid: deployment.metadata?.uid ?? '',
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    },
    spec: podSpecOf(deployment),
  }
}

/** -1: `unlimited`; above 0: the seconds; 0: none, so that one given in the pool's labels stays. */
function idleLabelValue(seconds: number): string | undefined {
  if (seconds === -1) return 'unlimited'
  return seconds > 0 ? String(seconds) : undefined
}
