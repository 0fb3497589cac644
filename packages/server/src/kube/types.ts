import type {
  KubernetesObject,
  V1Deployment,
  V1Namespace,
  V1Node,
  V1Pod,
  V1ReplicaSet,
  V2HorizontalPodAutoscaler,
} from '@kubernetes/client-node'

/** An object as the API server gives it: every stored one has a name, a uid and a resourceVersion. */
export type KubeObject = KubernetesObject

/** Where the objects of one kind live. The type parameter is the object's shape; nothing checks it at run time. */
export type Resource<T extends KubeObject = KubeObject> = {
  readonly group: string
  readonly version: string
  readonly plural: string
  readonly kind: string
  readonly namespaced: boolean
  /** Never set; carries T. */
  readonly _object?: T
}

export const resources = {
  pods: resource<V1Pod>('', 'v1', 'pods', 'Pod', true),
  nodes: resource<V1Node>('', 'v1', 'nodes', 'Node', false),
  namespaces: resource<V1Namespace>('', 'v1', 'namespaces', 'Namespace', false),
  deployments: resource<V1Deployment>('apps', 'v1', 'deployments', 'Deployment', true),
  replicaSets: resource<V1ReplicaSet>('apps', 'v1', 'replicasets', 'ReplicaSet', true),
  horizontalPodAutoscalers: resource<V2HorizontalPodAutoscaler>(
    'autoscaling',
    'v2',
    'horizontalpodautoscalers',
    'HorizontalPodAutoscaler',
    true,
  ),
} as const

function resource<T extends KubeObject>(
  group: string,
  version: string,
  plural: string,
  kind: string,
  namespaced: boolean,
): Resource<T> {
  return Object.freeze({ group, version, plural, kind, namespaced })
}

export type ObjectName = { readonly namespace?: string; readonly name: string }

export type CallOptions = {
  /** Ends the call; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal
  /** Milliseconds for the whole call, retries included. Default 30,000. */
  readonly timeoutMs?: number
}

export type ApplyOptions = CallOptions & {
  /** Who owns the fields from now on. */
  readonly fieldManager: string
  /** Take over fields that others own, rather than be refused (409, a cause for each). Default false. */
  readonly force?: boolean
  readonly dryRun?: boolean
  readonly namespace?: string
  readonly subresource?: 'status'
}

export type ListOptions = CallOptions & {
  /** All namespaces when absent. */
  readonly namespace?: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
  /** Objects per page. Default 500; pages are followed until the end. */
  readonly pageSize?: number
  /** Applied to each object as its page arrives, so that what it drops never piles up; again for a list that starts again. */
  readonly transform?: (object: KubeObject) => KubeObject
}

export type ObjectList<T extends KubeObject> = { readonly items: T[]; readonly resourceVersion: string }

export type WatchOptions = {
  readonly namespace?: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
  /** Events after this version. */
  readonly resourceVersion: string
  readonly signal: AbortSignal
  /** Milliseconds without a byte (bookmarks count) before the connection is given up as dead. Default 90,000. */
  readonly idleTimeoutMs?: number
}

export type WatchEvent<T extends KubeObject> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string }

export type Patch =
  /** RFC 6902 */
  | { readonly type: 'json'; readonly operations: readonly JsonPatchOperation[] }
  /** RFC 7386 */
  | { readonly type: 'merge'; readonly body: object }

export type JsonPatchOperation =
  | { readonly op: 'add' | 'replace' | 'test'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string }

export type WriteOptions = CallOptions & {
  readonly dryRun?: boolean
  /**
   * The answer may have nothing of the object but its metadata (a PartialObjectMetadata). A pod's is a tenth of the whole:
   * the API server need not write the rest, and nobody has to read it.
   */
  readonly brief?: boolean
}

export type DeleteOptions = CallOptions & {
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string }
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan'
  readonly gracePeriodSeconds?: number
}

