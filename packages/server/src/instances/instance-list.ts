import type { Queryable } from '../store/database.ts'
import type { Instance } from './instance.ts'
import type { InstanceFilter, InstanceQuery } from './instance-query.ts'
import { containersOf, type InstanceRow, liveColumns, pastColumns, toInstance } from './instance-row.ts'

/** A page of the ledger, newest first. */
export type InstanceList = {
  /** Matches on all pages; undefined where a cursor was given. */
  readonly count: number | undefined
  readonly instances: readonly Instance[]
  /** Of the page that follows; '' when there is none. */
  readonly nextCursor: string
}

/** Columns by the filter's name. */
const columns = {
  pool: 'pool_name',
  group: 'group_name',
  tenant: 'tenant',
  request_id: 'request_id',
  ip: 'ip',
  pod: 'pod_name',
  pod_uid: 'pod_uid',
  node: 'node',
  host_ip: 'host_ip',
  bk_biz_id: 'bk_biz_id',
  bk_pod_id: 'bk_pod_id',
  bk_host_id: 'bk_host_id',
} as const

const at = (parameter: string) => `timestamptz 'epoch' + ${parameter}::float8 * interval '1 millisecond'`

class Conditions {
  readonly values: unknown[] = []
  readonly #live: string[] = ['true']
  readonly #past: string[] = ['true']

  constructor(filter: InstanceFilter, before: number | undefined) {
    for (const [name, column] of Object.entries(columns)) {
      const value = filter[name as keyof typeof columns]
      if (value !== undefined) this.#both(`${column} = ${this.value(value)}`)
    }
    if (filter.state === 'running') this.#past.push('false')
    else if (filter.state !== undefined) {
      this.#live.push('false')
      this.#past.push(`state = ${this.value(filter.state)}`)
    }
    // What still runs lives through every moment after it was made.
    if (filter.toMs !== undefined) this.#both(`created_at <= ${at(this.value(filter.toMs))}`)
    if (filter.fromMs !== undefined) this.#past.push(`ended_at >= ${at(this.value(filter.fromMs))}`)
    if (before !== undefined) this.#both(`no < ${this.value(before)}`)
  }

  value(value: unknown): string {
    this.values.push(value)
    return `$${this.values.length}`
  }

  get live(): string {
    return this.#live.join(' and ')
  }
  get past(): string {
    return this.#past.join(' and ')
  }

  #both(condition: string): void {
    this.#live.push(condition)
    this.#past.push(condition)
  }
}

export async function listInstances(db: Queryable, query: InstanceQuery): Promise<InstanceList> {
  const { filter, page } = query
  // The database holds no NUL, so nothing matches.
  if (Object.values(filter).some((value) => String(value).includes('\0')))
    return { count: page.kind === 'page' ? 0 : undefined, instances: [], nextCursor: '' }
  const conditions = new Conditions(filter, page.kind === 'cursor' ? page.before : undefined)
  const skip = page.kind === 'page' ? page.skip : 0
  const countValues = [...conditions.values]
  const most = conditions.value(skip + page.limit + 1)
  const rows = await db.query<InstanceRow>(
    `select x.*, coalesce(x.past_containers, k.containers) as containers from (
      select * from (
        (select ${liveColumns('i')}, null::jsonb as past_containers from instance i where ${conditions.live}
          order by no desc limit ${most})
        union all
        (select ${pastColumns('p').replace(/p\.containers$/, 'p.containers as past_containers')} from instance_past p
          where ${conditions.past} order by no desc limit ${most})) both_of_them
      order by no desc limit ${conditions.value(page.limit + 1)} offset ${conditions.value(skip)}) x
    ${containersOf('x')} on x.past_containers is null
    order by x.no desc`,
    conditions.values,
  )
  const shown = rows.slice(0, page.limit)
  return {
    count: page.kind === 'page' ? await countInstances(db, conditions, countValues) : undefined,
    instances: shown.map(toInstance),
    nextCursor: rows.length > page.limit ? String(shown.at(-1)?.no) : '',
  }
}

async function countInstances(db: Queryable, conditions: Conditions, values: readonly unknown[]): Promise<number> {
  const [row] = await db.query<{ n: number }>(
    `select (select count(*) from instance where ${conditions.live})
      + (select count(*) from instance_past where ${conditions.past}) as n`,
    values,
  )
  return row?.n ?? 0
}
