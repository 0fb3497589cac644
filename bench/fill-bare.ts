/**
 * The bare client that `bench -- fill` compares with, in a process of its own for each round, as Podyard is: creates one
 * Deployment and its pods, so many at a time, and watches until all of them are ready. No retries, no state, no bounds.
 *
 * For each of the counts in its order: says `ready`, begins when it is told `go`, says `done` when all pods are ready. Whoever
 * gave the order takes the Deployment away before the next one.
 */
import { randomBytes } from 'node:crypto'
import type { V1Deployment, V1Pod } from '@kubernetes/client-node'
import {
  createKubeClient,
  createReflector,
  type KubeClient,
  loadKubeConfig,
  resources,
} from '../packages/server/src/kube/index.ts'

export type BareOrder = {
  readonly kubeconfig: string
  readonly counts: readonly number[]
  readonly parallel: number
  readonly deployment: V1Deployment
  /** Its names are those of the Deployment. */
  readonly pod: V1Pod
}

if (process.send !== undefined) process.once('message', (order: BareOrder) => void fill(order))

async function fill({ kubeconfig, counts, parallel, deployment, pod }: BareOrder): Promise<void> {
  const kube = createKubeClient(await loadKubeConfig(kubeconfig))
  const reflector = createReflector(kube, resources.pods)
  const ready = new Set<string>()
  let onReady = () => {}
  reflector.subscribe(({ after }) => {
    const isReady = after?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True')
    if (isReady === true) ready.add(after?.metadata?.uid ?? '')
    onReady()
  })
  const stop = new AbortController()
  const watching = reflector.run(stop.signal)
  await reflector.synced
  for (const count of counts) {
    ready.clear()
    const all = new Promise<void>((resolve) => {
      onReady = () => {
        if (ready.size >= count) resolve()
      }
    })
    process.send?.('ready')
    await new Promise((resolve) => process.once('message', resolve))
    await create(kube, count, { parallel, deployment, pod })
    await all
    process.send?.('done')
  }
  stop.abort()
  await watching
  await kube.close()
  process.disconnect()
}

async function create(
  kube: KubeClient,
  count: number,
  { parallel, deployment, pod }: Pick<BareOrder, 'parallel' | 'deployment' | 'pod'>,
): Promise<void> {
  const { metadata } = await kube.create(resources.deployments, deployment)
  const [owner] = pod.metadata?.ownerReferences ?? []
  let next = 0
  await Promise.all(
    Array.from({ length: parallel }, async () => {
      while (next++ < count)
        await kube.create(resources.pods, {
          ...pod,
          metadata: {
            ...pod.metadata,
            name: `${metadata?.name}-${randomBytes(10).toString('hex')}`,
            ownerReferences: owner === undefined ? [] : [{ ...owner, uid: metadata?.uid ?? '' }],
          },
        })
    }),
  )
}
