import type { Kind, NewObject, ObjectMeta, OwnerReference, StoredObject } from '../store/types.ts'
import { type Causes, forbidden, invalid, required, tooLong } from './field.ts'
import type { LabelSelector, StringMap } from './kube-types.ts'
import { dnsLabelProblems, dnsSubdomainProblems, labelValueProblems, qualifiedNameProblems } from './names.ts'

/** Rules of metadata, labels, annotations and selectors that all kinds share. */

type SentMeta = NewObject['metadata'] & Partial<ObjectMeta>

const FOREGROUND = 'foregroundDeletion'
const ORPHAN = 'orphan'
const MAX_ANNOTATION_BYTES = 256 * 1024

export function validateLabels(labels: StringMap | undefined, path: string, causes: Causes): void {
  for (const [key, value] of Object.entries(labels ?? {})) {
    for (const problem of qualifiedNameProblems(key)) causes.push(invalid(path, key, problem))
    for (const problem of labelValueProblems(value)) causes.push(invalid(path, value, problem))
  }
}

export function validateAnnotations(annotations: StringMap | undefined, path: string, causes: Causes): void {
  let size = 0
  for (const [key, value] of Object.entries(annotations ?? {})) {
    for (const problem of qualifiedNameProblems(key.toLowerCase())) causes.push(invalid(path, key, problem))
    size += Buffer.byteLength(key) + Buffer.byteLength(value)
  }
  if (size > MAX_ANNOTATION_BYTES) causes.push(tooLong(path, MAX_ANNOTATION_BYTES))
}

