/** What an answer carries beside code, reason, message and details. */
export type StatusExtras = {
  /** `metadata.continue` of a list that expired: where an inconsistent continuation would start. */
  readonly continue?: string
  /** Becomes the `Retry-After` header and `details.retryAfterSeconds`. */
  readonly retryAfterSeconds?: number
  /** Answered as plain text, without a Status: the layers before the API itself answer so. */
  readonly plain?: boolean
}

/** A Kubernetes Status that ends a request: what a kube-apiserver answers when it refuses. */
export class StatusError extends Error {
  override readonly name = 'StatusError'
  /** HTTP status. */
  readonly code: number
  /** '' when the real server gives none. */
  readonly reason: string
  readonly details: Readonly<Record<string, unknown>> | undefined
  readonly extras: StatusExtras
  constructor(
    code: number,
    reason: string,
    message: string,
    details?: Readonly<Record<string, unknown>>,
    extras: StatusExtras = {},
  ) {
    super(message)
    this.code = code
    this.reason = reason
    this.details = details
    this.extras = extras
  }
}
