import { applyRequest } from './apply.ts'
import { createHttp, type HttpOptions, type HttpRequest } from './http.ts'
import type { KubeConfig } from './kube-config.ts'
import { listObjects } from './list.ts'
import { collectionPath, namespaceOf, objectPath } from './paths.ts'
import { isNotFound } from './status.ts'
import { type CallOptions, type KubeClient, KubeError, type KubeObject, type Resource } from './types.ts'
import { watchObjects } from './watch.ts'

export type KubeClientOptions = HttpOptions

/**
 * The Kubernetes API of one cluster. Connects when first used.
 *
 * @throws KubeConfigError when the configuration cannot be used (address, certificates)
 */
export function createKubeClient(config: KubeConfig, options: KubeClientOptions = {}): KubeClient {
  const http = createHttp(config, options)

  /** The shape is the API server's word: nothing checks it here. */
  async function call<T>(request: HttpRequest, callOptions: CallOptions | undefined): Promise<T> {
    return (await http.call(request, callOptions)) as T
  }

  return {
    get: (resource, at, callOptions) =>
      call({ verb: 'get', resource: resource.plural, method: 'GET', path: objectPath(resource, at) }, callOptions),

    list: (resource, listOptions) => listObjects(http, resource, listOptions),

    watch: (resource, watchOptions) => watchObjects(http, resource, watchOptions, options.random),

    create: (resource, object, callOptions) => {
      const namespace = namespaceOf(resource, callOptions?.namespace ?? object.metadata?.namespace)
      return call(
        {
          verb: 'create',
          resource: resource.plural,
          method: 'POST',
          path: collectionPath(resource, namespace),
          query: dryRun(callOptions),
          brief: callOptions?.brief === true,
          body: { apiVersion: apiVersionOf(resource), kind: resource.kind, ...object },
        },
        callOptions,
      )
    },

    patch: (resource, at, patch, callOptions) =>
      call(
        {
          verb: 'patch',
          resource: resource.plural,
          method: 'PATCH',
          path: objectPath(resource, at, callOptions?.subresource),
          query: dryRun(callOptions),
          brief: callOptions?.brief === true,
          contentType: patch.type === 'json' ? 'application/json-patch+json' : 'application/merge-patch+json',
          body: patch.type === 'json' ? patch.operations : patch.body,
        },
        callOptions,
      ),

    apply: async (resource, object, applyOptions) => call(applyRequest(resource, object, applyOptions), applyOptions),

    delete: async (resource, at, deleteOptions = {}) => {
      const { preconditions, propagationPolicy, gracePeriodSeconds } = deleteOptions
      const request: HttpRequest = {
        verb: 'delete',
        resource: resource.plural,
        method: 'DELETE',
        path: objectPath(resource, at),
        body: { apiVersion: 'v1', kind: 'DeleteOptions', preconditions, propagationPolicy, gracePeriodSeconds },
      }
      try {
        await http.call(request, deleteOptions)
        return 'deleted'
      } catch (error) {
        // With a reason it is the object that is missing; without one it is the path, and nobody looked for the object.
        if (isNotFound(error) && error instanceof KubeError && error.reason === 'NotFound') return 'not-found'
        throw error
      }
    },

    raw: (path, callOptions) => {
      if (!path.startsWith('/')) throw new TypeError('a path begins with /')
      return http.call({ verb: 'get', resource: 'raw', method: 'GET', path }, callOptions)
    },

    close: () => http.close(),
  }
}

function apiVersionOf<T extends KubeObject>(resource: Resource<T>): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`
}

function dryRun(options: { readonly dryRun?: boolean } | undefined): { readonly dryRun?: string } {
  return options?.dryRun === true ? { dryRun: 'All' } : {}
}
