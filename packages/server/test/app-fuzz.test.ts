/**
 * Requests made from the routes' own schemas, sound ones and broken ones, against every route of the document: whatever is
 * sent, the answer is one that the document describes, nothing is logged as a defect, and what was refused left nothing
 * behind. FUZZ_SEED repeats a run, FUZZ_RUNS makes it longer.
 */
import fc from 'fast-check'
import { beforeAll, beforeEach, expect, test } from 'vitest'
import { type AppAnswer, type AppCall, useApp } from './support/app.ts'
import { oddText, toText } from './support/odd-values.ts'
import { answerProblem, type Document, type Operation, operationsOf } from './support/openapi-document.ts'
import { conforming, mutated } from './support/schema-arbitrary.ts'

const app = useApp()
const seed = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31))
const numRuns = Number(process.env.FUZZ_RUNS ?? 30)
const timeoutMs = 60_000 + numRuns * 12_000
/** A request that takes longer is work out of proportion; far above what any takes on a busy machine. */
const slowMs = 10_000

let document: Document
beforeAll(async () => {
  document = (await app.send({ method: 'GET', url: '/openapi.json' })).json as Document
  process.stderr.write(`app-fuzz: FUZZ_SEED=${seed}\n`)
})
beforeEach(async () => {
  app.logged.length = 0
  await app.reset()
})

const encode = (text: string) => encodeURIComponent(text.toWellFormed())

/** A call of the operation. `broken`: the body and one of the parameters are anything. */
function callOf(operation: Operation, broken: boolean): fc.Arbitrary<AppCall> {
  const { schemas } = document.components
  const parameter = (schema: object, name: string) => {
    const sound = conforming(schema, schemas, name).map((value) => encode(String(value)))
    return broken ? fc.oneof({ weight: 3, arbitrary: sound }, oddText.map(encode), fc.constant('%zz')) : sound
  }
  const parameters = fc.record(
    Object.fromEntries(
      operation.parameters.map(({ in: place, name, schema }) => [`${place} ${name}`, parameter(schema, name)]),
    ),
    { requiredKeys: operation.parameters.filter((one) => one.in === 'path').map(({ name }) => `path ${name}`) },
  )
  const { body } = operation
  const bodies =
    body === undefined ? fc.constant(undefined) : (broken ? mutated : conforming)(body, schemas).map(toText)
  return fc.record({ parameters, body: bodies }).map(({ parameters: given, body: text }) => {
    const path = operation.path.replace(/\{(\w+)\}/g, (_, name: string) => given[`path ${name}`] ?? '')
    const query = Object.entries(given).flatMap(([key, value]) =>
      key.startsWith('query ') ? [`${key.slice('query '.length)}=${value}`] : [],
    )
    return {
      method: operation.method,
      url: query.length === 0 ? path : `${path}?${query.join('&')}`,
      ...(text === undefined ? {} : { body: text }),
    }
  })
}

/** Whether the answer says that nothing was done. */
function isRefusal(answer: AppAnswer): boolean {
  if (answer.status >= 300) return true
  const { result, code } = (answer.json ?? {}) as { result?: unknown; code?: unknown }
  if (result === false) return true
  // A batch of pools of which some were made.
  return code !== undefined && code !== 0 && answer.status !== 200
}

/** Makes `numRuns` calls of an operation; returns how many of them were accepted. */
async function tryCalls(operation: Operation, broken: boolean): Promise<number> {
  let accepted = 0
  let before = await app.fingerprint()
  await fc.assert(
    fc.asyncProperty(callOf(operation, broken), async (call) => {
      app.logged.length = 0
      const start = performance.now()
      const answer = await app.send(call)
      const took = performance.now() - start
      const sent = `${call.method} ${call.url} ${String(call.body).slice(0, 2_000)}`
      const got = `\n${answer.status} ${answer.body.slice(0, 1_000)}\n`
      expect(answerProblem(document, operation, answer), `${sent}${got}${app.logged.join('')}`).toBeUndefined()
      expect(app.logged, sent).toEqual([])
      expect(took, sent).toBeLessThan(slowMs)
      const after = await app.fingerprint()
      if (isRefusal(answer)) expect(after, `${sent}${got}`).toEqual(before)
      else accepted += 1
      before = after
    }),
    { seed, numRuns },
  )
  return accepted
}

test(
  'every operation, sound requests',
  async () => {
    let reached = 0
    for (const operation of operationsOf(document)) if ((await tryCalls(operation, false)) > 0) reached += 1
    // Else the generator has lost touch with the routes, and the runs show little.
    expect(reached).toBeGreaterThan(operationsOf(document).length / 2)
  },
  timeoutMs,
)

test(
  'every operation, broken requests',
  async () => {
    for (const operation of operationsOf(document)) await tryCalls(operation, true)
  },
  timeoutMs,
)

test(
  'every operation of the inventory through ESB, whose path parameters come from the body',
  async () => {
    for (const operation of operationsOf(document).filter(({ family }) => family === 'inventory')) {
      const path = `/api/c/compapi/v2/cc/${operation.name}/`
      const parameters = Object.fromEntries(operation.parameters.map(({ name, schema }) => [name, schema]))
      const body = { ...operation.body, properties: { ...operation.body?.properties, ...parameters } }
      await tryCalls({ ...operation, method: 'POST', path, parameters: [], body }, true)
    }
  },
  timeoutMs,
)
