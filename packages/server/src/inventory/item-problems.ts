import { type AppError, cmdbErrors, type ErrorDetail } from '../errors.ts'

/** What is wrong with one item of a request. */
export type Problem = {
  readonly path: string
  readonly code: 'unset' | 'invalid'
  /** The argument of the code's message. */
  readonly what: string
  /** What the details say, where `what` does not tell it. */
  readonly message?: string
}

/** Absent where an id or a text must be given: 1199010. */
export const unset = (path: string, what: string): Problem => ({ path, code: 'unset', what })
/** Absent where an optional of the original must be given, or given where it may not be: 1199011. */
export const invalid = (path: string, what: string): Problem => ({ path, code: 'invalid', what })

/** The error of several bad items, in the order of the request: the first one decides the code, `details` name them all. */
export function problemsError(problems: readonly Problem[]): AppError {
  const [first] = problems as [Problem]
  const details: ErrorDetail[] = problems.map((problem) => ({ path: problem.path, message: messageOf(problem) }))
  return first.code === 'unset' ? cmdbErrors.unset(first.what, details) : cmdbErrors.invalid(first.what, details)
}

function messageOf({ path, code, what, message }: Problem): string {
  if (message !== undefined) return message
  if (path.endsWith(`.${what}`)) return 'is required'
  return code === 'unset' ? `${what} is required` : what
}

/** Looks at every item of a batch and throws what is wrong with them, if anything is. */
export function refuseProblems<Item>(
  items: readonly Item[],
  problemOf: (item: Item, path: string) => Problem | undefined,
): void {
  const problems = items.flatMap((item, i) => problemOf(item, `data[${i}]`) ?? [])
  if (problems.length > 0) throw problemsError(problems)
}

/** The places of the items for which something does not hold. */
export function detailsAt(
  holds: readonly boolean[],
  pathOf: (index: number) => string,
  message: string,
): readonly ErrorDetail[] {
  return holds.flatMap((ok, i) => (ok ? [] : [{ path: pathOf(i), message }]))
}
