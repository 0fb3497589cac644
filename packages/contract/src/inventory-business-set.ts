import Type, { type Static } from 'typebox'
import { nextCursor, TimeCondition } from './inventory-business.ts'
import { FieldNames, InventoryPage } from './inventory-list.ts'
import { Nullable, SafeInteger } from './named.ts'

const attribute = (description: string) => Type.Optional(Type.Unsafe<unknown>({ description }))
const row = Type.Record(Type.String(), Type.Unknown())

/** What a client gives of a business set; the values are looked at one by one (container API reference 10.7). */
const Attributes = Type.Object({
  bk_biz_set_name: attribute('name, unique in the installation; characters as in a business’s name'),
  bk_biz_set_desc: attribute('description'),
  bk_biz_maintainer: attribute('users, comma separated'),
})
const Scope = Type.Unsafe<unknown>({
  description:
    '`{"match_all": true}`, or `{"match_all": false, "filter": {"condition": "AND", "rules": [{"field": "bk_biz_id", "operator": "in", "value": [7, 9]}]}}`',
})
const ids = Type.Optional(Nullable(Type.Array(SafeInteger())))

export const CreateBusinessSetBody = Type.Object({
  bk_biz_set_attr: Type.Optional(Nullable(Attributes)),
  bk_scope: Type.Optional(Scope),
})
export type CreateBusinessSetBody = Static<typeof CreateBusinessSetBody>

export const UpdateBusinessSetsBody = Type.Object({
  bk_biz_set_ids: ids,
  data: Type.Optional(
    Nullable(Type.Object({ bk_biz_set_attr: Type.Optional(Nullable(Attributes)), bk_scope: Type.Optional(Scope) })),
  ),
})
export type UpdateBusinessSetsBody = Static<typeof UpdateBusinessSetsBody>

export const DeleteBusinessSetsBody = Type.Object({ bk_biz_set_ids: ids })
export type DeleteBusinessSetsBody = Static<typeof DeleteBusinessSetsBody>

export const ListBusinessSetsBody = Type.Object({
  bk_biz_set_filter: Type.Optional(Type.Unsafe<unknown>({ description: 'a rule over the fields of business sets' })),
  time_condition: Type.Optional(Nullable(TimeCondition)),
  fields: Type.Optional(Nullable(FieldNames)),
  page: Type.Optional(Nullable(InventoryPage)),
})
export type ListBusinessSetsBody = Static<typeof ListBusinessSetsBody>

export const ListBusinessesInSetBody = Type.Object({
  bk_biz_set_id: Type.Optional(Nullable(SafeInteger())),
  filter: Type.Optional(Type.Unsafe<unknown>({ description: 'a rule over the fields of businesses' })),
  fields: Type.Optional(Nullable(FieldNames)),
  page: Type.Optional(Nullable(InventoryPage)),
})
export type ListBusinessesInSetBody = Static<typeof ListBusinessesInSetBody>

/** A page of rows, or a count without rows. */
export const BusinessSetListData = Type.Object({
  count: Type.Integer({ description: 'the number of rows where `enable_count` was given, else 0' }),
  info: Type.Array(row),
  next_cursor: nextCursor,
})
