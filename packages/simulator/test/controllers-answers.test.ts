import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { kindOf } from '../src/store/kinds.ts'
import { MemoryStore } from '../src/store/object-store.ts'
import { StatusError } from '../src/store/status-error.ts'
import type { NewObject } from '../src/store/types.ts'
import { admit, admitUpdate } from '../src/validation/admit.ts'
import { type AnswerCase, answerCases, type Members } from './fixtures/answer-cases.ts'

const recorded = JSON.parse(readFileSync(new URL('fixtures/apiserver-answers.json', import.meta.url), 'utf8')) as {
  readonly answers: Readonly<Record<string, Members>>
}

function clusterStore(): MemoryStore {
  const store = new MemoryStore()
  store.create('serviceaccounts', {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'default', namespace: 'default' },
  })
  store.create('runtimeclasses', {
    apiVersion: 'node.k8s.io/v1',
    kind: 'RuntimeClass',
    metadata: { name: 'runc' },
    handler: 'runc',
  })
  return store
}

/** What the simulator answers, in the form in which the real answers are kept. */
function answer({ plural, object, update }: AnswerCase): Members {
  const store = clusterStore()
  const kind = kindOf(plural)
  const context = { store, now: new Date(0) }
  const named = (sent: Members) => sent as unknown as NewObject
  try {
    const admitted = admit(kind, named(object), context).object
    const stored = store.create(plural, admitted)
    if (update === undefined) return shown(stored)
    const after = admitUpdate(kind, stored, named(update), context).object
    // The real cluster's controllers may have written a status meanwhile.
    const { status: _status, ...rest } = shown(store.update(plural, { namespace: 'default', name: 'x' }, () => after))
    return rest
  } catch (error) {
    if (!(error instanceof StatusError)) throw error
    const { code, reason, message, details } = error
    return { code, reason, message, ...(details === undefined ? {} : { details }) }
  }
}

function shown(stored: Members): Members {
  const { metadata, spec, status } = stored
  const { uid: _u, creationTimestamp: _c, resourceVersion: _r, ...kept } = metadata as Members
  return { code: 200, metadata: kept, spec, ...(status === undefined ? {} : { status }) }
}

/** JSON without what is random (the suffix of generated names) and the server's diff of its internal structs. */
function comparable(value: unknown): unknown {
  const text = JSON.stringify(value)
    .replace(/kube-api-access-[a-z0-9]{5}/g, 'kube-api-access-XXXXX')
    .replace(/"name":"(a|p)-[a-z0-9]{5}"/g, '"name":"$1-XXXXX"')
    .replace(/\\"(a|p)-[a-z0-9]{5}\\"/g, '\\"$1-XXXXX\\"')
    .replace(/A_[a-z0-9]{5}/g, 'A_XXXXX')
    .replace(/"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"/g, '"then"')
    .replace(/UID in object meta: [-0-9a-f]{36}/g, 'UID in object meta: that')
    .replace(/(if it was previously negative\))\\n(?:[^"\\]|\\.)*/g, '$1')
  return JSON.parse(text)
}

describe('answers as a kube-apiserver 1.36 gives them', () => {
  for (const item of answerCases) {
    test(item.name, () => {
      expect(comparable(answer(item))).toEqual(comparable(recorded.answers[item.name]))
    })
  }
})
