import { randomBytes } from 'node:crypto'
import { createKubeClient, type KubeClient, type KubeClientOptions } from '../../../packages/server/src/kube/index.ts'
import type { TestCluster } from '../../../packages/server/test/support/pool-cluster.ts'
import { must, until } from '../../control-plane/api.ts'
import type { ControlPlane } from '../../control-plane/control-plane.ts'
import { claimName } from '../../control-plane/objects.ts'

export type NamespaceOptions = {
  /** More labels, such as those of Pod Security. */
  readonly labels?: Readonly<Record<string, string>>
  readonly client?: KubeClientOptions
  /** Where the client looks for the API server: what stands in between. */
  readonly server?: string
  /** Another credential than the administrator's. */
  readonly credentials?: { readonly token: string } | { readonly tokenFile: string }
}

/** A namespace of the test file's own on the control plane, with the claim that the seed's pool names; gone after `stop`. */
export async function ownNamespace(plane: ControlPlane, options: NamespaceOptions = {}): Promise<TestCluster> {
  const { api } = plane
  const namespace = `test-${randomBytes(5).toString('hex')}`
  await must(api, 'POST', '/api/v1/namespaces', { metadata: { name: namespace, labels: options.labels ?? {} } })
  const claims = `/api/v1/namespaces/${namespace}/persistentvolumeclaims`
  const claim = { accessModes: ['ReadWriteMany'], storageClassName: '' }
  await must(api, 'POST', '/api/v1/persistentvolumes', {
    metadata: { name: namespace },
    spec: {
      ...claim,
      capacity: { storage: '1Gi' },
      hostPath: { path: '/nonexistent' },
      claimRef: { namespace, name: claimName },
    },
  })
  await must(api, 'POST', claims, {
    metadata: { name: claimName },
    spec: { ...claim, volumeName: namespace, resources: { requests: { storage: '1Gi' } } },
  })
  // Pods are refused before the controller manager has made it.
  await until(
    'the ServiceAccount default',
    async () => (await api.request('GET', `/api/v1/namespaces/${namespace}/serviceaccounts/default`)).status === 200,
    { limitMs: 120_000 },
  )
  await until(
    'the claim bound',
    async () =>
      ((await api.request('GET', `${claims}/${claimName}`)).json as { status?: { phase?: string } }).status?.phase ===
      'Bound',
    { limitMs: 120_000 },
  )
  const kube: KubeClient = createKubeClient(
    {
      server: options.server ?? plane.url,
      caData: plane.caData,
      namespace,
      ...(options.credentials ?? { token: plane.token }),
    },
    options.client,
  )
  return {
    kube,
    namespace,
    async stop() {
      await kube.close()
      await api.request('DELETE', `/api/v1/namespaces/${namespace}`)
      await api.request('DELETE', `/api/v1/persistentvolumes/${namespace}`)
      api.close()
    },
  }
}
