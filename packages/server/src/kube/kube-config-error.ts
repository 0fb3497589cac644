/** What is wrong with a cluster's configuration or credentials, in one line that may be shown; never holds a credential. */
export class KubeConfigError extends Error {
  override readonly name = 'KubeConfigError'
}
