/** How long the simulated scheduler and kubelet take for each step, in milliseconds. */
export type KubeletDelays = {
  /** From a pod's creation (or the last failed attempt) to its binding. */
  readonly scheduleMs: number
  /** From the binding until the images are there and the containers start (ContainerCreating until then). */
  readonly pullMs: number
  /** From the containers' start to Ready. */
  readonly readyMs: number
  /** From the deletion to the pod's end; never more than its grace period. */
  readonly terminateMs: number
}

/** Slow enough to be seen, quick enough to try things out. */
export const defaultDelays: KubeletDelays = { scheduleMs: 20, pullMs: 200, readyMs: 100, terminateMs: 200 }

/** For benches: each state is still gone through, with no time in between. */
export const zeroDelays: KubeletDelays = { scheduleMs: 0, pullMs: 0, readyMs: 0, terminateMs: 0 }
