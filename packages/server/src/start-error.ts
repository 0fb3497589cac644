/**
 * Podyard cannot start, for a reason that whoever starts it can change. The message is one line that says which; it is
 * printed without a stack trace.
 */
export class StartError extends Error {
  override readonly name = 'StartError'
}

/** What the system said about a file, in words: `permission denied` for EACCES. */
export function fileProblem(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? ''
  return fileProblems.get(code) ?? (code === '' ? 'unknown error' : code)
}

const fileProblems = new Map([
  ['EACCES', 'permission denied'],
  ['EPERM', 'permission denied'],
  ['EROFS', 'the file system is read-only'],
  ['ENOSPC', 'the disk is full'],
  ['EDQUOT', 'the disk quota is used up'],
  ['ENOTDIR', 'a file stands where a folder should be'],
  ['EEXIST', 'a file stands where a folder should be'],
  ['ENOENT', 'it does not exist'],
  ['ENAMETOOLONG', 'the path is too long'],
  ['EMFILE', 'too many open files'],
])