export function validateLabelSelector(selector: LabelSelector | undefined, path: string, causes: Causes): void {
  if (selector === undefined) return
  validateLabels(selector.matchLabels, `${path}.matchLabels`, causes)
  for (const [index, requirement] of (selector.matchExpressions ?? []).entries()) {
    const at = `${path}.matchExpressions[${index}]`
    const values = requirement.values ?? []
    switch (requirement.operator) {
      case 'In':
      case 'NotIn':
        if (values.length === 0) {
          causes.push(required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'"))
        }
        break
      case 'Exists':
      case 'DoesNotExist':
        if (values.length > 0) {
          causes.push(forbidden(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
        }
        break
      default:
        causes.push(invalid(`${at}.operator`, requirement.operator, 'not a valid selector operator'))
    }
    for (const problem of qualifiedNameProblems(requirement.key)) {
      causes.push(invalid(`${at}.key`, requirement.key, problem))
    }
    for (const [position, value] of values.entries()) {
      for (const problem of labelValueProblems(value)) causes.push(invalid(`${at}.values[${position}]`, value, problem))
    }
  }
}

/** A selector that a controller can use: known operators with the right number of values. */
export function isUsableSelector(selector: LabelSelector): boolean {
  const causes: Causes = []
  validateLabelSelector(selector, '', causes)
  return causes.length === 0
}

function validateOwners(owners: readonly OwnerReference[], path: string, causes: Causes): void {
  let controller = ''
  for (const owner of owners) {
    // The server names the list, not the element.
    if (owner.apiVersion === '') causes.push(invalid(`${path}.apiVersion`, '', 'version must not be empty'))
    if (owner.kind === '') causes.push(invalid(`${path}.kind`, '', 'must not be empty'))
    if (owner.name === '') causes.push(invalid(`${path}.name`, '', 'must not be empty'))
    if (owner.uid === '') causes.push(invalid(`${path}.uid`, '', 'must not be empty'))
    if (owner.controller !== true) continue
    const named = `${owner.kind}/${owner.name}`
    if (controller !== '') {
      const text = `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${named}`
      causes.push(invalid(path, owners, text))
    } else controller = named
  }
}

function validateFinalizers(finalizers: readonly string[], path: string, causes: Causes): void {
  for (const finalizer of finalizers) {
    for (const problem of qualifiedNameProblems(finalizer)) causes.push(invalid(path, finalizer, problem))
  }
  if (finalizers.includes(FOREGROUND) && finalizers.includes(ORPHAN)) {
    causes.push(invalid(path, finalizers, `finalizer ${ORPHAN} and ${FOREGROUND} cannot be both set`))
  }
}

/** Core kinds also want finalizers to be well known or qualified by a domain. */
function validateFinalizerForms(finalizers: readonly string[], path: string, causes: Causes): void {
  for (const [index, finalizer] of finalizers.entries()) {
    if (finalizer.includes('/') || [FOREGROUND, ORPHAN, 'kubernetes'].includes(finalizer)) continue
    causes.push(
      invalid(`${path}[${index}]`, finalizer, 'name is neither a standard finalizer name nor is it fully qualified'),
    )
  }
}

function nameProblems(kind: Kind, name: string): readonly string[] {
  return kind.plural === 'namespaces' ? dnsLabelProblems(name) : dnsSubdomainProblems(name)
}

/** A generateName may end in dashes, which the generated suffix follows. */
const asPrefix = (text: string) => (text.length > 1 && text.endsWith('-') ? `${text.slice(0, -1)}a` : text)

export function validateMetadata(kind: Kind, metadata: SentMeta, causes: Causes): void {
  const { name, generateName, namespace } = metadata
  if (generateName !== undefined && generateName !== '') {
    for (const problem of nameProblems(kind, asPrefix(generateName))) {
      causes.push(invalid('metadata.generateName', generateName, problem))
    }
  }
  if (name === undefined || name === '') {
    if (generateName === undefined || generateName === '') {
      causes.push(required('metadata.name', 'name or generateName is required'))
    }
  } else {
    for (const problem of nameProblems(kind, name)) causes.push(invalid('metadata.name', name, problem))
  }
  if (kind.namespaced) {
    if (namespace === undefined || namespace === '') causes.push(required('metadata.namespace'))
    else
      for (const problem of dnsLabelProblems(namespace)) causes.push(invalid('metadata.namespace', namespace, problem))
  } else if (namespace !== undefined && namespace !== '') {
    causes.push(forbidden('metadata.namespace', 'not allowed on this type'))
  }
  validateCommon(metadata, causes, true)
}

function validateCommon(metadata: SentMeta, causes: Causes, forms: boolean): void {
  validateLabels(metadata.labels, 'metadata.labels', causes)
  validateAnnotations(metadata.annotations, 'metadata.annotations', causes)
  validateOwners(metadata.ownerReferences ?? [], 'metadata.ownerReferences', causes)
  validateFinalizers(metadata.finalizers ?? [], 'metadata.finalizers', causes)
  if (forms) validateFinalizerForms(metadata.finalizers ?? [], 'metadata.finalizers', causes)
}

/** The server's generic layers, which do not know the core kinds' rule of finalizers. */
const GENERIC_LAYERS = 2

/**
 * The general rules are repeated as often as the server's layers each check them: the message tells them once, the
 * causes as often.
 */
export function validateMetadataUpdate(before: StoredObject, metadata: SentMeta, layers: number, causes: Causes): void {
  const old = before.metadata
  if (old.deletionTimestamp !== undefined) {
    const added = (metadata.finalizers ?? []).filter((finalizer) => !(old.finalizers ?? []).includes(finalizer))
    if (added.length > 0) {
      const list = added.toSorted().map((finalizer) => JSON.stringify(finalizer))
      const cause = forbidden(
        'metadata.finalizers',
        `no new finalizers can be added if the object is being deleted, found new finalizers []string{${list.join(', ')}}`,
      )
      // The generic layer finds it, and the kind's own.
      causes.push(cause, cause)
    }
  }
  const immutable = ['name', 'namespace', 'creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds']
  for (const member of immutable) {
    const sent = metadata[member]
    // What is not sent keeps its value, as the server's strategy fills it in before this check.
    if (sent === undefined || sent === old[member]) continue
    causes.push(invalid(`metadata.${member}`, sent, 'field is immutable'))
  }
  for (let layer = 0; layer < layers; layer++) validateCommon(metadata, causes, layer >= GENERIC_LAYERS)
}
