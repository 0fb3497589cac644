import type { Column, Columns } from './filter/columns.ts'
import { looseAttributes } from './host.ts'
import { idleSetName, moduleIdSql, moduleNameSql } from './host-modules.ts'

const column = (name: string, storage: Column['storage']): [string, Column] => [name, { sql: `h.${name}`, storage }]

/** The fields of a host by their wire names; the table's alias is `h`. Lists of addresses and users match by their elements. */
export const hostColumns: Columns = new Map<string, Column>([
  ['bk_host_id', { sql: 'h.id', storage: 'integer' }],
  column('bk_cloud_id', 'integer'),
  column('bk_addressing', 'text'),
  column('bk_host_innerip', 'text-array'),
  column('bk_host_innerip_v6', 'text-array'),
  column('bk_host_outerip', 'text-array'),
  column('bk_host_outerip_v6', 'text-array'),
  column('bk_host_name', 'text'),
  column('bk_agent_id', 'text'),
  column('operator', 'text-array'),
  column('bk_bak_operator', 'text-array'),
  column('bk_supplier_account', 'text'),
  column('create_time', 'time'),
  column('last_time', 'time'),
  ['bk_created_at', { sql: 'h.create_time', storage: 'time' }],
  column('bk_created_by', 'text'),
  ['bk_updated_at', { sql: 'coalesce(h.bk_updated_at, h.create_time)', storage: 'time' }],
  ['bk_updated_by', { sql: 'coalesce(h.bk_updated_by, h.bk_created_by)', storage: 'text' }],
  ...looseAttributes.map(({ name, kind }): [string, Column] => {
    const text = `(h.attributes ->> '${name}')`
    if (kind === 'count') return [name, { sql: `${text}::bigint`, storage: 'integer' }]
    if (kind === 'boolean') return [name, { sql: `coalesce(${text}::boolean, false)`, storage: 'boolean' }]
    // Text that was never given is '' in the answer, so it is to a filter; an enum is null.
    return [name, { sql: kind === 'enum' ? text : `coalesce(${text}, '')`, storage: 'text' }]
  }),
])

/**
 * The fields of the set and the module that a host is in, seen from the host's row, so that their conditions are
 * conditions on hosts.
 */
export const setColumns: Columns = new Map<string, Column>([
  ['bk_set_id', { sql: 'h.bk_biz_id', storage: 'integer' }],
  ['bk_set_name', { sql: `'${idleSetName}'::text`, storage: 'text' }],
  ['default', { sql: '1::bigint', storage: 'integer' }],
  ['bk_biz_id', { sql: 'h.bk_biz_id', storage: 'integer' }],
])
export const moduleColumns: Columns = new Map<string, Column>([
  ...setColumns,
  ['bk_module_id', { sql: `(${moduleIdSql})`, storage: 'integer' }],
  ['bk_module_name', { sql: `(${moduleNameSql})`, storage: 'text' }],
  ['default', { sql: 'h.module::bigint', storage: 'integer' }],
])
