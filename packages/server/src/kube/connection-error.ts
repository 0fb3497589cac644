/** No answer came, or not a whole one: the host, what happened, and the failure itself as `cause`. */
export class KubeConnectionError extends Error {
  override readonly name = 'KubeConnectionError'
  constructor(origin: string, request: string, what: string, cause?: unknown) {
    super(`the Kubernetes API at ${origin} did not answer ${request}: ${what}`, cause === undefined ? {} : { cause })
  }
}

/** The connection was never made, so nothing was sent: every method may be tried again. */
const neverSent = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
])

/** The connection broke on the way: the request may have been carried out, so only a GET may be tried again. */
const broken = new Set(['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ECONNABORTED', 'UND_ERR_SOCKET'])

/** May the request be sent again after this failure? A certificate that is not trusted stays so: no. */
export function mayRepeat(error: unknown, method: string): boolean {
  const code = codeOf(error)
  return neverSent.has(code) || (method === 'GET' && broken.has(code))
}

/** What happened, in words that an operator can act on. */
export function describeFailure(error: unknown): string {
  const code = codeOf(error)
  switch (code) {
    case 'ECONNREFUSED':
      return 'connection refused'
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return 'no route to the host'
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'the host name cannot be resolved'
    case 'UND_ERR_CONNECT_TIMEOUT':
      return 'no connection in time'
    case 'UND_ERR_HEADERS_TIMEOUT':
    case 'UND_ERR_BODY_TIMEOUT':
      return 'nothing was heard for too long'
    case 'UND_ERR_CLOSED':
    case 'UND_ERR_DESTROYED':
      return 'the client is closed'
    case 'UND_ERR_RES_EXCEEDED_MAX_SIZE':
      return 'the answer is too large'
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
      return `its certificate is not signed by the trusted authority (${code})`
    case 'CERT_HAS_EXPIRED':
      return 'its certificate has expired'
  }
  if (broken.has(code)) return 'the connection was closed before the answer was complete'
  return error instanceof Error && error.message !== '' ? error.message : code || String(error)
}

function codeOf(error: unknown): string {
  const { code } = (error ?? {}) as { code?: unknown }
  return typeof code === 'string' ? code : ''
}
