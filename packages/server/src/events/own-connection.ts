import type pg from 'pg'
import { type Queryable, queryOn, runOn, type Statement } from '../store/database.ts'

/** A connection that says nothing for so long is not there any more. */
const silenceMs = 15_000

/**
 * A connection that is held for days: one call at a time, and each of them fails at once when the connection does.
 * (`Promise.race` with a promise that lives as long would keep a reaction for every call.)
 */
export class OwnConnection implements Pick<Queryable, 'run' | 'query'> {
  readonly #connection: pg.PoolClient
  readonly #onFailure: () => void
  #failure: Error | undefined
  #reject: ((error: Error) => void) | undefined

  /** `onFailure` wakes whoever waits between calls; the next call throws. */
  constructor(connection: pg.PoolClient, onFailure: () => void) {
    this.#connection = connection
    this.#onFailure = onFailure
    connection.on('error', (error) => this.fail(error))
    connection.on('end', () => this.fail(new Error('the connection ended')))
  }

  fail(error: Error): void {
    this.#failure ??= error
    this.#reject?.(error)
    this.#onFailure()
  }

  run<Row extends object>(statement: Statement, values?: readonly unknown[]): Promise<Row[]> {
    return this.#call(() => runOn<Row>(this.#connection, statement, values))
  }

  query<Row extends object>(text: string, values?: readonly unknown[]): Promise<Row[]> {
    return this.#call(() => queryOn<Row>(this.#connection, text, values))
  }

  #call<T>(work: () => Promise<T>): Promise<T> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    this.#reject = reject
    const silence = setTimeout(() => this.fail(new Error(`no answer for ${silenceMs} ms`)), silenceMs)
    work().then(resolve, reject)
    return promise.finally(() => {
      clearTimeout(silence)
      this.#reject = undefined
    })
  }
}
