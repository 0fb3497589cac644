import type { KubeObject, ObjectName, Resource } from './types.ts'

/** `/api/v1/namespaces/default/pods`, `/apis/apps/v1/deployments`: all objects of a kind, of one namespace when given. */
export function collectionPath<T extends KubeObject>(resource: Resource<T>, namespace?: string): string {
  const root =
    resource.group === ''
      ? `/api/${resource.version}`
      : `/apis/${encodeURIComponent(resource.group)}/${resource.version}`
  const scope = resource.namespaced && namespace !== undefined ? `/namespaces/${segment('namespace', namespace)}` : ''
  return `${root}${scope}/${resource.plural}`
}

/** One object of a kind, or one of its subresources. A namespaced kind needs the namespace: nothing is guessed. */
export function objectPath<T extends KubeObject>(resource: Resource<T>, at: ObjectName, subresource?: string): string {
  const tail = subresource === undefined ? '' : `/${subresource}`
  return `${collectionPath(resource, namespaceOf(resource, at.namespace))}/${segment('name', at.name)}${tail}`
}

/** The namespace that a single object's path needs; undefined for cluster-scoped kinds. */
export function namespaceOf<T extends KubeObject>(resource: Resource<T>, namespace: string | undefined) {
  if (!resource.namespaced) return undefined
  if (namespace === undefined || namespace === '') throw new TypeError(`a ${resource.kind} needs a namespace`)
  return namespace
}

/** An empty name would turn an object's path into its collection's: a delete would then empty the namespace. */
function segment(what: string, value: string): string {
  if (value === '' || value === '.' || value === '..') throw new TypeError(`"${value}" is not a ${what}`)
  return encodeURIComponent(value)
}