/**
 * The Kubernetes API of one cluster. Failures are `KubeError` (the API server's own Status), or an error with `cause`
 * when no answer came. 429 and 503 with Retry-After are waited for and repeated within the call's timeout.
 */
export type KubeClient = {
  get<T extends KubeObject>(resource: Resource<T>, at: ObjectName, options?: CallOptions): Promise<T>
  list<T extends KubeObject>(resource: Resource<T>, options?: ListOptions): Promise<ObjectList<T>>
  /** Ends normally when the server closes the stream; throws KubeError with code 410 when the version is too old. */
  watch<T extends KubeObject>(resource: Resource<T>, options: WatchOptions): AsyncIterable<WatchEvent<T>>
  create<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options?: WriteOptions & { readonly namespace?: string },
  ): Promise<T>
  patch<T extends KubeObject>(
    resource: Resource<T>,
    at: ObjectName,
    patch: Patch,
    options?: WriteOptions & { readonly subresource?: 'status' | 'scale' },
  ): Promise<T>
  /**
   * Server-side apply: makes the object or changes it to hold these fields, which become the field manager's. A field
   * of another value that somebody else owns is a KubeError with code 409, reason `Conflict` and a cause per field
   * (`FieldManagerConflict`), unless `force` says to take it over.
   */
  apply<T extends KubeObject>(resource: Resource<T>, object: T, options: ApplyOptions): Promise<T>
  /** `'not-found'` when there was nothing to delete; a failed precondition is a KubeError with code 409. */
  delete(resource: Resource, at: ObjectName, options?: DeleteOptions): Promise<'deleted' | 'not-found'>
  /** GET of a plain path, such as `/version`. */
  raw(path: string, options?: CallOptions): Promise<unknown>
  close(): Promise<void>
}

/**
 * What a reflector tells about one object: before and after. `undefined` before: new; after: gone. `before` is what was
 * kept of it, which may be less than there was (`ReflectorOptions.keep`).
 */
export type Change<T extends KubeObject> = { readonly before: T | undefined; readonly after: T | undefined }

/**
 * A local copy of all objects of one kind, kept by list and watch. One per kind and cluster feeds everything that wants
 * to know (pools and sync alike).
 */
export type Reflector<T extends KubeObject> = {
  readonly resource: Resource<T>
  /** The object as last seen; `namespace` is undefined for cluster-scoped kinds. */
  get(namespace: string | undefined, name: string): T | undefined
  values(): IterableIterator<T>
  readonly size: number
  /** Resolves when the first list is in; rejects when stopped before that. */
  readonly synced: Promise<void>
  readonly isSynced: boolean
  /** Called after the copy has changed, one call per object and change; a relist calls it for the differences only. Returns how to stop. */
  subscribe(listener: (change: Change<T>) => void): () => void
  /** When something was last heard from the server (event, bookmark, list), milliseconds since the epoch. */
  readonly lastHeardAt: number | undefined
  /** Lists and watches until the signal aborts; never throws for what the server does. */
  run(signal: AbortSignal): Promise<void>
}

/** The API server's own answer, kept whole: its message is what users must see. */
export class KubeError extends Error {
  override readonly name = 'KubeError'
  /** HTTP status. */
  readonly code: number
  /** `NotFound`, `AlreadyExists`, `Conflict`, `Invalid`, `Forbidden`, `Expired`, ... or '' when there was none. */
  readonly reason: string
  readonly retryAfterSeconds: number | undefined
  /** `details.causes` of an Invalid, or of an apply's Conflict: which field and why. */
  readonly causes: readonly { readonly field: string; readonly reason: string; readonly message: string }[]
  constructor(init: {
    readonly code: number
    readonly reason: string
    readonly message: string
    readonly retryAfterSeconds?: number | undefined
    readonly causes?: readonly { readonly field: string; readonly reason: string; readonly message: string }[]
  }) {
    super(init.message)
    this.code = init.code
    this.reason = init.reason
    this.retryAfterSeconds = init.retryAfterSeconds
    this.causes = init.causes ?? []
  }
}
