import type { V1ConfigMap, V1Deployment, V1Pod, V1PodSpec } from '@kubernetes/client-node'
import { KubeError, type Resource } from '../../../packages/server/src/kube/index.ts'

export const configMaps: Resource<V1ConfigMap> = {
  group: '',
  version: 'v1',
  plural: 'configmaps',
  kind: 'ConfigMap',
  namespaced: true,
}

type Labels = Readonly<Record<string, string>>

export const container = { name: 'c', image: 'registry.example/app:1' }

export function pod(name: string, more: { readonly labels?: Labels; readonly spec?: Partial<V1PodSpec> } = {}): V1Pod {
  return {
    metadata: { name, ...(more.labels === undefined ? {} : { labels: { ...more.labels } }) },
    spec: { automountServiceAccountToken: false, containers: [container], ...more.spec },
  }
}

/** A pod that nothing touches once it is made: neither scheduler nor kubelet. */
export function quietPod(name: string, labels?: Labels): V1Pod {
  return pod(name, {
    ...(labels === undefined ? {} : { labels }),
    spec: { schedulingGates: [{ name: 'podyard.example/hold' }] },
  })
}

export function deployment(
  name: string,
  replicas: number,
  more: { readonly podSpec?: Partial<V1PodSpec>; readonly spec?: Partial<V1Deployment['spec']> } = {},
): V1Deployment {
  const labels = { app: name }
  return {
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { automountServiceAccountToken: false, containers: [container], ...more.podSpec },
      },
      ...more.spec,
    } as NonNullable<V1Deployment['spec']>,
  }
}

/** What a refused call says, in a form to compare. Fails when the call succeeds, or fails otherwise. */
export async function refusal(call: Promise<unknown>) {
  let answer: unknown
  try {
    answer = await call
  } catch (error) {
    if (!(error instanceof KubeError)) throw error
    const { code, reason, message, causes, retryAfterSeconds } = error
    return {
      code,
      reason,
      message,
      ...(causes.length === 0 ? {} : { causes }),
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    }
  }
  throw new Error(`expected a refusal, got ${JSON.stringify(answer)}`)
}

export function isReady({ status }: V1Pod): boolean {
  return status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false
}

export function condition(
  object: { readonly status?: { readonly conditions?: readonly { type: string; status: string }[] } },
  type: string,
) {
  return object.status?.conditions?.find((one) => one.type === type) as
    | { readonly type: string; readonly status: string; readonly reason?: string; readonly message?: string }
    | undefined
}
