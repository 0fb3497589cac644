import { KubeError } from './types.ts'

/** What a Status may hold that we read; everything is checked, as anything may stand between us and the API server. */
type StatusBody = {
  readonly message?: unknown
  readonly reason?: unknown
  readonly code?: unknown
  readonly details?: unknown
}

/** The error in a Status object: the body of a refusal, or the object of a watch's ERROR event. */
export function errorFromStatus(
  status: unknown,
  httpCode?: number,
  retryAfterSeconds?: number | undefined,
): KubeError | undefined {
  if (!isRecord(status) || status.kind !== 'Status') return undefined
  const body: StatusBody = status
  const details = isRecord(body.details) ? body.details : {}
  const code = httpCode ?? (typeof body.code === 'number' ? body.code : 500)
  const reason = typeof body.reason === 'string' ? body.reason : ''
  const text = typeof body.message === 'string' ? body.message : ''
  return new KubeError({
    code,
    reason,
    message: text !== '' ? text : `HTTP ${code}${reason === '' ? '' : ` ${reason}`}`,
    retryAfterSeconds: retryAfterSeconds ?? positive(details.retryAfterSeconds),
    causes: Array.isArray(details.causes) ? details.causes.filter(isRecord).map(toCause) : [],
  })
}

/** The error for an answer outside 2xx. Without a Status (a proxy, "404 page not found") it tells the HTTP text. */
export function errorFromAnswer(code: number, text: string, retryAfterSeconds: number | undefined): KubeError {
  const status = errorFromStatus(parseJson(text), code, retryAfterSeconds)
  if (status !== undefined) return status
  const excerpt = text.trim().replaceAll(/\s+/g, ' ').slice(0, 200)
  return new KubeError({
    code,
    reason: '',
    message: excerpt === '' ? `HTTP ${code}` : `HTTP ${code}: ${excerpt}`,
    retryAfterSeconds,
  })
}

/** Seconds from a Retry-After header, which is a number of seconds or a date (RFC 9110, 10.2.3). */
export function parseRetryAfter(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined
  const text = header.trim()
  if (/^\d{1,9}$/.test(text)) return Number(text)
  const date = Date.parse(text)
  return Number.isNaN(date) ? undefined : Math.max(0, (date - nowMs) / 1000)
}

/** The object does not exist. A 404 without a Status (a wrong path or server) counts too. */
export function isNotFound(error: unknown): boolean {
  return error instanceof KubeError && error.code === 404
}

/** Somebody else changed the object, or a precondition failed. `AlreadyExists` is 409 too and is not meant. */
export function isConflict(error: unknown): boolean {
  return error instanceof KubeError && error.code === 409 && error.reason !== 'AlreadyExists'
}

/** An object of that name exists. */
export function isAlreadyExists(error: unknown): boolean {
  return error instanceof KubeError && error.code === 409 && error.reason === 'AlreadyExists'
}

/** The version to go on from is no longer kept: list again. */
export function isExpired(error: unknown): boolean {
  return error instanceof KubeError && error.code === 410
}

/**
 * The server has not come as far as the version asked for, and never will when it was restored from a backup or made
 * anew: `Timeout` with this cause (message: "Too large resource version: ...").
 */
export function isTooLargeVersion(error: unknown): boolean {
  return (
    error instanceof KubeError &&
    (error.causes.some((cause) => cause.reason === 'ResourceVersionTooLarge') ||
      error.message.includes('Too large resource version'))
  )
}

function toCause(cause: Readonly<Record<string, unknown>>) {
  return { field: asText(cause.field), reason: asText(cause.reason), message: asText(cause.message) }
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function positive(value: unknown): number | undefined {
  return typeof value === 'number' && value > 0 ? value : undefined
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A write named the uid of another object than the one that has the name now. */
export function isOtherObject(error: unknown): boolean {
  if (!(error instanceof KubeError)) return false
  // Deletes have preconditions, patches change an immutable field.
  return error.code === 409 || (error.code === 422 && error.causes.some((cause) => cause.field === 'metadata.uid'))
}
