import { expect } from 'vitest'
import { type AnswerCase, answerCases } from '../../../packages/simulator/test/fixtures/answer-cases.ts'
import type { Area, Bench, Case } from './case.ts'

const groups: Readonly<Record<string, string>> = {
  deployments: '/apis/apps/v1',
  replicasets: '/apis/apps/v1',
  horizontalpodautoscalers: '/apis/autoscaling/v2',
}

type Body = { readonly kind?: string; readonly [member: string]: unknown }

/** The table of objects, good and bad, by family: the word before the colon of their names. */
function families(): ReadonlyMap<string, AnswerCase[]> {
  const all = new Map<string, AnswerCase[]>()
  for (const item of answerCases) {
    const [before, after] = item.name.split(': ')
    const family = after === undefined ? 'other' : (before ?? '')
    all.set(family, [...(all.get(family) ?? []), item])
  }
  return all
}

const words: Readonly<Record<string, string>> = {
  template: 'pod templates of Deployments',
  deployment: 'Deployments',
  pod: 'pods',
  autoscaler: 'autoscalers',
  update: 'changes of stored objects',
  claim: 'claims',
  other: 'metadata and other objects',
}

type Sent = {
  readonly kind?: string
  readonly metadata?: { readonly namespace?: string }
  readonly spec?: { readonly schedulerName?: string }
}

/** The objects name the namespace `default`; each case has its own. */
function moved(object: unknown, namespace: string): unknown {
  const { metadata, ...rest } = object as Sent
  if (metadata?.namespace !== 'default') return object
  return { ...rest, metadata: { ...metadata, namespace } }
}

/** A pod that no scheduler takes, so that a change meets it as it was made. */
function left(object: unknown): unknown {
  const { kind, spec } = object as Sent
  return kind === 'Pod' ? { ...(object as Sent), spec: { ...spec, schedulerName: 'none' } } : object
}

async function answer(bench: Bench, namespace: string, { plural, object, update }: AnswerCase): Promise<unknown> {
  const path = `${groups[plural] ?? '/api/v1'}/namespaces/${namespace}/${plural}`
  const { code, json } =
    update === undefined
      ? await bench.request('POST', `${path}?dryRun=All`, moved(object, namespace))
      : await replaced(bench, namespace, path, object, update)
  const body = json as Body
  if (body.kind === 'Status') return { code, json: body }
  // The real cluster's controllers may have written a status meanwhile.
  const { status: _status, ...rest } = body
  return { code, json: rest }
}

async function replaced(bench: Bench, namespace: string, path: string, object: unknown, update: unknown) {
  const existing = await bench.request('POST', path, moved(left(object), namespace))
  expect(existing.code, existing.text).toBe(201)
  try {
    return await bench.request('PUT', `${path}/x?dryRun=All`, moved(left(update), namespace))
  } finally {
    await bench.request('DELETE', `${path}/x?gracePeriodSeconds=0&propagationPolicy=Background`)
  }
}

/** A generated name's suffix is the only thing that is left to chance, in these names. */
function withoutChance(value: unknown): unknown {
  const text = JSON.stringify(value)
    .replace(/"name":"(a|p)-[a-z0-9]{5}"/g, '"name":"$1-XXXXX"')
    .replace(/\\"(a|p)-[a-z0-9]{5}\\"/g, '\\"$1-XXXXX\\"')
    .replace(/A_[a-z0-9]{5}/g, 'A_XXXXX')
  return JSON.parse(text)
}

export const validationArea: Area = {
  title: 'Validation and defaults',
  cases: [...families()].map(
    ([family, items]): Case => ({
      title: `${words[family] ?? family}: ${items.length} good and bad ones get the same answer, texts and defaults included`,
      async run(bench) {
        const namespace = await bench.namespace()
        for (const item of items) bench.seen(item.name, withoutChance(await answer(bench, namespace, item)))
      },
    }),
  ),
}
