import { StatusError } from '../store/status-error.ts'

/** The form in which a client wants objects. */
export type Form = {
  readonly as: 'object' | 'table' | 'metadata'
  /** The version of the Table or PartialObjectMetadata: v1 or v1beta1. */
  readonly version: 'v1' | 'v1beta1'
}

const plain: Form = { as: 'object', version: 'v1' }

/** Picks from an Accept header the first form that the simulator has. Throws the API server's 406. */
export function negotiate(accept: string | undefined): Form {
  if (accept === undefined || accept.trim() === '') return plain
  for (const range of accept.split(',')) {
    const [type, ...parameters] = range.split(';').map((part) => part.trim())
    if (type !== 'application/json' && type !== 'application/*' && type !== '*/*') continue
    const given = new Map(parameters.map((parameter) => parameter.split('=', 2) as [string, string]))
    const as = given.get('as')
    if (as === undefined) return plain
    const version = given.get('v')
    if (given.get('g') !== 'meta.k8s.io' || (version !== 'v1' && version !== 'v1beta1')) continue
    if (as === 'Table') return { as: 'table', version }
    if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList') return { as: 'metadata', version }
  }
  throw new StatusError(406, 'NotAcceptable', '406: Not Acceptable\n\nAvailable representations: application/json', {})
}

/** Whether the client takes the aggregated form of discovery. */
export function wantsAggregatedDiscovery(accept: string | undefined): boolean {
  return (accept ?? '')
    .split(',')
    .some((range) => /;\s*g=apidiscovery\.k8s\.io/.test(range) && /;\s*v=v2(;|$)/.test(range.trim()))
}
