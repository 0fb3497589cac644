import Type, { type Static } from 'typebox'
import { FieldNames } from './inventory-list.ts'
import { Nullable, SafeInteger } from './named.ts'

const attribute = (description: string) => Type.Optional(Type.Unsafe<unknown>({ description }))

/**
 * The attributes of a business that a client may give (container API reference 10.2). Their types are not part of the
 * schema: a wrong one is an error about that attribute (1199011), not about the whole request.
 */
export const BusinessAttributes = Type.Object({
  bk_biz_name: attribute('name, unique in the installation, 1 to 256 bytes, no whitespace and none of \\|/:*,<>"?#'),
  bk_biz_maintainer: attribute('users, comma separated; required, not empty'),
  bk_biz_productor: attribute('users, comma separated'),
  bk_biz_tester: attribute('users, comma separated'),
  bk_biz_developer: attribute('users, comma separated'),
  operator: attribute('users, comma separated'),
  life_cycle: attribute('"1" test, "2" live (default), "3" stopped'),
  time_zone: attribute('default Asia/Shanghai; never changes'),
  language: attribute('"1" Chinese (default), "2" English'),
})
export type BusinessAttributes = Static<typeof BusinessAttributes>

export const BusinessRow = Type.Object({ bk_biz_id: Type.Integer(), bk_biz_name: Type.String() })

export const BusinessStatusBody = Type.Object({
  bk_biz_name: attribute('a new name for a business that is enabled again'),
})

export const DeleteBusinessesBody = Type.Object({
  bk_biz_id: Type.Optional(Nullable(Type.Array(SafeInteger(), { description: 'archived businesses, 1 to 20' }))),
})

/** A page that nobody checks: no limit means everything. */
export const LoosePage = Type.Object({
  start: Type.Optional(Nullable(SafeInteger({ description: 'rows to skip' }))),
  limit: Type.Optional(Nullable(SafeInteger({ description: 'rows at most; 0 or absent: all' }))),
  sort: Type.Optional(Nullable(Type.String({ description: 'fields, comma separated; `-field` is descending' }))),
  cursor: Type.Optional(
    Nullable(
      Type.String({
        description:
          'the way through long lists: `""` first, then each answer’s `next_cursor` until that is `""`; not with `start` or `sort`',
      }),
    ),
  ),
})
export type LoosePage = Static<typeof LoosePage>

export const TimeCondition = Type.Object({
  oper: Type.Optional(Nullable(Type.String({ description: '`and` (default) or `or`' }))),
  rules: Type.Optional(
    Nullable(
      Type.Array(
        Type.Object({
          field: Type.Optional(Nullable(Type.String())),
          start: Type.Optional(Nullable(Type.String())),
          end: Type.Optional(Nullable(Type.String())),
        }),
      ),
    ),
  ),
})
export type TimeCondition = Static<typeof TimeCondition>

export const SearchBusinessBody = Type.Object({
  fields: Type.Optional(Nullable(FieldNames)),
  page: Type.Optional(Nullable(LoosePage)),
  condition: Type.Optional(
    Nullable(
      Type.Record(Type.String(), Type.Unknown(), {
        description:
          '`{field: value}`, all of them; a text matches as a case-insensitive part, an object is `{"$in": [...]}` and its kin',
      }),
    ),
  ),
  biz_property_filter: Type.Optional(Type.Unsafe<unknown>({ description: 'a rule; not together with `condition`' })),
  time_condition: Type.Optional(Nullable(TimeCondition)),
})
export type SearchBusinessBody = Static<typeof SearchBusinessBody>

/** Beside a page that `page.cursor` asked for. */
export const nextCursor = Type.Optional(
  Type.String({ description: 'where `page.cursor` was given: the next page’s, `""` when there is none' }),
)

export const BusinessSearchData = Type.Object({
  count: Type.Integer({ description: 'all that match, whatever the page' }),
  info: Type.Array(Type.Record(Type.String(), Type.Unknown())),
  next_cursor: nextCursor,
})
