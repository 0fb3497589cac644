import { type InstanceState, instanceStates } from './instance.ts'

/** Which instances a list is about. Every part is optional; together they narrow. */
export type InstanceFilter = {
  readonly pool?: string
  readonly group?: string
  readonly state?: InstanceState
  readonly tenant?: string
  readonly request_id?: string
  /** Address, name and uid of the pod, and where it ran. */
  readonly ip?: string
  readonly pod?: string
  readonly pod_uid?: string
  readonly node?: string
  readonly host_ip?: string
  readonly bk_biz_id?: number
  readonly bk_pod_id?: number
  readonly bk_host_id?: number
  /** Unix milliseconds: those that lived at some moment from the one to the other, both included. */
  readonly fromMs?: number
  readonly toMs?: number
}

export type InstancePage =
  | { readonly kind: 'page'; readonly skip: number; readonly limit: number }
  /** Those made before the one with this number; undefined: the newest. */
  | { readonly kind: 'cursor'; readonly before: number | undefined; readonly limit: number }

export type InstanceQuery = { readonly filter: InstanceFilter; readonly page: InstancePage }

/** A query that cannot be: which parameter, and what it must be. */
export class InstanceQueryError extends Error {
  override readonly name = 'InstanceQueryError'
}

export const defaultLimit = 10
export const maxLimit = 1_000

const texts = ['pool', 'group', 'tenant', 'request_id', 'ip', 'pod', 'pod_uid', 'node', 'host_ip'] as const
const numbers = ['bk_biz_id', 'bk_pod_id', 'bk_host_id'] as const

/** Reads a list's query string: an empty parameter is an absent one, unknown ones are ignored. Pure. */
export function readInstanceQuery(query: ReadonlyMap<string, string>): InstanceQuery {
  const given = (name: string) => query.get(name) || undefined
  const filter: Record<string, unknown> = {}
  for (const name of texts) if (given(name) !== undefined) filter[name] = given(name)
  for (const name of numbers) {
    const number = integer(name, given(name), 0, Number.MAX_SAFE_INTEGER)
    if (number !== undefined) filter[name] = number
  }
  const state = given('state')
  if (state !== undefined) {
    if (!(instanceStates as readonly string[]).includes(state))
      throw refuse('state', `must be ${instanceStates.join(', ')}`)
    filter.state = state
  }
  for (const name of ['from', 'to'] as const) {
    const ms = moment(name, given(name))
    if (ms !== undefined) filter[`${name}Ms`] = ms
  }
  return { filter: filter as InstanceFilter, page: readPage(query) }
}

function readPage(query: ReadonlyMap<string, string>): InstancePage {
  const limit = integer('limit', query.get('limit') || undefined, 1, maxLimit) ?? defaultLimit
  const offset = integer('offset', query.get('offset') || undefined, 0, 1_000_000)
  const cursor = query.get('cursor')
  if (cursor === undefined) return { kind: 'page', skip: (Math.max(offset ?? 1, 1) - 1) * limit, limit }
  if (offset !== undefined) throw refuse('cursor', 'cannot be given together with offset')
  const before = integer('cursor', cursor || undefined, 1, Number.MAX_SAFE_INTEGER)
  return { kind: 'cursor', before, limit }
}

function integer(name: string, text: string | undefined, least: number, most: number): number | undefined {
  if (text === undefined) return undefined
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= least && value <= most)) throw refuse(name, `must be an integer from ${least} to ${most}`)
  return value
}

/** RFC 3339 with its zone, a date alone (midnight UTC), or Unix seconds. */
const timeForm = /^(?:\d{4}-\d{2}-\d{2}(?:[Tt ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:[Zz]|[+-]\d{2}:\d{2}))?|\d{1,12})$/

function moment(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const ms = !timeForm.test(text)
    ? Number.NaN
    : /^\d+$/.test(text)
      ? Number(text) * 1000
      : Date.parse(text.replace(' ', 'T'))
  if (!(Math.abs(ms) < 8.64e15)) throw refuse(name, 'must be a time such as 2026-11-22T14:03:00Z, or Unix seconds')
  return ms
}

const refuse = (name: string, what: string) => new InstanceQueryError(`${name} ${what}`)
