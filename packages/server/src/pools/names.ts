/** What Podyard calls a pool's objects on Kubernetes, and how it knows them again. Pure. */

/** On every Deployment, autoscaler and pod that Podyard makes. Nothing without it is ever deleted. */
export const managedByLabel = 'app.kubernetes.io/managed-by'
export const managedByValue = 'podyard'
/** Annotation with the uid of the pool's row: an object is a pool's exactly if this matches. */
export const poolUidAnnotation = 'podyard.io/pool-uid'
/** Annotation with a hash of the pod template that the Deployment was made with. */
export const templateHashAnnotation = 'podyard.io/template-hash'
/** Annotation `true` of pods that a request's scale-up step made beyond what the pool keeps. */
export const onDemandAnnotation = 'podyard.io/on-demand'
/** Annotation with the id of the instance that has the pod to itself. */
export const instanceAnnotation = 'podyard.io/instance'
/** Annotations with the labels that a shared instance put on its pod; the instance's id follows. */
export const labelsAnnotationPrefix = 'yr-labels-'
/** Annotation of pods that Podyard makes itself: the pool's id (pool API reference 4.2). */
export const podPoolAnnotation = 'yr-pod-pool'
export const pendingThresholdAnnotation = 'yr-pod-pending-duration-threshold'
export const reuseLabel = 'yr-reuse'
export const idleLabel = 'yr-idle-to-recycle'

export const runtimeContainer = 'runtime-manager'
export const agentContainer = 'function-agent'
export const initContainer = 'function-agent-init'

export function deploymentName(poolId: string): string {
  return `function-agent-${poolId}`
}

export function autoscalerName(poolId: string): string {
  return `${deploymentName(poolId)}-hpa`
}
