import Type, { type Static } from 'typebox'
import { Nullable, SafeInteger } from './named.ts'

/** A page of a list (container API reference 5.4). What is missing or out of range is the use case's to say. */
export const InventoryPage = Type.Object({
  start: Type.Optional(Nullable(SafeInteger({ description: 'rows to skip' }))),
  limit: Type.Optional(Nullable(SafeInteger({ description: 'rows at most: 1 to 500' }))),
  sort: Type.Optional(
    Nullable(Type.String({ description: 'fields, comma separated; `-field` or `field:-1` is descending' })),
  ),
  enable_count: Type.Optional(
    Nullable(Type.Boolean({ description: 'count instead of rows; then nothing else is given' })),
  ),
  cursor: Type.Optional(
    Nullable(
      Type.String({
        description:
          'the way through long lists: `""` first, then each answer’s `next_cursor` until that is `""`; not with `start` or `sort`',
      }),
    ),
  ),
})
export type InventoryPage = Static<typeof InventoryPage>

/** A filter: its form is looked at by the filter's own parser, which knows the original's texts. */
export const InventoryFilter = Type.Unsafe<unknown>({
  description:
    'A rule `{field, operator, value}`, or `{condition: "AND" | "OR", rules}` of up to 50 rules, three levels deep (pods: four)',
})

export const FieldNames = Type.Array(Type.String(), { description: 'the fields of the answer; empty: all' })

/** The body of every list of the container API (container API reference 2.4). */
export const InventoryListBody = Type.Object({
  bk_biz_id: Type.Optional(Nullable(SafeInteger({ description: 'business id' }))),
  filter: Type.Optional(InventoryFilter),
  fields: Type.Optional(Nullable(FieldNames)),
  page: Type.Optional(Nullable(InventoryPage)),
})
export type InventoryListBody = Static<typeof InventoryListBody>

export const ContainerListBody = Type.Object({
  ...InventoryListBody.properties,
  bk_pod_id: Type.Optional(Nullable(SafeInteger({ description: 'only containers of this pod' }))),
})
export type ContainerListBody = Static<typeof ContainerListBody>

/** A page of rows, or a count without rows. */
export const InventoryListData = Type.Object({
  count: Type.Integer({ description: 'the number of rows where `enable_count` was given, else 0' }),
  info: Type.Array(Type.Record(Type.String(), Type.Unknown())),
  next_cursor: Type.Optional(
    Type.String({ description: 'where `page.cursor` was given: the next page’s, `""` when there is none' }),
  ),
})
