import Type, { type Static } from 'typebox'
import { LoosePage, nextCursor, TimeCondition } from './inventory-business.ts'
import { FieldNames } from './inventory-list.ts'
import { Nullable, SafeInteger } from './named.ts'

const HostRow = Type.Record(Type.String(), Type.Unknown(), {
  description: 'attributes of a host, such as bk_host_innerip, bk_cloud_id, bk_host_name',
})

export const AddHostsBody = Type.Object({
  bk_biz_id: Type.Optional(Nullable(SafeInteger({ description: 'business; 0 or absent: the resource pool' }))),
  host_info: Type.Optional(
    Nullable(
      Type.Record(Type.String(), Type.Unknown(), {
        description: 'rows by number: `{"0": {"bk_host_innerip": "10.1.0.4"}}`',
      }),
    ),
  ),
})
export type AddHostsBody = Static<typeof AddHostsBody>
export const AddHostsData = Type.Object({ success: Type.Array(Type.String()) })

export const AddressCondition = Type.Object({
  data: Type.Optional(Nullable(Type.Array(Type.String()))),
  exact: Type.Optional(Nullable(SafeInteger({ description: '1: equal; else each one is a regular expression' }))),
  flag: Type.Optional(Nullable(Type.String({ description: 'bk_host_innerip, bk_host_outerip or both with |' }))),
})
export type AddressCondition = Static<typeof AddressCondition>

export const ObjectCondition = Type.Object({
  bk_obj_id: Type.Optional(Nullable(Type.String({ description: 'host, biz, set or module' }))),
  fields: Type.Optional(Nullable(FieldNames)),
  condition: Type.Optional(
    Nullable(
      Type.Array(
        Type.Object({
          field: Type.Optional(Nullable(Type.String())),
          operator: Type.Optional(
            Nullable(Type.String({ description: '$eq $ne $in $nin $regex $lt $lte $gt $gte contains_s' })),
          ),
          value: Type.Optional(Type.Unknown()),
        }),
      ),
    ),
  ),
  time_condition: Type.Optional(Nullable(TimeCondition)),
})
export type ObjectCondition = Static<typeof ObjectCondition>

/** hosts/search and findmany/hosts/search/with_biz (container API reference 10.4). */
export const SearchHostsBody = Type.Object({
  bk_biz_id: Type.Optional(Nullable(SafeInteger({ description: 'business' }))),
  ip: Type.Optional(Nullable(AddressCondition)),
  ipv6: Type.Optional(Nullable(AddressCondition)),
  condition: Type.Optional(Nullable(Type.Array(ObjectCondition))),
  page: Type.Optional(Nullable(LoosePage)),
})
export type SearchHostsBody = Static<typeof SearchHostsBody>
export const SearchHostsData = Type.Object({
  count: Type.Integer({ description: 'all that match, whatever the page' }),
  info: Type.Array(
    Type.Object({
      host: HostRow,
      biz: Type.Array(Type.Record(Type.String(), Type.Unknown())),
      set: Type.Array(Type.Record(Type.String(), Type.Unknown())),
      module: Type.Array(Type.Record(Type.String(), Type.Unknown())),
    }),
  ),
  next_cursor: nextCursor,
})

export const ListHostsBody = Type.Object({
  page: Type.Optional(Nullable(LoosePage)),
  fields: Type.Optional(Nullable(FieldNames)),
  host_property_filter: Type.Optional(Type.Unsafe<unknown>({ description: 'a rule over the fields of hosts' })),
  bk_set_ids: Type.Optional(Nullable(Type.Array(SafeInteger()))),
  set_cond: Type.Optional(Type.Unknown()),
  bk_module_ids: Type.Optional(Nullable(Type.Array(SafeInteger()))),
  module_cond: Type.Optional(Type.Unknown()),
})
export type ListHostsBody = Static<typeof ListHostsBody>
export const ListHostsData = Type.Object({
  count: Type.Integer({ description: 'all that match, whatever the page' }),
  info: Type.Array(HostRow),
  next_cursor: nextCursor,
})

export const HostIdsBody = Type.Object({
  bk_host_id: Type.Optional(Type.Unsafe<unknown>({ description: 'ids as one comma separated text, or one number' })),
})

const hostIds = Type.Optional(Nullable(Type.Array(SafeInteger(), { description: 'hosts' })))
const business = (description: string) => Type.Optional(Nullable(SafeInteger({ description })))

/** add_host_to_business_idle (container API reference 10.3). */
export const AddIdleHostsBody = Type.Object({
  bk_biz_id: business('business'),
  bk_host_list: Type.Optional(
    Nullable(Type.Array(Type.Record(Type.String(), Type.Unknown()), { description: 'rows, 1 to 200' })),
  ),
})
export type AddIdleHostsBody = Static<typeof AddIdleHostsBody>
export const AddIdleHostsData = Type.Object({ bk_host_ids: Type.Array(Type.Integer()) })

/** Moves within a business, out of it and into it (container API reference 10.5). */
export const MoveHostsBody = Type.Object({ bk_biz_id: business('business'), bk_host_id: hostIds })
export type MoveHostsBody = Static<typeof MoveHostsBody>

export const MoveHostsAcrossBody = Type.Object({
  src_bk_biz_id: business('the business that has the hosts'),
  dst_bk_biz_id: business('the one that gets them'),
  bk_host_id: hostIds,
  bk_module_id: Type.Optional(Nullable(SafeInteger({ description: 'a module of the latter' }))),
})
export type MoveHostsAcrossBody = Static<typeof MoveHostsAcrossBody>

export const MoveHostsToModulesBody = Type.Object({
  bk_biz_id: business('business'),
  bk_host_id: hostIds,
  bk_module_id: Type.Optional(Nullable(Type.Array(SafeInteger(), { description: 'one module of the business' }))),
})
export type MoveHostsToModulesBody = Static<typeof MoveHostsToModulesBody>

export const HostRelationsBody = Type.Object({
  bk_host_id: hostIds,
  bk_biz_id: business('only those of this business'),
})
export type HostRelationsBody = Static<typeof HostRelationsBody>
export const HostRelations = Type.Array(
  Type.Object({
    bk_biz_id: Type.Integer(),
    bk_host_id: Type.Integer(),
    bk_module_id: Type.Integer(),
    bk_set_id: Type.Integer(),
    bk_supplier_account: Type.String(),
  }),
)

/** The idle set of a business (container API reference 10.6). */
export const InternalModules = Type.Object({
  bk_set_id: Type.Integer(),
  bk_set_name: Type.String(),
  module: Nullable(Type.Array(Type.Record(Type.String(), Type.Unknown()))),
})
