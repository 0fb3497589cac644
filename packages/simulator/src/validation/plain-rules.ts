import type { NewObject, StoredObject } from '../store/types.ts'
import { type Causes, forbidden, invalid, notSupported, required, tooLong } from './field.ts'
import type { StringMap, Taint } from './kube-types.ts'
import { configMapKeyProblems, dnsSubdomainProblems, labelValueProblems, qualifiedNameProblems } from './names.ts'
import { quantityNano } from './quantity.ts'
import { isSame } from './same.ts'

/** Rules of the kinds that the simulator stores as plain objects: the few that users run into. */

const MAX_DATA_BYTES = 1024 * 1024
const ACCESS_MODES = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod']

type Members = Readonly<Record<string, unknown>>
const membersOf = (value: unknown): Members => (typeof value === 'object' && value !== null ? (value as Members) : {})

function validateData(object: NewObject, causes: Causes): void {
  let size = 0
  for (const bag of ['data', 'binaryData'] as const) {
    for (const [key, value] of Object.entries(membersOf(object[bag]))) {
      for (const problem of configMapKeyProblems(key)) causes.push(invalid(`${bag}[${key}]`, key, problem))
      size += Buffer.byteLength(String(value))
    }
  }
  if (size > MAX_DATA_BYTES) causes.push(tooLong('', MAX_DATA_BYTES))
}

function validateClaim(object: NewObject, causes: Causes): void {
  const spec = membersOf(object.spec)
  const modes = Array.isArray(spec.accessModes) ? spec.accessModes.map(String) : []
  if (modes.length === 0) causes.push(required('spec.accessModes', 'at least 1 access mode is required'))
  for (const mode of modes) {
    if (!ACCESS_MODES.includes(mode)) causes.push(notSupported('spec.accessModes', mode, ACCESS_MODES))
  }
  if (modes.length > 1 && modes.includes('ReadWriteOncePod')) {
    causes.push(forbidden('spec.accessModes', 'may not use ReadWriteOncePod with other access modes'))
  }
  const storage = membersOf(membersOf(spec.resources).requests).storage
  if (storage === undefined) causes.push(required('spec.resources[storage]'))
  else if (quantityNano(storage) <= 0n) {
    causes.push(invalid('spec.resources[storage]', storage, 'must be greater than zero'))
  }
  const storageClass = spec.storageClassName
  if (typeof storageClass === 'string' && storageClass !== '') {
    for (const problem of dnsSubdomainProblems(storageClass)) {
      causes.push(invalid('spec.storageClassName', storageClass, problem))
    }
  }
}

const EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute']

function validateNode(object: NewObject, causes: Causes): void {
  const taints = membersOf(object.spec).taints
  for (const [index, taint] of (Array.isArray(taints) ? (taints as readonly Taint[]) : []).entries()) {
    const at = `metadata.taints[${index}]`
    for (const problem of qualifiedNameProblems(taint.key)) causes.push(invalid(`${at}.key`, taint.key, problem))
    const problems = labelValueProblems(taint.value ?? '')
    if (problems.length > 0) causes.push(invalid(`${at}.value`, taint.value, problems.join(';')))
    if (taint.effect === '') causes.push(required(`${at}.effect`))
    else if (!EFFECTS.includes(taint.effect)) causes.push(notSupported(`${at}.effect`, taint.effect, EFFECTS))
  }
}

export function validatePlain(plural: string, object: NewObject, causes: Causes): void {
  switch (plural) {
    case 'configmaps':
    case 'secrets':
      validateData(object, causes)
      return
    case 'persistentvolumeclaims':
      validateClaim(object, causes)
      return
    case 'nodes':
      validateNode(object, causes)
      return
    case 'runtimeclasses':
      if (typeof object.handler !== 'string' || object.handler === '') causes.push(required('handler'))
  }
}

export function validatePlainUpdate(plural: string, before: StoredObject, after: NewObject, causes: Causes): void {
  switch (plural) {
    case 'configmaps':
    case 'secrets': {
      if (before.immutable !== true) return
      if (after.immutable !== true) {
        causes.push(forbidden('immutable', 'field is immutable when `immutable` is set'))
      }
      for (const bag of ['data', 'binaryData'] as const) {
        if (isSame(before[bag] as StringMap, after[bag] as StringMap)) continue
        causes.push(forbidden(bag, 'field is immutable when `immutable` is set'))
      }
      return
    }
    case 'runtimeclasses':
      if (before.handler !== after.handler) causes.push(invalid('handler', after.handler, 'field is immutable'))
  }
}
