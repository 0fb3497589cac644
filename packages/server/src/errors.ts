import { cmdbMessage } from './cmdb-messages.ts'

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
  /** What the inventory answers as `data` beside the error, where the original does so; null elsewhere. */
  readonly data?: unknown
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
  readonly data: unknown

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
    this.data = init.data ?? null
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
  /** 122002: the database is down. */
  storage: (cause: unknown) =>
    new AppError({
      family: 'serverless',
      code: 122002,
      status: 503,
      publicMessage: 'etcd internal error',
      retryable: true,
      cause,
    }),
  /** 122003: lost a race that repeating did not win. */
  race: (cause: unknown) =>
    new AppError({
      family: 'serverless',
      code: 122003,
      status: 409,
      publicMessage: 'failed to execute a transaction',
      retryable: true,
      cause,
    }),
  /** 1014: no or wrong credentials (401), or a request that the open mode does not take (403). */
  denied: (status: 401 | 403, reason: string) =>
    new AppError({ family: 'serverless', code: 1014, status, publicMessage: reason }),
} as const

const instanceError = (code: number, status: number, publicMessage: string, retryAfterSeconds?: number) =>
  new AppError({
    family: 'serverless',
    code,
    status,
    publicMessage,
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds, retryable: true }),
  })

/** Errors of the instance routes (podpool-api reference, section 3: the codes of the scheduling side). */
export const instanceErrors = {
  /** 1001: a bad body or parameter; the text names it. */
  invalid: (reason: string, status = 400) => instanceError(1001, status, reason),
  /** 1002: there is nothing to be had; the text says why. */
  notEnough: (status: 409 | 429 | 503 | 504, reason: string, retryAfterSeconds?: number) =>
    instanceError(1002, status, reason, retryAfterSeconds),
  /** 1003: no such instance. */
  notFound: (reason = 'there is no such instance') => instanceError(1003, 404, reason),
  /** 1001 with 410: what was asked for is not kept any more. */
  gone: (reason: string) => instanceError(1001, 410, reason),
  /** 1004: an id that is taken, or a request id that came with another body. */
  duplicated: (reason: string) => instanceError(1004, 409, reason),
  /** 1006: what is asked for can never fit. */
  neverFits: (reason: string) => instanceError(1006, 422, reason),
  /** 4120: no such pool or group. */
  noPool: (reason: string) => instanceError(4120, 404, reason),
} as const

type CmdbErrorOptions = Pick<AppErrorInit, 'status' | 'details' | 'data' | 'cause' | 'retryAfterSeconds'>

function cmdbError(code: number, args: readonly (string | number)[], options: Partial<CmdbErrorOptions> = {}) {
  return new AppError({
    family: 'cmdb',
    code,
    status: 200,
    args,
    publicMessage: cmdbMessage(code, 'en', args),
    ...options,
  })
}

/**
 * Errors of the inventory's routes (container API reference 3.2, 3.3, 10.8). HTTP 200 unless stated: the originals'
 * clients look at the code. `details` name the items of the request that are at fault.
 */
export const cmdbErrors = {
  /** 1199000: broken JSON or a wrong type. */
  undecodable: (details: readonly ErrorDetail[] = []) => cmdbError(1199000, [], { details }),
  /** 1199004 with 413: the body is over the limit. */
  tooLarge: () => cmdbError(1199004, [], { status: 413 }),
  /** 1199000 with 415: the content type says that the body is not JSON. */
  unsupportedMediaType: () =>
    cmdbError(1199000, [], {
      status: 415,
      details: [{ path: 'Content-Type', message: 'must be application/json, or absent' }],
    }),
  /** 1199006: a relation does not hold, children exist, a bad filter. */
  mismatch: (what: string, details: readonly ErrorDetail[] = []) => cmdbError(1199006, [what], { details }),
  /** 1199010: a required id or list is absent. */
  unset: (what: string, details: readonly ErrorDetail[] = []) => cmdbError(1199010, [what], { details }),
  /** 1199011: a required field is null, a field may not be changed, a bad page. */
  invalid: (what: string, details: readonly ErrorDetail[] = []) => cmdbError(1199011, [what], { details }),
  /** 1199014: a unique key is taken; `key` is its text, such as ` bk_cluster_id: 1, name: "node1" `. */
  duplicate: (key: string, details: readonly ErrorDetail[] = [], cause?: unknown) =>
    cmdbError(1199014, [key], { details, cause }),
  /** 1199019: an id that must exist does not. */
  notFound: (details: readonly ErrorDetail[] = []) => cmdbError(1199019, [], { details }),
  /** 1199035: more items than a call may have. */
  tooMany: (what: string, limit: number) => cmdbError(1199035, [what, limit]),
  /** 1199059: page.limit beyond 500. */
  pageTooLong: () => cmdbError(1199059, []),
  /** 1103007: the cursor of a watch is unknown, or what follows it has been swept. */
  cursorGone: () => cmdbError(1103007, []),
  /** 1199997 with 429: this process has as many waiting requests as it takes. */
  busy: (retryAfterSeconds: number) => cmdbError(1199997, [], { status: 429, retryAfterSeconds }),
  /** 1199998: the original's untyped errors, with their literal text. */
  untyped: (text: string, details: readonly ErrorDetail[] = []) => cmdbError(1199998, [text], { details }),
  /** 1199047: no or wrong credentials (401), or a request that the open mode does not take (403). */
  denied: (status: 401 | 403, reason: string) =>
    cmdbError(1199047, [], { status, details: [{ path: '', message: reason }] }),
  /** -1 with 404: no such path. */
  noRoute: (method: string, path: string) => cmdbError(-1, [`no route ${method} ${path}`], { status: 404 }),
  /** A code of section 10.8 with its arguments. */
  other: (code: number, args: readonly (string | number)[] = [], options: Partial<CmdbErrorOptions> = {}) =>
    cmdbError(code, args, options),
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
