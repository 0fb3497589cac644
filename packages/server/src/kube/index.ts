/** What the rest of the server may use of `kube/`. */
export { type Backoff, backoffMs } from './backoff.ts'
export { createKubeClient, type KubeClientOptions } from './client.ts'
export { KubeConnectionError } from './connection-error.ts'
export type { KubeVerb, RequestRecord } from './http.ts'
export { type KubeConfig, KubeConfigError, loadInClusterConfig, loadKubeConfig } from './kube-config.ts'
export { createReflector, type ReflectorOptions, type ReflectorTrouble, withoutManagedFields } from './reflector.ts'
export { isAlreadyExists, isConflict, isExpired, isNotFound } from './status.ts'
export * from './types.ts'
