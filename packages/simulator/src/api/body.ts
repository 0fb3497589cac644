import type { IncomingMessage } from 'node:http'
import { apiVersionOf, kinds } from '../store/kinds.ts'
import { badRequest } from '../store/refusals.ts'
import { StatusError } from '../store/status-error.ts'
import type { Kind, NewObject } from '../store/types.ts'
import { goJsonProblem } from './go-json.ts'
import { PROTOBUF_TYPE, protobufToJson } from './protobuf/decode.ts'
import { ProtobufError } from './protobuf/wire.ts'

/** The API server's limit for request bodies. */
export const MAX_BODY_BYTES = 3 * 1024 * 1024

/** Reads the whole body as text, of what is protobuf as JSON. Throws 413 beyond the limit, 400 for broken protobuf. */
export async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    // The rest is read and dropped, so that the client, which sends first and reads then, sees the answer.
    if (size <= MAX_BODY_BYTES) chunks.push(chunk)
  }
  if (size > MAX_BODY_BYTES) {
    throw new StatusError(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${MAX_BODY_BYTES}`)
  }
  const body = Buffer.concat(chunks)
  return mediaType(request) === PROTOBUF_TYPE && size > 0 ? fromProtobuf(body) : body.toString('utf8')
}

function fromProtobuf(body: Buffer): string {
  try {
    return protobufToJson(body)
  } catch (error) {
    if (error instanceof ProtobufError) throw badRequest(`the object provided is unrecognized: ${error.message}`)
    throw error
  }
}

/** `application/json` of `application/json; charset=utf-8`; '' when absent. */
export function mediaType(request: IncomingMessage): string {
  return (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
}

/**
 * Throws 415 for a body that is not JSON; a missing type counts as JSON. Under the name of YAML only JSON is understood,
 * which is YAML too: the simulator has no parser for the rest, and says of it what it says of broken JSON.
 */
export function requireJson(type: string): void {
  if (type === '' || type === '*/*' || bodyTypes.includes(type)) return
  throw new StatusError(
    415,
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${bodyTypes.join(', ')}`,
  )
}

const bodyTypes: readonly string[] = ['application/json', 'application/yaml', PROTOBUF_TYPE]

/** Decodes the body of a create or replace as an object of `kind`. Throws the API server's 400. */
export function parseObject(kind: Kind, apiVersion: string, kindName: string, body: string): NewObject {
  const value = parseTyped(
    body,
    `the object provided is unrecognized (must be of type ${kindName}): `,
    ` (${summary(body)})`,
  )
  const sentKind = text(value, 'kind') || kindName
  const sentVersion = text(value, 'apiVersion') || apiVersion
  if (sentKind !== kindName || sentVersion !== apiVersion) throw otherKind(kind, kindName, sentKind, sentVersion)
  const metadata = value.metadata ?? {}
  if (typeof metadata !== 'object' || Array.isArray(metadata)) {
    throw badRequest(
      `${kindName} in version ${JSON.stringify(kind.version)} cannot be handled as a ${kindName}: json: cannot unmarshal ${goType(metadata)} into Go struct field ${kindName}.metadata of type v1.ObjectMeta`,
    )
  }
  return { ...value, apiVersion, kind: kindName, metadata } as NewObject
}

/** Decodes JSON that must be an object with texts as kind and apiVersion. */
export function parseTyped(body: string, before: string, after: string): { [member: string]: unknown } {
  const failed = (problem: string) =>
    badRequest(`${before}couldn't get version/kind; json parse error: ${problem}${after}`)
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    throw failed(goJsonProblem(body))
  }
  if (value === null) return {}
  const go = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw failed(`json: cannot unmarshal ${goType(value)} into Go value of type ${go}`)
  }
  const members = value as { [member: string]: unknown }
  for (const member of ['apiVersion', 'kind'] as const) {
    const sent = members[member]
    if (sent !== undefined && sent !== null && typeof sent !== 'string') {
      throw failed(`json: cannot unmarshal ${goType(sent)} into Go struct field .${member} of type string`)
    }
  }
  return members
}

function text(value: { readonly [member: string]: unknown }, member: string): string {
  const found = value[member]
  return typeof found === 'string' ? found : ''
}

/** Kinds that the real server knows too, so that its answer to a wrong one is the same. */
const otherKinds = new Set([
  'v1/Service',
  'v1/Endpoints',
  'batch/v1/Job',
  'batch/v1/CronJob',
  'apps/v1/DaemonSet',
  'apps/v1/StatefulSet',
])

function otherKind(kind: Kind, kindName: string, sentKind: string, sentVersion: string): StatusError {
  const version = sentVersion.split('/').at(-1) ?? ''
  const why = otherKindText(kind, kindName, sentKind, sentVersion)
  return badRequest(`${sentKind} in version ${JSON.stringify(version)} cannot be handled as a ${kindName}: ${why}`)
}

/** Why an object of another kind cannot be taken for one of `kind`. */
export function otherKindText(kind: Kind, kindName: string, sentKind: string, sentVersion: string): string {
  const version = sentVersion.split('/').at(-1) ?? ''
  const known =
    otherKinds.has(`${sentVersion}/${sentKind}`) ||
    kinds.some((served) => served.kind === sentKind && apiVersionOf(served) === sentVersion)
  const internal = kind.group === '' ? 'core' : (kind.group.split('.', 1)[0] ?? kind.group)
  return known
    ? `converting (${version}.${sentKind}) to (${internal}.${kindName}): unknown conversion`
    : unregistered(sentKind, sentVersion)
}

/** Go's scheme saying that it does not know a kind. */
export function unregistered(kind: string, apiVersion: string): string {
  return `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)} in scheme "pkg/runtime/scheme.go:111"`
}

export function goType(value: unknown): string {
  if (Array.isArray(value)) return 'array'
  return typeof value === 'boolean' ? 'bool' : typeof value
}

/** The start of a body, as error messages show it: text for what may be JSON objects, hexadecimal for the rest. */
function summary(body: string): string {
  if (body === '') return '<empty>'
  const bytes = Buffer.from(body)
  const head = bytes.subarray(0, 30)
  const shown = body.startsWith('{') ? head.toString() : head.toString('hex')
  return bytes.length > 30 ? `${shown} ...` : shown
}
