/** Something that ends an export or import, in words for the terminal: what was wrong, and what to do. */
export class TransferProblem extends Error {
  override readonly name = 'TransferProblem'
}

/** The server refused a request: nothing of it was done. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly code: number
  /** Which items of the request are at fault, where the server says so. */
  readonly details: readonly { readonly path: string; readonly message: string }[]
  /** What the server answers beside the refusal, where it does. */
  readonly data: unknown
  constructor(
    code: number,
    message: string,
    details: readonly { readonly path: string; readonly message: string }[],
    data: unknown = null,
  ) {
    super(message)
    this.code = code
    this.details = details
    this.data = data
  }

  /** All that the server said. */
  words(): string {
    const details = this.details.map(({ path, message }) => `${path} ${message}`.trim())
    return [`${this.message} (${this.code})`, ...details].join('; ')
  }
}

/** A line of the file that cannot be imported. */
export class BadLine extends Error {
  override readonly name = 'BadLine'
  readonly line: number
  constructor(line: number, what: string) {
    super(what)
    this.line = line
  }
}
