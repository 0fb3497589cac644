import { badRequest } from '../store/refusals.ts'
import type { Kind, StoredObject } from '../store/types.ts'

export type FieldRequirement = { readonly field: string; readonly equal: boolean; readonly value: string }

type Members = Readonly<Record<string, unknown>>

/** The fields that the API server lets clients select by, per kind, beside name and namespace. */
const extraFields: Readonly<Record<string, readonly string[]>> = {
  pods: [
    'spec.nodeName',
    'spec.restartPolicy',
    'spec.schedulerName',
    'spec.serviceAccountName',
    'spec.hostNetwork',
    'status.phase',
    'status.podIP',
    'status.podIPs',
    'status.nominatedNodeName',
  ],
  nodes: ['spec.unschedulable'],
  namespaces: ['status.phase'],
  secrets: ['type'],
  events: [
    'involvedObject.kind',
    'involvedObject.namespace',
    'involvedObject.name',
    'involvedObject.uid',
    'involvedObject.apiVersion',
    'involvedObject.resourceVersion',
    'involvedObject.fieldPath',
    'reason',
    'reportingComponent',
    'source',
    'type',
  ],
}

/** `fieldSelector` of a request: `metadata.name=x,status.phase!=Running`. Throws the API server's 400. */
export function parseFieldSelector(kind: Kind, text: string): readonly FieldRequirement[] {
  const requirements: FieldRequirement[] = []
  for (const term of splitTerms(text)) {
    if (term === '') continue
    const found = /^(.*?)(!=|==|=)(.*)$/s.exec(term)
    if (found === null) throw badRequest(`invalid selector: '${text}'; can't understand '${term}'`)
    requirements.push({
      field: found[1] as string,
      equal: found[2] !== '!=',
      value: withoutEscapes(found[3] as string),
    })
  }
  // The whole selector is read before its fields are looked at.
  for (const { field } of requirements) if (!isSelectable(kind, field)) throw badRequest(unsupported(kind, field))
  return requirements
}

export function matchesFields(requirements: readonly FieldRequirement[], object: StoredObject): boolean {
  return requirements.every(({ field, equal, value }) => (fieldText(object, field) === value) === equal)
}

/** The name that the selector pins, if it does: such a list or watch is about one object. */
export function selectedName(requirements: readonly FieldRequirement[]): string | undefined {
  return requirements.find(({ field, equal }) => field === 'metadata.name' && equal)?.value
}

function isSelectable(kind: Kind, field: string): boolean {
  return field === 'metadata.name' || field === 'metadata.namespace' || (extraFields[kind.plural] ?? []).includes(field)
}

/** Kinds with fields of their own and kinds with the common two only refuse in different words. */
function unsupported(kind: Kind, field: string): string {
  return Object.hasOwn(extraFields, kind.plural)
    ? `field label not supported: ${field}`
    : `"${field}" is not a known field selector: only "metadata.name", "metadata.namespace"`
}

function fieldText(object: StoredObject, field: string): string {
  if (field === 'source') return String((object.source as Members | undefined)?.component ?? '')
  const boolean = field === 'spec.unschedulable' || field === 'spec.hostNetwork'
  let value: unknown = object
  for (const part of field.split('.')) {
    if (typeof value !== 'object' || value === null) return boolean ? 'false' : ''
    value = Object.hasOwn(value, part) ? (value as Members)[part] : undefined
  }
  if (field === 'status.podIPs') return ((value ?? []) as readonly { ip: string }[]).map(({ ip }) => ip).join(',')
  return value === undefined || value === null ? (boolean ? 'false' : '') : String(value)
}

/** Splits at commas that no backslash protects. */
function splitTerms(text: string): readonly string[] {
  return text.match(/(?:\\.|[^,\\]|\\$)+/gs) ?? []
}

/** The value that a term writes. Throws 400 for what is not escaped, or escaped for no reason. */
function withoutEscapes(text: string): string {
  return text.replace(/\\(.?)|[,=]/gsu, (found, escaped?: string) => {
    if (escaped === undefined) {
      throw badRequest(`invalid field selector: unescaped character in value: ${found.codePointAt(0)}`)
    }
    if (!['\\', ',', '='].includes(escaped))
      throw badRequest(`invalid field selector: invalid escape sequence: ${found}`)
    return escaped
  })
}
