import { StatusError } from './store/status-error.ts'

/** What a fault looks at to decide whether a request is meant. */
export type FaultRequest = {
  readonly method: string
  /** Path without the query. */
  readonly path: string
  /** '' for requests that are about no resource, such as discovery. */
  readonly plural: string
  readonly namespace: string | undefined
  readonly name: string | undefined
  readonly watch: boolean
}

export type FaultMatch = {
  readonly method?: string
  readonly plural?: string
  readonly namespace?: string
  readonly name?: string
  readonly watch?: boolean
  readonly path?: RegExp
}

export type Fault = {
  /** Which requests; all when absent. */
  readonly match?: FaultMatch
  /** How often; without end when absent. */
  readonly times?: number
} & (
  | { readonly answer: 429; readonly retryAfterSeconds?: number }
  | { readonly answer: 500 | 503; readonly retryAfterSeconds?: number }
  /** A write is refused as if the object had been modified meanwhile. */
  | { readonly answer: 409 }
  /** A list at a version, a continued list or a resumed watch is told that its version is too old. */
  | { readonly answer: 410 }
  /** The connection is cut without an answer. */
  | { readonly answer: 'drop' }
)

/** Faults that answer requests in the server's stead, for tests and rehearsals. */
export class Faults {
  #active: { readonly fault: Fault; left: number }[] = []

  /** Adds a fault; returns how to take it away. */
  inject(fault: Fault): () => void {
    const entry = { fault, left: fault.times ?? Number.POSITIVE_INFINITY }
    this.#active.push(entry)
    return () => {
      this.#active = this.#active.filter((other) => other !== entry)
    }
  }

  clear(): void {
    this.#active = []
  }

  /** The first fault that means this request, used up once; undefined when none does. */
  take(request: FaultRequest): Fault | undefined {
    const entry = this.#active.find(({ fault }) => matches(fault.match ?? {}, request))
    if (entry === undefined) return undefined
    entry.left -= 1
    if (entry.left <= 0) this.#active = this.#active.filter((other) => other !== entry)
    return entry.fault
  }
}

function matches(match: FaultMatch, request: FaultRequest): boolean {
  return (
    (match.method === undefined || match.method === request.method) &&
    (match.plural === undefined || match.plural === request.plural) &&
    (match.namespace === undefined || match.namespace === request.namespace) &&
    (match.name === undefined || match.name === request.name) &&
    (match.watch === undefined || match.watch === request.watch) &&
    (match.path === undefined || match.path.test(request.path))
  )
}

/** The answer of a fault, in the real server's words. */
export function faultStatus(fault: Fault): StatusError | 'drop' {
  switch (fault.answer) {
    case 'drop':
      return 'drop'
    case 429: {
      const retryAfterSeconds = fault.retryAfterSeconds ?? 1
      return new StatusError(
        429,
        'TooManyRequests',
        'Too many requests, please try again later.',
        { retryAfterSeconds },
        // Priority and fairness stands before the API.
        { retryAfterSeconds, plain: true },
      )
    }
    case 500:
      return new StatusError(500, 'InternalError', 'Internal error occurred: injected fault', {
        causes: [{ message: 'injected fault' }],
      })
    case 503:
      return new StatusError(
        503,
        'ServiceUnavailable',
        'the server is currently unable to handle the request',
        {},
        fault.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: fault.retryAfterSeconds },
      )
    case 409:
      return new StatusError(
        409,
        'Conflict',
        'Operation cannot be fulfilled: the object has been modified; please apply your changes to the latest version and try again',
      )
    case 410:
      return new StatusError(410, 'Expired', 'The resourceVersion for the provided list is too old.')
  }
}
