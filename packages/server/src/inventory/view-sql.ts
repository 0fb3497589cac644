import { type Field, type KubeObject, kubeFields } from './fields.ts'

/**
 * `viewOf` as SQL: an expression that makes of the row `alias` what the wire shows of it. For changes of so many rows that
 * they should not travel through this process.
 */
export function viewSql(object: KubeObject, alias: string): string {
  const stored = kubeFields[object].filter((field) => field.column !== undefined)
  const absent = stored.flatMap((field) => absentSql(field, alias))
  const members = stored.map((field) => `'${field.name}', ${valueSql(field, alias)}`)
  return `(jsonb_build_object(${members.join(', ')}) - array[${absent.join(', ')}]::text[])`
}

function valueSql({ column }: Field, alias: string): string {
  if (column === undefined) return 'null'
  if (!('members' in column)) return `${alias}.${column.name}`
  const members = Object.entries(column.members)
  // `kind` is always written, the other members vanish at zero.
  const absent = members.flatMap(([name, { name: n, type }]) =>
    name === 'kind' ? [] : [`case when ${alias}.${n} = ${zeroSql(type)} then '${name}' end`],
  )
  const pairs = members.map(([name, { name: n }]) => `'${name}', ${alias}.${n}`)
  return `jsonb_build_object(${pairs.join(', ')}) - array[${absent.join(', ')}]::text[]`
}

/** The field's name where it does not show, null where it does: removing a null removes nothing. */
function absentSql({ name, presence, column }: Field, alias: string): string[] {
  if (presence === 'always' || column === undefined || 'members' in column) return []
  const value = `${alias}.${column.name}`
  const condition = presence === 'ptr' ? `${value} is null` : `${value} = ${zeroSql(column.type)}`
  return [`case when ${condition} then '${name}' end`]
}

const zeroSql = (type: string) => (type === 'text' ? `''` : '0')
