import { StatusError } from '../store/status-error.ts'
import type { Kind } from '../store/types.ts'

/** A refusal as a Status object, members in the API server's order. */
export function statusJson(error: StatusError): string {
  const { continue: next } = error.extras
  return JSON.stringify({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: next === undefined ? {} : { continue: next },
    status: 'Failure',
    message: error.message,
    ...(error.reason === '' ? {} : { reason: error.reason }),
    ...(error.details === undefined ? {} : { details: error.details }),
    code: error.code,
  })
}

/** The answer to a DELETE that removed the object at once. */
export function deletedJson(kind: Kind, name: string, uid: string): string {
  return JSON.stringify({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: { name, ...(kind.group === '' ? {} : { group: kind.group }), kind: kind.plural, uid },
  })
}

/** The answer to a successful binding. */
export const createdJson = JSON.stringify({
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Success',
  code: 201,
})

export function unauthorized(): StatusError {
  return new StatusError(401, 'Unauthorized', 'Unauthorized')
}

/** 500, in the form in which the API server wraps an unexpected error. */
export function internalError(message: string): StatusError {
  return new StatusError(500, 'InternalError', `Internal error occurred: ${message}`, { causes: [{ message }] })
}
