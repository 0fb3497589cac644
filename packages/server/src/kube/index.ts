/** What the rest of the server may use of `kube/`. */
export { type Backoff, backoffMs } from './backoff.ts'
export { createKubeClient, type KubeClientOptions } from './client.ts'
export { KubeConnectionError } from './connection-error.ts'
export type { ExecPlugin } from './exec-plugin.ts'
export type { KubeVerb, RequestRecord } from './http.ts'
export { type KubeConfig, loadInClusterConfig, loadKubeConfig } from './kube-config.ts'
export { KubeConfigError } from './kube-config-error.ts'
export {
  createReflector,
  identityOf,
  type ReflectorOptions,
  type ReflectorTrouble,
  withoutManagedFields,
} from './reflector.ts'
export { isAlreadyExists, isConflict, isExpired, isNotFound } from './status.ts'
export * from './types.ts'
