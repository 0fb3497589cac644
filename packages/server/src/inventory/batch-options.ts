import { cmdbErrors } from '../errors.ts'

/** What Podyard adds to the batch creates; without it they behave as the original's. */
export type BatchOptions = {
  /** What becomes of items whose unique key is stored already. `refuse`: the whole batch fails with 1199014. */
  readonly onDuplicate: 'refuse' | 'update' | 'skip'
  /** Whether the answer has the rows, too. */
  readonly full: boolean
}

type Extensions = { readonly on_duplicate?: string | null | undefined; readonly return?: string | null | undefined }

/** The extension members of a request; a word that they do not know is 1199006. Null and '' are as good as absent. */
export function batchOptions(body: Extensions | null | undefined): BatchOptions {
  const onDuplicate = body?.on_duplicate || 'refuse'
  if (onDuplicate !== 'update' && onDuplicate !== 'skip' && body?.on_duplicate)
    throw cmdbErrors.mismatch('on_duplicate', [{ path: 'on_duplicate', message: 'must be update or skip' }])
  const full = body?.return || undefined
  if (full !== undefined && full !== 'full')
    throw cmdbErrors.mismatch('return', [{ path: 'return', message: 'must be full' }])
  return { onDuplicate: onDuplicate as BatchOptions['onDuplicate'], full: full === 'full' }
}
