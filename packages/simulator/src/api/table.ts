import { objectJson } from '../store/json.ts'
import { badRequest } from '../store/refusals.ts'
import type { Kind, StoredObject } from '../store/types.ts'
import type { PodStatus } from './pod-cells.ts'
import { printerOf } from './table-cells.ts'

/** Writes one object in the form that a client asked for. */
export type ObjectForm = (object: StoredObject) => string

export type TableForm = {
  readonly one: ObjectForm
  readonly many: (objects: readonly StoredObject[], metadata: object) => string
}

/** PartialObjectMetadata: an object without its body. */
export function metadataJson(version: string): ObjectForm {
  return ({ metadata }) =>
    JSON.stringify({ kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${version}`, metadata })
}

/**
 * Tables of a kind, as the query's includeObject wants their rows. In a stream only the first table has its columns
 * named. The columns' descriptions are left empty.
 */
export function tableForm(
  kind: Kind,
  version: string,
  query: URLSearchParams,
  now: () => Date,
  stream: boolean,
): TableForm {
  const objectOf = rowObject(query.get('includeObject') ?? '', version)
  const printer = printerOf(kind.plural)
  const columnDefinitions = printer.columns.map(definition)
  let named = false
  const table = (objects: readonly StoredObject[], metadata: object) => {
    const columns = stream && named ? null : columnDefinitions
    named = true
    const head = JSON.stringify({
      kind: 'Table',
      apiVersion: `meta.k8s.io/${version}`,
      metadata,
      columnDefinitions: columns,
    })
    const at = now()
    const rows = objects.map((object) => {
      const cells = JSON.stringify(printer.cells(object, at))
      return `{"cells":${cells}${conditions(kind, object)},"object":${objectOf(object)}}`
    })
    return `${head.slice(0, -1)},"rows":[${rows.join(',')}]}`
  }
  return {
    one: (object) => table([object], { resourceVersion: object.metadata.resourceVersion }),
    many: table,
  }
}

function rowObject(include: string, version: string): ObjectForm {
  switch (include) {
    case '':
    case 'Metadata':
      return metadataJson(version)
    case 'Object':
      return objectJson
    case 'None':
      return () => 'null'
    default:
      throw badRequest(
        `Unable to convert to Table as requested: includeObject: Invalid value: ${JSON.stringify(include)}: must be 'Metadata', 'Object', 'None', or empty`,
      )
  }
}

function definition(column: string) {
  const name = column.replace(/[+#]$/, '')
  return {
    name,
    type: column.endsWith('#') ? 'integer' : 'string',
    format: name === 'Name' ? 'name' : '',
    description: '',
    priority: column.endsWith('+') ? 1 : 0,
  }
}

/** A finished pod's row says so, for clients that fold such rows away. */
function conditions(kind: Kind, object: StoredObject): string {
  if (kind.plural !== 'pods') return ''
  const phase = (object.status as PodStatus | undefined)?.phase
  const message =
    phase === 'Succeeded' ? 'The pod has completed successfully.' : phase === 'Failed' ? 'The pod failed.' : undefined
  if (message === undefined) return ''
  return `,"conditions":${JSON.stringify([{ type: 'Completed', status: 'True', reason: phase, message }])}`
}
