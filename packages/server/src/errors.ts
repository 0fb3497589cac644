/**
 * Every error that a client can see, built here and nowhere else.
 *
 * An `AppError` carries a code, an HTTP status and a public message; only these leave the process. `cause` stays in the
 * log. Expected outcomes inside the domain ("no such pool") may be tagged unions instead; a route turns them into one
 * of these. Anything that is not an `AppError` is a defect: logged, and answered 500 with the request id alone.
 */

/** One bad item of a request: where it is and what is wrong with it. At most 20 travel with an error. */
export type ErrorDetail = { readonly path: string; readonly message: string }

/** Which family of routes an error's code belongs to. Dialects translate errors of a foreign family. */
export type ErrorFamily = 'serverless' | 'cmdb' | 'v1' | 'storage'

export type AppErrorInit = {
  readonly family: ErrorFamily
  readonly code: number
  /** HTTP status. The inventory answers its business errors with 200 (reference 3.1). */
  readonly status: number
  readonly publicMessage: string
  /** What is substituted into the message of this code, for families whose messages are translated. */
  readonly args?: readonly (string | number)[]
  readonly details?: readonly ErrorDetail[]
  readonly retryable?: boolean
  readonly retryAfterSeconds?: number
  readonly cause?: unknown
}

export class AppError extends Error {
  override readonly name = 'AppError'
  readonly family: ErrorFamily
  readonly code: number
  readonly status: number
  readonly publicMessage: string
  readonly args: readonly (string | number)[]
  readonly details: readonly ErrorDetail[]
  readonly retryable: boolean
  readonly retryAfterSeconds: number | undefined

  constructor(init: AppErrorInit) {
    super(init.publicMessage, init.cause === undefined ? undefined : { cause: init.cause })
    this.family = init.family
    this.code = init.code
    this.status = init.status
    this.publicMessage = init.publicMessage
    this.args = init.args ?? []
    this.details = (init.details ?? []).slice(0, 20)
    this.retryable = init.retryable ?? false
    this.retryAfterSeconds = init.retryAfterSeconds
  }
}

/** What a storage statement was for; the inventory has a code for each (reference 3.2). */
export type StorageOperation = 'select' | 'insert' | 'update' | 'delete'

/** The database could not be reached, or went away in the middle. Every dialect answers 503. */
export function storageUnavailable(cause: unknown): AppError {
  return new AppError({
    family: 'storage',
    code: 122002,
    status: 503,
    publicMessage: 'storage is unavailable',
    retryable: true,
    cause,
  })
}

/**
 * Errors of the pool and instance routes (podpool-api reference, section 3). The codes and texts are the original's,
 * the HTTP statuses say what happened.
 */
export const serverlessErrors = {
  /** 4104: bad input, with the original's tail. */
  invalid: (reason: string, status = 400) =>
    new AppError({ family: 'serverless', code: 4104, status, publicMessage: `${reason}. check input parameters` }),
  /** 4104 with 409: the pool's status forbids the change. */
  conflict: (reason: string) => serverlessErrors.invalid(reason, 409),
  /** 4120: no such pool. */
  notFound: () =>
    new AppError({
      family: 'serverless',
      code: 4120,
      status: 404,
      publicMessage: 'pool does not exist or has been deleted. check input parameters',
    }),
  /** 130600: the body cannot be decoded; the text names the field or the place. */
  undecodable: (text: string) => new AppError({ family: 'serverless', code: 130600, status: 400, publicMessage: text }),
  /** 4104 with 413: the body is over the limit. */
  tooLarge: (limitBytes: number) => serverlessErrors.invalid(`the request body exceeds ${limitBytes} bytes`, 413),
} as const

/** Errors of `/v1` and of everything that is in neither dialect: RFC 9457 problem documents. */
export const v1Errors = {
  invalid: (detail: string, details: readonly ErrorDetail[] = []) =>
    new AppError({ family: 'v1', code: 400, status: 400, publicMessage: detail, details }),
  unauthorized: (detail: string) => new AppError({ family: 'v1', code: 401, status: 401, publicMessage: detail }),
  forbidden: (detail: string) => new AppError({ family: 'v1', code: 403, status: 403, publicMessage: detail }),
  notFound: (detail: string) => new AppError({ family: 'v1', code: 404, status: 404, publicMessage: detail }),
  tooLarge: (limitBytes: number) =>
    new AppError({
      family: 'v1',
      code: 413,
      status: 413,
      publicMessage: `the request body exceeds ${limitBytes} bytes`,
    }),
} as const
