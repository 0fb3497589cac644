/** A Kubernetes Status that ends a request: what a kube-apiserver answers when it refuses. */
export class StatusError extends Error {
  override readonly name = 'StatusError'
  /** HTTP status. */
  readonly code: number
  readonly reason: string
  readonly details: Readonly<Record<string, unknown>> | undefined
  constructor(code: number, reason: string, message: string, details?: Readonly<Record<string, unknown>>) {
    super(message)
    this.code = code
    this.reason = reason
    this.details = details
  }
}
