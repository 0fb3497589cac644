/** What the tables of `create-cases.ts` and `change-cases.ts` are made of. */
/** When, the request's body, the code, what is substituted into its text, and which item is at fault. */
export type Refusal = readonly [
  when: string,
  body: unknown,
  code: number,
  args?: readonly (string | number)[],
  path?: string,
]

export type WriteEndpoint = {
  /** As the conformance table has it: without the method, `{kind}` for any kind. */
  readonly at: string
  readonly method: 'POST' | 'PUT' | 'DELETE'
  readonly esbName: string
  /** What the path holds; in the body through ESB. */
  readonly params?: Readonly<Record<string, string>>
  /** A request that succeeds, a new one each time. */
  readonly good: () => Record<string, unknown>
  readonly refusals: readonly Refusal[]
}

let made = 0
/** A number that no other call gets. */
export const nextNumber = () => made++
export const unique = (what: string) => `${what}-${made++}`
export const many = <T>(count: number, make: (i: number) => T) => Array.from({ length: count }, (_, i) => make(i))
export const ids = (count: number) => many(count, (i) => i + 1000)

export const noBusiness: Refusal = ['there is no business', { ids: [1] }, 1199010, ['bk_biz_id']]
