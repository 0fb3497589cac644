import { jsonEqual } from '../store/json.ts'
import { badRequest } from '../store/refusals.ts'
import { StatusError } from '../store/status-error.ts'
import { goJsonProblem } from './go-json.ts'

/**
 * JSON patch and merge patch as a kube-apiserver applies them (the library evanphx/json-patch v4), its lenience
 * included: `replace` of a missing member of an existing map adds it, `copy` of one copies null.
 */

type Container = { [member: string]: unknown } | unknown[]

export type JsonPatchOperation = {
  readonly op?: unknown
  readonly path?: unknown
  readonly from?: unknown
  readonly value?: unknown
}

/** More operations in one patch are refused. */
const MAX_OPERATIONS = 10_000

/** Decodes the body of a JSON patch. Throws the API server's 400. */
export function parseJsonPatch(body: string): readonly JsonPatchOperation[] {
  const value = decode(body)
  if (value === null) return []
  if (!Array.isArray(value))
    throw undecodable(`json: cannot unmarshal ${goType(value)} into Go value of type []handlers.jsonPatchOp`)
  if (value.length > MAX_OPERATIONS) {
    throw new StatusError(
      413,
      'RequestEntityTooLarge',
      `Request entity too large: The allowed maximum operations in a JSON patch is ${MAX_OPERATIONS}, got ${value.length}`,
    )
  }
  for (const operation of value) {
    if (typeof operation !== 'object' || operation === null || Array.isArray(operation)) {
      throw undecodable(`json: cannot unmarshal ${goType(operation)} into Go value of type handlers.jsonPatchOp`)
    }
  }
  return value as readonly JsonPatchOperation[]
}

/** Decodes the body of a merge patch. Throws the API server's 400. */
export function parseMergePatch(body: string): Readonly<Record<string, unknown>> {
  const value = decode(body)
  if (value === null) throw badRequest('Invalid JSON Patch')
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw undecodable(`json: cannot unmarshal ${goType(value)} into Go value of type map[string]interface {}`)
  }
  return value as Readonly<Record<string, unknown>>
}

/** RFC 7386. Gives a new document; shares what the patch does not touch. */
export function applyMergePatch(document: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch
  const base = typeof document === 'object' && document !== null && !Array.isArray(document) ? document : {}
  const members = new Map(Object.entries(base))
  for (const [member, value] of Object.entries(patch)) {
    if (value === null) members.delete(member)
    else members.set(member, applyMergePatch(members.get(member), value))
  }
  // fromEntries defines members, so that one called __proto__ stays a member.
  return Object.fromEntries(members)
}

/** RFC 6902. Gives a new document. Throws the API server's 422 when an operation does not apply. */
export function applyJsonPatch(document: unknown, operations: readonly JsonPatchOperation[]): unknown {
  const root: { [member: string]: unknown } = { document: structuredClone(document) }
  for (const operation of operations) {
    const path = pathOf(operation.path)
    switch (operation.op) {
      case 'add':
        add(root, path, structuredClone(operation.value ?? null))
        break
      case 'replace': {
        const { container, member } = locate(root, path)
        if (Array.isArray(container)) container[existing(container, member)] = structuredClone(operation.value ?? null)
        else define(container, member, structuredClone(operation.value ?? null))
        break
      }
      case 'remove':
        remove(root, path)
        break
      case 'test': {
        const { container, member } = locate(root, path)
        if (!jsonEqual(read(container, member) ?? null, operation.value ?? null)) throw rejected()
        break
      }
      case 'copy': {
        const from = locate(root, pathOf(operation.from))
        add(root, path, structuredClone(read(from.container, from.member) ?? null))
        break
      }
      case 'move':
        add(root, path, remove(root, pathOf(operation.from)))
        break
      default:
        throw rejected()
    }
  }
  return root.document
}

/** The first part of a pointer is not looked at, so a path without its leading slash loses its first member's name. */
function pathOf(pointer: unknown): readonly string[] {
  if (typeof pointer !== 'string') throw rejected()
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
}

function locate(root: Container, path: readonly string[]): { readonly container: Container; readonly member: string } {
  let container: Container = root
  let member = 'document'
  for (const next of path) {
    const value = read(container, member)
    if (typeof value !== 'object' || value === null) throw rejected()
    container = value as Container
    member = next
  }
  return { container, member }
}

function read(container: Container, member: string): unknown {
  if (Array.isArray(container)) return container[existing(container, member)]
  return Object.hasOwn(container, member) ? container[member] : undefined
}

function add(root: Container, path: readonly string[], value: unknown): void {
  const { container, member } = locate(root, path)
  if (!Array.isArray(container)) {
    define(container, member, value)
    return
  }
  const at = member === '-' ? container.length : index(member, container.length + 1)
  if (at > container.length) throw rejected()
  container.splice(at, 0, value)
}

function remove(root: Container, path: readonly string[]): unknown {
  const { container, member } = locate(root, path)
  if (Array.isArray(container)) return container.splice(existing(container, member), 1)[0]
  if (!Object.hasOwn(container, member)) throw rejected()
  const value = container[member]
  delete container[member]
  return value
}

function existing(array: readonly unknown[], member: string): number {
  const at = index(member, array.length)
  if (at >= array.length) throw rejected()
  return at
}

/** Negative indexes count from the end. */
function index(member: string, size: number): number {
  if (!/^[+-]?\d+$/.test(member)) throw rejected()
  const at = Number(member)
  if (at < -size) throw rejected()
  return at < 0 ? at + size : at
}

function define(container: { [member: string]: unknown }, member: string, value: unknown): void {
  Object.defineProperty(container, member, { value, enumerable: true, writable: true, configurable: true })
}

function decode(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    throw undecodable(goJsonProblem(body))
  }
}

function undecodable(problem: string): StatusError {
  return badRequest(`error decoding patch: ${problem}`)
}

function rejected(): StatusError {
  return new StatusError(422, 'Invalid', 'the server rejected our request due to an error in our request', {})
}

function goType(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  return typeof value === 'boolean' ? 'bool' : typeof value
}
