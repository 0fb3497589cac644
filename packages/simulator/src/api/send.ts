import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { itemJson, objectJson } from '../store/json.ts'
import { apiVersionOf } from '../store/kinds.ts'
import type { StoredObject } from '../store/types.ts'
import type { Form } from './accept.ts'
import type { Api } from './context.ts'
import { truthy } from './query.ts'
import type { Target } from './route.ts'
import { metadataJson, type ObjectForm, tableForm } from './table.ts'

/** One request for a served resource, and what its answer needs. */
export type Call = {
  readonly api: Api
  readonly target: Target
  readonly query: URLSearchParams
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly form: Form
  /** What the answer shall warn of. */
  readonly warnings: string[]
}

/** How objects are written for this call; the function is called once per stream, as tables name columns once. */
export function formOf({ api, target, query, form }: Call): (stream: boolean) => ObjectForm {
  return (stream) => {
    if (form.as === 'metadata') return metadataJson(form.version)
    if (form.as === 'table') return tableForm(target.kind, form.version, query, api.now, stream).one
    return objectJson
  }
}

export function sendObject(call: Call, object: StoredObject, code = 200): void {
  sendJson(call, formOf(call)(false)(object), code)
}

export async function sendList(call: Call, items: readonly StoredObject[], metadata: object): Promise<void> {
  const { api, target, form, query, response } = call
  const { kind } = target
  if (form.as === 'table') {
    sendJson(call, tableForm(kind, form.version, query, api.now, false).many(items, metadata))
    return
  }
  const partial = form.as === 'metadata'
  const head = partial
    ? { kind: 'PartialObjectMetadataList', apiVersion: `meta.k8s.io/${form.version}` }
    : { kind: `${kind.kind}List`, apiVersion: apiVersionOf(kind) }
  const start = `${JSON.stringify({ ...head, metadata }).slice(0, -1)},"items":[`
  const write = partial ? metadataJson(form.version) : itemJson
  if (items.length <= STREAM_ABOVE_ITEMS) {
    sendJson(call, `${start}${items.map(write).join(',')}]}`)
    return
  }
  // A list of 50,000 pods is some 100 MB: it goes out in pieces, with room for others in between.
  api.store.flush()
  response.writeHead(200, jsonHeaders)
  await pipeline(Readable.from(pieces(start, items, write)), response)
}

function* pieces(start: string, items: readonly StoredObject[], write: ObjectForm): Generator<string> {
  yield start
  for (let at = 0; at < items.length; at += STREAM_ABOVE_ITEMS) {
    const piece = items
      .slice(at, at + STREAM_ABOVE_ITEMS)
      .map(write)
      .join(',')
    yield at === 0 ? piece : `,${piece}`
  }
  yield ']}'
}

/** Lists longer than this go out in pieces of this many items. */
const STREAM_ABOVE_ITEMS = 500

const jsonHeaders = { 'content-type': 'application/json', 'cache-control': 'no-cache, private' }

/** Agents of people, who get indented JSON unless they ask otherwise. */
const READERS = /^(curl|Wget|Mozilla\/5\.0)/

export function sendJson({ api, request, response, query, warnings }: Call, json: string, code = 200): void {
  api.store.flush()
  if (warnings.length > 0) response.setHeader('warning', warnings.map(warningText))
  const pretty = query.has('pretty') ? truthy(query.get('pretty')) : READERS.test(request.headers['user-agent'] ?? '')
  response.writeHead(code, jsonHeaders)
  response.end(pretty ? JSON.stringify(JSON.parse(json), null, 2) : json)
}

/** RFC 7234, as the API server writes it; a header holds no control characters and nothing beyond Latin-1. */
function warningText(warning: string): string {
  const text = warning.replace(/[^\x20-\x7e]/g, '?').replace(/["\\]/g, '\\$&')
  return `299 - "${text}"`
}
