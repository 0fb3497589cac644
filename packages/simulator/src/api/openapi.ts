import { apiVersionOf, kinds } from '../store/kinds.ts'
import type { Kind } from '../store/types.ts'
import { rootOf, structOf, type Type } from '../validation/decode.ts'

/**
 * OpenAPI v3, as much of it as kubectl needs: which query parameters a PATCH takes, by which it decides that the server
 * validates fields and does trial runs itself, and the kinds' members with their types for `kubectl explain`. Merge keys
 * are left out: without them kubectl uses its own, which are the real ones.
 */

const parameters = ['dryRun', 'fieldManager', 'fieldValidation', 'force'].map((name) => ({
  name,
  in: 'query',
  schema: { type: name === 'force' ? 'boolean' : 'string', uniqueItems: true },
}))

const folderOf = (kind: Kind) => (kind.group === '' ? `api/${kind.version}` : `apis/${apiVersionOf(kind)}`)

/** /openapi/v3: where each group's document is. */
export function openApiIndex(): object {
  const folders = [...new Set(kinds.map(folderOf))]
  return {
    paths: Object.fromEntries(folders.map((folder) => [folder, { serverRelativeURL: `/openapi/v3/${folder}` }])),
  }
}

/** /openapi/v3/apis/apps/v1; undefined for groups that are not served. */
export function openApiDocument(folder: string): object | undefined {
  const served = kinds.filter((kind) => folderOf(kind) === folder)
  if (served.length === 0) return undefined
  return {
    openapi: '3.0.0',
    info: { title: 'Podyard simulator', version: 'unversioned' },
    paths: Object.fromEntries(served.map((kind) => [`/${folder}/${pathOf(kind)}`, pathItem(kind)])),
    components: { schemas: schemasOf(served) },
  }
}

const pathOf = (kind: Kind) => `${kind.namespaced ? 'namespaces/{namespace}/' : ''}${kind.plural}/{name}`

function gvkOf({ group, version, kind }: Kind) {
  return { group, version, kind }
}

function pathItem(kind: Kind): object {
  const operation = {
    'x-kubernetes-group-version-kind': gvkOf(kind),
    responses: { '200': { description: 'OK' } },
  }
  const named = [...(kind.namespaced ? ['namespace'] : []), 'name'].map((name) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }))
  return {
    get: { ...operation, 'x-kubernetes-action': 'get' },
    patch: { ...operation, 'x-kubernetes-action': 'patch', parameters },
    parameters: named,
  }
}

function schemasOf(served: readonly Kind[]): object {
  const schemas = new Map<string, object>()
  for (const kind of served) {
    const go = rootOf(kind)
    if (go === undefined) continue
    addStruct(go, schemas)
    schemas.set(go, { ...schemas.get(go), 'x-kubernetes-group-version-kind': [gvkOf(kind)] })
  }
  return Object.fromEntries(schemas)
}

function addStruct(go: string, schemas: Map<string, object>): void {
  if (schemas.has(go)) return
  schemas.set(go, {})
  const { fields } = structOf(go)
  const properties = Object.fromEntries(fields.map(({ name, type }) => [name, schemaOf(type, schemas)]))
  schemas.set(go, { description: '', type: 'object', properties })
}

function schemaOf(type: Type, schemas: Map<string, object>): object {
  switch (type.form) {
    case 'struct':
      addStruct(type.go, schemas)
      return { allOf: [{ $ref: `#/components/schemas/${type.go}` }], description: '' }
    case 'list':
      return { type: 'array', description: '', items: schemaOf(type.of, schemas) }
    case 'map':
      return { type: 'object', description: '', additionalProperties: schemaOf(type.of, schemas) }
    case 'int':
      return { type: 'integer', description: '', format: type.go }
    case 'bool':
      return { type: 'boolean', description: '' }
    case 'any':
      return { type: 'object', description: '' }
    default:
      return { type: 'string', description: '', ...formatOf(type.form) }
  }
}

function formatOf(form: Type['form']): object {
  if (form === 'bytes') return { format: 'byte' }
  if (form === 'time' || form === 'microTime') return { format: 'date-time' }
  return form === 'intOrString' ? { format: 'int-or-string' } : {}
}
