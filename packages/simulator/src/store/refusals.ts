import { resourceText } from './kinds.ts'
import { StatusError } from './status-error.ts'
import type { Kind } from './types.ts'

/** The refusals that the store and the API share, in kube-apiserver's words. */

export function notFound(kind: Kind, name: string): StatusError {
  return new StatusError(404, 'NotFound', `${resourceText(kind)} "${name}" not found`, detailsOf(kind, name))
}

export function alreadyExists(kind: Kind, name: string): StatusError {
  return new StatusError(409, 'AlreadyExists', `${resourceText(kind)} "${name}" already exists`, detailsOf(kind, name))
}

/** 409 Conflict; the default text is that of a resourceVersion that is not the current one. */
export function conflict(
  kind: Kind,
  name: string,
  text = 'the object has been modified; please apply your changes to the latest version and try again',
): StatusError {
  return new StatusError(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${resourceText(kind)} "${name}": ${text}`,
    detailsOf(kind, name),
  )
}

export function badRequest(message: string): StatusError {
  return new StatusError(400, 'BadRequest', message)
}

/** The `details` of an answer about one object. */
export function detailsOf(kind: Kind, name: string): Readonly<Record<string, unknown>> {
  return { name, ...(kind.group === '' ? {} : { group: kind.group }), kind: kind.plural }
}
