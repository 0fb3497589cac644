import { StatusError } from '../../store/status-error.ts'
import type { Kind, NewObject } from '../../store/types.ts'
import { structOf, type Type } from '../../validation/decode.ts'
import { goText } from '../strategic-merge.ts'
import { pathStep } from './field-set.ts'
import { isMap, itemStep } from './fields.ts'
import { memberOf, type Shape, shapeOfKind } from './shape.ts'

/**
 * Checks what is applied against the kind's schema, as structured-merge-diff does before it merges anything: unknown
 * members, wrong types, two items with the same keys.
 *
 * @throws StatusError 500, as the API server answers it
 */
export function checkConfig(kind: Kind, config: NewObject): void {
  const shape = shapeOfKind(kind)
  if (shape?.form !== 'struct') return
  const problems: string[] = []
  checkStruct(config, shape.go, '', problems)
  if (problems.length === 0) return
  const { name = '', namespace = '' } = config.metadata
  const text = problems.length === 1 ? problems[0] : `errors:\n${problems.map((problem) => `  ${problem}`).join('\n')}`
  throw new StatusError(
    500,
    '',
    `failed to create typed patch object (${namespace}/${name}; ${kind.group}/${kind.version}, Kind=${kind.kind}): ${text}`,
  )
}

function checkStruct(value: unknown, go: string, path: string, problems: string[]): void {
  if (value === null || value === undefined) return
  if (!isMap(value)) {
    problems.push(`${path}: expected map, got &{${goText(value)}}`)
    return
  }
  const struct = structOf(go)
  for (const [name, member] of Object.entries(value)) {
    const field = struct.byName.get(name)
    if (field === undefined) problems.push(`${path}.${name}: field not declared in schema`)
    else check(member, field.type, memberOf(go, name)?.shape ?? { form: 'leaf' }, `${path}.${name}`, problems)
  }
}

function check(value: unknown, type: Type, shape: Shape, path: string, problems: string[], inMap = false): void {
  if (value === null || value === undefined) return
  const expected = (what: string) => {
    const isCollection = what === 'map' || what === 'list'
    const got = isCollection ? `&{${goText(value)}}` : inMap ? unstructured(value) : smdType(value)
    problems.push(`${path}: expected ${what}, got ${got}`)
  }
  switch (type.form) {
    case 'struct':
      checkStruct(value, type.go, path, problems)
      return
    case 'map':
      if (!isMap(value)) expected('map')
      else
        for (const [name, item] of Object.entries(value))
          check(item, type.of, { form: 'leaf' }, `${path}.${name}`, problems, true)
      return
    case 'list': {
      if (!Array.isArray(value)) {
        expected('list')
        return
      }
      const seen = new Set<string>()
      for (const [index, item] of value.entries()) {
        if (shape.form === 'list' && !isMap(item)) {
          problems.push(`${path}: element ${index}: associative list with keys may not have non-map elements`)
          continue
        }
        const step = shape.form === 'list' || shape.form === 'set' ? itemStep(shape, item) : undefined
        const at = step === undefined ? `[${index}]` : pathStep(step)
        check(item, type.of, { form: 'leaf' }, path + at, problems)
        if (step === undefined) continue
        if (seen.has(step)) problems.push(`${path}: duplicate entries for key ${at}`)
        seen.add(step)
      }
      return
    }
    case 'string':
    case 'bytes':
    case 'time':
    case 'microTime':
      if (typeof value !== 'string') expected('string')
      return
    case 'int':
      if (typeof value !== 'number') expected('numeric (int or float)')
      return
    case 'bool':
      if (typeof value !== 'boolean') expected('boolean')
      return
    default:
      return
  }
}

/** As Go's `%#v` prints the value that a map's element wraps. */
function unstructured(value: unknown): string {
  return `&value.valueUnstructured{Value:${goSyntax(value)}}`
}

function goSyntax(value: unknown): string {
  if (Array.isArray(value)) return `[]interface {}{${value.map(goSyntax).join(', ')}}`
  if (!isMap(value)) return JSON.stringify(value)
  const members = Object.entries(value).map(([name, member]) => `${JSON.stringify(name)}:${goSyntax(member)}`)
  return `map[string]interface {}{${members.join(', ')}}`
}

function smdType(value: unknown): string {
  if (Array.isArray(value)) return 'list'
  switch (typeof value) {
    case 'number':
      return Number.isInteger(value) ? 'int' : 'float'
    case 'object':
      return 'map'
    default:
      return typeof value
  }
}
