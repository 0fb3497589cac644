import { badRequest } from '../store/refusals.ts'
import { StatusError } from '../store/status-error.ts'
import type { Kind, StoredObject } from '../store/types.ts'
import { type FieldRequirement, matchesFields, parseFieldSelector } from './field-selector.ts'
import { matchesLabels, parseLabelSelector, type Requirement } from './label-selector.ts'

/** Options of lists and watches, as the query gives them. */
export type ListQuery = {
  readonly labels: readonly Requirement[]
  readonly fields: readonly FieldRequirement[]
  readonly limit: number
  readonly continue: string
  readonly resourceVersion: string
  readonly resourceVersionMatch: string
  readonly timeoutSeconds: number | undefined
  readonly allowWatchBookmarks: boolean
  readonly sendInitialEvents: boolean | undefined
  readonly watch: boolean
}

/** Reads the options of a list or watch. Throws the API server's 400 and 422. */
export function parseListQuery(kind: Kind, query: URLSearchParams): ListQuery {
  const watch = truthy(query.get('watch'))
  const options: ListQuery = {
    labels: parseLabelSelector(query.get('labelSelector') ?? ''),
    fields: parseFieldSelector(kind, query.get('fieldSelector') ?? ''),
    limit: Math.max(0, integer(query.get('limit')) ?? 0),
    continue: query.get('continue') ?? '',
    resourceVersion: query.get('resourceVersion') ?? '',
    resourceVersionMatch: query.get('resourceVersionMatch') ?? '',
    timeoutSeconds: integer(query.get('timeoutSeconds')),
    allowWatchBookmarks: truthy(query.get('allowWatchBookmarks')),
    sendInitialEvents: query.has('sendInitialEvents') ? truthy(query.get('sendInitialEvents')) : undefined,
    watch,
  }
  checkVersionOptions(options)
  return options
}

/** Whether labels and fields of an object fulfil the selectors. */
export function selects(query: ListQuery, object: StoredObject): boolean {
  return matchesLabels(query.labels, object.metadata.labels) && matchesFields(query.fields, object)
}

/** Go's reading of a boolean in a query: anything but "false" and "0" is true, as is a bare name. */
export function truthy(value: string | null): boolean {
  return value !== null && value !== 'false' && value !== '0'
}

export function integer(value: string | null): number | undefined {
  if (value === null || value === '') return undefined
  if (!/^[+-]?\d+$/.test(value)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(value)}: invalid syntax`)
  return Number(value)
}

/** A resourceVersion as a number; undefined when it is none. */
export function versionNumber(text: string): number | undefined {
  return /^\d+$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : undefined
}

/** A 422 about the options of a request, such as ListOptions. */
export function invalidOptions(
  kind: 'ListOptions' | 'CreateOptions' | 'UpdateOptions' | 'PatchOptions' | 'DeleteOptions',
  field: string,
  reason: string,
  message: string,
): StatusError {
  return new StatusError(422, 'Invalid', `${kind}.meta.k8s.io "" is invalid: ${field}: ${message}`, {
    group: 'meta.k8s.io',
    kind,
    causes: [{ reason, message, field }],
  })
}

/** Whether `dryRun` asks for a trial run; anything but All is refused. */
export function parseDryRun(
  values: readonly string[],
  kind: 'CreateOptions' | 'UpdateOptions' | 'PatchOptions' | 'DeleteOptions',
): boolean {
  if (values.some((value) => value !== 'All')) {
    const shown = `[${values.map((value) => JSON.stringify(value)).join(',')}]`
    throw invalidOptions(
      kind,
      'dryRun',
      'FieldValueNotSupported',
      `Unsupported value: ${shown}: supported values: "All"`,
    )
  }
  return values.length > 0
}

function checkVersionOptions(options: ListQuery): void {
  const { resourceVersion, resourceVersionMatch: match, sendInitialEvents, watch } = options
  const forbidden = (field: string, text: string) =>
    invalidOptions('ListOptions', field, 'FieldValueForbidden', `Forbidden: ${text}`)
  if (watch) {
    if (sendInitialEvents !== undefined && match !== 'NotOlderThan') {
      throw forbidden('resourceVersionMatch', 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan')
    }
    if (sendInitialEvents === undefined && match !== '') {
      throw forbidden(
        'resourceVersionMatch',
        'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
      )
    }
    return
  }
  if (sendInitialEvents !== undefined) {
    throw forbidden('sendInitialEvents', 'sendInitialEvents is forbidden for list')
  }
  if (match === '') return
  if (resourceVersion === '') {
    throw forbidden('resourceVersionMatch', 'resourceVersionMatch is forbidden unless resourceVersion is provided')
  }
  if (options.continue !== '') {
    throw forbidden('resourceVersionMatch', 'resourceVersionMatch is forbidden when continue is provided')
  }
  if (match !== 'Exact' && match !== 'NotOlderThan') {
    throw invalidOptions(
      'ListOptions',
      'resourceVersionMatch',
      'FieldValueNotSupported',
      `Unsupported value: ${JSON.stringify(match)}: supported values: "Exact", "NotOlderThan", ""`,
    )
  }
  if (match === 'Exact' && resourceVersion === '0') {
    throw forbidden('resourceVersionMatch', 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"')
  }
}
