/**
 * How a field is stored:
 * `time` is a timestamptz that the wire shows as a date;
 * `json-list` is a jsonb array that filter_object looks into (one of the elements must fit);
 * `members` is no column at all: its members are columns of their own, under dotted names.
 */
export type Storage = 'text' | 'integer' | 'boolean' | 'time' | 'text-array' | 'json' | 'json-list' | 'members'

/** `sql` is a trusted expression of ours, never text of a request. */
export type Column = { readonly sql: string; readonly storage: Storage }

/** Columns by the wire's field names. A field that has none is one that no row has. */
export type Columns = ReadonlyMap<string, Column>

/** `inside`: the jsonb column that the value is a member of, and the way to it. */
export type Target = Column & { readonly inside?: { readonly sql: string; readonly path: readonly string[] } }
