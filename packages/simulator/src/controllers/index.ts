import type { ObjectStore } from '../store/types.ts'
import { AutoscalerController } from './autoscaler.ts'
import { ControllerContext } from './context.ts'
import type { KubeletDelays } from './delays.ts'
import { DeploymentController } from './deployment.ts'
import { GarbageCollector } from './garbage-collector.ts'
import { Kubelet } from './kubelet.ts'
import { NamespaceController } from './namespaces.ts'
import { NodeLifecycleController } from './node-lifecycle.ts'
import { ReplicaSetController } from './replicaset.ts'
import { Scheduler } from './scheduler.ts'
import { VolumeClaimController } from './volume-claims.ts'

export { defaultDelays, type KubeletDelays, zeroDelays } from './delays.ts'

/** Running controllers. */
export type Controllers = {
  /** Stops every queue and timer; nothing writes any more once it is called. Idempotent. */
  readonly stop: () => Promise<void>
}

export type ControllerOptions = {
  readonly delays: KubeletDelays
  readonly now?: () => Date
  readonly log?: (line: string) => void
  /**
   * The registry's words when an image cannot be pulled; undefined when it can. Asked again at every retry, so that a
   * fault can end. By default images of the registry `fail.example` cannot.
   */
  readonly imageFault?: (image: string) => string | undefined
  /** Also write Normal events (Scheduled, SuccessfulCreate, ScalingReplicaSet...). Off by default: a write each. */
  readonly normalEvents?: boolean
}

/**
 * Starts the controller manager, scheduler and kubelets of the simulated cluster. They go on from whatever the store
 * holds: pods in the middle of starting or terminating included.
 */
export function startControllers(store: ObjectStore, options: ControllerOptions): Controllers {
  const { delays, now = () => new Date(), log = () => {}, imageFault = failExample, normalEvents = false } = options
  const context = new ControllerContext(store, now, log, normalEvents)
  new NamespaceController(context)
  new VolumeClaimController(context)
  new NodeLifecycleController(context)
  new DeploymentController(context)
  new ReplicaSetController(context)
  new Scheduler(context, delays.scheduleMs)
  new Kubelet(context, { delays, imageFault })
  new GarbageCollector(context)
  new AutoscalerController(context)
  return {
    stop: async () => context.stop(),
  }
}

const FAILING_REGISTRY = 'fail.example/'

function failExample(image: string): string | undefined {
  if (!image.startsWith(FAILING_REGISTRY)) return undefined
  return `failed to pull and unpack image "${image}": failed to resolve image: failed to do request: Head "https://fail.example/v2/": dial tcp: lookup fail.example: no such host`
}
