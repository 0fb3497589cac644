import { beforeAll, beforeEach, expect } from 'vitest'
import { type AppAnswer, useApp } from './app.ts'
import { answerProblem, type Document, type Operation, operationsOf } from './openapi-document.ts'

/** The whole app with one row of each kind, and what must hold for a request that is refused. */
export function useRefusals() {
  const app = useApp()
  const state = {
    app,
    document: undefined as unknown as Document,
    operations: [] as readonly Operation[],
    /** What the tables held at the start. */
    before: {} as Readonly<Record<string, string>>,
    /** The operations that read a body. */
    withBody: () => state.operations.filter((operation) => operation.body !== undefined),
    urlOf,
    expectRefusal,
    reset,
  }

  /** The answer is one of the document's, nothing was logged, and nothing was written. */
  async function expectRefusal(operation: Operation, answer: AppAnswer, sent: string): Promise<void> {
    const what = `${operation.name} ${sent}: ${answer.status} ${answer.body.slice(0, 300)}`
    expect(answerProblem(state.document, operation, answer), what).toBeUndefined()
    expect(app.logged, what).toEqual([])
    expect(await app.fingerprint(), what).toEqual(state.before)
  }

  /** Makes the first rows anew, for tests that write. */
  async function reset(): Promise<void> {
    await app.reset()
    state.before = await app.fingerprint()
  }

  beforeAll(async () => {
    state.document = (await app.send({ method: 'GET', url: '/openapi.json' })).json as Document
    state.operations = operationsOf(state.document)
    await reset()
  })
  beforeEach(() => {
    app.logged.length = 0
  })
  return state
}

/** A path of the operation that points at rows that exist. */
const urlOf = (operation: Operation) =>
  operation.path.replace(
    /\{(\w+)\}/g,
    (_, name: string) => ({ id: 'pool', kind: 'deployment', flag: 'disabled' })[name] ?? '1',
  )
