import { type Attribute, checkAttribute } from './instance-attributes.ts'

/** A business as stored. Times are Dates, to the millisecond. */
export type BusinessRow = {
  readonly id: number
  readonly bk_supplier_account: string
  readonly bk_biz_name: string
  readonly bk_biz_maintainer: string
  readonly bk_biz_productor: string | null
  readonly bk_biz_tester: string | null
  readonly bk_biz_developer: string | null
  readonly operator: string | null
  readonly life_cycle: string
  readonly language: string
  readonly time_zone: string
  readonly bk_data_status: string | null
  readonly create_time: Date
  readonly last_time: Date
  readonly bk_created_by: string
  readonly bk_updated_at: Date | null
  readonly bk_updated_by: string | null
}

/** What a client gives of a business, checked; absent members were not given. */
export type BusinessInput = {
  readonly bk_biz_name?: string
  readonly bk_biz_maintainer?: string
  readonly bk_biz_productor?: string | null
  readonly bk_biz_tester?: string | null
  readonly bk_biz_developer?: string | null
  readonly operator?: string | null
  readonly life_cycle?: string
  readonly language?: string
  readonly time_zone?: string
}

export type CheckedBusiness =
  | { readonly ok: true; readonly input: BusinessInput }
  /** 1199010 for `unset`, 1199011 for `invalid`; `text` is the code's argument. */
  | { readonly ok: false; readonly reason: 'unset' | 'invalid'; readonly text: string }

const attributes: readonly Attribute[] = [
  { name: 'bk_biz_name', kind: 'text' },
  { name: 'bk_biz_maintainer', kind: 'users' },
  { name: 'bk_biz_productor', kind: 'users' },
  { name: 'bk_biz_tester', kind: 'users' },
  { name: 'bk_biz_developer', kind: 'users' },
  { name: 'operator', kind: 'users' },
  { name: 'life_cycle', kind: 'enum', words: ['1', '2', '3'] },
  { name: 'time_zone', kind: 'text' },
  { name: 'language', kind: 'enum', words: ['1', '2'] },
]
/** The attributes that a null in an update may clear. */
const optionalUsers = new Set(['bk_biz_productor', 'bk_biz_tester', 'bk_biz_developer', 'operator'])
const required = ['bk_biz_name', 'bk_biz_maintainer'] as const

/** Checks a row to create (container API reference 10.2): required members first, then each value. */
export function checkNewBusiness(row: Readonly<Record<string, unknown>>): CheckedBusiness {
  for (const name of required)
    if (row[name] === undefined || row[name] === null) return { ok: false, reason: 'unset', text: name }
  return checkValues(row)
}

/** Checks the members of an update; `time_zone` never changes and is dropped. */
export function checkBusinessUpdate(row: Readonly<Record<string, unknown>>): CheckedBusiness {
  return checkValues({ ...row, time_zone: undefined })
}

function checkValues(row: Readonly<Record<string, unknown>>): CheckedBusiness {
  const input: Record<string, string | null> = {}
  for (const attribute of attributes) {
    const given = row[attribute.name]
    if (given === undefined || (given === null && !optionalUsers.has(attribute.name))) continue
    const checked = checkAttribute(attribute, given)
    if (!checked.ok) return { ok: false, reason: 'invalid', text: checked.problem }
    const value = checked.value as string | null
    const problem = value === null ? undefined : valueProblem(attribute.name, value)
    if (problem !== undefined) return { ok: false, reason: 'invalid', text: problem }
    input[attribute.name] = value
  }
  return { ok: true, input }
}

function valueProblem(name: string, value: string): string | undefined {
  if (name === 'bk_biz_name') return businessNameProblem(value)
  if (name === 'bk_biz_maintainer' && value === '') return 'bk_biz_maintainer is empty'
  if (name === 'time_zone' && !/^[A-Za-z0-9_/+-]+$/.test(value)) return 'time_zone is not a time zone'
  return undefined
}

/** What is wrong with the name of a business or a set of them, which is a path element in the original's topology. */
export function businessNameProblem(name: string, attribute = 'bk_biz_name'): string | undefined {
  if (name === '') return `${attribute} is empty`
  if (Buffer.byteLength(name) > 256) return `${attribute} exceeds 256 bytes`
  return /[\\|/:*,<>"?#\s]/.test(name) ? `${attribute} has a character that is not allowed` : undefined
}

/** The name of an archived business: `<name>-archived`, and with a number from the second attempt on. */
export function archivedName(name: string, attempt: number): string {
  const suffix = attempt === 0 ? '-archived' : `-archived-${attempt}`
  // The longest names lose their end: the result must fit the same 256 bytes.
  let kept = name
  while (Buffer.byteLength(kept + suffix) > 256) kept = [...kept].slice(0, -1).join('')
  return kept + suffix
}

/** The row on the wire (container API reference 10.2). `fields`: only these; empty or absent: all. */
export function businessView(row: BusinessRow, fields: readonly string[] = []): Record<string, unknown> {
  const view: Record<string, unknown> = {
    bk_biz_id: row.id,
    bk_biz_name: row.bk_biz_name,
    bk_biz_maintainer: row.bk_biz_maintainer,
    bk_biz_productor: row.bk_biz_productor,
    bk_biz_tester: row.bk_biz_tester,
    bk_biz_developer: row.bk_biz_developer,
    operator: row.operator,
    life_cycle: row.life_cycle,
    language: row.language,
    time_zone: row.time_zone,
    default: 0,
    ...(row.bk_data_status === null ? {} : { bk_data_status: row.bk_data_status }),
    bk_supplier_account: row.bk_supplier_account,
    create_time: row.create_time.toISOString(),
    last_time: row.last_time.toISOString(),
    bk_created_at: row.create_time.toISOString(),
    bk_created_by: row.bk_created_by,
    ...(row.bk_updated_at === null
      ? {}
      : { bk_updated_at: row.bk_updated_at.toISOString(), bk_updated_by: row.bk_updated_by ?? '' }),
  }
  return pickFields(view, fields)
}

/** Only the named members, in the row's own order; all of them when none is named. Unknown names are ignored. */
export function pickFields(view: Record<string, unknown>, fields: readonly string[]): Record<string, unknown> {
  if (fields.length === 0) return view
  const wanted = new Set(fields)
  return Object.fromEntries(Object.entries(view).filter(([name]) => wanted.has(name)))
}
