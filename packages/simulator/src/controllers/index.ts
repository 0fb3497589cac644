import type { ObjectStore } from '../store/types.ts'
import type { KubeletDelays } from './delays.ts'

export { defaultDelays, type KubeletDelays, zeroDelays } from './delays.ts'

/** Running controllers. */
export type Controllers = {
  /** Stops every queue and timer; resolves when nothing writes any more. Idempotent. */
  readonly stop: () => Promise<void>
}

export type ControllerOptions = {
  readonly delays: KubeletDelays
  readonly now?: () => Date
  readonly log?: (line: string) => void
}

/** Starts the controller manager, scheduler and kubelets of the simulated cluster on the store's present content. */
export function startControllers(_store: ObjectStore, _options: ControllerOptions): Controllers {
  return { stop: async () => {} }
}
