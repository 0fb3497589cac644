import type { HttpRequest } from './http.ts'
import { namespaceOf, objectPath } from './paths.ts'
import type { ApplyOptions, KubeObject, Resource } from './types.ts'

/**
 * The request of a server-side apply: the fields in `object` become ours, fields that we applied before and leave out
 * now go. JSON is YAML, so that is what the body is.
 *
 * @throws TypeError for an object without a name, or a namespaced one without a namespace
 */
export function applyRequest<T extends KubeObject>(
  resource: Resource<T>,
  object: T,
  options: ApplyOptions,
): HttpRequest {
  const { fieldManager, force, dryRun, subresource } = options
  if (fieldManager === '') throw new TypeError('an apply needs a field manager')
  const { name } = object.metadata ?? {}
  if (name === undefined) throw new TypeError('an apply needs a name')
  const namespace = namespaceOf(resource, options.namespace ?? object.metadata?.namespace)
  const at = { name, ...(namespace === undefined ? {} : { namespace }) }
  const apiVersion = resource.group === '' ? resource.version : `${resource.group}/${resource.version}`
  return {
    verb: 'apply',
    resource: resource.plural,
    method: 'PATCH',
    path: objectPath(resource, at, subresource),
    query: {
      fieldManager,
      ...(force === true ? { force: 'true' } : {}),
      ...(dryRun === true ? { dryRun: 'All' } : {}),
    },
    contentType: 'application/apply-patch+yaml',
    body: { apiVersion, kind: resource.kind, ...object },
  }
}
